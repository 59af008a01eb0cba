"""The language model that acts on skill trees: explores new subskills, or moves records between those there are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from random import Random
from typing import Literal

from pydantic import BaseModel, model_validator

from tasks.base import Task
from tasks.errors import check_range
from teachers.allocation import apportion
from teachers.chat.calls import Calls
from teachers.chat.types import Chat, Question
from teachers.observation import SkillTree, SkillTreeObservation
from teachers.plan import Exploit
from teachers.policies.llm_base import PolicyPrompts, draw_errors
from teachers.policies.llm_proposer import LLMSubskillProposer
from teachers.policies.proposers import SubskillProposer
from teachers.policies.sharing import share_of
from teachers.policies.skill_tree import Growth, SkillTreePolicy, set_allocations
from teachers.prompting import checked


class AllocationChange(BaseModel):
    """Records per step to add to a subskill, or to take away if negative."""

    subskill: str
    change: int


class TreeDecision(BaseModel):
    """The action on one skill; an exploration has the two numbers, an exploitation the changes."""

    reasoning: str
    action: Literal["explore", "exploit"]
    new_subskills: int | None
    records_each: int | None
    changes: list[AllocationChange] | None

    @model_validator(mode="after")
    def _complete(self) -> TreeDecision:
        if self.action == "explore":
            if self.new_subskills is None or self.records_each is None:
                raise ValueError("explore needs new_subskills and records_each")
            if self.new_subskills < 1 or self.records_each < 1:
                raise ValueError("new_subskills and records_each must be at least 1")
        elif self.changes is None:
            raise ValueError("exploit needs changes; an empty list leaves everything as it is")
        return self


class LLMSkillTreePolicy(SkillTreePolicy):
    """Shows each skill's tree, rewards and errors, and asks whether to explore or to exploit; all skills at once.

    A skill's first action is an exploration. What exceeds the call's share of the budget is scaled down, for all
    subskills alike. Without a usable reply a skill keeps its allocations, or is explored if it has no subskills.

    Args:
        task: The task to teach.
        proposer: Makes the source of new subskills for the task.
        records_per_step: Records per teacher call; None spreads the budget evenly over the calls left.
        new_subskills: Most subskills of an exploration.
        initial_subskills: Subskills of a skill's first exploration.
        initial_records: Records for each of those; None spreads the call's share evenly over them.
        errors_shown: Most errors of a skill in its prompt; drawn for every call.
        text_limit: Most characters of each text of a student or a benchmark in a prompt; what is cut is marked.
        chat: A chat model or a teacher's calls, for the proposer too unless it has one of its own; None takes those of
            the teacher that makes it.

    Raises:
        ConfigurationError: A number is out of range, there is no chat model or the task no texts.
    """

    def __init__(
        self,
        task: Task,
        proposer: Callable[[Task], SubskillProposer] = LLMSubskillProposer,
        records_per_step: int | None = None,
        new_subskills: int = 3,
        initial_subskills: int = 3,
        initial_records: int | None = None,
        errors_shown: int = 8,
        text_limit: int = 1000,
        chat: Chat | Calls | None = None,
    ) -> None:
        super().__init__(task, proposer, new_subskills, 1, initial_subskills, initial_records, chat)
        check_range(type(self).__name__, errors_shown=errors_shown, records_per_step=records_per_step)
        self.first_records = initial_records  # None: decided by each observation's budget
        self.records_per_step = records_per_step
        self.errors_shown = errors_shown
        self.prompts = PolicyPrompts(self, task, text_limit, chat)

    def _decide(self, observation: SkillTreeObservation) -> Mapping[str, Exploit | Growth]:
        trees = observation.trees
        known = [tree for tree in trees.values() if tree.actions]
        replies = self.prompts.ask([self._question(tree, observation) for tree in known])
        wishes: dict[str, Exploit | Growth] = {
            tree.skill: self._act_on(tree, observation) if reply is None else self._wish(reply)
            for tree, reply in zip(known, replies, strict=True)
        }
        wishes |= {skill: self._begin(tree, observation) for skill, tree in trees.items() if not tree.actions}
        in_order = {skill: wishes[skill] for skill in trees}
        return fit(in_order, trees, share_of(observation, self.records_per_step), observation.generator("ties"))

    def _act_on(self, tree: SkillTree, observation: SkillTreeObservation) -> Exploit | Growth:
        return Exploit({}) if tree.subskills else self._begin(tree, observation)

    def _begin(self, tree: SkillTree, observation: SkillTreeObservation) -> Growth:
        first = self.initial_subskills * max(1, len(observation.trees))
        even = -(-share_of(observation, self.records_per_step) // first)
        return Growth(self.initial_subskills, self.first_records or even)

    def _wish(self, reply: TreeDecision) -> Exploit | Growth:
        if reply.action == "explore":
            return Growth(min(reply.new_subskills or 1, self.new_subskills), reply.records_each or 1)
        changes: dict[str, int] = {}
        for change in reply.changes or []:
            changes[change.subskill] = changes.get(change.subskill, 0) + change.change
        return Exploit(changes)

    def _question(self, tree: SkillTree, observation: SkillTreeObservation) -> Question[TreeDecision]:
        names = [node.name for node in tree.subskills]

        def check(reply: TreeDecision) -> None:
            unknown = [change.subskill for change in reply.changes or [] if change.subskill not in names]
            if unknown and reply.action == "exploit":
                raise ValueError(f"there is no subskill {unknown[0]!r}; the subskills are {', '.join(names) or 'none'}")

        example = TreeDecision(
            reasoning="one or two sentences about what the rewards and accuracies say",
            action="exploit",
            new_subskills=None,
            records_each=None,
            changes=[AllocationChange(subskill=name, change=0) for name in names],
        )
        return self.prompts.question(
            observation,
            "skill_tree",
            checked(TreeDecision, check),
            example,
            tree=tree,
            skill_errors=[error for error in observation.errors if error.skill == tree.skill],
            errors=draw_errors(observation, self.errors_shown, tree.skill),
            total=share_of(observation, self.records_per_step),
            ordered=sum(node.allocation for each in observation.trees.values() for node in each.subskills),
            new_subskills=self.new_subskills,
        )


def fit(
    wishes: Mapping[str, Exploit | Growth], trees: Mapping[str, SkillTree], total: int, rng: Random
) -> dict[str, Exploit | Growth]:
    """The same wishes with orders that sum to at most ``total``, as far as actions can bring that about.

    Allocations after an exploitation and the records of new subskills are scaled down alike. An exploration cannot
    change what its skill's old subskills get, which is counted first. ``rng`` decides who gets the odd record.
    """
    kept = 0
    wanted: dict[tuple[str, str | None], int] = {}
    for skill, wish in wishes.items():
        if isinstance(wish, Exploit):
            for node in trees[skill].subskills:
                wanted[skill, node.name] = max(0, node.allocation + wish.change.get(node.name, 0))
        else:
            kept += sum(node.allocation for node in trees[skill].subskills)
            wanted[skill, None] = wish.records_each * wish.count
    if kept + sum(wanted.values()) <= total:
        return dict(wishes)
    counts = dict(zip(wanted, apportion(max(0, total - kept), list(wanted.values()), rng), strict=True))
    fitted: dict[str, Exploit | Growth] = {}
    for skill, wish in wishes.items():
        if isinstance(wish, Exploit):
            nodes = trees[skill].subskills
            fitted[skill] = set_allocations(trees[skill], {node.name: counts[skill, node.name] for node in nodes})
        else:
            # At least 1: a subskill without records is not measured, and the environment cuts the plan to the budget.
            fitted[skill] = replace(wish, records_each=max(1, counts[skill, None] // max(1, wish.count)))
    return fitted
