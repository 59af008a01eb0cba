"""Keeps an episode on disk as it goes, and gives back what an interrupted one had kept."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import Any, TypeVar, cast

import torch.distributed as dist
from pydantic import TypeAdapter

from environments.loop.protocol import Recorder
from environments.results import Evaluation, KeptCall, Rejection, RestoredEpisode, StepResult
from environments.run.directory import RunDir
from environments.run.episode_logger import EpisodeLogger
from environments.run.files import Feedback, read_document
from environments.run.observations import ObservationFiles
from environments.run.progress import EpisodeProgress
from environments.run.summary import summarise
from environments.statistics.clusters import clusters_by_split
from tasks.base import Task
from tasks.errors import DataEnvGymError, RecordError, failing_as
from tasks.images import Image
from tasks.types import Prediction, TrainingRecord
from teachers.chat.calls import Calls
from teachers.observation import Observation
from teachers.plan import DataPlan, DataSpec

_PHASES = ("fit", "evaluate", "teacher")
T = TypeVar("T")


class RunRecorder(Recorder):
    """Writes steps, calls, curves and the summary of one run, and shows them on the terminal.

    On the ranks of a distributed run but the first (``writes`` is False) it only reads. ``facts`` are what summary.json
    says of the run as a whole: seed, task, environment, teacher, student. Of ``calls`` the cost is written down; of the
    ``task`` its counters, and intervals keep its groups of instances whole.
    """

    def __init__(
        self,
        run_dir: RunDir,
        facts: Mapping[str, Any],
        writes: bool = True,
        calls: Calls | None = None,
        task: Task | None = None,
        progress: EpisodeProgress | None = None,
    ) -> None:
        self.run_dir = run_dir
        self._teacher_calls = calls
        self._task = task
        self.scores: dict[int, dict[str, list[float]]] = {}
        self.likelihoods: dict[int, dict[str, list[float | None]]] = {}
        self._clusters: Mapping[str, Sequence[str]] = {}
        self._facts = facts
        self._writes = writes
        self.lines: list[dict[str, Any]] = []  # of episode.jsonl so far
        self._calls: list[dict[str, Any]] = []
        self._pending: tuple[list[TrainingRecord], list[Rejection]] = ([], [])
        self._progress = progress or EpisodeProgress(enabled=False)
        self._seconds = dict.fromkeys(_PHASES, 0.0)
        self._mark = time.monotonic()
        self._observations = ObservationFiles(run_dir)
        self._logger: EpisodeLogger | None = None

    def elapsed(self) -> float:
        """Wall time of all finished steps, those before an interruption included, and of the step under way.

        It is rank 0's on every rank: ranks that disagree on whether the time is up would wait for each other forever.
        """
        seconds = sum(sum(line["seconds"].values()) for line in self.lines) + time.monotonic() - self._mark
        return _from_rank_zero(seconds)

    def once(self, work: Callable[[], T]) -> T:
        """The result of ``work``, done by rank 0 alone and shared: a teacher is asked once, not once per process."""
        self._progress.phase("teach", None)
        with self.timed("teacher"):
            if not _is_distributed():
                return work()
            done: tuple[Any, DataEnvGymError | None] = (None, None)
            if dist.get_rank() == 0:
                try:
                    done = (work(), None)
                except DataEnvGymError as error:
                    done = (None, error)
            result, failure = _from_rank_zero(done)
            if failure is not None:
                raise failure
            return cast(T, result)

    @contextmanager
    def timed(self, phase: str) -> Iterator[None]:
        """Adds the time that its block takes to a phase (fit, evaluate or teacher) of the step under way."""
        start = time.monotonic()
        try:
            yield
        finally:
            self._seconds[phase] += time.monotonic() - start

    def keep_call(self, call: KeptCall) -> None:
        """Keeps one teacher call of the step under way; plan.json, written last, marks it as kept."""
        records, rejections = self._pending
        records.extend(call.accepted)
        rejections.extend(call.rejected)
        plan = asdict(replace(call.plan, screen=None))
        del plan["screen"]
        self._calls.append(
            {
                "plan": plan,
                "accepted": len(call.accepted),
                "rejected": len(call.rejected),
                "state": dict(call.state),
            }
        )
        if not self._writes:
            return
        refused = [
            {**asdict(rejection.record), "reason": rejection.reason, "detail": rejection.detail}
            for rejection in rejections
        ]
        step = call.plan.step
        self.run_dir.write_rows(step, "rejected.jsonl", refused)
        self.run_dir.write_rows(step, "records.jsonl", records)
        self.run_dir.write_calls(step, self._calls)

    def keep_step(self, result: StepResult, evaluation: Evaluation) -> None:
        """Keeps a finished step; once its line is in episode.jsonl, summary and curves follow."""
        now = time.monotonic()
        spent, self._seconds = self._seconds, dict.fromkeys(_PHASES, 0.0)
        spent["other"] = max(0.0, now - self._mark - sum(spent.values()))
        self._mark = now
        seconds = {name: round(value, 3) for name, value in spent.items()}
        trained_on = {
            "truncated_records": evaluation.truncated_records if result.trained else 0,
            "replayed_records": evaluation.replayed_records if result.trained else 0,
        }
        self.lines.append({**asdict(result), **trained_on, "seconds": seconds, **self._counted()})
        self._keep_scores(result.step, evaluation)
        accepted, _ = self._pending
        self._calls, self._pending = [], ([], [])
        if self._writes:
            self.run_dir.write_episode(self.lines)
            self._publish(accepted)
        val, test = result.val.overall.value, result.test.overall.value
        self._progress.step_finished(result.step, val, test, result.pool, sum(seconds.values()))
        self._progress.step_started(result.step + 1)

    def keep_observation(self, observation: Observation) -> None:
        """Keeps what the policy is about to be given, in the folder of the last finished step."""
        if self._writes:
            self._observations.write(observation)

    def write_summary(self, status: str, stopped: str | None = None, error: str | None = None) -> dict[str, Any]:
        """Rewrites summary.json from the finished steps; arguments as in ``summarise``."""
        summary = summarise(
            self.lines,
            self.scores,
            self._facts,
            status,
            self._counted(),
            stopped,
            self._clusters,
            error,
            self.likelihoods,
        )
        if self._writes:
            self.run_dir.write_summary(summary)
        return summary

    def _keep_scores(self, step: int, evaluation: Evaluation) -> None:
        answers = {"val": evaluation.val, "test": evaluation.test}
        self.scores[step] = {split: [one.score for one in answers[split]] for split in answers}
        self.likelihoods[step] = {split: [one.likelihood for one in answers[split]] for split in answers}
        if not step and self._task is not None:  # the instances are the same in all steps
            self._clusters = clusters_by_split(self._task, evaluation)

    def _counted(self) -> dict[str, Any]:
        """What calls to a chat model cost so far, and what went wrong in them and in the task's own work."""
        counted: dict[str, Any] = {"cost": {"usd": 0.0, "tokens": 0, "calls": 0}}
        if self._teacher_calls is not None:
            counted["cost"] = self._teacher_calls.cost()
            counted["chat"] = dict(sorted(self._teacher_calls.counters.items()))
        if self._task is not None and (counters := {name: n for name, n in self._task.counters.items() if n}):
            counted["scoring"] = counters
        return counted

    def close(self) -> None:
        """Flushes the curves."""
        if self._logger is not None:
            self._logger.close()

    def restore(self) -> RestoredEpisode | None:
        """What the run directory has kept; None if not even step 0 was finished.

        Raises:
            RecordError: A file is damaged.
            MissingFileError: An image of a record is missing.
        """
        lines = self.run_dir.episode()
        with failing_as(RecordError, f"{self.run_dir.path / 'episode.jsonl'} is damaged", "restore it"):
            steps = TypeAdapter(tuple[StepResult, ...]).validate_python(lines)
            for line in lines:
                sum(line["seconds"].values(), line["truncated_records"])  # what elapsed() and the summary need besides
        self.lines = lines
        if self._writes:
            self.run_dir.discard_after(len(self.lines))
        self._mark = time.monotonic()
        if not self.lines:
            return None
        evaluations: list[Evaluation] = []
        for result in steps:
            # A step that accepted no record trained nothing: its student, and so its answers, are an earlier step's.
            own = result.trained or not result.step
            evaluations.append(self._evaluation(result.step) if own else evaluations[-1])
            self._keep_scores(result.step, evaluations[-1])
        if self._writes:  # the kill may have come between the last step's line and what follows it
            self._publish(self.run_dir.records(len(self.lines) - 1))
        for line in lines:
            seconds = sum(line["seconds"].values())
            self._progress.step_restored(line["step"], line["val"]["overall"]["value"], line["pool"], seconds)
        self._progress.step_started(len(lines))
        pool = tuple(record for result in steps for record in self.run_dir.records(result.step))
        return RestoredEpisode(
            steps=steps,
            evaluations=tuple(evaluations),
            pool=pool,
            pending=tuple(self._restore_calls(len(self.lines))),
        )

    def _restore_calls(self, step: int) -> list[KeptCall]:
        folder = self.run_dir.step(step)
        records = self.run_dir.records(step)
        with failing_as(RecordError, f"{folder / 'rejected.jsonl'} is damaged", "restore it"):
            rejections = []
            for row in self.run_dir.rows(step, "rejected.jsonl"):
                # Not record_from_mapping: a record may have been rejected because it is none.
                known = {key: value for key, value in row.items() if key not in ("reason", "detail")}
                if known.get("image") is not None:
                    known["image"] = Image.within(folder, known["image"])
                rejections.append(Rejection(TrainingRecord(**known), row["reason"], row.get("detail", "")))
        self._calls = self.run_dir.calls(step)
        kept = []
        taken = refused = 0
        with failing_as(RecordError, f"{folder / 'plan.json'} is damaged", f"delete {folder} and use --resume"):
            for call in self._calls:
                # Rows beyond the last marked call belong to one that a kill cut off: they are made again.
                accepted = tuple(records[taken : taken + call["accepted"]])
                rejected = tuple(rejections[refused : refused + call["rejected"]])
                taken, refused = taken + len(accepted), refused + len(rejected)
                plan = call["plan"]
                specs = tuple(DataSpec(**spec) for spec in plan["specs"])
                plan = DataPlan(plan["step"], plan["seed"], specs, plan["call"])
                kept.append(KeptCall(plan, accepted, rejected, dict(call["state"])))
        self._pending = (records[:taken], rejections[:refused])
        return kept

    def _evaluation(self, step: int) -> Evaluation:
        predictions: dict[str, list[Prediction]] = {"val": [], "test": []}
        for row in self.run_dir.answers(step):
            predictions[row["split"]].append(
                Prediction(
                    row["instance_id"],
                    row.get("text", ""),
                    row["score"],
                    row.get("truncated", False),
                    row.get("likelihood"),
                )
            )
        if not all(predictions.values()):
            raise RecordError(
                f"{self.run_dir.step(step) / 'predictions.jsonl'} is damaged: it lacks validation or test; restore it."
            )
        return Evaluation(tuple(predictions["val"]), tuple(predictions["test"]))

    def _publish(self, accepted: Sequence[TrainingRecord]) -> None:
        line = self.lines[-1]
        self.write_summary("running")
        if self._logger is None:
            # What an interrupted run logged of this step and later is purged, so that no point is drawn twice.
            self._logger = EpisodeLogger(self.run_dir.tensorboard, purge_step=line["step"])
        self._logger.log_step(line)
        feedback = self.run_dir.step(line["step"]) / "feedback.json"
        if feedback.is_file():
            errors = read_document(feedback, Feedback).get("errors") or ()
            self._logger.log_samples(line["step"], accepted, errors, feedback.parent)


def _is_distributed() -> bool:
    return dist.is_available() and dist.is_initialized()


def _from_rank_zero(value: T) -> T:
    if not _is_distributed():
        return value
    shared = [value]
    dist.broadcast_object_list(shared, src=0)
    return shared[0]
