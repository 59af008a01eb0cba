"""A mind of the test server that knows no task: its records are the prompt's own example in other words."""

import json
import random
import re
from types import SimpleNamespace
from typing import Any

from procedural_brain import ProceduralBrain

_EXAMPLE = "A worked example of the form (not of the content):\n"
_QUESTIONS = ("problem", "instruction", "question")
_LABELS = ("first things", "second things", "third things", "fourth things")
# What it believes about any task: nothing that a prompt does not say.
_NO_TASK: Any = SimpleNamespace(
    skills=lambda: ("numbers", "words", "orders"), subskills=lambda skill: (), instances=lambda split: ()
)


class ImitatingBrain(ProceduralBrain):
    """For benchmarks of any domain, whose records a generator cannot make."""

    def __init__(self) -> None:
        super().__init__(_NO_TASK)
        self._replies["Solution"] = self._completion

    def _records(self, prompt: str, rng: random.Random, schema: dict[str, Any]) -> Any:
        return {"items": [self._varied(example_of(prompt), rng) for _ in range(count_of(prompt))]}

    def _varied(self, example: dict[str, Any], rng: random.Random) -> dict[str, Any]:
        """The example with other words in its question; names of files and numbers stay, which its answer may use."""

        def reworded(text: str) -> str:
            syllables = [rng.choice("bdfgklmnprst") + rng.choice("aeiou") for _ in range(90)]
            kept = [word for word in text.split() if re.search(r"\d", word)]
            return " ".join(["".join(syllables[i : i + 3]) for i in range(0, 90, 3)] + kept)

        asked = next(name for name in _QUESTIONS if name in example)
        changed = {name: reworded(example[name]) for name in (asked, "image_description") if name in example}
        return {**example, **changed}

    def _completion(self, prompt: str, rng: random.Random, schema: dict[str, Any]) -> Any:
        return example_of(prompt)

    def _label(self, prompt: str, rng: random.Random, schema: dict[str, Any]) -> Any:
        return {"name": f"{rng.choice(_LABELS)} {rng.randrange(10_000)}"}

    def _categories(self, prompt: str, rng: random.Random, schema: dict[str, Any]) -> Any:
        """As many as are asked for; four where that is left open."""
        labels = re.findall(r"^- (.+) \(\d+\)$", prompt, re.MULTILINE)
        exact = re.search(r"exactly (\d+) categories", prompt)
        number = int(exact.group(1)) if exact else min(4, len(labels))
        return {"categories": [{"name": f"kind {i + 1}", "labels": labels[i::number]} for i in range(number)]}


def example_of(prompt: str) -> dict[str, Any]:
    """The worked example of a prompt."""
    found, _ = json.JSONDecoder().raw_decode(prompt.split(_EXAMPLE, 1)[1])
    assert isinstance(found, dict)
    return found


def count_of(prompt: str) -> int:
    """How many records a prompt asks for."""
    return int(prompt.split("Records to write: ", 1)[1].split("\n", 1)[0])


def imitating_brain(body: dict[str, Any]) -> str:
    """For ``llm_server.py --brain imitating_brain:imitating_brain``."""
    return _brain(body)


_brain = ImitatingBrain()
