"""The skill of an instance that nobody has labelled: that of the labelled instances whose texts are most like its."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from environments.skills.assignment import SkillAssignment
from tasks.base import Task
from tasks.errors import ConfigurationError
from tasks.similarity import fit_vectors
from tasks.types import TaskInstance

# What identifies an instance: a record seen as an instance may have any id.
Key = tuple[str, str]


def key_of(instance: TaskInstance) -> Key:
    """What identifies an instance, and a record seen as one."""
    return instance.instance_id, instance.instruction


class NearestSkills:
    """Takes the vote of the ``neighbours`` nearest labelled texts, weighted by similarity; no prompt, no chance.

    Similarity is the cosine of the vectors. Numbers left as they are cost 2 to 7 points of agreement with the gold
    skills of the procedural tasks' test instances (864 and 792; agreement is complete with the mask).
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
        found = []
        for similarity in (vectorizer.transform(texts) @ labelled.T).toarray():
            votes: dict[str, float] = {}
            # Stable: of equally near texts, and of equally voted skills, the earlier labelled one wins.
            for i in (-similarity).argsort(kind="stable")[: self._neighbours]:
                votes[self._skills[i]] = votes.get(self._skills[i], 0.0) + float(similarity[i])
            found.append(max(votes, key=lambda skill: votes[skill]))
        return found

    @cached_property
    def _fitted(self) -> tuple[Any, Any]:
        return fit_vectors(self._texts)


class SkillsBySimilarity(SkillAssignment):
    """A partition of the validation instances, carried over to other instances by similarity.

    A subclass finds the skill of each validation instance, by id, in prepare(), and sets ``_found`` to it; ``_others``
    has the skills of instances outside validation that are known.
    """

    def __init__(self, task: Task) -> None:
        self._task = task
        self._found: Mapping[str, str] | None = None
        self._others: dict[Key, str] = {}
        self._split_guessed = False

    def _prepared(self) -> Mapping[str, str]:
        if self._found is None:
            name = type(self).__name__
            raise ConfigurationError(f"{name} was asked before its skills are known: call prepare() first.")
        return self._found

    def skill_of(self, instance: TaskInstance) -> str:
        """The skill of an instance; of one outside validation that of the instances like it."""
        known = self._prepared().get(instance.instance_id)
        if known is not None:
            return known
        key = key_of(instance)
        if key not in self._others:
            # By similarity; at the first time for the whole test split, in one go.
            split = () if self._split_guessed else self._task.instances("test")
            self._split_guessed = True
            missing = {key_of(each): each for each in (instance, *split) if key_of(each) not in self._others}
            guesses = self._nearest.skills_of([each.instruction for each in missing.values()])
            self._others |= zip(missing, guesses, strict=True)
        return self._others[key]

    @cached_property
    def _nearest(self) -> NearestSkills:
        instances = self._task.instances("val")
        return NearestSkills(
            [instance.instruction for instance in instances],
            [self._prepared()[instance.instance_id] for instance in instances],
        )
