"""Pages written to where they belong: that of a run into its folder, as often as it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from ftcli.engine.files import cannot_write, write_text
from ftcli.engine.run_folder import RunFolder
from ftcli.errors import MachineError
from ftcli.report.html.page import report_page
from ftcli.report.html.pieces import GENERATOR
from ftcli.report.html.study import study_page
from ftcli.workflows.compare.comparison import Comparison
from ftcli.workflows.report_images import OpenImage
from ftcli.workflows.report_run import RunRecord, read_run


def write_report(path: Path, file: Path | None = None, image: OpenImage | None = None) -> Path:
    """Of the run in that folder, to `file` or to report.html in it; returns where. Raises MachineError.

    `image` opens an example's by its name, where the data are open already.
    """
    place = file or RunFolder(path).report
    _refuse_foreign(place)
    page = page_of(replace(read_run(path), image=image))
    write_text(place, page)
    return place


def write_study(paths: Sequence[Path], file: Path | None = None, compared: Comparison | None = None) -> Path:
    """Of several runs, to `file` or to report.html in the current directory; returns where.

    `compared`: the study that they belong to.

    Raises MachineError, also where something is there that is no page of ours.
    """
    place = file or Path(RunFolder(Path()).report)
    _refuse_foreign(place)
    runs = [read_run(path) for path in paths]
    write_text(place, _made(lambda: study_page(runs, compared), ", ".join(map(str, paths))))
    return place


def _refuse_foreign(file: Path) -> None:
    """A page of ours may be written anew; nothing else is written over."""
    try:
        with file.open(encoding="utf-8", errors="replace") as opened:
            ours = GENERATOR in opened.read(2000)
    except FileNotFoundError:
        return
    except OSError as error:
        raise cannot_write(file, error) from error
    if not ours:
        what = "there is a file of that name, which ftcli has not written"
        raise MachineError(what, where=str(file), remedy="give another file with --out")


def page_of(run: RunRecord) -> str:
    """Raises MachineError where the summary is not as ftcli writes it."""
    return _made(lambda: report_page(run), str(RunFolder(run.path).summary))


def _made(make: Callable[[], str], where: str) -> str:
    try:
        return make()
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        what = f"the run's summary is not as ftcli writes it: {type(error).__name__}: {error}"
        raise MachineError(what, where=where, remedy="restore the file") from error
