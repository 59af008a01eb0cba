"""Teachers: policies that decide what to teach and engines that make the records."""

from teachers.batch import Batch, Drop
from teachers.observation import (
    ErrorExample,
    Observation,
    PastStep,
    SkillListObservation,
    SkillTree,
    SkillTreeObservation,
    SubskillNode,
)
from teachers.plan import Action, DataPlan, DataSpec, Exploit, Explore, TreeAction
from teachers.teacher import Engine, Policy, Teacher

__all__ = [
    "Action",
    "Batch",
    "DataPlan",
    "DataSpec",
    "Drop",
    "Engine",
    "ErrorExample",
    "Exploit",
    "Explore",
    "Observation",
    "PastStep",
    "Policy",
    "SkillListObservation",
    "SkillTree",
    "SkillTreeObservation",
    "SubskillNode",
    "Teacher",
    "TreeAction",
]
