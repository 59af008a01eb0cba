"""Which quality filters an environment applies, as one block of YAML."""

from dataclasses import dataclass

from environments.quality.filters import DuplicateFilter, Filter, LeakFilter, SchemaFilter, TaskFilter
from environments.quality.leaks import NgramLeakFilter, TemplateLeakFilter
from environments.quality.near_duplicate import NearDuplicateFilter
from tasks.base import ProceduralTask, Task
from tasks.errors import ConfigurationError, check_range


@dataclass(frozen=True)
class QualityFilters:
    """The filters that heuristics decide; the exact ones always apply (schema, leak, duplicate, what the task finds).

    None, the default, means: on, unless the task is procedural. The splits of a procedural task are disjoint by
    construction, and its records are one another's templates by nature.

    Args:
        near_duplicate: Whether questions much like an earlier record's are dropped; a number is the similarity (Jaccard
            index of runs of three tokens) from which on they are, and true stands for 0.8.
        leak_ngram: Whether records that share a long run of words with an evaluation instance are dropped; a number
            is the length of the run in words, and true stands for 13.
        leak_template: Whether evaluation questions with other numbers are dropped; a number is how many words such a
            question needs to be distinguished from a common one, and true stands for 10.
        known_by_student: Whether records that the present student answers already are dropped; it is asked each.
    """

    near_duplicate: bool | float | None = None
    leak_ngram: bool | int | None = None
    leak_template: bool | int | None = None
    known_by_student: bool = False

    def __post_init__(self) -> None:
        near = self.near_duplicate
        if near is not None and near is not False and not 0 < near <= 1:
            raise ConfigurationError(
                f"filters.near_duplicate is {near}: a similarity is above 0 and at most 1; false for off."
            )
        for name in ("leak_ngram", "leak_template"):
            if not isinstance(value := getattr(self, name), bool):
                check_range("environment.init_args.filters", **{name: value})

    def build(self, task: Task) -> tuple[Filter, ...]:
        """The filters for a task, in the order in which a record meets them."""
        usual = not isinstance(task, ProceduralTask)
        near = _setting(self.near_duplicate, usual, 0.8)
        ngram = _setting(self.leak_ngram, usual, 13)
        words = _setting(self.leak_template, usual, 10)
        filters: list[Filter | None] = [
            SchemaFilter(),
            LeakFilter(task),
            None if ngram is None else NgramLeakFilter(task, int(ngram)),
            None if words is None else TemplateLeakFilter(task, int(words)),
            DuplicateFilter(),
            None if near is None else NearDuplicateFilter(task, near),
            TaskFilter(task),  # last: to score costs the most
        ]
        return tuple(each for each in filters if each is not None)


def _setting(value: bool | float | None, usual: bool, number: float) -> float | None:
    if value is None:
        value = usual
    if isinstance(value, bool):
        return number if value else None
    return value
