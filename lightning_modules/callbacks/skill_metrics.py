"""Scores the student's replies with the task and accumulates them by skill, over all ranks."""

import math
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor
from torchmetrics import Metric

from lightning_modules.generation import Generations
from tasks.base import Task
from tasks.errors import ConfigurationError
from tasks.types import Prediction, SkillReport, TaskInstance

_LIKELIHOOD_DIGITS = 6  # beyond them are the rounding errors of the processor's kernels


class ReplyScores(Metric):
    """The scored replies to one evaluation set: a torchmetrics metric, so that ranks are gathered by its rules.

    Scores are kept by the instance's position and added over ranks; texts are gathered as bytes, since only tensors
    travel between ranks.
    """

    full_state_update = False
    scores: Tensor
    seen: Tensor
    truncated: Tensor
    likelihoods: Tensor
    text_index: list[Tensor]
    text_length: list[Tensor]
    text_bytes: list[Tensor]

    def __init__(self, size: int) -> None:
        super().__init__()
        self.add_state("scores", torch.zeros(size, dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("seen", torch.zeros(size, dtype=torch.long), dist_reduce_fx="sum")
        self.add_state("truncated", torch.zeros(size, dtype=torch.long), dist_reduce_fx="sum")
        self.add_state("likelihoods", torch.zeros(size, dtype=torch.float64), dist_reduce_fx="sum")  # NaN: not measured
        for name in ("text_index", "text_length", "text_bytes"):
            self.add_state(name, [], dist_reduce_fx="cat")
        # A rank without a batch must gather empty tensors of the same types as the others'.
        self.update(Generations([], [], [], []), [])

    def update(self, replies: Generations, scores: Sequence[float]) -> None:
        """Adds scored replies to some instances, given by their positions in the set."""
        rows = torch.tensor(replies.index, dtype=torch.long, device=self.device)
        one = torch.ones_like(rows)
        self.seen.index_add_(0, rows, one)
        self.scores.index_add_(0, rows, torch.tensor(scores, dtype=torch.float64, device=self.device))
        self.truncated.index_add_(0, rows, torch.tensor(replies.truncated, dtype=torch.long, device=self.device))
        likelihoods = [math.nan if one is None else one for one in replies.likelihoods]
        self.likelihoods.index_add_(0, rows, torch.tensor(likelihoods, dtype=torch.float64, device=self.device))
        encoded = [text.encode("utf-8", "replace") for text in replies.texts]
        lengths = torch.tensor([len(part) for part in encoded], dtype=torch.long, device=self.device)
        letters = torch.tensor(list(b"".join(encoded)), dtype=torch.uint8, device=self.device)
        self.text_index.append(rows)
        self.text_length.append(lengths)
        self.text_bytes.append(letters)

    def compute(self) -> dict[int, tuple[str, float, bool, float | None]]:
        """Text, score, truncation and likelihood by position, over all ranks, for every instance that was answered."""
        index, lengths, letters = (
            torch.cat(list(part)) if isinstance(part, list) else part
            for part in (self.text_index, self.text_length, self.text_bytes)
        )
        if bool((self.seen > 1).any()):
            raise AssertionError("an instance was answered twice: evaluation batches must share instances out")
        whole = bytes(letters.tolist())
        texts, start = {}, 0
        for row, length in zip(index.tolist(), lengths.tolist(), strict=True):
            texts[row] = whole[start : start + length].decode("utf-8")
            start += length
        scores, truncated, likelihoods = self.scores.tolist(), self.truncated.tolist(), self.likelihoods.tolist()
        return {
            row: (
                texts[row],
                scores[row],
                bool(truncated[row]),
                None if math.isnan(likelihoods[row]) else round(likelihoods[row], _LIKELIHOOD_DIGITS),
            )
            for row in sorted(texts)
        }


class Answered(NamedTuple):
    """An instance with its scored reply, the task's skill, and its group; None where it is independent of others."""

    instance: TaskInstance
    prediction: Prediction
    skill: str | None
    cluster: str | None


class SkillMetrics(Callback):
    """Measures accuracy, overall and by skill, in validate, test, predict and the validation within fit.

    Logs ``<set>/accuracy``, ``<set>/skill/<name>`` and, where the task has reference replies, ``<set>/likelihood``, and
    keeps the predictions; in validation and test other callbacks can monitor these names.

    Args:
        task: Scores the replies; None takes the data module's task.
    """

    def __init__(self, task: Task | None = None) -> None:
        self.task = task
        self._metrics: dict[str, ReplyScores] = {}
        self._instances: dict[str, Sequence[TaskInstance]] = {}
        self._answered: dict[str, list[Answered]] = {}
        self._scorers: ThreadPoolExecutor | None = None
        self._scoring: list[tuple[str, Generations, list[Future[float]]]] = []  # under way while decoding goes on

    @property
    def names(self) -> list[str]:
        """The evaluation sets that were measured, in the order of their first measurement."""
        return list(self._answered)

    def answered(self, name: str) -> list[Answered]:
        """What a set's instances were answered, on all ranks, each once, in the order of the instances."""
        if name not in self._answered:
            raise ConfigurationError(f"The set {name!r} was not measured; measured: {', '.join(self.names) or 'none'}.")
        return self._answered[name]

    def predictions(self, name: str) -> list[Prediction]:
        """The scored replies of a set, in the order of the instances."""
        return [one.prediction for one in self.answered(name)]

    def take(self, task: Task, name: str, instances: Sequence[TaskInstance], predictions: Sequence[Prediction]) -> None:
        """Keeps a set's scored replies; for those that no Trainer made."""
        self._answered[name] = [
            Answered(instance, prediction, task.skill_of(instance), task.cluster_of(instance))
            for instance, prediction in zip(instances, predictions, strict=True)
        ]

    def report(self, name: str) -> SkillReport:
        """Accuracy of a set, overall and by skill."""
        answered = self.answered(name)
        return SkillReport.of([one.prediction for one in answered], [one.skill for one in answered])

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begins the set ``val``."""
        self._begin(pl_module, {"val": self._task(trainer).instances("val")})

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begins the set ``test``."""
        self._begin(pl_module, {"test": self._task(trainer).instances("test")})

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begins the data module's evaluation sets."""
        sets = getattr(getattr(trainer, "datamodule", None), "evaluation_sets", None)
        if sets is None:
            raise ConfigurationError("SkillMetrics needs a data module with evaluation_sets: use StudentDataModule.")
        self._begin(pl_module, sets)

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Scores a batch."""
        if trainer.sanity_checking:
            return
        if not isinstance(outputs, Generations):
            raise AssertionError(f"SkillMetrics needs the student's Generations, found {type(outputs).__name__}")
        name = list(self._metrics)[dataloader_idx]  # the loaders come in the order of the sets
        task, instances = self._task(trainer), self._instances[name]
        pairs = [(instances[row], text) for row, text in zip(outputs.index, outputs.texts, strict=True)]
        if task.scores_in_parallel:
            if self._scorers is None:
                self._scorers = ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="scoring")
            self._scoring.append((name, outputs, [self._scorers.submit(task.score, *pair) for pair in pairs]))
        else:
            self._metrics[name].update(outputs, [task.score(*pair) for pair in pairs])

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Gathers the ranks, keeps the predictions and logs the accuracies."""
        if trainer.sanity_checking:
            return
        task = self._task(trainer)
        for name, outputs, scores in self._scoring:
            self._metrics[name].update(outputs, [score.result() for score in scores])
        self._end_scoring()
        for name, metric in self._metrics.items():
            measured = metric.compute()
            instances = [self._instances[name][row] for row in measured]
            answers = zip(instances, measured.values(), strict=True)
            self.take(task, name, instances, [Prediction(one.instance_id, *answer) for one, answer in answers])
            self._log(trainer, pl_module, name)
        self._metrics = {}

    on_test_batch_end = on_predict_batch_end = on_validation_batch_end
    on_test_epoch_end = on_predict_epoch_end = on_validation_epoch_end

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Leaves what is still to be scored."""
        self._end_scoring()

    def _end_scoring(self) -> None:
        if self._scorers is not None:
            self._scorers.shutdown(cancel_futures=True)
        self._scorers, self._scoring = None, []

    def _begin(self, pl_module: LightningModule, sets: Mapping[str, Sequence[TaskInstance]]) -> None:
        self._instances.update(sets)
        self._metrics = {name: ReplyScores(len(part)).to(pl_module.device) for name, part in sets.items()}

    def _log(self, trainer: Trainer, pl_module: LightningModule, name: str) -> None:
        report = self.report(name)
        values = {f"{name}/skill/{skill}": accuracy.value for skill, accuracy in report.skills.items()}
        values[f"{name}/accuracy"] = report.overall.value
        values[f"{name}/likelihood"] = report.overall.likelihood
        known = {tag: value for tag, value in values.items() if value is not None}
        if trainer.predicting:  # where Lightning refuses pl_module.log
            for logger in trainer.loggers:
                logger.log_metrics(known, step=trainer.global_step)
        else:
            # All ranks hold the same values; sync_dist only keeps Lightning from warning that they might not.
            pl_module.log_dict(known, sync_dist=trainer.world_size > 1)

    def _task(self, trainer: Trainer) -> Task:
        task = self.task or getattr(getattr(trainer, "datamodule", None), "task", None)
        if task is None:
            raise ConfigurationError("SkillMetrics has no task: pass one, or run with a data module that has one.")
        return task
