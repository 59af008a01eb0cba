"""Writes what an evaluation found: every prediction, and the validation feedback that a teacher may read."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

from lightning.pytorch import Callback, LightningModule, Trainer

from lightning_modules.callbacks.skill_metrics import SkillMetrics
from tasks.errors import ConfigurationError, StorageError
from tasks.records import write_json, write_json_lines
from tasks.types import Accuracy, SkillReport, TaskInstance


class ShownSkills(Protocol):
    """The skills that a teacher is shown, and which of them an instance counts under."""

    def skills(self) -> Sequence[str]:
        """The listed skills, in their order."""

    def skill_of(self, instance: TaskInstance) -> str | None:
        """The skill of an instance; None if it belongs to none."""


def find_metrics(trainer: Trainer, needed_by: str) -> SkillMetrics:
    """The trainer's SkillMetrics."""
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        if isinstance(callback, SkillMetrics):
            return callback
    raise ConfigurationError(f"{needed_by} needs SkillMetrics: add it to trainer.callbacks.")


class FeedbackWriter(Callback):
    """Writes ``predictions.jsonl`` and ``feedback.json`` at the end of every evaluation, on rank 0 alone.

    ``predictions.jsonl`` has a row for each instance of each set: the fields of a Prediction, ``split``, ``skill`` (the
    task's own) and, where there is one, the path of its ``image`` and its ``cluster``. ``feedback.json`` is of the
    validation set alone, whatever else was measured, and of no skills but those that are shown: ``accuracy``, ``n``,
    ``likelihood`` (mean probability of the reference reply; null without references), ``skills`` and ``errors``.

    Args:
        folder: Where to; made if it does not exist.
        metrics: Where from; None takes the trainer's SkillMetrics.
        images: Folder where images are stored, each once; None takes ``images`` in the folder.
        skills: The skills that ``feedback.json`` is by; None takes the task's own.
    """

    def __init__(
        self,
        folder: str | Path,
        metrics: SkillMetrics | None = None,
        images: str | Path | None = None,
        skills: ShownSkills | None = None,
    ) -> None:
        self.folder = Path(folder)
        self.metrics = metrics
        self.images = self.folder / "images" if images is None else Path(images)
        self.skills = skills

    def write(self, metrics: SkillMetrics) -> None:
        """Writes both files from what was measured so far."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(f"Cannot make {self.folder} ({error.strerror}): choose another folder.") from error
        rows = [
            {**asdict(prediction), "split": name, "skill": skill, "image": instance.image, "cluster": cluster}
            for name in metrics.names
            for instance, prediction, skill, cluster in metrics.answered(name)
        ]
        write_json_lines(self.folder / "predictions.jsonl", rows, self.images)
        if "val" in metrics.names:
            write_json(self.folder / "feedback.json", self._feedback(metrics), self.images)

    def _feedback(self, metrics: SkillMetrics) -> dict[str, Any]:
        answered = metrics.answered("val")
        skills = [own if self.skills is None else self.skills.skill_of(instance) for instance, _, own, _ in answered]
        report = SkillReport.of([prediction for _, prediction, _, _ in answered], skills)
        listed = report.skills if self.skills is None else self.skills.skills()
        errors = [
            {
                "instance_id": instance.instance_id,
                "instruction": instance.instruction,
                "student_answer": prediction.text,
                "right_answer": instance.answer,
                "score": prediction.score,
                "likelihood": prediction.likelihood,
                "skill": skill,
                **({} if instance.image is None else {"image": instance.image}),
            }
            for (instance, prediction, _, _), skill in zip(answered, skills, strict=True)
            if prediction.score < 1
        ]
        accuracies = {name: report.skills.get(name, Accuracy(None, 0)) for name in listed}
        return {
            "split": "val",
            "accuracy": report.overall.value,
            "n": report.overall.n,
            "likelihood": report.overall.likelihood,
            "skills": {
                name: {"accuracy": part.value, "n": part.n, "likelihood": part.likelihood}
                for name, part in accuracies.items()
            },
            "errors": errors,
        }

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Writes the files."""
        if trainer.is_global_zero and not trainer.sanity_checking:
            self.write(self.metrics or find_metrics(trainer, "FeedbackWriter"))

    on_test_end = on_predict_end = on_validation_end
