"""Teaching as Gymnasium environments: ``gymnasium.make("dataenvgym:DataEnvGym/SkillList-Math-Sim-v0")``."""

import gymnasium

SIMULATED = {"Math": "math", "Math-Global": "math_global"}  # by domain, the law of its simulated student


def register() -> None:
    """Registers the environments, by names of their classes: nothing is imported before one is made."""
    for domain, law in SIMULATED.items():
        gymnasium.register(
            id=f"DataEnvGym/SkillList-{domain}-Sim-v0",
            entry_point="dataenvgym.envs.simulated:SimulatedTeachingEnv",
            vector_entry_point="dataenvgym.envs.simulated:SimulatedTeachingVectorEnv",
            kwargs={"law": law},
        )
