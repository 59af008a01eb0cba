"""The terminal display: plain lines without a terminal, a live panel with one, silence on other ranks."""

import io
import itertools
import re
import time
from pathlib import Path

import pytest
from rich.console import Console

from dataenvgym.cli.main import main
from environments.run.progress import EpisodeProgress
from environments.run.time_left import StepTime, seconds_left, steps_left


class Clock:
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
    console = Console(file=out, width=40)
    run_episode(EpisodeProgress(console=console, clock=clock), clock)
    progress = EpisodeProgress(console=console, clock=clock)  # no number of steps, nothing measured, and long times
    for step, seconds in ((3, 0.2), (4, 61), (5, 3720)):
        progress.step_started(step, None)
        progress.step_finished(step, None, None, 7, seconds)
    assert out.getvalue() == (Path(__file__).parent / "progress.txt").read_text(encoding="utf-8")


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
        progress.step_finished(1, 0.6, None, 50, 9)
        progress.step_started(2, 4)
        progress.phase("fit", 10)
        progress.advance(4)
        time.sleep(0.6)
    text = out.getvalue()
    assert "step 2/4" in text and "fit" in text and "4/10" in text and "▅" in text and "left" in text


def test_the_display_ends_after_an_error() -> None:
    out = io.StringIO()
    with pytest.raises(KeyboardInterrupt), EpisodeProgress(console=Console(file=out, force_terminal=True)) as progress:
        progress.step_started(0, None)
        progress.phase("evaluate")
        raise KeyboardInterrupt
    assert out.getvalue().count("\x1b[?25h") == 1  # the cursor is shown again
    progress.close()


def on_its_way(clock: Clock, steps: int = 4, seconds: tuple[int, ...] = (5, 15, 25)) -> EpisodeProgress:
    """A display in an episode of 100 records a step, some of its steps finished and the next one begun."""
    progress = EpisodeProgress(enabled=False, clock=clock)
    for step, spent in enumerate(seconds):
        progress.step_started(step, steps)
        train = spent - 5
        for name, length in (("teach", train // 5), ("train", train - train // 5), ("evaluate", 5)):
            if length:
                progress.phase(name)
                clock.now += length
        progress.step_finished(step, 0.1, 0.1, 100 * step, spent)
    progress.step_started(len(seconds))
    return progress


def test_time_left_grows_with_the_records() -> None:
    clock = Clock()
    progress = on_its_way(clock)
    assert progress.seconds_left() == pytest.approx(35 + 45)  # steps of 5, 15 and 25 s go on with 35 and 45
    progress.phase("teach")
    clock.now += 4
    progress.phase("train")
    clock.now += 16
    assert progress.seconds_left() == pytest.approx(15 + 45)


def test_time_left_in_the_first_step_is_by_its_own_rate() -> None:
    clock = Clock()
    progress = on_its_way(clock, steps=3, seconds=(4,))
    progress.phase("teach")
    clock.now += 2
    assert progress.seconds_left() is None
    progress.phase("train", 10)
    assert progress.seconds_left() is None
    clock.now += 3
    progress.reached(5)
    # Another 3 s, and 4 s of evaluation: 12 s, 8 of them for its records; then 4 + 16 and 4 + 24.
    assert progress.seconds_left() == pytest.approx(7 + 20 + 28)
    clock.now += 3
    progress.reached(10)
    progress.phase("evaluate", 4)
    assert progress.seconds_left() is None
    clock.now += 1
    progress.advance()
    assert progress.seconds_left() == pytest.approx(3 + 20 + 28)


def test_time_left_rises_while_an_endpoint_hangs() -> None:
    clock = Clock()
    progress = on_its_way(clock)
    progress.phase("teach")
    shown = []
    for _ in range(40):
        clock.now += 10
        shown.append(progress.seconds_left())
    assert shown[0] == pytest.approx(70)
    # In the step before, what is still ahead took 21 s: so this one takes at least 41 s where 35 s were estimated, is
    # taken to need 6 s more than that, and the line through 15, 25 and 47 s says 61 s for the last one.
    assert shown[1] == pytest.approx(27 + 61)
    assert all(later > earlier for earlier, later in itertools.pairwise(shown))
    progress = on_its_way(clock, steps=3)  # the last step, with nothing after it
    progress.phase("teach")
    clock.now += 60
    before = progress.seconds_left()
    clock.now += 10
    assert progress.seconds_left() == pytest.approx(before + 10)


def test_a_resume_goes_on_counting_where_it_stopped() -> None:
    clock, out = Clock(), io.StringIO()
    progress = EpisodeProgress(console=Console(file=out, width=80), clock=clock)
    progress.step_started(0, 3)
    progress.step_restored(0, 0.1, 0, 5)
    progress.step_restored(1, 0.2, 100, 15)
    progress.step_started(2)
    assert out.getvalue() == ""
    assert progress.seconds_left() == pytest.approx(25 + 35)
    progress.phase("train", 3)
    progress.reached(3)
    progress.phase("evaluate")
    assert out.getvalue() == "step 2/3 · train: 3 of 3, 0 s\n"


TIMES = [StepTime(0, 5), StepTime(100, 20), StepTime(200, 32), StepTime(300, 47)]


def test_what_is_left_is_read_from_a_line_through_finished_steps() -> None:
    assert steps_left(TIMES[:2], 2) == pytest.approx(35 + 50)
    assert steps_left(TIMES, 1) == pytest.approx(60)
    assert steps_left(TIMES, 2, skip=1) == pytest.approx(73.5 + 87)
    assert steps_left(TIMES, 0) == 0
    # Steps that do not grow count by their mean.
    for times in ([StepTime(0, 5), StepTime(50, 30), StepTime(100, 20)], [StepTime(0, 9), StepTime(0, 25)]):
        assert steps_left(times, 2) == 50
    assert steps_left([StepTime(0, 30), StepTime(100, 10)], 3) == 30  # a first start that was slow
    assert seconds_left(TIMES, 10, 0, 0) == pytest.approx(50)
    assert seconds_left(TIMES, 60, 0, 0) == pytest.approx(0)
    assert seconds_left(TIMES, 90, 0, 0) == pytest.approx(30)
    assert seconds_left(TIMES, 50, 20, 0) == pytest.approx(20 + 10)


@pytest.mark.slow
@pytest.mark.parametrize(("words", "total"), [([], 6), (["--trainer.accumulate_grad_batches", "4"], 2)])
def test_what_is_counted_is_what_is_estimated(words, total, episode_words, tmp_path, capsys) -> None:
    """30 records, then 60, in batches of 5 and two epochs: 12 and 24 batches, of which four may share a step."""
    settings = ["--data.init_args.batch_size", "5", "--trainer.max_epochs", "2", *words]
    assert main(episode_words(tmp_path / "run", *settings)) == 0
    lines = [line for line in capsys.readouterr().err.splitlines() if "train:" in line]
    counts = [re.search(r"train: (\d+) of (\d+)", line).groups() for line in lines]
    assert [done for done, _ in counts] == [whole for _, whole in counts]
    assert int(counts[0][1]) == 2 * total


def test_waiting_is_told_now_and_then_without_a_terminal() -> None:
    out, clock = io.StringIO(), Clock()
    with EpisodeProgress(console=Console(file=out), clock=clock) as progress:
        progress.step_started(1, 2)
        for second in range(65):
            clock.now = float(second)
            progress.waiting(f"waiting for the endpoint: 1 retry (connection refused), next in {65 - second} s")
        progress.note("step 1: 2 of 3 calls failed")
    lines = out.getvalue().splitlines()
    assert [line.split("next in ")[1] for line in lines[:-1]] == ["65 s", "35 s", "5 s"]
    assert lines[-1] == "step 1: 2 of 3 calls failed"


def test_the_panel_moves_while_an_endpoint_is_waited_for() -> None:
    out, clock = io.StringIO(), Clock()
    console = Console(file=out, force_terminal=True, width=120)
    progress = EpisodeProgress(console=console, clock=clock)
    progress.phase("teach")
    seen = []
    for second in range(3):
        clock.now = float(second)
        progress.waiting(f"waiting for the endpoint: 1 retry, next in {3 - second} s")
        with console.capture() as shown:
            console.print(progress._panel())
        seen.append(shown.get())
    assert len(set(seen)) == 3 and all("1 retry, next in" in each for each in seen)
    progress.asked(1, 2)
    with console.capture() as shown:
        console.print(progress._panel())
    assert "retry" not in shown.get(), "a reply ends the waiting"
