"""Environments: what a teacher observes, what it may do, and the budget it does it in."""

from environments.base import Environment
from environments.budget import Budget
from environments.loop.protocol import Recorder, StudentLoop
from environments.open_ended import OpenEndedEnvironment
from environments.results import Evaluation, KeptCall, Rejection, RestoredEpisode, StepResult
from environments.skill_list import SkillListEnvironment
from environments.skill_tree import SkillTreeEnvironment

__all__ = [
    "Budget",
    "Environment",
    "Evaluation",
    "KeptCall",
    "OpenEndedEnvironment",
    "Recorder",
    "Rejection",
    "RestoredEpisode",
    "SkillListEnvironment",
    "SkillTreeEnvironment",
    "StepResult",
    "StudentLoop",
]
