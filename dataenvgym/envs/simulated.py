"""A simulated student as a Gymnasium environment of numbers alone, single and vectorized: no texts, no files.

The Skill-List environment's game: every step deals a share of the budget to skills, and shows what validation says of
the skills that are asked. It has the law and the noise of ``environments.simulation``, with records that can be divided
and an exam that is drawn in each episode.

Observation, of shape (5 * skills + 2,), in [-1, 1]: by skill, its present validation accuracy (0 if it is not asked),
its share of the validation instances, the change of its accuracy by the last step, its records so far and its records
of the last step, both as shares of the budget; then the accuracy over all, and the share of the steps that are left.
Action, of shape (skills,), in [-1, 1]: a skill's share of the step's records is proportional to ``exp(5 * action)``.
Reward: the gain in validation accuracy. An episode is terminated when the budget is spent, after ``steps`` steps; it is
never truncated.
"""

from collections.abc import Mapping
from typing import Any, SupportsFloat

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from dataenvgym.envs.faces import SHARPNESS, flat_spaces
from environments.simulation.law import rates
from environments.simulation.law_files import read_law
from tasks.errors import ConfigurationError, check_range

Floats = NDArray[np.float32]
# As arrays' own numbers, which NumPy need not convert at every step.
_LEAST, _NOTHING, _MOST, _SHARPNESS = np.float32(-1), np.float32(0), np.float32(1), np.float32(SHARPNESS)
RENDERING: dict[str, Any] = {"render_modes": ["ansi", "rgb_array"], "render_fps": 1}


class Games:
    """Many games side by side, all at the same step.

    Args:
        law: Name or file of a law.
        records: Budget of records of an episode.
        steps: Steps over which it is spent evenly.
        val_size: Validation instances, over all skills.
        exam: Weight of each skill that is asked; None draws, for each episode, 4 to 10 skills with uneven weights
            (Dirichlet, all weights of 1).
        number: How many games.

    Raises:
        ConfigurationError: There is no such law, a number is out of range, or the exam names another skill.
    """

    def __init__(
        self,
        law: str,
        records: int = 300,
        steps: int = 5,
        val_size: int = 432,
        exam: Mapping[str, float] | None = None,
        number: int = 1,
    ) -> None:
        check_range("SimulatedTeachingEnv", records=records, steps=steps, val_size=val_size, num_envs=number)
        self.file = read_law(law)
        self.skills = self.file.law.skills
        self.records, self.steps, self.val_size, self.number = records, steps, val_size, number
        self.exam = self._weights(exam) if exam is not None else None
        self._shape = (number, len(self.skills))
        self._rows = np.arange(number)[:, None]
        self._ones = np.ones((len(self.skills), 1), dtype=np.float32)
        self._each = np.float32(1 / steps)  # records are counted as shares of the budget here
        self.step_number = steps  # until the first reset
        # The noise of a run and that of few instances are drawn as one; instances that keep their difficulty differ
        # less from run to run than new ones would.
        self._spread = np.float32(self.file.run_sd**2 + self.file.common_sd**2)
        self._fresh = np.float32(1 - self.file.persistence)
        self._base = self.file.base.astype(np.float32)
        self._keep_constants()

    def _keep_constants(self) -> None:
        """Constants of environments.simulation.law.logits by member of the law, and by step where they depend on it.

        The three logarithms of the formula are of ``scale * count + shift``, so that they are taken at once; signs are
        those of minus the logit. All sums of records are known beforehand, since every step spends the same.
        """
        of = rates(self.file.law.parameters, np)
        totals = self.records * np.arange(self.steps + 1)[:, None, None] / self.steps
        everywhere = np.ones_like(of["D"])
        scale = np.stack([1 / of["D"], -everywhere / of["F"], everywhere / 20])
        shift = np.stack([np.ones_like(totals + of["F"]), 1 + totals / of["F"]])
        self._constants = {
            "scale": (self.records * scale).astype(np.float32),  # (3, members, skills)
            "kept": (self.records / (of["R"] * of["c"])).astype(np.float32),
            "1/c": (1 / of["c"]).astype(np.float32),
            "-z": (-of["z"]).astype(np.float32),
            "-b": (-of["b"]).astype(np.float32),
            "growth": (1 + of["h"] * np.log(1 + totals / 100)).astype(np.float32),  # (steps + 1, members, 1)
            "shift": np.concatenate([shift, shift[:1]]).swapaxes(0, 1).astype(np.float32),  # (…, 3, members, 1)
        }
        self._transfer = np.ascontiguousarray(-of["W"].swapaxes(1, 2).astype(np.float32))

    def _weights(self, exam: Mapping[str, float]) -> Floats:
        given = dict(exam) if isinstance(exam, Mapping) else {"": 0}
        numbers = all(isinstance(weight, int | float) for weight in given.values())
        weights = np.array([given.get(skill, 0) if numbers else 0 for skill in self.skills], dtype=np.float32)
        if set(given) - set(self.skills) or weights.min() < 0 or not 0 < weights.sum() < np.inf:
            raise ConfigurationError(
                f"exam is {exam}: give weights of 0 or more, one of them above 0, to some of {', '.join(self.skills)}."
            )
        return np.asarray(weights / weights.sum())

    def reset(
        self, rng: np.random.Generator, member: int | None = None, exam: Mapping[str, float] | None = None
    ) -> None:
        """Begins an episode in all games, each with a student (one of the law's members) and an exam of its own."""
        size = (self.number, len(self.skills))
        if member is not None and not (type(member) is int and 0 <= member < self.file.members):
            raise ConfigurationError(f"options: member is {member}; the law has 0 to {self.file.members - 1}.")
        drawn = rng.integers(self.file.members, size=self.number) if member is None else np.full(self.number, member)
        # Of one game without copies.
        self._own = {
            name: value[..., drawn[0], None, :] if self.number == 1 else np.take(value, drawn, axis=-2)
            for name, value in self._constants.items()
        }
        # Games of one student share a product of matrices.
        self._groups: list[tuple[Any, Any]] = [(drawn[0], slice(None))]
        if self.number > 1:
            ends = np.bincount(drawn, minlength=self.file.members).cumsum()
            places = np.split(np.argsort(drawn, kind="stable"), ends[:-1])
            self._groups = [(of, games) for of, games in enumerate(places) if len(games)]
        fixed = self.exam if exam is None else self._weights(exam)
        if fixed is not None:
            self.asked = np.broadcast_to(fixed, size)
        else:
            keys = rng.random(size, dtype=np.float32)
            # Asked are the 4 to 10 skills of the least keys.
            last = rng.integers(min(3, size[1] - 1), min(10, size[1]), (self.number, 1))
            weights = rng.standard_exponential(size, dtype=np.float32)
            weights *= keys <= np.sort(keys, 1)[self._rows, last]
            weights /= weights @ self._ones
            self.asked = weights
        self._mask = (self.asked > 0).astype(np.float32)
        self._of_instances = self._fresh / np.maximum(self.asked * np.float32(self.val_size), np.float32(1))
        self._noise = rng.standard_normal((self.steps + 1, *size), dtype=np.float32)
        self.step_number = 0
        self.given = np.zeros(size, dtype=np.float32)
        self.last = np.zeros(size, dtype=np.float32)
        self.change = np.zeros(size, dtype=np.float32)
        self._expected: Any = np.broadcast_to(self._base, size)  # the untrained student is the same in every game
        self.accuracies = self._seen(self._expected * (1 - self._expected) * self._of_instances / self._fresh)
        self.overall = (self.accuracies * self.asked) @ self._ones

    def expected(self) -> Floats:
        """What the law expects on the exam, of shape (games,): what a teacher is judged by, without noise."""
        return np.asarray(((self._expected * self.asked) @ self._ones)[:, 0])

    def step(self, actions: Floats) -> Floats:
        """Deals a step's records and measures; returns the rewards, of shape (games,)."""
        if self.step_number >= self.steps:
            raise ConfigurationError("step() was called before reset(), or after the last step of an episode.")
        if actions.shape != self._shape or not np.isfinite(actions @ self._ones).all():
            raise ConfigurationError(f"Actions are finite numbers of shape {self._shape}, got {actions.shape}.")
        shares = np.minimum(np.maximum(actions, _LEAST), _MOST)
        shares *= _SHARPNESS
        np.exp(shares, out=shares)
        shares *= self._each / (shares @ self._ones)
        self.last = shares
        self.given = self.given + shares
        self.step_number += 1
        self._expected = self._expectation()
        slope = self._expected - self._expected * self._expected
        variance = slope * self._spread
        variance += self._of_instances
        variance *= slope
        before, self.accuracies = self.accuracies, self._seen(variance)
        self.change = self.accuracies - before
        earlier, self.overall = self.overall, (self.accuracies * self.asked) @ self._ones
        return np.asarray((self.overall - earlier)[:, 0])

    @property
    def counts(self) -> Floats:
        """Records by game and skill so far."""
        return np.asarray(self.given * np.float32(self.records))

    def observations(self) -> Floats:
        """Of shape (games, 5 * skills + 2)."""
        # Rounding may take a sum of shares above 1, and a weighted mean of accuracies as well.
        left = np.full((self.number, 1), 1 - self.step_number / self.steps, dtype=np.float32)
        given, overall = np.minimum(self.given, _MOST), np.minimum(self.overall, _MOST)
        return np.concatenate((self.accuracies, self.asked, self.change, given, self.last, overall, left), axis=1)

    def _expectation(self) -> Floats:
        """Accuracies that the law expects: environments.simulation.law.logits, with as few passes as it takes."""
        own, step = self._own, self.step_number
        logs = own["scale"] * self.given
        logs += own["shift"][step]
        np.log(logs, out=logs)
        learnt, lost, taught = logs
        learnt *= own["-b"]
        learnt *= own["growth"][step]
        kept = own["kept"] * self.given
        kept += own["1/c"]
        lost /= kept
        learnt += lost
        learnt += own["-z"]
        for member, games in self._groups:
            learnt[games] += taught[games] @ self._transfer[member]
        np.exp(learnt, out=learnt)
        learnt += _MOST
        return np.asarray(np.reciprocal(learnt, out=learnt))

    def _seen(self, variance: Floats) -> Floats:
        """What validation shows of the skills that are asked; ``variance`` is changed."""
        np.sqrt(variance, out=variance)
        variance *= self._noise[self.step_number]
        variance += self._expected
        np.maximum(variance, _NOTHING, out=variance)
        np.minimum(variance, _MOST, out=variance)
        variance *= self._mask
        return variance


class SimulatedTeachingEnv(gymnasium.Env[Floats, Floats]):
    """One game; see the module for what is observed, done and rewarded.

    ``reset(options={"member": 3, "exam": {...}})`` fixes the student and the exam of an episode. ``info`` has the
    exam's accuracy that the law expects, ``expected_accuracy``, by which teachers are compared without noise.

    Args:
        law: Name or file of a law.
        render_mode: ``ansi`` for a line of text, ``rgb_array`` for a picture of the accuracies so far.
        settings: Those of Games: ``records``, ``steps``, ``val_size`` and ``exam``.
    """

    metadata = RENDERING

    def __init__(self, law: str, render_mode: str | None = None, **settings: Any) -> None:
        self.games = Games(law, **settings)
        self.observation_space, self.action_space = flat_spaces(5 * len(self.games.skills) + 2, len(self.games.skills))
        self.render_mode = checked_mode(render_mode)
        self._curve: list[float] = []

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Floats, dict[str, Any]]:
        """A new student and exam."""
        super().reset(seed=seed)
        self.games.reset(self.np_random, **_checked(options))
        return self._shown()

    def step(self, action: Floats) -> tuple[Floats, SupportsFloat, bool, bool, dict[str, Any]]:
        """Deals one step's share of the budget."""
        reward = self.games.step(np.asarray(action, dtype=np.float32)[None])
        observation, info = self._shown()
        return observation, float(reward[0]), self.games.step_number >= self.games.steps, False, info

    def render(self) -> Any:
        """The validation accuracy after each step, as a line of text or a picture."""
        return rendered(self.render_mode, self._curve, self.games.steps)

    def _shown(self) -> tuple[Floats, dict[str, Any]]:
        observation = self.games.observations()[0]
        self._curve = [*(self._curve if self.games.step_number else []), float(observation[-2])]
        return observation, {"expected_accuracy": float(self.games.expected()[0])}


class SimulatedTeachingVectorEnv(VectorEnv[Floats, Floats, NDArray[Any]]):
    """Many games in arrays; all end at the same step, and the next call begins new ones (``AutoresetMode.NEXT_STEP``).

    Args:
        num_envs: How many games.
        law: Name or file of a law.
        settings: Those of Games: ``records``, ``steps``, ``val_size`` and ``exam``.
    """

    metadata: dict[str, Any] = {"autoreset_mode": AutoresetMode.NEXT_STEP, "render_modes": []}  # noqa: RUF012

    def __init__(self, num_envs: int, law: str, **settings: Any) -> None:
        self.num_envs = num_envs
        self.games = Games(law, number=num_envs, **settings)
        self.single_observation_space, self.single_action_space = flat_spaces(
            5 * len(self.games.skills) + 2, len(self.games.skills)
        )
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Floats, dict[str, Any]]:
        """New students and exams; a list of seeds, which other vector environments take, counts by its first."""
        super().reset(seed=seed[0] if isinstance(seed, list) else seed)
        self.games.reset(self.np_random, **_checked(options))
        return self.games.observations(), {}

    def step(self, actions: Floats) -> tuple[Floats, Floats, NDArray[Any], NDArray[Any], dict[str, Any]]:
        """One step of all games, or new ones where the last step was the end; actions are then ignored."""
        never = np.zeros(self.num_envs, dtype=np.bool_)
        if self.games.step_number >= self.games.steps:
            self.games.reset(self.np_random)
            return self.games.observations(), np.zeros(self.num_envs, dtype=np.float32), never, never.copy(), {}
        rewards = self.games.step(np.asarray(actions, dtype=np.float32))
        over = np.full(self.num_envs, self.games.step_number >= self.games.steps)
        return self.games.observations(), rewards, over, never, {}


def _checked(options: dict[str, Any] | None) -> dict[str, Any]:
    if unknown := sorted(set(options or {}) - {"member", "exam"}):
        raise ConfigurationError(f"reset(options=…) has {', '.join(unknown)}; it can have member and exam.")
    return dict(options or {})


def make_vec_env(num_envs: int, law: str, kind: str, face: str = "flat", **settings: Any) -> SimulatedTeachingVectorEnv:
    """What ``gymnasium.make_vec(..., vectorization_mode="vector_entry_point")`` calls."""
    if (kind, face) != ("SkillList", "flat"):
        raise ConfigurationError(
            "Only the Skill-List environment's flat face is vectorized: use vectorization_mode='sync'."
        )
    return SimulatedTeachingVectorEnv(num_envs, law, **settings)


def checked_mode(mode: str | None) -> str | None:
    """A render mode, or a ConfigurationError."""
    if mode not in (None, *RENDERING["render_modes"]):
        raise ConfigurationError(f"render_mode is {mode!r}; it can be ansi, rgb_array or None.")
    return mode


def rendered(mode: str | None, curve: list[float], steps: int) -> Any:
    """Validation accuracies by step as a line of text or a picture; None without a mode."""
    if mode == "ansi":
        return "validation " + " → ".join(f"{100 * value:.1f} %" for value in curve)
    return _picture(curve, steps) if mode == "rgb_array" else None


def _picture(curve: list[float], steps: int) -> NDArray[np.uint8]:
    """Validation accuracies by step, of shape (300, 400, 3)."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4, 3), dpi=100, layout="constrained")
    canvas: Any = FigureCanvasAgg(figure)
    axes = figure.add_subplot(xlim=(0, steps), ylim=(0, 1), xlabel="step", ylabel="validation accuracy")
    axes.plot(range(len(curve)), curve, marker="o")
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()
