"""The files of a model in transformers' format: in a folder of the user's, or of a repository on the hub.

A repository is taken from the hub's own cache where it is there, without asking the network; so what worked
once works offline, and a run can be repeated.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftcli.errors import ModelError

from ._errors import not_fetched
from ._hf_library import library, quietly

CONFIG = "config.json"
IMAGES = "preprocessor_config.json"
WEIGHTS = "model.safetensors"
SHARDS = "model.safetensors.index.json"
TOKENIZER = "tokenizer.json"


@dataclass(frozen=True)
class Files:
    """`folder` has the config, and after `fetch_weights` the weights."""

    folder: Path
    repository: str | None = None

    @property
    def has_images(self) -> bool:
        return (self.folder / IMAGES).is_file()

    @property
    def note(self) -> str:
        """Where the weights are from; of the hub with the commit, which is what the cache calls the folder."""
        if self.repository is None:
            return f"folder {self.folder}"
        return f"{self.repository} of the Hugging Face hub, commit {self.folder.name[:8]}"

    def config(self) -> dict[str, Any]:
        try:
            values = json.loads((self.folder / CONFIG).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise _damaged(self.folder / CONFIG, str(error)) from error
        if not isinstance(values, dict):
            raise _damaged(self.folder / CONFIG, "it is no object of names and values")
        return values

    def tokenizer(self) -> str | None:
        """The JSON that the tokenizers library reads; None where there is none. Raises ModelError."""
        path = self.folder / TOKENIZER
        if self.repository is not None and not path.is_file():
            _fetched(self.repository, TOKENIZER, self.folder.name, needed=False)
        try:
            return path.read_text(encoding="utf-8") if path.is_file() else None
        except (OSError, ValueError) as error:
            raise ModelError(
                f"cannot read the tokenizer: {error}", where=str(path), remedy="save it again"
            ) from error

    def has_weights(self) -> bool:
        return any((self.folder / name).is_file() for name in (WEIGHTS, SHARDS))

    def fetch_weights(self) -> None:
        """Raises ModelError where there are none in safetensors: a pickle is never opened."""
        if self.repository is not None and not self.has_weights():
            if _fetched(self.repository, WEIGHTS, self.folder.name, needed=False) is None:
                self._fetch_shards(self.repository)
        elif self.repository is not None and (self.folder / SHARDS).is_file():
            self._fetch_shards(self.repository)
        if not self.has_weights():
            raise ModelError(
                f"{self.repository or self.folder} has no weights as safetensors",
                remedy="choose a repository with model.safetensors (others hold pickles, which can run code), "
                "save it again with safe serialization, or weights: none",
            )

    def _fetch_shards(self, repository: str) -> None:
        commit = self.folder.name
        index = _fetched(repository, SHARDS, commit, needed=False)
        if index is not None:
            for shard in shards_of(index):
                _fetched(repository, shard, commit)


def find_files(name: str) -> Files:
    """Of OWNER/NAME on the hub, or of the folder that a path names. Raises ModelError."""
    if is_path(name):
        folder = Path(name).expanduser()
        if not (folder / CONFIG).is_file():
            remedy = "give a folder that save_pretrained wrote"
            raise ModelError(f"there is no {CONFIG} in this folder", where=str(folder), remedy=remedy)
        return Files(folder)
    config = _fetched(name, CONFIG)
    assert config is not None
    folder = config.parent
    _fetched(name, IMAGES, folder.name, needed=False)
    return Files(folder, name)


def shards_of(index: Path) -> list[str]:
    """The files that an index names, beside it and nowhere else."""
    found = json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()
    return sorted({Path(str(file)).name for file in found})


def is_path(name: str) -> bool:
    """Whether a name says that it is a folder's: by beginning with a dot, a slash or a tilde."""
    return name.startswith((".", "/", "~"))


def is_repository(name: str) -> bool:
    return not is_path(name) and name.count("/") == 1


def _fetched(repository: str, file: str, commit: str = "main", *, needed: bool = True) -> Path | None:
    """The file in the hub's cache. None for one that the repository does not have, where it is not `needed`."""
    library()
    from huggingface_hub import hf_hub_download, try_to_load_from_cache
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    from ._hub import without_waiting

    cached = try_to_load_from_cache(repository, file, revision=commit)
    if isinstance(cached, str):
        return Path(cached)
    if cached is not None and not needed:
        return None  # known not to be there
    try:
        with quietly(), without_waiting():
            return Path(hf_hub_download(repository, file, revision=commit))
    except Exception as error:  # a download fails in as many ways as there are transports
        missing = isinstance(error, EntryNotFoundError) and not isinstance(error, LocalEntryNotFoundError)
        if missing and not needed:
            return None
        what = not_fetched(f"{repository} of the Hugging Face hub ({file})", error).what
        remedy = "go online once (files are kept), or name a folder that has them: hf/PATH"
        raise ModelError(what, remedy=remedy) from error


def _damaged(path: Path, why: str) -> ModelError:
    return ModelError(f"cannot read the model's description: {why}", where=str(path), remedy="save it again")
