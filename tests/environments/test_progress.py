"""The terminal display: plain lines without a terminal, a live panel with one, silence on other ranks."""

from __future__ import annotations

import io
import time

import pytest
from rich.console import Console

from environments.progress import EpisodeProgress, duration, percent, sparkline


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def run_episode(progress: EpisodeProgress, clock: Clock | None = None) -> None:
    with progress:
        for step in range(3):
            progress.step_started(step, 2)
            for name, total in (("teach", None), ("fit", 3), ("evaluate", 2)):
                if step == 0 and name != "evaluate":
                    continue
                progress.phase(name, total)
                for _ in range(total or 0):
                    progress.advance()
                if clock:
                    clock.now += 10
            progress.step_finished(step, 0.3 + 0.1 * step, 0.25 if step else None, 100 * step, 30 if step else 10)


def test_plain_lines_without_a_terminal() -> None:
    out, clock = io.StringIO(), Clock()
    run_episode(EpisodeProgress(console=Console(file=out, width=40), clock=clock), clock)
    lines = out.getvalue().splitlines()
    assert "\x1b" not in out.getvalue()
    assert lines[0] == "step 0/2 · evaluate: 2 of 2, 10 s"
    assert lines[1] == "step 0/2 done in 10 s: val 30.0 %, 0 records, about 20 s left"
    assert lines[3] == "step 1/2 · fit: 3 of 3, 10 s"
    assert lines[5] == "step 1/2 done in 30 s: val 40.0 %, test 25.0 %, 100 records, about 30 s left"
    assert lines[-1] == "step 2/2 done in 30 s: val 50.0 %, test 25.0 %, 200 records"
    assert len(lines) == 10  # three steps, one phase in the first and three in the others


def test_silent_on_other_ranks() -> None:
    for terminal in (False, True):
        out = io.StringIO()
        run_episode(EpisodeProgress(enabled=False, console=Console(file=out, force_terminal=terminal)))
        assert out.getvalue() == ""


def test_live_panel_on_a_terminal_shows_step_phase_and_accuracy() -> None:
    out = io.StringIO()
    progress = EpisodeProgress(console=Console(file=out, force_terminal=True, width=100))
    with progress:
        progress.step_started(0, 4)
        progress.step_finished(0, 0.5, None, 0, 8)
        progress.step_started(1, 4)
        progress.phase("fit", 10)
        progress.advance(4)
        time.sleep(0.6)
    text = out.getvalue()
    assert "step 1/4" in text and "fit" in text and "4/10" in text and "▅" in text and "left" in text


def test_the_display_ends_after_an_error() -> None:
    out = io.StringIO()
    with pytest.raises(KeyboardInterrupt), EpisodeProgress(console=Console(file=out, force_terminal=True)) as progress:
        progress.step_started(0, None)
        progress.phase("evaluate")
        raise KeyboardInterrupt
    assert out.getvalue().count("\x1b[?25h") == 1  # the cursor is shown again
    progress.close()


def test_time_left_uses_training_steps_and_counts_down() -> None:
    clock = Clock()
    progress = EpisodeProgress(enabled=False, clock=clock)
    progress.step_started(0, 3)
    assert progress.seconds_left() is None
    progress.step_finished(0, 0.1, 0.1, 0, 5)
    progress.step_started(1, 3)
    progress.step_finished(1, 0.1, 0.1, 10, 60)
    assert progress.seconds_left() == 120
    progress.step_started(2)
    clock.now += 20
    assert progress.seconds_left() == 100


def test_unknown_accuracy_and_unknown_number_of_steps() -> None:
    out = io.StringIO()
    with EpisodeProgress(console=Console(file=out)) as progress:
        progress.step_started(3, None)
        progress.step_finished(3, None, None, 7, 1)
    assert out.getvalue() == "step 3 done in 1 s: val not measured, 7 records\n"


def test_formatting() -> None:
    assert sparkline([0.0, 0.5, 1.0]) == "▁▅█"
    assert [duration(s) for s in (0.2, 61, 3720)] == ["0 s", "1 min 01 s", "1 h 02 min"]
    assert percent(None) == "not measured"
