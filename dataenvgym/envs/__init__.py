"""Teaching as Gymnasium environments: ``gymnasium.make("dataenvgym:DataEnvGym/SkillList-Math-Sim-v0")``."""

from pathlib import Path

import gymnasium

# Their names alone: importing the package that reads them would triple what `import dataenvgym` takes.
_LAWS = Path(__file__).parents[2] / "environments" / "simulation" / "laws"


def register() -> None:
    """Registers an environment for each shipped law, by the names of its classes: they are imported when one is made.

    The law ``one_name`` is ``DataEnvGym/SkillList-One-Name-Sim-v0``.
    """
    for law in sorted(path.stem for path in _LAWS.glob("*.npz")):
        # Three letters are an abbreviation.
        name = "-".join(part.upper() if len(part) == 3 else part.capitalize() for part in law.split("_"))
        gymnasium.register(
            id=f"DataEnvGym/SkillList-{name}-Sim-v0",
            entry_point="dataenvgym.envs.simulated:SimulatedTeachingEnv",
            vector_entry_point="dataenvgym.envs.simulated:SimulatedTeachingVectorEnv",
            kwargs={"law": law},
        )
