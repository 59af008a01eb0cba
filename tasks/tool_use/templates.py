"""The requests of the procedural task and their gold plans: ten skills over all 33 tools.

Items are called by kind and number ("photo 48"), and a plan passes the number on. Each tool has wordings for when it
comes first and one for after another tool, and GRAPH says which tool may follow which, so that skills build on each
other. A student of a million parameters learns tools and wordings from records: a list of tools would not fit into its
prompt.
"""

from collections.abc import Callable, Mapping, Sequence
from random import Random

from tasks.tool_use.plans import Call, Plan, Reference, Value, make_call
from tasks.tool_use.tools import TOOLS

Generator = Callable[[Random], tuple[str, Plan]]

# How a request names a tool that comes first, with its item, and how one that works on the result before it.
_FIRST: Mapping[str, tuple[str, ...]] = {
    "image_captioning": ("describe what is in {}",),
    "image_classification": ("classify {}",),
    "optical_character_recognition": ("read {}",),
    "image_crop_left": ("keep only the left of {}",),
    "image_crop_right": ("keep only the right of {}",),
    "image_crop_top": ("keep only the top of {}",),
    "image_crop_bottom": ("keep the bottom of {}",),
    "object_detection": ("find all the things in {}",),
    "image_segmentation": ("outline all the things in {}",),
    "text_summarization": ("sum up all of {}",),
    "text_classification": ("judge the tone of {}",),
    "text_generation": ("continue what is begun in {}",),
    "wikipedia_simple_search": ("look up {}",),
    "image_generation": ("draw a picture of {}",),
    "automatic_speech_recognition": ("write down {}",),
    "get_math_fact": (
        "tell me a property of the number {}",
        "say what is special about {}",
        "what kind of thing is the number {}",
        "what is there to study about {}",
        "find a property of the number {}",
    ),
    "get_trivia_fact": (
        "a curious thing about {}",
        "tell me something odd about {}",
        "tell me something on the number {}",
        "what is odd about the number {}",
        "tell me a story of the number {}",
    ),
    "get_year_fact": ("what happened in the year {}", "tell me the news of {}", "what was on in the year {}"),
    "get_date_fact": ("what is known of the day {}", "what is said of the day {}"),
    "get_location": ("where do I find the house {}",),
}
_NEXT: Mapping[str, str] = {
    "image_captioning": "describe it",
    "image_classification": "classify it",
    "optical_character_recognition": "read it",
    "text_summarization": "sum it up",
    "text_classification": "judge it",
    "text_generation": "continue it",
    "wikipedia_simple_search": "look it up",
    "image_generation": "draw it",
    "count": "count them",
    "tag": "tag them",
    "get_math_fact": "study that",
    "get_trivia_fact": "amuse me",
    "get_weather": "the weather there",
}
_HALVES = ("image_crop_left", "image_crop_right", "image_crop_top", "image_crop_bottom")
_READERS = ("image_captioning", "image_classification", "optical_character_recognition")
_WRITERS = ("text_summarization", "text_classification", "text_generation")
_FINDERS = ("object_detection", "image_segmentation")
_HEARD = ("automatic_speech_recognition",)
_NUMBER_FACTS = ("get_math_fact", "get_trivia_fact")

# Which tools may follow a tool in a chain: a part of what the types allow.
GRAPH: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(_HALVES, _READERS),
    **dict.fromkeys(_FINDERS, ("count", "tag")),
    "count": _NUMBER_FACTS,
    "automatic_speech_recognition": (*_WRITERS, "image_generation"),
    "image_captioning": ("image_generation", "text_generation"),
    "optical_character_recognition": (*_WRITERS, "wikipedia_simple_search", "image_generation"),
    "text_summarization": ("image_generation", "wikipedia_simple_search"),
    "get_location": ("get_weather",),
}

# Two digits and few words: a student of this size learns to copy two digits from some dozens of records, not three.
# What that costs in distinct questions, several names for the same kind of item and several wordings give back. The
# wordings make requests and plans of different tools alike in length: batches are made of records of like length, and a
# length that only one tool has makes batches of that tool alone, from which little is learnt.
_KINDS: Mapping[str, tuple[str, ...]] = {
    "image": ("photo", "picture", "image", "shot", "frame"),
    "text": ("note", "text", "page", "letter", "memo"),
    "audio": ("clip", "tape", "track", "call", "song"),
}
_INITIALS = "ABCDEFGHJKLMNPQRSTUVWZ"
_STREETS = ("Oak", "Elm", "Bay", "Sun", "Ash")
_FILMS = ("10", "13", "21", "23", "42", "54")  # films that are called so
_THINGS = ("cars", "birds", "books", "apples")
_LOOKS = ("red", "large", "small", "old")

Item = Callable[[Random], tuple[str, str]]


def _bare(rng: Random) -> tuple[str, str]:
    value = str(rng.randrange(10, 100))
    return value, value


def _kind(kind: str) -> Item:
    """An item of a kind: how a request calls it, and what the plan passes on."""

    def make(rng: Random) -> tuple[str, str]:
        value, _ = _bare(rng)
        return f"{rng.choice(_KINDS[kind])} {value}", value

    return make


def _day(rng: Random) -> tuple[str, str]:
    day = f"{rng.randrange(1, 13)}/{rng.randrange(1, 29)}"
    return day, day


def _year(rng: Random) -> tuple[str, str]:
    year = str(rng.randrange(1_900, 2_030))
    return year, year


def _address(rng: Random) -> tuple[str, str]:
    address = f"{_bare(rng)[0]} {rng.choice(_STREETS)}"
    return address, address


# What the first tool of a request works on, where it is not an item of its argument's type.
_ITEMS: Mapping[str, Item] = {
    "get_math_fact": _bare,
    "get_trivia_fact": _bare,
    "get_year_fact": _year,
    "get_date_fact": _day,
    "get_location": _address,
}


def _first(tool: str, rng: Random) -> tuple[str, str]:
    (kind,) = TOOLS[tool].arguments.values()
    name, value = (_ITEMS[tool] if tool in _ITEMS else _kind(kind))(rng)
    return rng.choice(_FIRST[tool]).format(name), value


def _sentence(*parts: str) -> str:
    text = ", then ".join(parts)
    return text[0].upper() + text[1:] + "."


def _plan(*calls: tuple[str, Sequence[Value | int]]) -> Plan:
    """A plan of tools with their arguments in order; a whole number is the result of that call."""
    made: list[Call] = []
    for tool, values in calls:
        given = [Reference(value, None) if isinstance(value, int) else value for value in values]
        made.append(make_call(tool, dict(zip(TOOLS[tool].arguments, given, strict=True)), made))
    return Plan(tuple(made))


def _single(*tools: str) -> Generator:
    def make(rng: Random) -> tuple[str, Plan]:
        tool = rng.choice(tools)
        request, value = _first(tool, rng)
        return _sentence(request), _plan((tool, [value]))

    return make


def _half_reworded(rng: Random) -> tuple[str, Plan]:
    tool, (name, value) = rng.choice(_HALVES), _kind("image")(rng)
    lost = {"left": "right", "right": "left", "top": "bottom", "bottom": "top"}[tool.rpartition("_")[2]]
    return f"Cut the {lost} off {name}.", _plan((tool, [value]))


def _chain(*stages: Sequence[str]) -> Generator:
    """One tool of each stage, each working on the result before it, along the edges of the graph."""

    def make(rng: Random) -> tuple[str, Plan]:
        tools = [rng.choice(stages[0])]
        for stage in stages[1:]:
            tools.append(rng.choice([tool for tool in stage if tool in GRAPH[tools[-1]]]))
        request, value = _first(tools[0], rng)
        calls: list[tuple[str, list[Value | int]]] = [(tools[0], [value])]
        for step, tool in enumerate(tools[1:]):
            # A tool of two arguments takes two outputs of the same call, as get_weather does of get_location.
            calls.append((tool, [step] * len(TOOLS[tool].arguments)))
        return _sentence(request, *(_NEXT[tool] for tool in tools[1:])), _plan(*calls)

    return make


def _couple(rng: Random) -> tuple[str, Plan]:
    left, right = rng.sample(_INITIALS, 2)
    return f"Would {left} and {right} be a match?", _plan(("love_calculator", [left, right]))


def _film(rng: Random) -> tuple[str, Plan]:
    title, (year, _) = rng.choice(_FILMS), _year(rng)
    return f"Find film {title} of {year}.", _plan(("search_movie", [title, year]))


def _with_word(tool: str, kind: str, words: Sequence[str], wording: str) -> Generator:
    def make(rng: Random) -> tuple[str, Plan]:
        word, (name, value) = rng.choice(words), _kind(kind)(rng)
        # The item is the argument that is called by its kind: an image, or the text that a question is about.
        given = [value if argument == kind else word for argument in TOOLS[tool].arguments]
        return wording.format(name, word), _plan((tool, given))

    return make


def _part(verb: str, tool: str, words: Sequence[str] = ()) -> Generator:
    """One object of a photo, found and picked, and a tool that takes it with the photo."""

    def make(rng: Random) -> tuple[str, Plan]:
        thing, (name, value) = rng.choice(_THINGS), _kind("image")(rng)
        word = [rng.choice(words)] if words else []
        plan = _plan(("object_detection", [value]), ("select_object", [0, thing]), (tool, [0, 1, *word]))
        return verb.format(thing, name, *word), plan

    return make


def _one_of(*generators: Generator) -> Generator:
    return lambda rng: rng.choice(generators)(rng)


SKILLS: Mapping[str, Mapping[str, Generator]] = {
    "photos": {
        "describing": _single("image_captioning"),
        "classifying": _single("image_classification"),
        "reading": _single("optical_character_recognition"),
    },
    "halves": {
        "sides": _single("image_crop_left", "image_crop_right"),
        "ends": _single("image_crop_top", "image_crop_bottom"),
        "reworded": _half_reworded,
    },
    "notes": {
        "summaries": _single("text_summarization"),
        "judgements": _single("text_classification"),
        "continuations": _single("text_generation"),
    },
    "facts": {
        "numbers": _single("get_math_fact"),
        "curiosities": _single("get_trivia_fact"),
        "years": _single("get_year_fact"),
        "days": _single("get_date_fact"),
    },
    "conversions": {
        "articles": _single("wikipedia_simple_search"),
        "drawings": _single("image_generation"),
        "transcripts": _single("automatic_speech_recognition"),
    },
    "finding": {
        "things": _single("object_detection"),
        "outlines": _single("image_segmentation"),
        "addresses": _single("get_location"),
    },
    "two_arguments": {
        "couples": _couple,
        "films": _film,
        "changes": _with_word("image_editing", "image", _LOOKS, "Now make {0} {1}."),
        "photo_questions": _with_word("visual_question_answering", "image", _THINGS, "Are {1} in {0}?"),
        "note_questions": _with_word("question_answering", "text", _THINGS, "Does {0} name {1}?"),
    },
    "two_steps": {
        "half_and_look": _chain(_HALVES, _READERS),
        "find_and_count": _chain(_FINDERS, ("count",)),
        "hear_and_write": _chain(_HEARD, _WRITERS),
        "look_and_make": _chain(("image_captioning",), ("image_generation", "text_generation")),
    },
    "three_steps": {
        "find_count_fact": _chain(_FINDERS, ("count",), _NUMBER_FACTS),
        "half_read_write": _chain(_HALVES, ("optical_character_recognition",), _WRITERS),
        "hear_shorten_use": _chain(_HEARD, ("text_summarization",), ("image_generation", "wikipedia_simple_search")),
    },
    "one_result_twice": {
        "tags": _chain(_FINDERS, ("tag",)),
        "forecasts": _chain(("get_location",), ("get_weather",)),
        "cut_outs": _one_of(
            _part("Crop the {} in {}.", "image_crop"),
            _part("Blur all but the {} in {}.", "background_blur"),
            _part("Grey all but the {} in {}.", "color_pop"),
        ),
        "emojis": _part("Hide the {} in {} by one {}.", "emoji", ("ghost", "alien")),
    },
}
