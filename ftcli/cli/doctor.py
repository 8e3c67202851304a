"""`ftcli doctor`: is this machine fit to train on?"""

from __future__ import annotations

from typing import Annotated

import typer

from ftcli.cli.options import AsJson


def doctor(
    online: Annotated[
        bool, typer.Option("--online", help="Ask the Hugging Face hub too; else no network is used.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check the installation, devices and folders."""
    from ftcli.cli.output import only_the_result_on_stdout, print_json, print_view
    from ftcli.errors import MachineError
    from ftcli.report.doctor import doctor_view
    from ftcli.workflows.doctor import examine

    with only_the_result_on_stdout():
        health = examine(online=online)
    if as_json:
        print_json(health.to_dict())
    else:
        print_view(doctor_view(health))
    if health.problems:
        raise typer.Exit(MachineError.exit_code)
