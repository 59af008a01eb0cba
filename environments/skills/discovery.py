"""Skill discovery: a chat model labels every validation instance, sorts the labels, and assigns what is left over.

After the recipe of metacognitive skill labelling that the paper follows (DataEnvGym, section 3; Didolkar et al., 2024).
"""

from collections import Counter
from collections.abc import Mapping, Sequence

from environments.skills.frozen import Fingerprint, FrozenCategory, FrozenSkills
from environments.skills.grouping import MOST_CATEGORIES, Grouper
from environments.skills.nearest import NearestSkills
from environments.skills.schemas import SkillChoice, SkillLabel
from tasks.base import Task
from tasks.errors import ConfigurationError
from tasks.types import TaskInstance
from teachers.chat.calls import Calls
from teachers.chat.types import EndpointError, Question, failed_calls
from teachers.prompting import checked, render, replies, usable

# Labels shown for each category where an instance is assigned by choice.
_EXAMPLES = 5

# With fewer labels than this, the categories would be those of a minority and the rest guesswork.
_LABELLED_SHARE = 0.5


def discover_skills(task: Task, calls: Calls, num_categories: int | None = None) -> FrozenSkills:
    """Discovers the skills of a task from its validation instances; test instances are not looked at.

    Every validation instance ends in exactly one category, and every category has at least one. Without
    ``num_categories`` the chat model decides how many there are; more than there are distinct labels is an error, and
    so are too few labelled instances.

    Raises:
        ConfigurationError: ``num_categories`` is out of range, or more than there are distinct labels.
        EndpointError: The chat model labelled too few instances, or gave no usable categories.
        SpendingCapError: The dollars did not cover a call.
    """
    instances = task.instances("val")
    check_number(num_categories)
    if num_categories is not None and num_categories > len(instances):
        raise ConfigurationError(
            f"num_categories is {num_categories}, and {task.name} has {len(instances)} validation instances: "
            "ask for fewer."
        )
    counters: Counter[str] = Counter()
    labels = _label(task, calls, instances, num_categories, counters)
    bearers = Counter(label for label in labels.values() if label is not None)
    if num_categories is not None and len(bearers) < num_categories:
        raise ConfigurationError(
            f"num_categories is {num_categories}, and the chat model gave only {len(bearers)} distinct labels: "
            "ask for fewer (the labels are kept and not asked for again)."
        )
    ordered = dict(sorted(bearers.items(), key=lambda item: (-item[1], item[0])))
    domain = task.domain_text
    categories = Grouper(domain.topic, domain.persona, calls.ask, num_categories, counters).group(ordered)
    assignment = _assign(task, calls, instances, labels, categories, counters)
    return FrozenSkills(
        fingerprint=Fingerprint.of(task),
        model=calls.model,
        num_categories=num_categories,
        categories=[FrozenCategory(name=name, labels=listed) for name, listed in categories.items()],
        labels=labels,
        assignment=assignment,
        counters={"labels": len(bearers), **dict(sorted(counters.items()))},
    )


def check_number(num_categories: int | None) -> None:
    """Refuses a number of categories that is out of range."""
    if num_categories is not None and not 1 <= num_categories <= MOST_CATEGORIES:
        raise ConfigurationError(f"num_categories is {num_categories}: it must be from 1 to {MOST_CATEGORIES}.")


def choose_categories(
    task: Task, calls: Calls, instances: Sequence[TaskInstance], categories: Mapping[str, Sequence[str]]
) -> list[str | None]:
    """The category of each instance as the chat model chooses it; None where it gives none of them.

    ``categories`` has the labels of each category; the questions of all instances are shown to the chat model at once.

    Raises:
        SpendingCapError: The dollars did not cover a call.
        EndpointError: No reply came at all.
    """

    def check(reply: SkillChoice) -> None:
        if reply.name not in categories:
            raise ValueError(f"{reply.name!r} is none of the categories; choose one of {', '.join(categories)}")

    domain, schema = task.domain_text, checked(SkillChoice, check)
    shown = [{"name": name, "labels": list(listed)} for name, listed in categories.items()]
    example = SkillChoice(name=next(iter(categories)))
    prompts = (
        render(
            "environments.skills",
            "choose",
            topic=domain.topic,
            categories=shown,
            examples=_EXAMPLES,
            question=instance.instruction,
        )
        for instance in instances
    )
    questions = [Question(prompt, schema, example, "skills", 0, system=domain.persona) for prompt in prompts]
    chosen = replies(calls.ask(questions)) if questions else []
    return [None if reply is None else reply.name for reply in chosen]


def _label(
    task: Task,
    calls: Calls,
    instances: Sequence[TaskInstance],
    num_categories: int | None,
    counters: Counter[str],
) -> dict[str, str | None]:
    domain = task.domain_text
    kinds = max(40, num_categories or 0)  # of examples: in a dry run they are the labels
    questions = [
        Question(
            render("environments.skills", "label", topic=domain.topic, question=instance.instruction),
            SkillLabel,
            SkillLabel(name=f"example label {i % kinds + 1}"),
            "skills",
            0,
            system=domain.persona,
        )
        for i, instance in enumerate(instances)
    ]
    answers = calls.ask(questions)
    found = [usable(answer) for answer in answers]
    counters["unlabelled"] = found.count(None)
    if len(instances) - counters["unlabelled"] < _LABELLED_SHARE * len(instances):
        raise EndpointError(
            f"The chat model labelled {len(instances) - counters['unlabelled']} of {len(instances)} instances "
            f"({failed_calls(answers).partition('(')[2]}; too few to find skills: see to the endpoint, or choose "
            "another chat model; what was answered is kept, and --resume continues."
        )
    return {
        instance.instance_id: None if reply is None else reply.name
        for instance, reply in zip(instances, found, strict=True)
    }


def _assign(
    task: Task,
    calls: Calls,
    instances: Sequence[TaskInstance],
    labels: Mapping[str, str | None],
    categories: Mapping[str, Sequence[str]],
    counters: Counter[str],
) -> dict[str, str]:
    """By label; where that says nothing by choice; where that fails by the nearest instance."""
    by_label = {label: name for name, listed in categories.items() for label in listed}
    found = {each.instance_id: by_label.get(labels[each.instance_id] or "") for each in instances}
    left = [instance for instance in instances if found[instance.instance_id] is None]
    for instance, name in zip(left, choose_categories(task, calls, left, categories), strict=True):
        found[instance.instance_id] = name
    counters["assigned_by_choice"] = len(left)
    assigned = [(instance.instruction, name) for instance in instances if (name := found[instance.instance_id])]
    left = [instance for instance in instances if found[instance.instance_id] is None]
    counters["assigned_by_choice"] -= len(left)
    counters["assigned_to_nearest"] = len(left)
    nearest = NearestSkills([text for text, _ in assigned], [name for _, name in assigned])
    guesses = nearest.skills_of([instance.instruction for instance in left])
    found |= {instance.instance_id: name for instance, name in zip(left, guesses, strict=True)}
    return {instance_id: name for instance_id, name in found.items() if name is not None}
