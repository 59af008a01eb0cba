"""Leaks that are not word for word: a long run of shared words, and an evaluation question with other numbers."""

from collections import Counter
from functools import cached_property

from environments.quality.filters import Filter, Finding, evaluation_instances, picture
from environments.quality.text import long_words, template, word_runs
from tasks.base import Task
from tasks.types import TrainingRecord

# A run of words that more instances than this share is a standing phrase of the benchmark ("give your answer as a
# fraction in lowest terms") and no trace of one of them. GPT-3's contamination study draws the same line at ten; in a
# benchmark of few instances a quarter of them is enough, at least three.
_STANDING_PHRASE, _STANDING_SHARE = 10, 4


class NgramLeakFilter(Filter):
    """No run of ``size`` words is shared with an evaluation instance: the rule of GPT-3's contamination study.

    Question and response are both searched, since a leak may hide in a worked example; words are lower-cased runs of
    letters and digits. (Brown et al., 2020, appendix C: 13-grams.)
    """

    def __init__(self, task: Task, size: int = 13) -> None:
        self._task = task
        self._size = size

    def finding(self, record: TrainingRecord) -> Finding | None:
        """Which instance shares the words: the first in the task's order, so that it is the same in every process."""
        shared = [
            found
            for text in (record.instruction, record.response)
            for run in word_runs(text, self._size, picture(record))
            if (found := self._owner.get(run)) is not None
        ]
        if not shared:
            return None
        return Finding("leak_ngram", f"shares {self._size} words in a row with {self._names[min(shared)]}")

    @cached_property
    def _names(self) -> list[str]:
        return [name for name, _ in evaluation_instances(self._task)]

    @cached_property
    def _owner(self) -> dict[int, int]:
        owner: dict[int, int] = {}
        shared: Counter[int] = Counter()
        instances = list(evaluation_instances(self._task))
        most = min(_STANDING_PHRASE, max(2, len(instances) // _STANDING_SHARE))
        for number, (_, instance) in enumerate(instances):
            for run in word_runs(instance.instruction, self._size, picture(instance)):
                if owner.setdefault(run, number) != number:
                    shared[run] += 1
        for run, others in shared.items():
            if others >= most:
                del owner[run]
        return owner


class TemplateLeakFilter(Filter):
    """The question is no evaluation instance with other numbers.

    A template needs ``words`` words, numbers and variables not counted: shorter questions ("what is # plus #?") are the
    common property of a domain.
    """

    def __init__(self, task: Task, words: int = 10) -> None:
        self._task = task
        self._words = words

    def finding(self, record: TrainingRecord) -> Finding | None:
        """Which instance it is made after."""
        name = self._templates.get((picture(record), *template(record.instruction)))
        return None if name is None else Finding("leak_template", f"is {name} with other numbers")

    @cached_property
    def _templates(self) -> dict[tuple[str, ...], str]:
        found: dict[tuple[str, ...], str] = {}
        for name, instance in evaluation_instances(self._task):
            masked = template(instance.instruction)
            if long_words(masked) >= self._words:
                found.setdefault((picture(instance), *masked), name)
        return found
