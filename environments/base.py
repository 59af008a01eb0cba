"""The environment: shows an observation, turns an action into a plan, takes records, trains, and keeps the budget."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Any, Literal, Protocol, Self

from environments.budget import Budget
from environments.intake import Intake
from environments.loop.protocol import Recorder, Start, StudentLoop
from environments.quality import QualityFilters
from environments.results import Evaluation, KeptCall, Rejection, RestoredEpisode, StepResult
from environments.skills.assignment import GoldSkills, NoSkills, SkillAssignment, skill_report
from tasks.base import Task
from tasks.errors import ConfigurationError, RecordError, check_range
from tasks.types import Accuracy, Prediction, SkillReport, Split, TaskInstance, TrainingRecord
from teachers.batch import Batch
from teachers.chat.calls import Calls
from teachers.chat.types import Chat
from teachers.observation import ErrorExample, Observation, PastStep
from teachers.plan import Action, DataPlan, DataSpec
from teachers.teacher import make_part


class MakeEnvironment(Protocol):
    """What makes an environment for a task; ``chat`` is the teacher's calls, and no setting of a configuration."""

    def __call__(
        self, task: Task, loop: StudentLoop, recorder: Recorder, /, *, chat: Calls | None = None
    ) -> Environment:
        """The environment."""


class Environment(ABC):
    """The student's side of an episode, as a teacher meets it.

    A step ends after ``calls_per_step`` teacher calls, or earlier if the budget on records or time runs out. A step
    in which no record was accepted counts as a step but trains nothing: the student and its evaluation stay.

    Args:
        task: The task of the episode.
        loop: Trains and evaluates the student; its seed is the run's.
        recorder: Keeps what happened.
        budget: Limits of the episode.
        skills: Makes the skills by which results are reported (and, in some environments, shown).
        pool: Whether a step trains on all records so far or on its own only.
        start: Whether a step starts from the base weights or from the last trained student's.
        calls_per_step: Teacher calls whose records are gathered before a training.
        filters: Quality filters beyond the exact ones.
        chat: The teacher's calls, or a chat model, for skills that are found by asking one.
    """

    def __init__(
        self,
        task: Task,
        loop: StudentLoop,
        recorder: Recorder,
        budget: Budget,
        skills: Callable[[Task], SkillAssignment] = GoldSkills,
        pool: Literal["all", "latest"] = "all",
        start: Start = "base",
        calls_per_step: int = 1,
        filters: QualityFilters | None = None,
        chat: Chat | Calls | None = None,
    ) -> None:
        check_range("environment.init_args", calls_per_step=calls_per_step)
        self.task = task
        self.loop = loop
        self.recorder = recorder
        self.budget = budget
        self.assignment = make_part(skills, task, chat=chat)
        self.pool_rule = pool
        self.start: Start = start
        self.calls_per_step = calls_per_step
        self._intake = Intake(task, filters, loop.answer)
        self._rejected: Counter[str] = Counter()
        self._planned: tuple[DataPlan, Action] | None = None
        self.run_dir: Path | None = None  # where the run is written, if it is
        self.at_close = ExitStack()  # what ends with the episode: the run directory, the terminal display
        self._closed = False
        self._clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed = True
        self.at_close.__exit__(kind, error, trace)

    def close(self) -> None:
        """Ends the run, whose directory is finished with this; may be called twice."""
        self.__exit__(None, None, None)

    @abstractmethod
    def _show(self, core: Observation) -> Observation:
        """The observation of this environment, from the core that all of them show."""

    @abstractmethod
    def _past_step(self, result: StepResult, errors: tuple[ErrorExample, ...]) -> PastStep:
        """What a teacher may remember of a finished step, its errors included."""

    @abstractmethod
    def _specs(self, action: Action) -> Sequence[DataSpec]:
        """The data specs of a valid action; changes no state, and raises ConfigurationError for an invalid one."""

    def reset(self) -> Observation:
        """The first observation: of the untouched student, or of where an interrupted run stopped."""
        if self._closed:
            raise ConfigurationError("reset() was called after close(): make a new environment.")
        self._clear()
        self._prepare()
        restored = self.recorder.restore()
        if restored is not None and restored.steps:
            self._restore(restored)
        else:
            self._finish(self.loop.run(0, (), self.start, None, self._shown_skills), trained=False)
        return self._observe()

    def plan(self, action: Action) -> DataPlan:
        """The plan that carries an action out within the budget; it takes effect at the next step()."""
        self._need_going("plan")
        rng = Random(f"{self.loop.seed}/{self._step}/{self._call}/environment/cut")
        specs = self.budget.cut(self._specs(action), self._records, rng)
        screen = partial(self._intake.screen, pool=self._training_pool())
        plan = DataPlan(self._step, self.loop.seed, specs, self._call, screen)
        self._planned = plan, action
        return plan

    def step(self, records: Sequence[TrainingRecord]) -> Observation:
        """Takes the records of the plan; trains and evaluates if the step is complete with them.

        What the engine's batch dropped on the way is counted as rejected too.

        Raises:
            ConfigurationError: No plan was made for them, they are no records, or the episode is over.
        """
        self._need_going("step")
        if self._planned is None:
            raise ConfigurationError("step() was called without a plan: call plan(action) first.")
        batch = Batch.of(records)
        plan, action = self._planned
        self._planned = None
        accepted, rejected = self._intake.check(batch, self._training_pool(), plan.count)
        # What an engine dropped may never have become a record, so its text stands as the response.
        dropped = [
            Rejection(TrainingRecord("", one.text, "", one.skill, one.subskill), one.reason, "dropped by the engine")
            for one in batch.dropped
        ]
        rejected = [*dropped, *rejected]
        self._commit(action, accepted)
        self._take(accepted, [rejection.reason for rejection in rejected])
        self.recorder.keep_call(KeptCall(plan, tuple(accepted), tuple(rejected), self.state_dict()))
        self._train_if_complete()
        return self._observe()

    @property
    def history(self) -> list[PastStep]:
        """All finished steps as the teacher may see them, step 0 first."""
        return [self._past_step(result, wrong) for result, wrong in zip(self._results, self._wrong, strict=True)]

    @property
    def results(self) -> list[StepResult]:
        """All finished steps with test accuracies, for people and files."""
        return list(self._results)

    def state_dict(self) -> dict[str, Any]:
        """What load_state_dict needs besides the pool and the finished steps; JSON-able."""
        return {"records": self._records, "rejected": dict(sorted(self._rejected.items()))}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Takes a state_dict back."""
        self._records = int(state["records"])
        self._rejected = Counter(state["rejected"])

    def _prepare(self) -> None:
        """Hook: an episode begins; what is needed before the first evaluation is reported."""
        self.assignment.prepare(self.recorder.once)

    def _commit(self, action: Action, accepted: Sequence[TrainingRecord]) -> None:  # noqa: B027
        """Hook: an action was carried out and these records accepted; the student has not trained on them yet."""

    def _learned(self, before: StepResult, val: Mapping[str, Accuracy]) -> None:  # noqa: B027
        """Hook: a step is finished; ``val`` is the accuracy by skill after it, ``before`` the step before it."""

    def _clear(self) -> None:
        self._results: list[StepResult] = []
        self._wrong: list[tuple[ErrorExample, ...]] = []  # by step
        self._evaluation: Evaluation | None = None
        self._pool: list[TrainingRecord] = []
        self._fresh: list[TrainingRecord] = []  # accepted in the unfinished step
        self._call = 0
        self._records = 0
        self._rejected = Counter()
        self._step_rejected: Counter[str] = Counter()
        self._planned = None
        self.over = False  # whether the last observation was given

    @property
    def _shown_skills(self) -> SkillAssignment:
        return NoSkills()

    @property
    def _step(self) -> int:
        return len(self._results)

    @property
    def _last_trained(self) -> int | None:
        return next((result.step for result in reversed(self._results) if result.trained), None)

    def _need_going(self, method: str) -> None:
        if self._closed:
            raise ConfigurationError(f"{method}() was called after close(): make a new environment.")
        if not self._results:
            raise ConfigurationError(f"{method}() was called before the first observation: call reset() first.")
        if self.over:
            raise ConfigurationError(f"{method}() was called after the last observation: call reset() first.")

    def _training_pool(self) -> list[TrainingRecord]:
        return [*self._pool, *self._fresh] if self.pool_rule == "all" else list(self._fresh)

    def _take(self, accepted: Sequence[TrainingRecord], reasons: Sequence[str]) -> None:
        self._fresh.extend(accepted)
        self._records += len(accepted)
        self._rejected.update(reasons)
        self._step_rejected.update(reasons)
        self._call += 1

    def _train_if_complete(self) -> None:
        complete = self._call >= self.calls_per_step or self.budget.collected(self._records, self.recorder.elapsed())
        if not complete:
            return
        if not self._fresh:
            assert self._evaluation is not None, "reset() evaluates before any step"
            self._finish(self._evaluation, trained=False)
            return
        pool, previous = self._training_pool(), self._last_trained
        evaluation = self.loop.run(self._step, pool, self.start, previous, self._shown_skills)
        self._finish(evaluation, trained=True)

    def _finish(self, evaluation: Evaluation, trained: bool) -> None:
        val, test = self._report("val", evaluation.val), self._report("test", evaluation.test)
        self._evaluation = evaluation
        if self._results:
            self._learned(self._results[-1], val.skills)
        self._pool.extend(self._fresh)
        result = StepResult(
            step=self._step,
            records=len(self._fresh),
            pool=len(self._pool),
            rejected=dict(sorted(self._step_rejected.items())),
            val=val,
            test=test,
            allocation=self._allocation(),
            state=self.state_dict(),
            trained=trained,
        )
        self._results.append(result)
        self._wrong.append(self._errors(evaluation))
        self._fresh, self._call, self._step_rejected = [], 0, Counter()
        self.recorder.keep_step(result, evaluation)

    def _allocation(self) -> dict[str, int]:
        """The step's accepted records by skill: their own; if that is not listed, the one that they fall under.

        An engine that writes records like an error labels them with the task's own skills, whichever are listed.
        """
        listed = {None, *self.assignment.skills()}
        skills = [
            record.skill if record.skill in listed else self.assignment.skill_of(self.task.as_instance(record))
            for record in self._fresh
        ]
        return dict(sorted(Counter(skill or "unassigned" for skill in skills).items()))

    def _report(self, split: Split, predictions: Sequence[Prediction]) -> SkillReport:
        task = self.task
        report = skill_report(predictions, task.instances(split), self.assignment.skill_of, task.slices_of)
        return replace(report, metrics=task.extra_metrics(split, predictions))

    def _restore(self, restored: RestoredEpisode) -> None:
        self._results = list(restored.steps)
        if (trained := self._last_trained) is not None:
            self.loop.load(trained)
        self._evaluation = restored.evaluations[-1]
        self._wrong = [self._errors(evaluation) for evaluation in restored.evaluations]
        self._pool = list(restored.pool)
        if len(self._pool) != self._results[-1].pool:
            raise RecordError(
                f"The run holds {len(self._pool)} records where its last step counts {self._results[-1].pool}: "
                "its files were changed; start a new run."
            )
        self.load_state_dict(self._results[-1].state)
        for kept in restored.pending:
            self._take(kept.accepted, [rejection.reason for rejection in kept.rejected])
            self.load_state_dict(kept.state)
        if restored.pending:
            self._train_if_complete()

    def _observe(self) -> Observation:
        finished = self._results[1:]
        idle = next((i for i, result in enumerate(reversed(finished)) if result.records), len(finished))
        spent = self.budget.spent(self._records, len(finished), self.recorder.elapsed(), idle)
        self.over = spent and not self._call
        steps_left = self.budget.steps_left(len(finished))
        core = Observation(
            step=len(finished),
            seed=self.loop.seed,
            last=self.over,
            accuracy=self._results[-1].val.overall,
            errors=self._wrong[-1],
            history=tuple(self.history),
            records_left=self.budget.records_left(self._records),
            calls_left=None if steps_left is None else steps_left * self.calls_per_step - self._call,
            call=self._call,
        )
        observation = self._show(core)
        self.recorder.keep_observation(observation)
        return observation

    def _errors(self, evaluation: Evaluation) -> tuple[ErrorExample, ...]:
        by_id = {instance.instance_id: instance for instance in self._val}
        wrong = [prediction for prediction in evaluation.val if prediction.score < 1.0]
        return tuple(self._error(by_id[prediction.instance_id], prediction) for prediction in wrong)

    def _error(self, instance: TaskInstance, prediction: Prediction) -> ErrorExample:
        return ErrorExample(instance.instance_id, instance.instruction, prediction.text, instance.answer)

    @cached_property
    def _val(self) -> tuple[TaskInstance, ...]:
        return tuple(self.task.instances("val"))
