"""Which actions are valid: data specs, and actions on a skill tree, checked with one clear line for each fault."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from tasks.errors import ConfigurationError
from teachers.observation import SkillTree
from teachers.plan import DataSpec, Exploit, Explore, TreeAction


def check_specs(action: Any, val_ids: Collection[str], listed: Collection[str] | None) -> tuple[DataSpec, ...]:
    """An action as data specs; ``like`` may name only ``val_ids``, and a skill only one that is listed (None: any)."""
    if not isinstance(action, Sequence) or isinstance(action, str):
        raise ConfigurationError(f"An action is a list of DataSpec here, got {_name(action)}.")
    for spec in action:
        if not isinstance(spec, DataSpec):
            raise ConfigurationError(f"An action is a list of DataSpec, found {_name(spec)} in it.")
        _check_count("DataSpec.count", spec.count)
        if spec.subskill is not None and spec.skill is None:
            raise ConfigurationError(f"A DataSpec names the subskill {spec.subskill!r} without its skill: add skill=.")
        if spec.skill is not None and listed is not None and spec.skill not in listed:
            raise ConfigurationError(f"A DataSpec names {spec.skill!r}; the listed skills are {', '.join(listed)}.")
        if spec.like is not None and spec.like not in val_ids:
            raise ConfigurationError(f"A DataSpec is like {spec.like!r}, which is no validation instance.")
    return tuple(action)


def check_tree_action(action: Any, trees: Mapping[str, SkillTree]) -> dict[str, TreeAction]:
    """An action on skill trees: Explore or Exploit by skill, checked against the listed skills' trees.

    Raises:
        ConfigurationError: It names an unlisted skill or an unknown subskill, or a number is no whole number.
    """
    for skill, change in action.items():
        if skill not in trees:
            raise ConfigurationError(f"An action names the skill {skill!r}; the listed skills are {', '.join(trees)}.")
        if isinstance(change, Explore):
            names = change.subskills
            _check_count(f"Explore.records_each of {skill!r}", change.records_each)
            if isinstance(names, str):
                raise ConfigurationError(f"Explore.subskills of {skill!r} must be a tuple of names, got {names!r}.")
            for name in names:
                if not isinstance(name, str) or not name.strip():
                    raise ConfigurationError(f"Explore proposes {name!r} under {skill!r}: a subskill needs a name.")
        elif isinstance(change, Exploit):
            known = [node.name for node in trees[skill].subskills]
            for name, number in change.change.items():
                if name not in known:
                    raise ConfigurationError(
                        f"Exploit names the subskill {name!r}; {skill!r} has {', '.join(known) or 'none'}: explore it "
                        "first."
                    )
                if not isinstance(number, int) or isinstance(number, bool):
                    raise ConfigurationError(
                        f"Exploit changes {skill}/{name} by {number!r}: it must be a whole number."
                    )
        else:
            raise ConfigurationError(f"The action on {skill!r} must be Explore or Exploit, got {_name(change)}.")
    return dict(action)


def _check_count(what: str, count: Any) -> None:
    if not isinstance(count, int) or isinstance(count, bool) or count < 0:
        raise ConfigurationError(f"{what} is {count!r}: it must be a whole number of at least 0.")


def _name(value: Any) -> str:
    return f"{type(value).__name__} {str(value)[:60]!r}"
