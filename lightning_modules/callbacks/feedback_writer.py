"""Writes what an evaluation found: every prediction, and the validation feedback that a teacher may read."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from lightning_modules.callbacks.skill_metrics import SkillMetrics
from tasks.errors import ConfigurationError, StorageError
from tasks.records import write_json, write_json_lines


def find_metrics(trainer: Trainer, needed_by: str) -> SkillMetrics:
    """The trainer's SkillMetrics.

    Raises:
        ConfigurationError: It has none.
    """
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        if isinstance(callback, SkillMetrics):
            return callback
    raise ConfigurationError(f"{needed_by} needs SkillMetrics: add it to trainer.callbacks.")


class FeedbackWriter(Callback):
    """Writes ``predictions.jsonl`` and ``feedback.json`` at the end of every evaluation, on rank 0 alone.

    ``predictions.jsonl`` has a row for each instance of each set: the fields of a Prediction, ``split`` and
    ``skill``. ``feedback.json`` is of the validation set alone, whatever else was measured: ``accuracy``, ``n``,
    ``skills`` and ``errors``.

    Args:
        folder: Where to; made if it does not exist.
        metrics: Where from; None takes the trainer's SkillMetrics.
    """

    def __init__(self, folder: str | Path, metrics: SkillMetrics | None = None) -> None:
        self.folder = Path(folder)
        self.metrics = metrics

    def write(self, metrics: SkillMetrics) -> None:
        """Writes both files from what was measured so far.

        Raises:
            StorageError: The folder cannot be written.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(f"Cannot make {self.folder} ({error.strerror}): choose another folder.") from error
        rows = [
            {**asdict(prediction), "split": name, "skill": skill}
            for name in metrics.names
            for prediction, skill in zip(metrics.predictions(name), metrics.skills(name), strict=True)
        ]
        write_json_lines(self.folder / "predictions.jsonl", rows)
        if "val" in metrics.names:
            write_json(self.folder / "feedback.json", self._feedback(metrics))

    def _feedback(self, metrics: SkillMetrics) -> dict[str, Any]:
        report = metrics.report("val")
        answered = zip(metrics.instances("val"), metrics.predictions("val"), metrics.skills("val"), strict=True)
        errors = [
            {
                "instance_id": instance.instance_id,
                "instruction": instance.instruction,
                "student_answer": prediction.text,
                "right_answer": instance.answer,
                "score": prediction.score,
                "skill": skill,
            }
            for instance, prediction, skill in answered
            if prediction.score < 1
        ]
        return {
            "split": "val",
            "accuracy": report.overall.value,
            "n": report.overall.n,
            "skills": {name: {"accuracy": part.value, "n": part.n} for name, part in report.skills.items()},
            "errors": errors,
        }

    def _end(self, trainer: Trainer) -> None:
        if trainer.is_global_zero and not trainer.sanity_checking:
            self.write(self.metrics or find_metrics(trainer, "FeedbackWriter"))

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Writes the files."""
        self._end(trainer)

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Writes the files."""
        self._end(trainer)

    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Writes the files."""
        self._end(trainer)
