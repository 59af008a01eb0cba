"""The mind of the test server: answers our teachers' questions for a procedural task, out of the task's generator.

It reads prompts as a model would: by their labelled lines. The same request gets the same reply.
"""

import json
import random
import re
from collections.abc import Callable
from typing import Any

from tasks.base import ProceduralTask
from tasks.types import TaskInstance


class ProceduralBrain:
    """A brain for tests/llm_server.py: ``brain(body)`` is the text of the reply to a chat completion request.

    It knows the task's skills and answers. ``wrong`` is the share of records whose response does not arrive at the
    answer, or that have no answer.
    """

    def __init__(self, task: ProceduralTask, wrong: float = 0.0) -> None:
        self.task = task
        self.wrong = wrong
        self._replies: dict[str, Callable[[str, random.Random, dict[str, Any]], Any]] = {
            "RecordList": self._records,
            "ProblemKinds": self._kinds,
            "WeaknessSpecs": self._weaknesses,
            "SkillLesson": self._lesson,
            "TreeDecision": self._decision,
            "SubskillNames": self._subskills,
            "SkillLabel": self._label,
            "SkillCategories": self._categories,
            "SkillChoice": self._choice,
        }

    def __call__(self, body: dict[str, Any]) -> str:
        form = body["response_format"]["json_schema"]
        prompt = next(message["content"] for message in body["messages"] if message["role"] == "user")
        # Messages alone and not the whole body: how a request is sent must not decide what is said.
        rng = random.Random(json.dumps([form["name"], body["messages"]], sort_keys=True))
        return json.dumps(self._replies[form["name"]](prompt, rng, form["schema"]))

    def _records(self, prompt: str, rng: random.Random, schema: dict[str, Any]) -> Any:
        fields = _item_fields(schema)
        return {"items": [self._record(prompt, rng, fields) for _ in range(int(labelled(prompt, "Records to write")))]}

    def _record(self, prompt: str, rng: random.Random, fields: set[str]) -> dict[str, str]:
        record = self.task.record(*self._pair(prompt, rng), rng)
        wrong = rng.random() < self.wrong
        if "problem" in fields:
            answer = " " if wrong else record.answer  # a task that writes the response itself can refuse only this
            return {"problem": record.instruction, "solution": f"We find {record.answer}.", "answer": answer}
        assert fields == {"instruction", "response", "answer"}, fields
        response = f"{record.response} or not" if wrong else record.response
        return {"instruction": record.instruction, "response": response, "answer": record.answer}

    def _pair(self, prompt: str, rng: random.Random) -> tuple[str, str]:
        """The subskill that an order is for: by name, by what it is to be like, by what its description mentions."""
        skill = self._known_skill(labelled(prompt, "Skill"))
        if skill is None and (like := self._recognised(prompt)) is not None:
            return str(like.skill), str(like.subskill)
        description = labelled(prompt, "What to write")
        if skill is None:
            named = [name for name in self.task.skills() if name in description]
            skill = rng.choice(named or list(self.task.skills()))
        subskills = self.task.subskills(skill)
        wanted = labelled(prompt, "Subskill")
        named = [name for name in subskills if name == wanted or name in description]
        return skill, rng.choice(named or list(subskills))

    def _kinds(self, prompt: str, rng: random.Random, schema: dict[str, Any]) -> Any:
        count = int(labelled(prompt, "Kinds of problems wanted"))
        skills = [self.task.skills()[index % len(self.task.skills())] for index in range(count)]
        return {"kinds": [{"description": f"Problems of {skill}.", "share": rng.randint(1, 3)} for skill in skills]}

    def _weaknesses(self, prompt: str, rng: random.Random, schema: dict[str, Any]) -> Any:
        wanted, shown = int(labelled(prompt, "Specs wanted")), int(labelled(prompt, "Errors shown"))
        specs = []
        for index in range(wanted):
            number = index + 1 if index < shown else None
            block = prompt.split(f"\nError {number}", 1)[1] if number else ""
            like = self._recognised(block.split("The student's answer:")[0]) if block else None
            skill = like.skill if like else rng.choice(list(self.task.skills()))
            specs.append(
                {
                    "weakness": f"does not know {skill}",
                    "description": f"Problems of {skill}.",
                    "share": rng.randint(1, 3),
                    "like_error": number,
                }
            )
        return {"specs": specs}

    def _lesson(self, prompt: str, rng: random.Random, schema: dict[str, Any]) -> Any:
        skill = labelled(prompt, "Skill")
        found = re.match(r"([\d.]+) %", labelled(prompt, "Accuracy on it now"))
        priority = 1 + 9 * (1 - float(found.group(1)) / 100) if found else 5
        known = self._known_skill(skill)
        subskills = self.task.subskills(known) if known else [skill]
        specs = [
            {"description": f"Problems of {subskills[index % len(subskills)]}.", "share": 1}
            for index in range(int(labelled(prompt, "Specs wanted for each hypothesis")))
        ]
        hypothesis = {"weakness": f"does not know {skill}", "specs": specs}
        count = int(labelled(prompt, "Hypotheses wanted"))
        return {"reasoning": "by its errors", "priority": priority, "hypotheses": [hypothesis] * count}

    def _decision(self, prompt: str, rng: random.Random, schema: dict[str, Any]) -> Any:
        subskills = re.findall(r"^- (.+) \| allocation: (\d+) per step", prompt, re.MULTILINE)
        explore = {"new_subskills": None, "records_each": None}
        if len(subskills) < 3:
            explore = {"new_subskills": 1, "records_each": 2}
        changes = [{"subskill": name, "change": rng.randint(-2, 3)} for name, _ in subskills]
        return {
            "reasoning": "few subskills" if len(subskills) < 3 else "all is explored",
            "action": "explore" if len(subskills) < 3 else "exploit",
            **explore,
            "changes": None if len(subskills) < 3 else changes,
        }

    def _subskills(self, prompt: str, rng: random.Random, schema: dict[str, Any]) -> Any:
        skill, count = labelled(prompt, "Skill"), int(labelled(prompt, "New subskills wanted"))
        there = prompt.split("# Subskills that exist already")[1].split("\n# ")[0]
        present = set(re.findall(r"^- (.+)$", there, re.MULTILINE))
        known = self._known_skill(skill)
        names = [*(self.task.subskills(known) if known else ()), *(f"{skill} kind {i}" for i in range(100))]
        return {"subskills": [name for name in names if name not in present][:count]}

    def _label(self, prompt: str, rng: random.Random, schema: dict[str, Any]) -> Any:
        instance = self._recognised(prompt)
        assert instance is not None and instance.skill is not None, f"no known question in {prompt!r}"
        return {"name": _plain(instance.skill)}

    def _categories(self, prompt: str, rng: random.Random, schema: dict[str, Any]) -> Any:
        labels = re.findall(r"^- (.+) \(\d+\)$", prompt, re.MULTILINE)
        return {"categories": [{"name": label, "labels": [label]} for label in labels]}

    def _choice(self, prompt: str, rng: random.Random, schema: dict[str, Any]) -> Any:
        names = re.findall(r"^- (.+?)(?: \(for example: .*)?$", prompt.split("The question:")[0], re.MULTILINE)
        instance = self._recognised(prompt)
        skill = _plain(str(instance.skill)) if instance is not None else ""
        return {"name": skill if skill in names else names[0]}

    def _known_skill(self, name: str) -> str | None:
        """The task's skill of a name, which a discovery may have written in its own manner."""
        return next((skill for skill in self.task.skills() if _plain(skill) == _plain(name)), None)

    def _recognised(self, prompt: str) -> TaskInstance | None:
        """The instance whose question stands in a prompt, the longest one if several do."""
        text = re.sub(r"^> ", "", prompt, flags=re.MULTILINE)
        instances = (*self.task.instances("val"), *self.task.instances("test"))
        found = [instance for instance in instances if instance.instruction in text]
        return max(found, key=lambda instance: len(instance.instruction), default=None)


def labelled(prompt: str, label: str) -> str:
    """What stands behind a label at the beginning of a line; empty if the prompt has no such line."""
    found = re.search(rf"^{re.escape(label)}: (.+)$", prompt, re.MULTILINE)
    return found.group(1).strip() if found else ""


def _plain(name: str) -> str:
    return " ".join(re.findall(r"[^\W_]+", name.lower()))


def _item_fields(schema: dict[str, Any]) -> set[str]:
    item = schema["properties"]["items"]["items"]
    if "$ref" in item:
        item = schema["$defs"][item["$ref"].rsplit("/", 1)[1]]
    return set(item["properties"])


def elementary_brain(body: dict[str, Any]) -> str:
    global _elementary
    if _elementary is None:
        from tasks.math import ProceduralMathTask

        _elementary = ProceduralBrain(ProceduralMathTask())
    return _elementary(body)


_elementary: ProceduralBrain | None = None
