"""From labels to categories: one question where the labels fit into one, else in parts whose categories are merged."""

import itertools
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from environments.skills.schemas import SkillCategories, SkillCategory
from teachers.chat.types import Answer, Question
from teachers.prompting import checked, render

# Labels in one question. The reply repeats them all: at some six tokens each these fit into 4,096.
_MOST_LABELS = 300

# Parts have at least half of _MOST_LABELS labels, so with at most this many categories each round leaves fewer names.
MOST_CATEGORIES = 100

Ask = Callable[[Sequence[Question[SkillCategories]]], Sequence[Answer[SkillCategories]]]


@dataclass(frozen=True)
class Grouper:
    """Sorts labels into categories; without a ``number`` the chat model decides how many.

    ``topic`` is what the student learns, for the prompts; ``counters`` count what became of labels.
    """

    topic: str
    system: str
    ask: Ask
    number: int | None
    counters: Counter[str]

    def group(self, labels: Mapping[str, int]) -> dict[str, list[str]]:
        """The categories, each with its labels in the order given; a label belongs to at most one of them.

        ``labels`` are distinct, at least ``number``, each with the number of instances that have it.

        Raises:
            ChatError: The chat model gave no usable categories.
            SpendingCapError: The dollars did not cover a call.
        """
        if len(labels) <= _MOST_LABELS:
            return self._reply([self._question(labels, final=True)])[0]
        names = list(labels)
        parts = math.ceil(len(names) / _MOST_LABELS)
        bounds = [len(names) * i // parts for i in range(parts + 1)]
        chunks = [{name: labels[name] for name in names[a:b]} for a, b in itertools.pairwise(bounds)]
        members: dict[str, list[str]] = {}
        for categories in self._reply([self._question(chunk, final=False) for chunk in chunks]):
            for name, listed in categories.items():  # one name in two parts is one category
                members.setdefault(name, []).extend(listed)
        counts = {name: sum(labels[label] for label in listed) for name, listed in members.items()}
        merged = self.group(counts)
        return {name: [label for member in listed for label in members[member]] for name, listed in merged.items()}

    def _question(self, labels: Mapping[str, int], final: bool) -> Question[SkillCategories]:
        low = self.number or 1
        high = low if final and self.number else min(len(labels), MOST_CATEGORIES)
        wanted = f"exactly {low} categories" if low == high else f"between {low} and {high} categories"
        prompt = render(
            "environments.skills",
            "categorise",
            topic=self.topic,
            labels=[{"name": name, "count": count} for name, count in labels.items()],
            wanted=wanted,
        )

        def check(reply: SkillCategories) -> None:
            if not low <= len(reply.categories) <= high:
                raise ValueError(f"{wanted} are wanted, and these are {len(reply.categories)}")
            for name, listed in _settle(reply, labels, Counter()).items():
                if not listed:
                    raise ValueError(f"category {name!r} has none of the given labels, or only those of earlier ones")

        # A reply of the usual size: all labels, spread over twelve categories where that many may come.
        dealt = min(high, max(low, 12))
        example = SkillCategories(
            categories=[
                SkillCategory(name=f"example category {i + 1}", labels=list(labels)[i::dealt]) for i in range(dealt)
            ]
        )
        return Question(prompt, checked(SkillCategories, check), example, "skills", 0, system=self.system)

    def _reply(self, questions: list[Question[SkillCategories]]) -> list[dict[str, list[str]]]:
        given = [answer.get() for answer in self.ask(questions)]
        settled = []
        for question, reply in zip(questions, given, strict=True):
            asked = {label for category in question.example.categories for label in category.labels}
            settled.append(_settle(reply, asked, self.counters))
        return settled


def _settle(
    reply: SkillCategories, known: Mapping[str, int] | set[str], counters: Counter[str]
) -> dict[str, list[str]]:
    """Categories in which every label is a given one and stands once: in the first category that lists it."""
    taken: set[str] = set()
    settled: dict[str, list[str]] = {}
    for category in reply.categories:
        own = settled.setdefault(category.name, [])
        for label in dict.fromkeys(category.labels):
            if label not in known:
                counters["labels_invented"] += 1
            elif label in taken:
                counters["labels_in_two_categories"] += 1
            else:
                taken.add(label)
                own.append(label)
    counters["labels_in_no_category"] += len(known) - len(taken)
    return settled
