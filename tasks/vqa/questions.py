"""Questions about scenes: ten skills, three forms each, every one written by, and read back to, a function over scenes.

A form's text is also the pattern that reads it back. Its items are drawn answer first: an answer is chosen evenly among
those that the form can have, then scenes and words are drawn until the function gives it. So no constant answer is
right often, and no question is asked that its scene leaves open.
"""

from collections import Counter
from collections.abc import Mapping

from tasks.vqa.forms import PLURALS, Answer, Form, Words
from tasks.vqa.scenes import COLOURS, SHAPES, SIZES, Figure, Scene

PLACES = ("top", "bottom", "left", "right", "middle")
CORNERS = ("top-left", "top-right", "bottom-left", "bottom-right")
EQUAL = "equal"

# Pixels by which one centre must lie beyond another before it is said to be left of it, or above it.
_CLEARLY = 8


def answer_of(question: str, scene: Scene) -> tuple[bool, str | None]:
    """Whether a question is of one of the forms, and if so its answer for a scene (None: the scene leaves it open)."""
    question = " ".join(question.lower().replace("color", "colour").split()).rstrip(" ?.")
    for forms in SKILLS.values():
        for form in forms.values():
            words = form.read(question)
            if words is not None:
                return True, form.answer(scene, words)
    return False, None


def _matching(scene: Scene, words: Words) -> list[Figure]:
    wanted = [(kind, words[kind]) for kind in ("colour", "shape", "size") if kind in words]
    return [figure for figure in scene.figures if all(getattr(figure, kind) == word for kind, word in wanted)]


def _attribute(kind: str) -> Answer:
    """The colour, shape or size of the only shape that the words describe."""

    def answer(scene: Scene, words: Words) -> str | None:
        found = _matching(scene, words)
        return getattr(found[0], kind) if len(found) == 1 else None

    return answer


def _count(scene: Scene, words: Words) -> str:
    chosen = dict(words)
    if "shapes" in chosen:
        chosen["shape"] = PLURALS[chosen.pop("shapes")]
    return str(len(_matching(scene, chosen)))


def _is_there(scene: Scene, words: Words) -> str:
    return "yes" if _matching(scene, words) else "no"


def _only(shown: bool) -> Answer:
    """The only colour of those named that is shown, or that is missing."""

    def answer(scene: Scene, words: Words) -> str | None:
        there = {figure.colour for figure in scene.figures}
        found = [word for word in words.values() if (word in there) == shown]
        return found[0] if len(found) == 1 else None

    return answer


def _beyond(axis: str, sign: int, kind: str, scene: Scene, than: Figure | None) -> str | None:
    """What lies furthest along an axis and clearly so, or the only thing beyond a shape while all else is clear."""
    figures = [figure for figure in scene.figures if figure is not than]
    places = sorted(((sign * getattr(figure, axis), getattr(figure, kind)) for figure in figures), reverse=True)
    if than is None:
        clear = len(places) == 1 or places[0][0] - places[1][0] >= _CLEARLY
        return places[0][1] if clear else None
    offsets = [place - sign * getattr(than, axis) for place, _ in places]
    if any(abs(offset) < _CLEARLY for offset in offsets) or sum(offset > 0 for offset in offsets) != 1:
        return None
    return str(places[0][1])


_DIRECTIONS = {"left": ("x", -1), "right": ("x", 1), "top": ("y", -1), "bottom": ("y", 1)}
_DIRECTIONS |= {"above": ("y", -1), "below": ("y", 1), "highest": ("y", -1), "lowest": ("y", 1)}


def _relation(slot: str, kind: str) -> Answer:
    """The colour or shape of what lies in the direction that a slot names: of the shape named, or of all."""

    def answer(scene: Scene, words: Words) -> str | None:
        than = None
        if "shape" in words:
            found = _matching(scene, {"shape": words["shape"]})
            if len(found) != 1:
                return None
            than = found[0]
        return _beyond(*_DIRECTIONS[words[slot]], kind, scene, than)

    return answer


def _place(corner: bool) -> Answer:
    """The part of the picture, in a grid of three by three, where the only shape that the words describe lies."""

    def answer(scene: Scene, words: Words) -> str | None:
        found = _matching(scene, words)
        if len(found) != 1:
            return None
        column, row = (3 * place // 64 for place in (found[0].x, found[0].y))
        across, down = ("left", "", "right")[column], ("top", "", "bottom")[row]
        if across and down:
            return f"{down}-{across}" if corner else None
        return None if corner else across or down or "middle"

    return answer


def _more(kind: str) -> Answer:
    def answer(scene: Scene, words: Words) -> str | None:
        left, right = words.values()
        counts = Counter(getattr(figure, kind) for figure in scene.figures)
        first, second = (counts[PLURALS.get(word, word)] for word in (left, right))
        if left == right or first == second == 0:
            return None
        return EQUAL if first == second else left if first > second else right

    return answer


def _most(scene: Scene, words: Words) -> str | None:
    ranked = Counter(figure.colour for figure in scene.figures).most_common()
    return ranked[0][0] if len(ranked) == 1 or ranked[0][1] > ranked[1][1] else None


def _times(kind: str, times: int) -> Answer:
    """The only colour or shape that appears so many times."""

    def answer(scene: Scene, words: Words) -> str | None:
        counts = Counter(getattr(figure, kind) for figure in scene.figures)
        found = [value for value, count in counts.items() if count == times]
        return found[0] if len(found) == 1 else None

    return answer


_DIGITS = ("0", "1", "2", "3", "4")

# skill -> subskill -> form; from easy to hard within a skill.
SKILLS: Mapping[str, Mapping[str, Form]] = {
    "existence": {
        "shown_colour": Form("Which is shown: {colour}, {colour2} or {colour3}?", _only(True), COLOURS, (1, 3)),
        "missing_colour": Form("Which is missing: {colour}, {colour2} or {colour3}?", _only(False), COLOURS, (3, 5)),
        "yes_or_no": Form("Is there a {colour} {shape}?", _is_there, ("yes", "no"), (2, 4)),
    },
    "counting": {
        "all_shapes": Form("How many shapes are there?", _count, ("1", "2", "3", "4", "5"), (1, 5)),
        "of_one_colour": Form("How many shapes are {colour}?", _count, _DIGITS, (2, 5)),
        "of_one_shape": Form("How many {shapes} are there?", _count, _DIGITS, (3, 6)),
    },
    "colour": {
        "alone": Form("What colour is the shape?", _attribute("colour"), COLOURS, (1, 1)),
        "by_shape": Form("What colour is the {shape}?", _attribute("colour"), COLOURS, (2, 3)),
        "by_size_and_shape": Form("What colour is the {size} {shape}?", _attribute("colour"), COLOURS, (3, 5)),
    },
    "shape": {
        "alone": Form("What shape is shown?", _attribute("shape"), SHAPES, (1, 1)),
        "by_colour": Form("What shape is {colour}?", _attribute("shape"), SHAPES, (2, 3)),
        "by_size_and_colour": Form("What shape is {size} and {colour}?", _attribute("shape"), SHAPES, (3, 5)),
    },
    "size": {
        "by_colour": Form("How big is the {colour} shape?", _attribute("size"), SIZES, (1, 3)),
        "which_colour": Form("What colour is the {size} shape?", _attribute("colour"), COLOURS, (2, 3)),
        "which_shape": Form("Which shape is {size}?", _attribute("shape"), SHAPES, (3, 4)),
    },
    "left_right": {
        "side": Form("What colour is on the {side}?", _relation("side", "colour"), COLOURS, (2, 2)),
        "furthest": Form("Which shape is furthest {side}?", _relation("side", "shape"), SHAPES, (3, 4)),
        "beside": Form("What colour is {side} of the {shape}?", _relation("side", "colour"), COLOURS, (3, 3)),
    },
    "above_below": {
        "end": Form("What colour is at the {end}?", _relation("end", "colour"), COLOURS, (2, 2)),
        "extreme": Form("Which shape is {extreme}?", _relation("extreme", "shape"), SHAPES, (3, 4)),
        "level": Form("What colour is {level} the {shape}?", _relation("level", "colour"), COLOURS, (3, 3)),
    },
    "position": {
        "alone": Form("Where is the shape?", _place(corner=False), PLACES, (1, 1)),
        "by_colour": Form("Where is the {colour} shape?", _place(corner=False), PLACES, (2, 3)),
        "corner": Form("Which corner is the {shape} in?", _place(corner=True), CORNERS, (2, 4)),
    },
    "comparison": {
        "most_common": Form("Which colour is most common?", _most, COLOURS, (3, 5)),
        "two_colours": Form(
            "Are more shapes {colour} or {colour2}?", _more("colour"), (*COLOURS, EQUAL, EQUAL), (3, 5)
        ),
        "two_shapes": Form("Are there more {shapes} or {shapes2}?", _more("shape"), (*PLURALS, EQUAL), (3, 6)),
    },
    "repetition": {
        "colour_twice": Form("Which colour appears twice?", _times("colour", 2), COLOURS, (2, 4)),
        "shape_twice": Form("Which shape appears twice?", _times("shape", 2), SHAPES, (3, 4)),
        "colour_once": Form("Which colour appears once?", _times("colour", 1), COLOURS, (3, 5)),
    },
}
