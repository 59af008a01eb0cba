"""Shows people some replies: questions, right answers and what the student said, as text in TensorBoard."""

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import TensorBoardLogger

from lightning_modules.callbacks.feedback_writer import find_metrics
from lightning_modules.callbacks.skill_metrics import SkillMetrics
from tasks.errors import check_range
from tasks.markdown import markdown_table


class SampleLogger(Callback):
    """Logs some instances of every measured set, spread evenly over it, under ``samples/<set>``.

    The same instances every time, so that their replies can be compared over steps. Does nothing without a
    TensorBoardLogger.

    Args:
        count: Number of instances of each set.
        metrics: Where from; None takes the trainer's SkillMetrics.
    """

    def __init__(self, count: int = 8, metrics: SkillMetrics | None = None) -> None:
        check_range("SampleLogger", count=count)
        self.count = count
        self.metrics = metrics

    def table(self, metrics: SkillMetrics, name: str) -> str:
        """The samples of a set as a Markdown table."""
        rows = metrics.answered(name)
        samples = [
            (one.instance.instruction, one.instance.answer, one.prediction.text, f"{one.prediction.score:g}")
            for one in rows[:: -(-len(rows) // self.count) or 1]
        ]
        shown = [[text.replace("\n", "<br>") for text in sample] for sample in samples]
        return "\n".join(markdown_table(("question", "answer", "reply", "score"), shown))

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Logs the samples."""
        loggers = [logger for logger in trainer.loggers if isinstance(logger, TensorBoardLogger)]
        if not loggers or not trainer.is_global_zero or trainer.sanity_checking:
            return
        metrics = self.metrics or find_metrics(trainer, "SampleLogger")
        for name in metrics.names:
            for logger in loggers:
                logger.experiment.add_text(f"samples/{name}", self.table(metrics, name), trainer.global_step)

    on_test_end = on_predict_end = on_validation_end
