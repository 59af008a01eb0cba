"""Near duplicates: questions that share most of their runs of three tokens with one that was accepted before."""

import math
from collections import Counter
from functools import cached_property

from environments.quality.filters import Finding, PoolFilter, picture
from environments.quality.text import shingles
from tasks.base import Task
from tasks.types import TrainingRecord

_Shingle = tuple[str, ...]


class NearDuplicateFilter(PoolFilter):
    """The question is not nearly the same as one of the pool or the batch.

    Similarity is the Jaccard index of the sets of shingles (runs of ``size`` tokens, words and symbols alike); at and
    above ``threshold``, in (0, 1], a record is dropped. The search is exact: a text of n shingles whose similarity to
    another is t shares at least t·n of them with it, so any n - t·n + 1 of its shingles include a shared one. It looks
    up that many, the rarest, which leaves little to compare.

    What stands in half of a task's validation questions says nothing of any of them (the list of tools that a prompt
    ends with, for one), and is left out of all texts.
    """

    def __init__(self, task: Task | None = None, threshold: float = 0.8, size: int = 3) -> None:
        self._task = task
        self._threshold = threshold
        self._size = size
        self._texts: dict[int, frozenset[_Shingle]] = {}
        self._numbers: dict[_Shingle, list[int]] = {}

    def finding(self, record: TrainingRecord) -> Finding | None:
        """Which record it is most similar to."""
        own = self._shingles(record)
        # The tolerance: rounding must not exclude a similarity that equals the threshold.
        looked_up = len(own) - math.ceil(self._threshold * len(own) - 1e-9) + 1
        by_rarity = sorted((self._numbers.get(shingle, []) for shingle in own), key=len)
        candidates = {number for listed in by_rarity[:looked_up] for number in listed}
        best = max(((self._similarity(own, number), -number) for number in candidates), default=(0.0, 0))
        if best[0] < self._threshold:
            return None
        return Finding("near_duplicate", f"is similar to record {-best[1]} (similarity {best[0]:.2f})")

    def add(self, number: int, record: TrainingRecord) -> None:
        """Enters the record under its shingles."""
        self._texts[number] = self._shingles(record)
        for shingle in self._texts[number]:
            self._numbers.setdefault(shingle, []).append(number)

    def forget(self, number: int, record: TrainingRecord) -> None:
        """Takes the record out; being the last one added, it stands last under each of its shingles."""
        for shingle in self._texts.pop(number):
            listed = self._numbers[shingle]
            listed.pop()
            if not listed:
                del self._numbers[shingle]

    def _shingles(self, record: TrainingRecord) -> frozenset[_Shingle]:
        # Marked with the image: the same question about another one shares none of them.
        about, found = picture(record), shingles(record.instruction, self._size)
        return frozenset((about, *shingle) for shingle in found - self._standing or found)

    @cached_property
    def _standing(self) -> frozenset[_Shingle]:
        questions = () if self._task is None else self._task.instances("val")
        counted = Counter(shingle for each in questions for shingle in shingles(each.instruction, self._size))
        return frozenset(shingle for shingle, n in counted.items() if n > 1 and 2 * n >= len(questions))

    def _similarity(self, own: frozenset[_Shingle], number: int) -> float:
        other = self._texts[number]
        smaller, larger = sorted((len(own), len(other)))
        if smaller < self._threshold * larger:  # even as a subset it would not be similar enough
            return 0.0
        common = len(own & other)
        return common / (len(own) + len(other) - common)
