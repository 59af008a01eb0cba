"""Mathematics: elementary questions made offline, reasoning-gym's, and the MATH benchmark for students of real size."""

from tasks.math.benchmark import MATHTask
from tasks.math.procedural import ProceduralMathTask
from tasks.math.reasoning_gym_task import ReasoningGymTask

__all__ = ["MATHTask", "ProceduralMathTask", "ReasoningGymTask"]
