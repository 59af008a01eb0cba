"""Mathematics: elementary questions made offline, and reasoning-gym's for students of real size."""

from tasks.math.procedural import ProceduralMathTask
from tasks.math.reasoning_gym_task import ReasoningGymTask

__all__ = ["ProceduralMathTask", "ReasoningGymTask"]
