"""Policies: what to teach next, from what an environment shows."""

from teachers.policies.bandits import (
    Exp3Policy,
    HighLossPolicy,
    LearningProgressPolicy,
    PrioritizedReplayPolicy,
    SuccessiveHalvingPolicy,
)
from teachers.policies.error_groups import ErrorGroupsPolicy
from teachers.policies.expected_gain import ExpectedGainPolicy
from teachers.policies.feedback_ablation import FeedbackAblationPolicy
from teachers.policies.first_step import FirstStepPolicy
from teachers.policies.learned import LearnedPolicy
from teachers.policies.like_errors import LikeErrorsPolicy
from teachers.policies.llm_base import LLMPolicy
from teachers.policies.llm_no_state import LLMNoStatePolicy
from teachers.policies.llm_open_ended import LLMOpenEndedPolicy
from teachers.policies.llm_proposer import LLMSubskillProposer
from teachers.policies.llm_skill_list import LLMSkillListPolicy
from teachers.policies.llm_skill_tree import LLMSkillTreePolicy
from teachers.policies.mastery import MasteryPolicy
from teachers.policies.no_state import NoStatePolicy
from teachers.policies.open_ended import OpenEndedPolicy
from teachers.policies.planned_tree import PlannedTreePolicy
from teachers.policies.proposers import FixedListProposer, SubskillProposer
from teachers.policies.skill_list import ErrorProportionalPolicy, RewardHistoryPolicy
from teachers.policies.skill_tree import SkillTreePolicy
from teachers.policies.static import StaticPolicy, TopSkillsPolicy, UniformPolicy
from teachers.policies.tree_rules import AlternatingPolicy, FillBalancedPolicy, RandomPolicy, ThresholdPolicy

__all__ = [
    "AlternatingPolicy",
    "ErrorGroupsPolicy",
    "ErrorProportionalPolicy",
    "Exp3Policy",
    "ExpectedGainPolicy",
    "FeedbackAblationPolicy",
    "FillBalancedPolicy",
    "FirstStepPolicy",
    "FixedListProposer",
    "HighLossPolicy",
    "LLMNoStatePolicy",
    "LLMOpenEndedPolicy",
    "LLMPolicy",
    "LLMSkillListPolicy",
    "LLMSkillTreePolicy",
    "LLMSubskillProposer",
    "LearnedPolicy",
    "LearningProgressPolicy",
    "LikeErrorsPolicy",
    "MasteryPolicy",
    "NoStatePolicy",
    "OpenEndedPolicy",
    "PlannedTreePolicy",
    "PrioritizedReplayPolicy",
    "RandomPolicy",
    "RewardHistoryPolicy",
    "SkillTreePolicy",
    "StaticPolicy",
    "SubskillProposer",
    "SuccessiveHalvingPolicy",
    "ThresholdPolicy",
    "TopSkillsPolicy",
    "UniformPolicy",
]
