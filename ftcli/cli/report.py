"""`ftcli report`: what a run came to, as one page that can be sent to somebody."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ftcli.cli.options import AsJson

if TYPE_CHECKING:
    from ftcli.workflows.compare.comparison import Comparison


def report(
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="RUN...", help="A run folder; several, or a study's, go side by side."),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="FILE", help="The page; default RUN/report.html; of several ./report.html."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write a run's page again, or one of several runs."""
    from ftcli.cli.output import only_the_result_on_stdout, print_json
    from ftcli.engine.run_folder import RunFolder
    from ftcli.offline import go_offline
    from ftcli.report.html.write import write_report, write_study

    go_offline(True)  # images are shown where they are there; nothing is fetched for them
    with only_the_result_on_stdout():
        shown = [run for path in runs for run in _runs_in(path)]
        if shown == runs and len(runs) == 1:
            file = write_report(runs[0], out)
        else:
            place = out or (RunFolder(runs[0]).report if len(runs) == 1 else None)
            file = write_study(shown, place, _study(runs[0]) if len(runs) == 1 else None)
    if as_json:
        print_json({"report": str(file), "runs": [str(run) for run in shown]})
    else:
        print(file, flush=True)


def _study(path: Path) -> Comparison:
    """Its complete runs side by side. Raises MachineError."""
    from ftcli.workflows.compare.run_study import read_study

    return read_study(path)


def _runs_in(path: Path) -> list[Path]:
    """Those of a study that have begun, in its order; else the path itself. Raises MachineError."""
    from ftcli.engine.run_folder import RunFolder

    if RunFolder(path).recipe.is_file() or not path.is_dir():
        return [path]
    from ftcli.workflows.compare.study_folder import StudyFolder

    study = StudyFolder(path)
    if not study.file.is_file():
        return [path]
    runs = [study.run(trial) for trial in study.read()[0].trials]
    return [run.path for run in runs if run.recipe.is_file()]
