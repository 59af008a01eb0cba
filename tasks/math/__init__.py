"""Mathematics: elementary questions made offline, and reasoning-gym's for students of real size."""

from tasks.math.procedural import ProceduralMathTask

__all__ = ["ProceduralMathTask"]
