"""Skills: which instance counts under which, and the trees that teachers grow under them."""

from environments.skills.assignment import GoldSkills, SkillAssignment, skill_report

__all__ = ["GoldSkills", "SkillAssignment", "skill_report"]
