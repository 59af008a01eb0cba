"""Skills: which instance counts under which, and the trees that teachers grow under them."""

from environments.skills.assignment import GoldSkills, NoSkills, SkillAssignment, skill_report
from environments.skills.clustered import ClusteredSkills
from environments.skills.discovered import DiscoveredSkills

__all__ = ["ClusteredSkills", "DiscoveredSkills", "GoldSkills", "NoSkills", "SkillAssignment", "skill_report"]
