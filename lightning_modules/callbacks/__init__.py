"""Lightning callbacks: metrics by skill, the files that teachers' feedback is read from, samples for people."""

from lightning_modules.callbacks.feedback_writer import FeedbackWriter
from lightning_modules.callbacks.sample_logger import SampleLogger
from lightning_modules.callbacks.skill_metrics import SkillMetrics

__all__ = ["FeedbackWriter", "SampleLogger", "SkillMetrics"]
