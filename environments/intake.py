"""Which records enter the pool: every record is accepted, or rejected with a named reason."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from environments.quality.filters import Finding, PoolFilter, shorten
from environments.quality.settings import QualityFilters
from environments.results import Rejection
from tasks.base import Task
from tasks.types import Prediction, TaskInstance, TrainingRecord

AskStudent = Callable[[Sequence[TaskInstance]], Sequence[Prediction]]


class Intake:
    """Checks records against the task, the pool and the plan.

    ``answer`` asks the present student; only ``filters.known_by_student`` needs it.
    """

    def __init__(self, task: Task, filters: QualityFilters | None = None, answer: AskStudent | None = None) -> None:
        settings = filters or QualityFilters()
        assert answer is not None or not settings.known_by_student, "known_by_student needs a student to ask"
        self._task = task
        self._filters = settings.build(task)
        self._answer = answer if settings.known_by_student else None
        self._seen: list[TrainingRecord] = []  # what the pool filters hold now
        self._judged: dict[tuple[int, int], tuple[TrainingRecord, Finding | None]] = {}

    def check(
        self, records: Sequence[TrainingRecord], pool: Iterable[TrainingRecord], ordered: int
    ) -> tuple[list[TrainingRecord], list[Rejection]]:
        """The accepted and the rejected records of a batch, in its order; those beyond ``ordered`` are rejected."""
        pool = list(pool)
        known = {} if self._answer is None else self._known(self._answer, records, pool)
        findings = self._sift(records, pool, known, ordered)
        self._judged.clear()  # the batch is decided: nobody screens its records again
        accepted = [record for record, finding in zip(records, findings, strict=True) if finding is None]
        rejected = [
            Rejection(record, finding.reason, finding.detail)
            for record, finding in zip(records, findings, strict=True)
            if finding is not None
        ]
        return accepted, rejected

    def screen(self, records: Sequence[TrainingRecord], pool: Iterable[TrainingRecord]) -> list[str | None]:
        """For each record the reason for which check() would reject it, or None.

        Neither the number ordered nor the student is asked; earlier acceptable records count as part of the pool.
        """
        findings = self._sift(records, list(pool), {}, None)
        return [None if finding is None else finding.reason for finding in findings]

    def _known(
        self, answer: AskStudent, records: Sequence[TrainingRecord], pool: list[TrainingRecord]
    ) -> dict[int, Finding]:
        """The records that the student answers, of those that nothing else speaks against.

        Once a record is out as known, a later one is no longer its duplicate: that one is asked in the next round.
        """
        known: dict[int, Finding] = {}
        asked: set[int] = set()
        while True:
            findings = self._sift(records, pool, known, None)
            unasked = [i for i, finding in enumerate(findings) if finding is None and i not in asked]
            if not unasked:
                return known
            asked.update(unasked)
            predictions = answer([self._task.as_instance(records[i]) for i in unasked])
            for i, prediction in zip(unasked, predictions, strict=True):
                if prediction.score >= 1.0:
                    known[i] = Finding("known", f"the student answers {shorten(prediction.text)!r}")

    def _sift(
        self,
        records: Sequence[TrainingRecord],
        pool: list[TrainingRecord],
        known: Mapping[int, Finding],
        ordered: int | None,
    ) -> list[Finding | None]:
        self._remember(pool)
        findings: list[Finding | None] = []
        for i, record in enumerate(records):
            finding = self._finding(record) or known.get(i)
            if finding is None and ordered is not None and len(self._seen) - len(pool) >= ordered:
                finding = Finding("over_budget", f"the plan ordered {ordered}")
            if finding is None:
                self._add(record)
            findings.append(finding)
        return findings

    def _finding(self, record: TrainingRecord) -> Finding | None:
        for place, each in enumerate(self._filters):
            if isinstance(each, PoolFilter):
                found = each.finding(record)
            else:
                # It ignores the pool: one look at a record is enough, and an engine screens it in every round.
                key = (id(record), place)
                if key not in self._judged:
                    self._judged[key] = record, each.finding(record)  # the record is held, so that its id stays its own
                found = self._judged[key][1]
            if found is not None:
                return found
        return None

    def _remember(self, pool: list[TrainingRecord]) -> None:
        """Makes the pool filters hold this pool, which mostly grows at its end: there is little to undo."""
        common = 0
        for held, wanted in zip(self._seen, pool, strict=False):
            if held is not wanted and held != wanted:
                break
            common += 1
        for number in range(len(self._seen), common, -1):
            record = self._seen.pop()
            for each in self._filters:
                if isinstance(each, PoolFilter):
                    each.forget(number, record)
        for record in pool[common:]:
            self._add(record)

    def _add(self, record: TrainingRecord) -> None:
        self._seen.append(record)
        for each in self._filters:
            if isinstance(each, PoolFilter):
                each.add(len(self._seen), record)
