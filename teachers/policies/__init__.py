"""Policies: what to teach next, from what an environment shows."""

from teachers.policies.feedback_ablation import FeedbackAblationPolicy
from teachers.policies.first_step import FirstStepPolicy
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
from teachers.policies.proposers import FixedListProposer, SubskillProposer
from teachers.policies.skill_list import ErrorProportionalPolicy, RewardHistoryPolicy
from teachers.policies.skill_tree import SkillTreePolicy
from teachers.policies.tree_rules import AlternatingPolicy, FillBalancedPolicy, RandomPolicy, ThresholdPolicy

__all__ = [
    "AlternatingPolicy",
    "ErrorProportionalPolicy",
    "FeedbackAblationPolicy",
    "FillBalancedPolicy",
    "FirstStepPolicy",
    "FixedListProposer",
    "LLMNoStatePolicy",
    "LLMOpenEndedPolicy",
    "LLMPolicy",
    "LLMSkillListPolicy",
    "LLMSkillTreePolicy",
    "LLMSubskillProposer",
    "LikeErrorsPolicy",
    "MasteryPolicy",
    "NoStatePolicy",
    "OpenEndedPolicy",
    "RandomPolicy",
    "RewardHistoryPolicy",
    "SkillTreePolicy",
    "SubskillProposer",
    "ThresholdPolicy",
]
