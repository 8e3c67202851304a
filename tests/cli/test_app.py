"""The command line as a whole: help, errors and exit codes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from ftcli import __version__
from ftcli.cli.app import COMMANDS, call, load_command
from ftcli.cli.outcome import CLOSED_PIPE, run
from ftcli.errors import DataError, Problem, RecipeError
from ftcli.stopping import Terminated


def raising(error: BaseException) -> object:
    def command(arguments: Sequence[str]) -> None:
        raise error

    return command


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(call, ["--help"]) == 0
    shown = capsys.readouterr().out
    for name, line in COMMANDS.items():
        assert any(row.split() == [name, *line.split()] for row in shown.splitlines())
    assert max(len(row) for row in shown.splitlines()) <= 80


@pytest.mark.parametrize("name", COMMANDS)
def test_the_line_in_the_table_is_the_commands_own(name: str) -> None:
    command = load_command(name)
    assert command.name == name
    assert command.help.split("\n")[0] == COMMANDS[name]


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(call, ["--version"]) == 0
    assert capsys.readouterr().out == f"ftcli {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["valdate"], "there is no command 'valdate'; did you mean 'validate'?"),
        (["zzz"], "there is no command 'zzz'"),
        (["validate"], "Missing argument"),
        (["validate", "--nonsense"], "No such option"),
    ],
)
def test_a_wrong_command_line_is_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(call, arguments) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.out == ""


def test_an_error_is_told_without_a_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    error = DataError("no [bold]images[/bold]\x1b[2J", where="data.path", remedy="look again")
    assert run(raising(error), []) == 4
    captured = capsys.readouterr()
    assert captured.err == "error: no [bold]images[/bold]\\x1b[2J\n  data.path\n  look again\n"
    assert captured.out == ""


def test_the_problems_of_a_recipe(capsys: pytest.CaptureFixture[str]) -> None:
    error = RecipeError(
        Problem("optimizer.lr", "is [wrong]", "do better", "x.yaml:3:7"), Problem("", "word " * 30 + "end")
    )
    assert run(raising(error), []) == 2
    assert capsys.readouterr().err.splitlines() == [
        "error: the recipe has 2 problems",
        "  x.yaml:3:7: optimizer.lr: is [wrong]",
        "      do better",
        f"  {'word ' * 30}end",
    ]


def test_an_error_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    problem = Problem("seed", "is wrong", None, "x.yaml:1:1")
    assert run(raising(RecipeError(problem)), ["train", "--json"]) == 2
    told = json.loads(capsys.readouterr().out)["error"]
    assert told["exit_code"] == 2
    assert told["problems"] == [{"path": "seed", "message": "is wrong", "remedy": None, "at": "x.yaml:1:1"}]


def test_a_bug_is_one_line_and_a_file(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FTCLI_DEBUG", raising=False)
    assert run(raising(ZeroDivisionError("secret")), []) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("internal error: ZeroDivisionError; the traceback is in ")
    file = Path(line.split(" is in ")[1].split(",")[0])
    assert "ZeroDivisionError: secret" in file.read_text()
    file.unlink()


def test_a_bug_where_no_file_can_be_written(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FTCLI_DEBUG", raising=False)
    monkeypatch.setattr("ftcli.cli.outcome.NamedTemporaryFile", _full_disk)
    assert run(raising(ZeroDivisionError()), []) == 1
    assert capsys.readouterr().err == "internal error: ZeroDivisionError; FTCLI_DEBUG=1 shows the traceback\n"


def _full_disk(*args: object, **kwargs: object) -> None:
    raise OSError("no space")


@pytest.mark.parametrize("error", [ZeroDivisionError("secret"), DataError("secret")])
def test_debug_shows_the_traceback(
    error: Exception, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FTCLI_DEBUG", "1")
    assert run(raising(error), []) == getattr(error, "exit_code", 1)
    assert "Traceback (most recent call last)" in capsys.readouterr().err


def test_the_debug_option(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FTCLI_DEBUG", "0")
    assert run(call, ["--debug", "recipes", "show", "nonsense"]) == 2
    assert "Traceback" in capsys.readouterr().err
    assert run(call, ["recipes", "show", "nonsense"]) == 2


def test_ctrl_c_is_130() -> None:
    assert run(raising(KeyboardInterrupt()), []) == 130


def test_sigterm_is_143_whatever_typer_makes_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(raising(Terminated()), []) == 143
    monkeypatch.setattr("ftcli.recipe.examples.find_example", raising(Terminated()))
    assert run(call, ["recipes", "show", "quickstart"]) == 143


def test_a_reader_that_leaves_is_no_error(tmp_path: Path) -> None:
    """Once while the command prints, once at the last flush."""
    for lines in (1, 100_000):
        command = f"lambda arguments: print('x\\n' * {lines})"
        code = f"import sys; from ftcli.cli.outcome import run; sys.exit(run({command}, []))"
        reading, writing = os.pipe()
        os.close(reading)
        done = subprocess.run(
            [sys.executable, "-c", code], stdout=writing, stderr=subprocess.PIPE, check=False
        )
        os.close(writing)
        assert (done.returncode, done.stderr) == (CLOSED_PIPE, b"")


def test_colour_on_a_terminal_only(tmp_path: Path) -> None:
    """Under a pseudo-terminal 80 columns wide; NO_COLOR takes the colours away."""
    pty = pytest.importorskip("pty")
    code = (
        "from ftcli.cli.outcome import run; from ftcli.errors import DataError\n"
        "def command(arguments): raise DataError('word ' * 30, remedy='[b]mend[/b]')\n"
        "run(command, [])"
    )
    for extra, colour in (({}, True), ({"NO_COLOR": "1"}, False)):
        leader, follower = pty.openpty()
        env = {**os.environ, "COLUMNS": "80", "TERM": "xterm-256color", **extra}
        if not extra:
            env.pop("NO_COLOR", None)
        subprocess.run([sys.executable, "-c", code], stderr=follower, env=env, check=True)
        os.close(follower)
        shown = os.read(leader, 10_000).decode()
        os.close(leader)
        assert ("\x1b[32m" in shown) is colour
        assert "[b]mend[/b]" in shown
        lines = re.sub(r"\x1b\[[0-9;]*m", "", shown).splitlines()
        assert max(len(line) for line in lines) <= 80
