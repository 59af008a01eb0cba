"""The budget of an episode: the one owner of its limits on records, steps and time."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random

from tasks.errors import ConfigurationError, check_range
from teachers.allocation import apportion
from teachers.plan import DataSpec


@dataclass(frozen=True)
class Budget:
    """Limits of an episode; what was used is counted by the environment and passed in.

    Args:
        max_records: Accepted records over the whole episode; None for no limit.
        max_steps: Steps after step 0; None for no limit.
        max_seconds: Wall time of the run; None for no limit. Checked between teacher calls: a step that has begun
            is finished.
        hard: Whether plans are cut so that the total never exceeds ``max_records``. If False, the batch that
            reaches the limit is completed: 120 records per batch and a limit of 300 end at 300 (hard) or 360 (soft).
        max_idle_steps: Steps in a row without one accepted record after which the episode ends, so that a policy
            that has stopped ordering ends even without a limit on steps. Such steps train nothing.
    """

    max_records: int | None = None
    max_steps: int | None = None
    max_seconds: float | None = None
    hard: bool = True
    max_idle_steps: int = 3

    def __post_init__(self) -> None:
        check_range(
            "The budget",
            0,
            open_ends=True,
            max_records=self.max_records,
            max_steps=self.max_steps,
            max_seconds=self.max_seconds,
            max_idle_steps=self.max_idle_steps,
        )
        if self.max_records is None and self.max_steps is None and self.max_seconds is None:
            raise ConfigurationError(
                "The budget has no limit: set at least one of max_records, max_steps, max_seconds."
            )

    def spent(self, records: int, steps: int, seconds: float, idle_steps: int = 0) -> bool:
        """Whether the episode is over; ``steps`` leaves step 0 out, and ``idle_steps`` had no accepted record."""
        return (
            self.collected(records, seconds)
            or (self.max_steps is not None and steps >= self.max_steps)
            or idle_steps >= self.max_idle_steps
        )

    def collected(self, records: int, seconds: float) -> bool:
        """Whether no further teacher call may begin, even within a step: records or time have run out."""
        return (self.max_records is not None and records >= self.max_records) or (
            self.max_seconds is not None and seconds >= self.max_seconds
        )

    def records_left(self, records: int) -> int | None:
        """Records that may still be accepted; None without a limit."""
        return None if self.max_records is None else max(0, self.max_records - records)

    def steps_left(self, steps: int) -> int | None:
        """Steps that may still begin; None without a limit."""
        return None if self.max_steps is None else max(0, self.max_steps - steps)

    def cut(self, specs: Sequence[DataSpec], records: int, rng: Random) -> tuple[DataSpec, ...]:
        """The specs that fit, all scaled down alike and not the last ones dropped; specs of no record are left out.

        ``records`` were accepted so far. ``rng`` decides which of equal specs lose the odd record: not always the last.
        """
        left = self.records_left(records) if self.hard else None
        counts = [spec.count for spec in specs]
        if left is not None and sum(counts) > left:
            counts = apportion(left, counts, rng)
        return tuple(replace(spec, count=count) for spec, count in zip(specs, counts, strict=True) if count)
