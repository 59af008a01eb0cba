"""The environments of this project as Gymnasium environments, with real students or simulated ones."""

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, SupportsFloat

import gymnasium

from dataenvgym.envs.faces import FLAT, Face, FaceName, Rich
from dataenvgym.envs.simulated import RENDERING, SimulatedTeachingEnv, checked_mode, rendered
from environments.budget import Budget
from environments.loop.protocol import Recorder
from tasks.errors import ConfigurationError, check_range
from teachers.batch import Batch
from teachers.teacher import make_part

if TYPE_CHECKING:
    from dataenvgym.cli.episode import EpisodeCLI
    from environments.base import Environment
    from teachers.observation import Observation


def make_env(
    kind: str,
    face: FaceName = "flat",
    law: str | None = None,
    configs: Sequence[str] = (),
    render_mode: str | None = None,
    **settings: Any,
) -> gymnasium.Env[Any, Any]:
    """What ``gymnasium.make`` calls: the fast game of numbers where there is one, else the environment itself.

    Args:
        kind: ``OpenEnded``, ``SkillList`` or ``SkillTree``.
        face: ``flat`` or ``rich`` (``faces.py``).
        law: Name of the law of a simulated student; None for a real one.
        configs: Fragments of ``configs/`` that a real student's episode is composed of.
        render_mode: ``ansi`` for a line of text, ``rgb_array`` for a picture of the accuracies so far.
        settings: Further ones of TeachingEnv; of Games, in the Skill-List environment of a simulated student.
    """
    if law is not None and kind == "SkillList" and face == "flat":
        known = ("records", "steps", "val_size", "exam")
        if wrong := sorted(set(settings) - set(known)):
            raise ConfigurationError(
                f"The fast game has no {', '.join(wrong)}; it has {', '.join(known)}, and reset(options=…) fixes the "
                "member and the exam of an episode."
            )
        return SimulatedTeachingEnv(law, render_mode, **settings)
    return TeachingEnv(kind, face, law, configs, render_mode, **settings)


class TeachingEnv(gymnasium.Env[Any, Any]):
    """Episodes of an environment of this project, each with a run seed drawn from the environment's generator.

    What is observed and done is the face's (``faces.py``). The reward is the gain in validation accuracy; what the
    student does on test is never shown. An episode is terminated when its records or steps are spent, and truncated
    when its time is. ``info`` has the numbers of records that the step accepted and refused.

    With a real student, a step trains one. Its files are written to a temporary folder that the next episode removes,
    or below ``runs``, where ``dataenvgym report`` finds them.

    Args:
        kind: ``OpenEnded``, ``SkillList`` or ``SkillTree``.
        face: ``flat`` or ``rich``.
        law: Name of the law of a simulated student, in the task of its challenges; None for a real one.
        configs: Fragments of ``configs/`` that a real student's episode is composed of: task, student and teacher, of
            which the engine is used.
        render_mode: ``ansi`` for a line of text, ``rgb_array`` for a picture of the accuracies so far.
        member: Which of the law's simulated students.
        records: Budget of records of an episode.
        steps: Steps of an episode.
        seconds: Most wall time of an episode; None for no limit.
        runs: Folder of the run directories ``episode-000``, …; None keeps none.
        options: Further options of ``dataenvgym episode``, by name: ``{"trainer.max_epochs": 3}``.

    Raises:
        ConfigurationError: A part cannot be made of these settings.
    """

    metadata = RENDERING

    def __init__(
        self,
        kind: str,
        face: FaceName = "flat",
        law: str | None = None,
        configs: Sequence[str] = (),
        render_mode: str | None = None,
        member: int = 0,
        records: int = 300,
        steps: int = 5,
        seconds: float | None = None,
        runs: str | Path | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        if kind not in FLAT or face not in ("flat", "rich"):
            raise ConfigurationError(
                f"kind is {kind!r} and face {face!r}; they can be {', '.join(FLAT)}, and flat or rich."
            )
        if (law is None and member) or (law is not None and runs is not None):
            raise ConfigurationError("member is for simulated students, and runs for real ones: leave the other away.")
        if wrong := [name for name in options or {} if "calls_per_step" in name or "environment.budget" in name]:
            raise ConfigurationError(f"options has {wrong[0]}: a step is one call here, and budgets have arguments.")
        check_range("TeachingEnv", records=records, steps=steps)
        check_range("TeachingEnv", 0, open_ends=True, seconds=seconds)
        self.render_mode = checked_mode(render_mode)
        self.budget = Budget(records, steps, seconds)
        self._runs = Path(runs) if runs is not None else None
        self._law, self._member, self._configs = law, member, list(configs)
        self._options = {"environment": f"environments.{kind}Environment", **(options or {})}
        self._episode = self._composed()
        self._open = ExitStack()
        self._number = 0
        self._environment: Environment | None = None
        self._observation: Observation | None = None
        make: Callable[..., Face] = Rich if face == "rich" else FLAT[kind]
        self._face = make(self._episode.config_init["task"], records, steps)
        self.observation_space, self.action_space = self._face.spaces

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Begins an episode, with the untrained student."""
        super().reset(seed=seed)
        if options:
            raise ConfigurationError(f"reset(options=…) has {', '.join(sorted(options))}; TeachingEnv has no options.")
        self._end()
        self._environment = self._open.enter_context(self._made(int(self.np_random.integers(2**31))))
        self._observation = self._environment.reset()
        return self._face.seen(self._observation), {"accepted": 0, "refused": 0}

    def step(self, action: Any) -> tuple[Any, SupportsFloat, bool, bool, dict[str, Any]]:
        """Has the engine make what the action orders, and trains and evaluates the student."""
        environment, before = self._environment, self._observation
        if environment is None or before is None:
            raise ConfigurationError("step() was called before reset().")
        if before.last and not before.step:  # the first evaluation took all the time there was
            return self._face.seen(before), 0.0, False, True, {"accepted": 0, "refused": 0}
        plan = environment.plan(self._face.done(action, before))
        batch = Batch.of(self._episode.teacher.engine.generate(plan))
        now = environment.step(batch)
        self._observation, result = now, environment.results[-1]
        reward = float((now.accuracy.value or 0.0) - (before.accuracy.value or 0.0))
        # Without a limit of time every end is the budget's, idle steps included.
        idle = next((i for i, past in enumerate(reversed(now.history[1:])) if past.records), now.step)
        records = sum(past.records for past in now.history)
        spent = self.budget.max_seconds is None or self.budget.spent(records, now.step, 0.0, idle)
        info = {"accepted": result.records, "refused": sum(result.rejected.values())}
        return self._face.seen(now), reward, now.last and spent, now.last and not spent, info

    def render(self) -> Any:
        """The validation accuracy after each step, as a line of text or a picture."""
        curve = [past.accuracy.value or 0.0 for past in self._observation.history] if self._observation else []
        return rendered(self.render_mode, curve, self.budget.max_steps or 1)

    def close(self) -> None:
        """Ends the episode; may be called twice."""
        self._end()

    def _end(self) -> None:
        self._environment = self._observation = None
        self._open.close()

    def _folder(self) -> Path:
        self._number += 1
        if self._runs is not None:
            return self._runs / f"episode-{self._number - 1:03d}"
        return Path(self._open.enter_context(tempfile.TemporaryDirectory(prefix="dataenvgym-"))) / "run"

    def _composed(self) -> "EpisodeCLI":
        """The parts of the episodes: those of a law's challenge, or of fragments."""
        from dataenvgym import api
        from environments.simulation.law_files import read_law

        configs, options = self._configs, dict(self._options)
        if self._law is not None:
            configs = [f"challenges/{read_law(self._law).facts['challenges'][0]}"]
            options["teacher.init_args.policy"] = "teachers.policies.NoStatePolicy"
        for limit in ("max_records", "max_steps", "max_seconds"):
            if (most := getattr(self.budget, limit)) is not None:
                options[f"environment.budget.{limit}"] = most
        words = [word for name in configs for word in ("--config", name)]
        for name, value in options.items():
            words += [f"--{name}", value if isinstance(value, str) else json.dumps(value)]
        return api.composed(words, {})

    def _made(self, seed: int) -> "Environment":
        """The environment of one episode."""
        from dataenvgym.running import open_run
        from environments.simulation.student import SimulatedLoop, SimulatedStudent

        if self._law is None:
            self._episode.config.seed_everything = seed
            return open_run(self._episode, self._folder(), resume=False, verbose=False)[0]
        parts = self._episode.config_init
        loop = SimulatedLoop(parts["task"], SimulatedStudent(self._law, self._member), seed)
        made: Environment = make_part(parts["environment"], parts["task"], loop, Recorder(), chat=None)
        return made
