"""Forms of questions about scenes: text with slots, written with its scene for a wanted answer, and read back."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from random import Random

from tasks.vqa.scenes import COLOURS, SHAPES, SIZES, Figure, Scene

Words = Mapping[str, str]
Answer = Callable[[Scene, Words], str | None]

PLURALS = {f"{shape}{'es' if shape.endswith('s') else 's'}": shape for shape in SHAPES}

_VOCABULARY: Mapping[str, tuple[str, ...]] = {
    "colour": COLOURS,
    "shape": SHAPES,
    "shapes": tuple(PLURALS),
    "size": SIZES,
    "side": ("left", "right"),
    "end": ("top", "bottom"),
    "level": ("above", "below"),
    "extreme": ("highest", "lowest"),
}
_SLOT = re.compile(r"\{([a-z]+)\d?\}")

# Nine places for shapes, and how far a shape of each size may lie off one without coming near its neighbour.
_CELLS = tuple((x, y) for x in (11, 32, 53) for y in (11, 32, 53))
_JITTER = {"small": range(-4, 5), "large": range(-1, 2)}

# How many scenes are drawn for one item at most; the rarest answer of any form takes some hundreds at worst.
_MAX_DRAWS = 20_000

# Other words are cheaper than another scene.
_WORDS_PER_SCENE = 4


@dataclass(frozen=True)
class Form:
    """One kind of question.

    Args:
        text: The question, with slots for words: ``{colour}`` for a colour, ``{colour2}`` for another one.
        answer: The answer for a scene and the slots' words; None if the scene leaves the question open.
        answers: The answers it can have; one is drawn evenly for each item, so one that stands twice comes twice.
        figures: Smallest and largest number of shapes in its scenes.
    """

    text: str
    answer: Answer
    answers: tuple[str, ...]
    figures: tuple[int, int]

    def make(self, rng: Random) -> tuple[str, Scene, str]:
        """A question, its scene and its answer."""
        wanted = rng.choice(self.answers)
        for _ in range(_MAX_DRAWS):
            scene = _random_scene(rng, *self.figures)
            for _ in range(_WORDS_PER_SCENE if self._slots else 1):
                words = self._random_words(rng)
                if self.answer(scene, words) == wanted:
                    return self.text.format_map(words), scene, wanted
        raise AssertionError(f"{self.text!r} is never answered {wanted!r}")

    def read(self, question: str) -> Words | None:
        """The slots' words of a question of this form; None if it is of another."""
        match = self._pattern.fullmatch(question)
        return match.groupdict() if match else None

    def _random_words(self, rng: Random) -> Words:
        words: dict[str, str] = {}
        for slot, vocabulary in self._slots.items():
            taken = words.values()
            words[slot] = rng.choice([word for word in vocabulary if word not in taken] if words else vocabulary)
        return words

    @cached_property
    def _slots(self) -> Mapping[str, tuple[str, ...]]:
        """The words that each slot may take, the number at the end of its name left out."""
        return {match.group()[1:-1]: _VOCABULARY[match.group(1)] for match in _SLOT.finditer(self.text)}

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        pattern = re.escape(self.text.lower().removesuffix("?"))
        for slot, vocabulary in self._slots.items():
            pattern = pattern.replace(re.escape(f"{{{slot}}}"), f"(?P<{slot}>{'|'.join(vocabulary)})")
        return re.compile(pattern)


def _random_scene(rng: Random, fewest: int, most: int) -> Scene:
    # Few colours and shapes in a scene make counts, repetitions and look-alikes frequent; many make the others so.
    choice = rng.choice
    colours = rng.sample(COLOURS, rng.randint(2, len(COLOURS)))
    shapes = rng.sample(SHAPES, rng.randint(2, len(SHAPES)))
    figures = []
    for x, y in rng.sample(_CELLS, rng.randint(fewest, most)):
        size = choice(SIZES)
        off = _JITTER[size]
        x, y = x + choice(off), y + choice(off)
        figures.append(Figure(choice(colours), choice(shapes), size, x, y))
    return Scene(tuple(figures))
