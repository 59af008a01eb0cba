"""A policy that was trained on simulated students: a small recurrent network, the same for every skill."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.base import Task
from tasks.errors import ConfigurationError, RecordError, failing_as
from teachers.observation import Observation, PastStep
from teachers.plan import Action, DataSpec
from teachers.policies.sharing import SharingPolicy, skills_shown

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FOLDER = Path(__file__).parent / "weights"
FEATURES = 13  # of a skill at a step
_PARTS = ("input", "update", "reset", "candidate", "hidden", "output")


class LearnedPolicy(SharingPolicy):
    """Orders what a network says that scripts/train_policy.py trained on simulated students.

    The network reads, for each skill and step, its accuracy and the number of instances that it was measured on, its
    records so far and those of the step, how often validation asks it, and what is left of the budget. Skills have no
    names to it and share their weights, with means over all skills beside each skill's own memory: it works on any
    number of skills, of any task.

    Args:
        task: The task to teach.
        weights: Name of shipped weights, or the path of a file that scripts/train_policy.py made.
        records_per_step: Records per teacher call; None spreads the budget evenly over the calls left.

    Raises:
        ConfigurationError: There are no such weights.
        RecordError: The file is damaged.
    """

    def __init__(self, task: Task, weights: str = "simulated_students-v1", records_per_step: int | None = None) -> None:
        super().__init__(task, records_per_step)
        self._weights = read_weights(weights)

    def act(self, observation: Observation) -> Action:
        """One order for each skill that is given records."""
        import numpy as np

        from teachers.allocation import apportion

        skills = list(skills_shown(self, observation))
        total = self.share(observation)
        left = total if observation.records_left is None else observation.records_left
        calls = observation.calls_left or 1
        size, hidden = len(skills), np.zeros((1, len(skills), width_of(self._weights)))
        counts, before = np.zeros((1, size)), None
        steps = list(_measured(observation, skills))
        spent = sum(allocation.sum() for allocation, _, _ in steps)
        scores = np.zeros((1, size))
        for place, (allocation, accuracies, sizes) in enumerate(steps):
            counts = counts + allocation
            spent -= allocation.sum()
            budget = np.array([[float(left + spent)]]), np.array([[float(calls + len(steps) - 1 - place)]])
            shown = features(accuracies, sizes, counts, allocation, *budget, before, np)
            before = accuracies
            scores, hidden = forward(self._weights, shown, hidden, np)
        shares = np.exp(scores[0] - scores[0].max())
        dealt = apportion(total, [round(float(share), 9) for share in shares], observation.generator("ties"))
        return [DataSpec(count, skill=skill) for skill, count in zip(skills, dealt, strict=True) if count]


def features(accuracies: Any, sizes: Any, counts: Any, last: Any, left: Any, calls: Any, before: Any, xp: Any) -> Any:
    """What the network reads at a step, of shape (games, skills, FEATURES).

    Args:
        accuracies: Validation accuracy by skill after the step, of shape (games, skills); any number where ``sizes``
            is 0.
        sizes: Validation instances by skill, of the same shape.
        counts: Records by skill so far, of the same shape.
        last: Records by skill of the step, of the same shape.
        left: Records that are left to order, of shape (games, 1).
        calls: Calls in which they are ordered, of shape (games, 1).
        before: ``accuracies`` after the step before; None for step 0.
        xp: ``numpy`` or ``torch``.
    """

    def level(values: Any) -> Any:  # a logit that few instances keep away from its ends
        return asked * xp.log((values * sizes + 0.5) / ((1 - values) * sizes + 0.5)) / 3

    asked = xp.clip(sizes, 0, 1)
    share = sizes / xp.clip(sizes.sum(-1)[..., None], 1, None)
    now = level(accuracies)
    change = now - level(before) if before is not None else 0 * now
    each = 0 * counts  # for what is the same for all skills
    parts = [
        accuracies * asked,
        now,
        change,
        asked,
        share * 5,
        xp.log(share + 0.001) / 3,
        xp.log(sizes + 1) / 4,
        xp.log(1 + counts / 20),
        xp.log(1 + last / 20),
        each + xp.log(1 + counts.sum(-1)[..., None] / 100),
        each + xp.log(1 + left / 100),
        each + xp.log(1 + left / calls / 20),
        each + 1 / calls,
    ]
    return xp.stack(parts, -1)


def forward(weights: Mapping[str, Any], shown: Any, hidden: Any, xp: Any) -> tuple[Any, Any]:
    """One step: a gated recurrent unit for each skill, which also reads the mean memory of all and of what is asked.

    Returns the scores of the skills, of which a softmax gives the shares of the records, of shape (games, skills), and
    the new memory, of shape (games, skills, width).
    """

    def layer(name: str, values: Any) -> Any:
        return values @ weights[f"{name}.weight"] + weights[f"{name}.bias"]

    def with_means(memory: Any) -> Any:
        share = shown[..., 4:5] / 5
        means = [memory.mean(-2), (memory * share).sum(-2)]
        return xp.concatenate([memory, *(xp.broadcast_to(mean[..., None, :], memory.shape) for mean in means)], -1)

    read = xp.tanh(layer("input", shown))
    both = xp.concatenate([read, with_means(hidden)], -1)
    update, reset = (1 / (1 + xp.exp(-layer(name, both))) for name in ("update", "reset"))
    candidate = xp.tanh(layer("candidate", xp.concatenate([read, with_means(reset * hidden)], -1)))
    hidden = (1 - update) * hidden + update * candidate
    return layer("output", xp.tanh(layer("hidden", with_means(hidden))))[..., 0], hidden


def shapes(width: int) -> dict[str, tuple[int, ...]]:
    """The shapes of the weights of a network with ``width`` numbers of memory for each skill."""
    sizes = {name: (4 * width, width) for name in _PARTS} | {
        "input": (FEATURES, width),
        "hidden": (3 * width, 3 * width),
        "output": (3 * width, 1),
    }
    return {
        f"{name}.{kind}": size if kind == "weight" else size[1:]
        for name, size in sizes.items()
        for kind in ("weight", "bias")
    }


def width_of(weights: Mapping[str, Any]) -> int:
    """Numbers of memory for each skill."""
    return int(weights["output.weight"].shape[0]) // 3


def read_weights(name: str) -> "dict[str, NDArray[np.float64]]":
    """Shipped weights, or those of a file.

    Raises:
        ConfigurationError: There are none of that name.
        RecordError: The file is damaged.
    """
    path = Path(name) if name.endswith(".npz") else FOLDER / f"{name}.npz"
    if not path.is_file():
        known = ", ".join(sorted(each.stem for each in FOLDER.glob("*.npz")))
        raise ConfigurationError(
            f"LearnedPolicy: there are no weights {name!r}; there are {known}, or give a .npz file."
        )
    return _read(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=8)
def _read(path: Path, changed: int) -> "dict[str, NDArray[np.float64]]":
    import numpy as np

    with failing_as(
        RecordError, f"{path} is damaged, no weights", "restore it, or make it with scripts/train_policy.py"
    ):
        with np.load(path, allow_pickle=False) as arrays:
            weights = {key: arrays[key].astype(np.float64) for key in arrays.files if key != "facts"}
        wanted = shapes(width_of(weights))
        if {key: value.shape for key, value in weights.items()} != wanted:
            raise ValueError("arrays of other shapes")
        if not all(np.isfinite(value).all() for value in weights.values()):
            raise ValueError("numbers that are not finite")
    return weights


def _measured(
    observation: Observation, skills: Sequence[str]
) -> "Sequence[tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]]":
    """By finished step, of shape (1, skills) each: the records of the step, accuracies and their instances."""
    import numpy as np

    def row(past: PastStep) -> tuple[Any, ...]:
        found = [past.skills.get(skill) for skill in skills]
        return (
            np.array([[float(past.allocation.get(skill, 0)) for skill in skills]]),
            np.array([[one.value if one and one.value is not None else 0.0 for one in found]]),
            np.array([[float(one.n) if one and one.value is not None else 0.0 for one in found]]),
        )

    return [row(past) for past in observation.history]
