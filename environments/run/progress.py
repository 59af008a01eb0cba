"""What a person sees in the terminal while an episode runs: a live panel, or plain lines where there is no terminal."""

import time
from collections.abc import Callable
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from environments.run.time_left import StepTime, seconds_left, steps_left

_BARS = "▁▂▃▄▅▆▇█"

# The panel is redrawn by a thread at this rate whatever happens; a tick only adds to a counter.
_REDRAWS_PER_SECOND = 4

# Without a terminal, what is being waited for is printed this often.
_SECONDS_BETWEEN_LINES = 30.0


def duration(seconds: float) -> str:
    """A length of time for people: "8 s", "2 min 05 s", "1 h 02 min"."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def percent(fraction: float | None) -> str:
    """An accuracy for people; "not measured" if it is unknown."""
    return "not measured" if fraction is None else f"{100 * fraction:.1f} %"


class EpisodeProgress:
    """The live display of an episode; a context manager.

    On a terminal it redraws one small panel four times a second. Elsewhere (a log file, CI) it prints one line
    at the end of each phase and of each step, without control codes. It prints to standard error by default, so that
    standard output stays free for results; all ranks but the first have it disabled.
    """

    def __init__(
        self,
        enabled: bool = True,
        console: Console | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._console = console or Console(stderr=True)
        self._enabled = enabled
        self._clock = clock
        self._live: Live | None = None
        self._step = 0
        self._steps: int | None = None
        self._step_began = clock()
        self._phase, self._done = "", 0
        self._total: int | None = None
        self._phase_began = clock()
        self._waiting = ""
        self._next_line = clock()
        self._records = 0
        self._accuracies: list[float] = []
        self._last_accuracy: float | None = None
        self._finished: list[StepTime] = []
        self._spent: dict[str, float] = {}  # seconds by phase, of the step under way
        self._spent_before: dict[str, float] = {}  # of the step before it

    def __enter__(self) -> Self:
        if self._enabled and self._console.is_terminal:
            # Asking for the renderable instead of pushing it keeps advance() free of drawing.
            self._live = Live(
                get_renderable=self._panel,
                console=self._console,
                refresh_per_second=_REDRAWS_PER_SECOND,
                transient=True,
            )
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def step_started(self, step: int, steps: int | None = None) -> None:
        """A step begins; ``steps`` is the number of the last one, if the budget fixes it (None leaves it as it is)."""
        if steps is not None:
            self._steps = steps
        # After the last step there is no next one, but the caller cannot know which is the last.
        self._step = step if self._steps is None else min(step, self._steps)
        self._step_began = self._clock()
        self._spent_before, self._spent = self._spent or self._spent_before, {}

    def phase(self, name: str, total: int | None = None) -> None:
        """A phase of the step begins ("teach", "fit", "evaluate"…), in which advance() will report ``total`` ticks."""
        if name == self._phase and total is None:
            return  # policy and engine are one phase to people
        self._end_phase()
        self._phase, self._total, self._done = name, total, 0
        self._phase_began = self._clock()

    def advance(self, n: int = 1) -> None:
        """So many more ticks (batches, calls) of the phase are done; costs an addition."""
        self._done += n

    def reached(self, done: int) -> None:
        """So many ticks of the phase are done in all."""
        self._done = done

    def asked(self, done: int, total: int) -> None:
        """So many of the questions that a teacher has asked at once are answered."""
        self._done, self._total, self._waiting = done, total, ""

    def waiting(self, told: str) -> None:
        """What the endpoint of a chat model is being waited for; without a terminal, one line now and then."""
        self._waiting = told
        if not self._console.is_terminal and self._clock() >= self._next_line:
            self._next_line = self._clock() + _SECONDS_BETWEEN_LINES
            self.note(told)

    def note(self, told: str) -> None:
        """One line that stays, such as a warning about the step."""
        if self._enabled:
            # soft_wrap: a log file has no width, and a line broken in two cannot be searched for.
            self._console.print(told, markup=False, highlight=False, soft_wrap=True)

    def step_finished(
        self, step: int, accuracy: float | None, test_accuracy: float | None, records: int, seconds: float
    ) -> None:
        """A step is over; accuracies are fractions, None if not measured; ``records`` were accepted so far."""
        self._end_phase()
        self.step_restored(step, accuracy, records, seconds)
        test = "" if test_accuracy is None else f", test {percent(test_accuracy)}"
        left = self.seconds_left()
        self.note(
            f"{self._step_name()} done in {duration(seconds)}: val {percent(accuracy)}{test}, {records} records"
            + ("" if not left else f", about {duration(left)} left")
        )

    def step_restored(self, step: int, accuracy: float | None, records: int, seconds: float) -> None:
        """A step was over before a resume: what step_finished() counts, without a line."""
        self._step, self._records, self._last_accuracy = step, records, accuracy
        self._finished.append(StepTime(records, seconds))
        self._step_began = self._clock()
        if accuracy is not None:
            self._accuracies.append(accuracy)

    def seconds_left(self) -> float | None:
        """Estimate of the time that the episode still needs.

        None without a number of steps in the budget, and before the first batch of a training.
        """
        finished, now = self._finished, self._clock()
        if self._steps is None or not finished:
            return None
        steps_after = self._steps - self._step
        if self._step < len(finished):  # between two steps
            return steps_left(finished, steps_after) if len(finished) > 1 else None
        elapsed = now - self._step_began
        if len(finished) > 1:
            ahead = sum(spent for name, spent in self._spent_before.items() if name not in {*self._spent, self._phase})
            return seconds_left(finished, elapsed, ahead, steps_after)
        # The first step that trains: by its own rate, once there is one.
        if not self._done or self._total is None or "train" not in (*self._spent, self._phase):
            return None
        untouched = finished[0].seconds  # step 0 only evaluates
        rest = (now - self._phase_began) * max(0, self._total - self._done) / self._done
        rest += untouched if self._phase == "train" else 0
        growth = max(0.0, elapsed + rest - untouched)  # what the records of one step add
        return rest + sum(untouched + growth * step for step in range(2, steps_after + 2))

    def close(self) -> None:
        """Ends the display; may be called twice."""
        self._phase, self._total, self._done = "", None, 0
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _end_phase(self) -> None:
        if self._phase and not self._console.is_terminal:
            total = f" of {self._total}" if self._total is not None else ""
            ticks = f" {self._done}{total}," if self._done or self._total else ""
            spent = duration(self._clock() - self._phase_began)
            self.note(f"{self._step_name()} · {self._phase}:{ticks} {spent}")
        if self._phase:
            self._spent[self._phase] = self._spent.get(self._phase, 0.0) + self._clock() - self._phase_began
        self._phase, self._total, self._done, self._waiting = "", None, 0, ""

    def _step_name(self) -> str:
        return f"step {self._step}" + (f"/{self._steps}" if self._steps is not None else "")

    def _panel(self) -> RenderableType:
        left = self.seconds_left()
        facts = [
            f"{self._records} records",
            f"val {percent(self._last_accuracy)}" if self._accuracies else "val not measured yet",
            # One bar for each, on the fixed scale from 0 to 1.
            "".join(_BARS[min(len(_BARS) - 1, int(value * len(_BARS)))] for value in self._accuracies),
            f"about {duration(left)} left" if left else "",
        ]
        row = Table.grid(padding=(0, 2))
        share = f"{self._done}/{self._total}" if self._total else f"{self._done}" if self._done else ""
        row.add_row(
            Text(self._step_name(), style="bold"),
            Text(self._phase or "…", style="cyan"),
            # Without a total the bar pulses: something is happening, its end is unknown.
            ProgressBar(total=self._total or None, completed=min(self._done, self._total or 0), width=28),
            Text(share),
            Text(duration(self._clock() - self._phase_began), style="dim"),
        )
        told = [Text(self._waiting, style="yellow")] if self._waiting else []
        return Group(row, *told, Text("  ".join(fact for fact in facts if fact), style="dim"))
