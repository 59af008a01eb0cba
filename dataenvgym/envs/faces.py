"""How observations and actions of the environments become numbers, or numbers and text, in spaces of Gymnasium.

Flat faces are boxes in [-1, 1] for libraries that learn from numbers; the rich face is a dictionary for teachers that
read. What a number means stands with each class. Test accuracy is in none of them.
"""

import json
import string
from abc import ABC, abstractmethod
from dataclasses import asdict
from typing import Any, Literal

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from tasks.base import ProceduralTask, Task
from tasks.errors import ConfigurationError, failing_as
from teachers.allocation import apportion
from teachers.observation import Observation, SkillListObservation, SkillTreeObservation
from teachers.plan import Action, DataSpec, Exploit, Explore, TreeAction

FaceName = Literal["flat", "rich"]
SHARPNESS = 5.0  # of actions: exp(5) for exp(-5) is 22,000 times as many records
_LONGEST = 1_000_000  # characters of the rich observation's text
_MOST_ORDERS = 64  # of a rich action


class Face(ABC):
    """One environment's observations and actions.

    Args:
        task: The task.
        records: Budget of records of an episode.
        steps: Most steps of an episode.

    Raises:
        ConfigurationError: The task is not procedural.
    """

    def __init__(self, task: Task, records: int, steps: int) -> None:
        if not isinstance(task, ProceduralTask):
            raise ConfigurationError(
                f"{task.name} is no procedural task: Gymnasium's faces need to know its skills beforehand."
            )
        self.task: ProceduralTask = task
        self.skills = tuple(self.task.skills())
        self.records, self.steps = records, steps

    @property
    @abstractmethod
    def spaces(self) -> tuple[gymnasium.Space[Any], gymnasium.Space[Any]]:
        """Of observations and of actions."""

    @abstractmethod
    def seen(self, observation: Observation) -> Any:
        """An observation, in its space."""

    @abstractmethod
    def done(self, action: Any, observation: Observation) -> Action:
        """What an action orders after an observation."""

    def _left(self, observation: Observation) -> list[float]:
        """The shares of the records and of the steps that are left."""
        return [(observation.records_left or 0) / self.records, (observation.calls_left or 0) / self.steps]


def flat_spaces(observed: int, acted: int) -> tuple[Any, Any]:
    """Boxes in [-1, 1] of so many numbers."""
    return spaces.Box(-1.0, 1.0, (observed,), np.float32), spaces.Box(-1.0, 1.0, (acted,), np.float32)


class FlatOpenEnded(Face):
    """Without skills.

    Observation, of shape (4,): validation accuracy, its change by the last step, the shares of the records and of the
    steps that are left. Action, of shape (2,): how many records, from none at -1 over an even share of what is left at
    0 to twice as many at 1; and which part of them is written like the student's errors, from none at -1 to all at 1.
    """

    @property
    def spaces(self) -> tuple[Any, Any]:
        """Of observations and of actions."""
        return flat_spaces(4, 2)

    def seen(self, observation: Observation) -> Any:
        """An observation, in its space."""
        now, before = ([past.accuracy.value or 0.0 for past in observation.history[-2:]] * 2)[-1:-3:-1]
        return np.array([now, now - before, *self._left(observation)], dtype=np.float32)

    def done(self, action: Any, observation: Observation) -> Action:
        """What an action orders after an observation."""
        much, like = (float(value) for value in checked(action, 2))
        total = min(round((1 + much) * observation.even_share()), observation.records_left or 0)
        errors = [error.instance_id for error in observation.errors]
        observation.generator("errors").shuffle(errors)
        among = round(total * (1 + like) / 2) if errors else 0
        like_errors = apportion(among, [1.0] * min(len(errors), max(1, among)))
        specs = [DataSpec(n, like=name) for name, n in zip(errors, like_errors, strict=False) if n]
        return [*specs, *([DataSpec(total - among)] if total > among else [])]


class FlatSkillList(Face):
    """With skills.

    Observation, of shape (5 * skills + 2,): by skill, its validation accuracy (0 if it is not asked), its share of the
    validation instances, the change of its accuracy by the last step, its records so far and those of the last step,
    both as shares of the budget; then the accuracy over all, and the share of the steps that are left. Action, of shape
    (skills,): a skill's share of the step's records is proportional to ``exp(5 * action)``.
    """

    @property
    def spaces(self) -> tuple[Any, Any]:
        """Of observations and of actions."""
        return flat_spaces(5 * len(self.skills) + 2, len(self.skills))

    def seen(self, observation: Observation) -> Any:
        """An observation, in its space."""
        assert isinstance(observation, SkillListObservation), "the face of another environment"
        *_, before, now = [past.skills for past in (observation.history[:1] + observation.history)[-2:]]
        asked = sum(of.n for of in observation.skills.values()) or 1

        def value(of: Any, skill: str) -> float:
            return (of[skill].value or 0.0) if skill in of else 0.0

        parts = [
            [value(now, skill) for skill in self.skills],
            [observation.skills[skill].n / asked if skill in observation.skills else 0.0 for skill in self.skills],
            [value(now, skill) - value(before, skill) for skill in self.skills],
            [
                sum(past.allocation.get(skill, 0) for past in observation.history) / self.records
                for skill in self.skills
            ],
            [observation.history[-1].allocation.get(skill, 0) / self.records for skill in self.skills],
            [observation.accuracy.value or 0.0, self._left(observation)[1]],
        ]
        return np.clip(np.concatenate(parts), -1, 1).astype(np.float32)

    def done(self, action: Any, observation: Observation) -> Action:
        """What an action orders after an observation."""
        counts = self._dealt(checked(action, len(self.skills)), observation)
        return [DataSpec(n, skill=skill) for skill, n in zip(self.skills, counts, strict=True) if n]

    def _dealt(self, action: NDArray[np.float64], observation: Observation) -> list[int]:
        shares = np.exp(SHARPNESS * action)
        return apportion(observation.even_share(), shares.tolist(), observation.generator("ties"))


class FlatSkillTree(FlatSkillList):
    """With trees.

    Observation, of shape (7 * skills + 2,): that of the Skill-List environment, then by skill the share of its
    subskills that are in its tree, and the mean accuracy of those that were measured (0 if none was). Action, of shape
    (2 * skills,): by skill its share of the step's records, as there; then, where above 0, *explore*: the next subskill
    of the task joins the tree with those records in each step from now on; otherwise *exploit*: the records of the
    tree's subskills are set to that sum, evenly. A tree without subskills explores.
    """

    @property
    def spaces(self) -> tuple[Any, Any]:
        """Of observations and of actions."""
        return flat_spaces(7 * len(self.skills) + 2, 2 * len(self.skills))

    def seen(self, observation: Observation) -> Any:
        """An observation, in its space."""
        assert isinstance(observation, SkillTreeObservation), "the face of another environment"
        trees = [observation.trees[skill].subskills for skill in self.skills]
        known = [len(self.task.subskills(skill)) for skill in self.skills]
        measured = [[node.accuracy for node in nodes if node.accuracy is not None] for nodes in trees]
        further = [
            [min(1.0, len(nodes) / max(1, n)) for nodes, n in zip(trees, known, strict=True)],
            [sum(values) / len(values) if values else 0.0 for values in measured],
        ]
        return np.concatenate([super().seen(observation), *further]).astype(np.float32)

    def done(self, action: Any, observation: Observation) -> Action:
        """What an action orders after an observation."""
        assert isinstance(observation, SkillTreeObservation), "the face of another environment"
        size = len(self.skills)
        numbers = checked(action, 2 * size)
        wanted = self._dealt(numbers[:size], observation)
        made: dict[str, TreeAction] = {}
        for skill, n, explores in zip(self.skills, wanted, numbers[size:] > 0, strict=True):
            nodes = observation.trees[skill].subskills
            names = {node.name for node in nodes}
            new = [name for name in self.task.subskills(skill) if name not in names]
            if new and (explores or not nodes):
                made[skill] = Explore((new[0],), n)
            elif nodes:
                due = apportion(n, [1.0] * len(nodes))
                made[skill] = Exploit({node.name: to - node.allocation for node, to in zip(nodes, due, strict=True)})
        return made


class Rich(Face):
    """For teachers that read, in all environments; skill trees are shown, and orders go past them.

    Observation, a dictionary: ``text``, everything that the environment shows as JSON in ASCII, errors with questions
    and answers included (those of earlier steps are left out); ``accuracy`` of validation; and ``left``, the shares of
    the records and of the steps that are left. Action, a sequence of up to 64 orders, each a dictionary: ``count`` of
    records; ``skill``, its place in the task's list, or one more for any (the Open-Ended environment ignores it);
    ``like``, the place of a validation instance whose kind of question is wanted, or one more for none;
    ``description``, what to write in words, for engines that read.
    """

    @property
    def spaces(self) -> tuple[spaces.Dict, spaces.Sequence]:
        """Of observations and of actions."""
        observed = {
            "text": spaces.Text(_LONGEST, min_length=1, charset=string.printable),
            "accuracy": spaces.Box(0.0, 1.0, (1,), np.float32),
            "left": spaces.Box(0.0, 1.0, (2,), np.float32),
        }
        order = {
            "count": spaces.Discrete(self.records + 1),
            "skill": spaces.Discrete(len(self.skills) + 1),
            "like": spaces.Discrete(len(self.task.instances("val")) + 1),
            "description": spaces.Text(2_000, min_length=0, charset=string.printable),
        }
        return spaces.Dict(observed), spaces.Sequence(spaces.Dict(order))

    def seen(self, observation: Observation) -> Any:
        """An observation, in its space."""
        shown = asdict(observation)
        for hidden in ("seed", "last"):  # nothing of the run, and nothing that the ending does not say
            del shown[hidden]
        for past in shown["history"]:
            del past["errors"]
        text = json.dumps(shown)
        while len(text) > _LONGEST:  # half of the errors are left out, then half of the earliest steps, and counted
            longest = "errors" if shown["errors"] else "history"
            left_out = (len(shown[longest]) + 1) // 2
            shown[f"{longest}_not_shown"] = shown.get(f"{longest}_not_shown", 0) + left_out
            shown[longest] = shown[longest][left_out:] if longest == "history" else shown[longest][:-left_out]
            text = json.dumps(shown)
        return {
            "text": text,
            "accuracy": np.array([observation.accuracy.value or 0.0], dtype=np.float32),
            "left": np.array(self._left(observation), dtype=np.float32),
        }

    def done(self, action: Any, observation: Observation) -> Action:
        """What an action orders after an observation."""
        instances = self.task.instances("val")
        listed = isinstance(observation, SkillListObservation)
        specs = []
        for order in self._orders(action):
            place, example = int(order["skill"]), int(order["like"])
            like = instances[example] if example < len(instances) else None
            skill = self.skills[place] if place < len(self.skills) and listed else None
            if like is not None and listed:  # the records are of its skill then
                skill = self.task.skill_of(like)
            name = like.instance_id if like is not None else None
            specs.append(DataSpec(int(order["count"]), skill, like=name, description=str(order["description"])))
        return specs

    def _orders(self, action: Any) -> list[dict[str, Any]]:
        """The orders of an action, checked."""
        orders: list[Any] = list(action) if isinstance(action, list | tuple) else [None]
        if len(orders) > _MOST_ORDERS:
            raise ConfigurationError(f"A rich action has up to {_MOST_ORDERS} orders, got {len(orders)}.")
        for order in orders:
            numbers = [order.get(name) for name in ("count", "skill", "like")] if isinstance(order, dict) else [None]
            if not all(isinstance(number, int | np.integer) and number >= 0 for number in numbers):
                raise ConfigurationError(
                    "A rich action is a list of orders, each with count, skill and like as whole numbers of at least 0 "
                    f"and a description, got {str(order)[:80]!r}."
                )
        return [{"description": "", **order} for order in orders]


def checked(action: Any, size: int) -> NDArray[np.float64]:
    """An action of a flat face, clipped to [-1, 1].

    Raises:
        ConfigurationError: It is not so many finite numbers.
    """
    with failing_as(ConfigurationError, f"An action is {size} numbers, got {str(action)[:80]!r}"):
        numbers = np.asarray(action, dtype=np.float64)
    if numbers.shape != (size,) or not np.isfinite(numbers).all():
        raise ConfigurationError(f"An action is {size} finite numbers, got {str(action)[:80]!r}.")
    return np.clip(numbers, -1, 1)


FLAT = {"OpenEnded": FlatOpenEnded, "SkillList": FlatSkillList, "SkillTree": FlatSkillTree}
