"""Which outputs of an old classifier the folders of its own kind of images stand for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches

from ftcli.errors import DataError

SHOWN, MOST = 3, 10
"""Wrong folders, and near names of one; classes where none is near."""


def outputs_of(folders: Iterable[str], names: Sequence[str], num_classes: int, where: str) -> dict[str, int]:
    """Folder -> output. By name, in any case and with spaces or underscores; else by index, which may have zeros before

    it. Where the classes have numbers for names there is no telling an index from a name, and names alone count.
    Raises DataError with every folder that stands for none, or for several.
    """
    known = _by_alias(names)
    by_index = not any(name.isdecimal() for name in names)
    found: dict[str, int] = {}
    wrong: dict[str, str] = {}
    for folder in folders:
        outputs = known.get(_folded(folder), ())
        if not outputs and by_index and folder.isdecimal() and int(folder) < num_classes:
            outputs = (int(folder),)
        if len(outputs) == 1:
            found[folder] = outputs[0]
        else:
            wrong[folder] = (
                _several(names, outputs) if outputs else _nearest(folder, known, by_index, num_classes)
            )
    if wrong:
        raise _refused(wrong, where)
    twice = [folder for folder, output in found.items() if list(found.values()).count(output) > 1]
    if twice:
        what = f"several folders stand for one class of the old classifier: {', '.join(twice[:SHOWN])}"
        raise DataError(what, where=where, remedy="put their images into one of them")
    return found


def _by_alias(names: Sequence[str]) -> Mapping[str, tuple[int, ...]]:
    """Each name, and where it is a list of them (n02123045, tabby, tabby cat) each of these, to its outputs."""
    found: dict[str, tuple[int, ...]] = {}
    for output, name in enumerate(names):
        for alias in {_folded(name), *map(_folded, name.split(", "))}:
            found[alias] = (*found.get(alias, ()), output)
    return found


def _folded(name: str) -> str:
    return name.casefold().replace("_", " ").strip()


def _several(names: Sequence[str], outputs: Sequence[int]) -> str:
    told = " or ".join(f"{output} ({names[output]})" for output in outputs[:SHOWN])
    return f"may be {told}"


def _nearest(folder: str, known: Mapping[str, tuple[int, ...]], by_index: bool, num_classes: int) -> str:
    if by_index and (folder.isdecimal() or not known):
        return f"indices are 0 to {num_classes - 1}"
    alike = get_close_matches(_folded(folder), list(known), n=2 * SHOWN, cutoff=0.5)
    near = {known[alias]: alias for alias in reversed(alike)}  # of a class with several the nearest
    if near:
        return f"nearest: {', '.join(list(near.values())[::-1][:SHOWN])}"
    return f"classes are {', '.join(sorted(known)[:MOST])}{', ...' if len(known) > MOST else ''}"


def _refused(wrong: Mapping[str, str], where: str) -> DataError:
    told = "; ".join(f"{folder!r} ({why})" for folder, why in list(wrong.items())[:SHOWN])
    more = f"; and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
    what = f"the old classifier has no such class: {told}{more}"
    return DataError(
        what, where=where, remedy="name the folders in forgetting.path as its classes, or by index"
    )
