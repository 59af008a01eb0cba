"""Teaching as Gymnasium environments: ``gymnasium.make("dataenvgym:DataEnvGym/SkillList-Math-Sim-v0")``."""

import json
from pathlib import Path

import gymnasium

# Their names alone: importing the package that reads them would triple what `import dataenvgym` takes.
_LAWS = Path(__file__).parents[2] / "environments" / "simulation" / "laws"
_DOMAINS = Path(__file__).parent / "domains.json"
_KINDS = ("OpenEnded", "SkillList", "SkillTree")


def register() -> None:
    """Registers the environments by the names of their classes: those are imported when one is made.

    Each of the three environments with each domain's shipped student, as ``DataEnvGym/SkillTree-Math-v0``: the domains
    and the fragments of ``configs/`` that they are composed of stand in ``domains.json``. Each with the simulated
    student of each shipped law as well: ``one_name`` is ``DataEnvGym/SkillTree-One-Name-Sim-v0``. All take
    ``face="flat"``, which is the default, or ``face="rich"``. The Skill-List environment of a simulated student is a
    fast game of numbers on its flat face, and vectorized.
    """
    makes = "dataenvgym.envs.teaching:make_env"
    for domain, configs in json.loads(_DOMAINS.read_text(encoding="utf-8")).items():
        for kind in _KINDS:
            gymnasium.register(f"DataEnvGym/{kind}-{domain}-v0", makes, kwargs={"kind": kind, "configs": configs})
    for law in sorted(path.stem for path in _LAWS.glob("*.npz")):
        # Three letters are an abbreviation.
        name = "-".join(part.upper() if len(part) == 3 else part.capitalize() for part in law.split("_"))
        for kind in _KINDS:
            gymnasium.register(
                f"DataEnvGym/{kind}-{name}-Sim-v0",
                makes,
                vector_entry_point="dataenvgym.envs.simulated:make_vec_env" if kind == "SkillList" else None,
                kwargs={"kind": kind, "law": law},
            )
