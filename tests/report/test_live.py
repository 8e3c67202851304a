"""What a run shows while it runs: lines in a pipe, a footer too on a terminal, the cursor given back."""

from __future__ import annotations

import io
import os
import pty
import time
from collections.abc import Iterator
from typing import TextIO

import pytest
from rich.console import Console

from ftcli.events import (
    EpochDone,
    Event,
    Noticed,
    PhaseProved,
    PhaseStarted,
    PlanReady,
    Scores,
    StepDone,
    Working,
)
from ftcli.findings import Finding
from ftcli.report.epoch_line import epoch_header, epoch_line
from ftcli.report.live import listener_for, plain_listener, terminal_listener
from ftcli.report.progress import Footer
from tests.report.report_samples import in_pipe, plan

HIDE, GIVE_BACK = "\x1b[?25l", "\x1b[?25h"
LP_FT = plan("lp_ft")


def epoch_done(epoch: int, *, best: bool = False, seconds: float = 1.0, num_epochs: int = 10) -> EpochDone:
    val = Scores(accuracy=0.9123, macro_f1=0.9, loss=0.301, num_examples=270)
    return EpochDone(epoch, num_epochs, "fine-tune", 9.05e-4, 9.05e-5, 0.4321, val, 1204.4, seconds, best)


def a_run() -> Iterator[Event]:
    yield PlanReady(LP_FT, "runs/digits", ("weights from torchvision",))
    yield Working("decoding images", 0, 1797)
    yield Working("decoding images", 1797, 1797)
    for index, phase in enumerate(LP_FT.phases):
        yield PhaseStarted(index, phase, phase.start_epoch, 2)
        for epoch in range(phase.start_epoch, phase.end_epoch):
            yield StepDone(epoch, 1, 1, 0.5)
            yield epoch_done(epoch, best=epoch == 4)
        yield PhaseProved(phase.name, 122, ("layer1.0.bn1.running_mean",) if index else ())
    yield Noticed(Finding("warning", "[red]layer4[/red]", "validation got worse", "lower the LR"))


def piped(events: Iterator[Event]) -> str:
    stream = io.StringIO()
    listener = plain_listener(stream)
    for event in events:
        listener(event)
    return stream.getvalue()


def test_a_pipe_gets_a_line_an_epoch_and_no_control_codes() -> None:
    text = piped(a_run())
    assert "\x1b" not in text
    assert "\r" not in text
    assert max(map(len, text.splitlines())) <= 80
    assert sum(line.endswith(" s *") or " 1,204 " in line for line in text.splitlines()) == 10


def test_events_of_note_have_their_line() -> None:
    lines = piped(a_run()).splitlines()
    assert "run folder runs/digits" in lines
    assert "weights from torchvision" in lines
    assert "decoding images, 1,797 in all" in lines
    assert any(line.startswith("decoding images: 1,797 in 0.") for line in lines)
    assert "phase 0: head, epochs 0-2, 5,130 parameters train in 1 of 6 stages" in lines
    assert "phase 1: fine-tune, epochs 3-9, 11,181,642 parameters train in 6 of 6 stages" in lines
    assert "proof: 0 of 122 frozen tensors changed in phase head" in lines
    assert "layer1.0.bn1.running_mean" in " ".join(lines)
    assert "warning: [red]layer4[/red]: validation got worse - lower the LR" in lines


def test_a_long_finding_stays_one_line_in_a_pipe() -> None:
    text = piped(iter([Noticed(Finding("info", "data", "word " * 60, "more"))]))
    assert text.count("\n") == 1


def test_on_a_narrow_page_an_epoch_is_still_one_line() -> None:
    stream = io.StringIO()
    console = Console(file=stream, width=60)
    console.print(epoch_header(epoch_done(4)), epoch_line(epoch_done(4, best=True)), sep="")
    header, line = stream.getvalue().splitlines()
    assert header.split() == ["epoch", "phase", "LR", "head", "loss", "val", "loss", "acc", "F1"]
    assert line.endswith("0.900 *")
    assert len(line) <= 60


def test_epoch_lines_are_aligned_with_their_header_and_mark_the_best() -> None:
    header, line, best = (
        str(t.text())
        for t in (
            epoch_header(epoch_done(3)),
            epoch_line(epoch_done(3)),
            epoch_line(epoch_done(4, best=True)),
        )
    )
    assert line.split() == [
        "3", "fine-tune", "9e-4", "9.1e-5", "0.4321", "0.3010", "91.2%", "0.900", "1,204", "1.0",
    ]  # fmt: skip
    assert len(header) == len(line) <= 79
    assert best.endswith(" *")
    assert len(best) <= 80


@pytest.mark.parametrize("loss", [float("nan"), float("inf"), 1e30, 0.0])
def test_any_loss_keeps_the_columns(loss: float) -> None:
    done = EpochDone(
        1499, 1500, "a long phase name", 1e-10, 0, loss, Scores(1, 1, loss, 5), 123_456, 12_345, True
    )
    assert len(str(epoch_line(done).text())) <= 80


def test_the_header_comes_again_in_a_long_run() -> None:
    text = piped(epoch_done(epoch, num_epochs=60) for epoch in range(60))
    assert sum(line.startswith("epoch phase") for line in text.splitlines()) == 3


def test_a_reader_who_leaves_does_not_end_the_training() -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as stream:
        listener = plain_listener(stream)
        os.close(reading)
        for event in a_run():
            listener(event)
        os.dup2(os.open(os.devnull, os.O_WRONLY), writing)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def terminal(stream: TextIO) -> Console:
    return Console(file=stream, force_terminal=True, color_system="standard", width=80, height=30)


def test_a_terminal_gets_the_same_lines_and_a_footer() -> None:
    stream = Terminal()
    with terminal_listener(terminal(stream)) as listener:
        for event in a_run():
            listener(event)
            if isinstance(event, StepDone) and event.epoch == 5:
                time.sleep(0.3)  # a refresh
    text = stream.getvalue()
    assert "1/1 steps, loss 0.5000" in text
    assert text.count("phase 1: fine-tune") == 1
    assert HIDE in text
    assert text.rindex(GIVE_BACK) > text.rindex(HIDE)


def test_the_cursor_comes_back_after_an_error() -> None:
    stream = Terminal()
    with pytest.raises(KeyboardInterrupt), terminal_listener(terminal(stream)):
        raise KeyboardInterrupt
    assert stream.getvalue().rindex(GIVE_BACK) > stream.getvalue().rindex(HIDE)


@pytest.mark.parametrize(("as_json", "live"), [(False, True), (True, False)])
def test_json_gets_plain_lines_even_on_a_terminal(
    as_json: bool, live: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    controlling, controlled = pty.openpty()
    with os.fdopen(controlled, "w") as stream, listener_for(terminal(stream), as_json=as_json) as listener:
        listener(epoch_done(0))
    assert (HIDE in os.read(controlling, 65536).decode()) is live
    os.close(controlling)


def test_a_pipe_and_a_dumb_terminal_get_plain_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    for stream in (io.StringIO(), Terminal()):
        with listener_for(terminal(stream)) as listener:
            listener(epoch_done(0))
        assert HIDE not in stream.getvalue()


def test_a_step_costs_next_to_nothing() -> None:
    with terminal_listener(terminal(Terminal())) as listener:
        listener(PlanReady(LP_FT, "runs/digits"))
        began = time.perf_counter()
        for step in range(10_000):
            listener(StepDone(0, step, 10_000, 0.5))
        assert time.perf_counter() - began < 1.0


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_time_left_is_that_of_the_recent_epochs_of_the_phase() -> None:
    clock = Clock()
    footer = Footer(clock)
    footer.see(PlanReady(LP_FT, "runs/digits"))
    footer.see(PhaseStarted(1, LP_FT.phases[1], 3, 2))
    assert footer.seconds_left() is None
    clock.now = 5.0
    footer.see(StepDone(3, 10, 40, 0.5))
    assert footer.seconds_left() == 20.0 * 7 - 5.0
    clock.now = 20.0
    footer.see(epoch_done(3, seconds=20.0))
    clock.now = 24.0
    footer.see(StepDone(4, 10, 40, 0.5))
    assert footer.seconds_left() == 20.0 * 6 - 4.0


def test_the_footer_fits_and_names_what_runs() -> None:
    footer = Footer(Clock())
    footer.see(Working("[b]features[/b]", 10, None))
    assert "[b]features[/b]" in in_pipe(footer)
    footer.see(PlanReady(LP_FT, "runs/digits"))
    footer.see(PhaseStarted(1, LP_FT.phases[1], 3, 2))
    footer.see(StepDone(3, 9_999, 12_345, 12.3456))
    text = in_pipe(footer)
    assert "9,999/12,345 steps, loss 12.3456" in text
    assert "…" not in text
