"""The 33 tools of m&m's with typed signatures, described in our own words.

Names, arguments and outputs are those of the benchmark's tool API and metadata (github.com/RAIVNLab/mnms,
``mnms/constants.py`` and ``mnms/execution/tool_api.py``): 13 models, 11 kinds of data processing, 9 public services.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

# What goes into a tool and comes out of it. ``objects`` is a list of found objects (or of forecasts), ``object`` one of
# them; neither can be written down in a plan, they only come out of another tool.
ValueType = Literal["text", "number", "image", "audio", "objects", "object"]
Family = Literal["model", "processing", "service"]


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool.

    Args:
        name: Its name in a plan.
        family: A machine learning model, a data processing step, or a public service.
        arguments: Type by name, in the order in which positional arguments are read; all are required.
        outputs: Type by name.
        description: What it does, for a model to read.
    """

    name: str
    family: Family
    arguments: Mapping[str, ValueType]
    outputs: Mapping[str, ValueType]
    description: str

    @property
    def signature(self) -> str:
        """The tool with its types, where they are not the names: ``get_location(city: text) -> {lon: number, ...}``."""
        ins, outs = (
            ", ".join(name if name == kind else f"{name}: {kind}" for name, kind in side.items())
            for side in (self.arguments, self.outputs)
        )
        return f"{self.name}({ins}) -> {{{outs}}}"


def fits(given: ValueType, wanted: ValueType) -> bool:
    """Whether an output of one type may be passed as an argument of another: a number can be written out as text."""
    return given == wanted or (given, wanted) == ("number", "text")


_TEXT: Mapping[str, ValueType] = {"text": "text"}
_IMAGE: Mapping[str, ValueType] = {"image": "image"}
_NUMBER: Mapping[str, ValueType] = {"number": "number"}
_SCENE: Mapping[str, ValueType] = {"image": "image", "objects": "objects"}
_PART: Mapping[str, ValueType] = {"image": "image", "object": "object"}


def _half(side: str) -> Tool:
    return Tool(f"image_crop_{side}", "processing", _IMAGE, _IMAGE, f"Keeps the {side} half of an image.")


_ALL = (
    Tool("text_generation", "model", _TEXT, _TEXT, "Writes on from a text, or carries out what it asks for."),
    Tool("text_summarization", "model", _TEXT, _TEXT, "Shortens a long text to a few sentences."),
    Tool("text_classification", "model", _TEXT, _TEXT, "Names the class of a text, such as its sentiment."),
    Tool(
        "question_answering",
        "model",
        {"question": "text", "text": "text"},
        _TEXT,
        "Finds the answer to a question inside a text.",
    ),
    Tool(
        "automatic_speech_recognition", "model", {"audio": "audio"}, _TEXT, "Writes down what is said in a recording."
    ),
    Tool("image_generation", "model", _TEXT, _IMAGE, "Draws an image of what a text describes."),
    Tool("image_captioning", "model", _IMAGE, _TEXT, "Describes an image in one sentence."),
    Tool(
        "image_editing",
        "model",
        {"image": "image", "prompt": "text"},
        _IMAGE,
        "Changes an image as a text asks.",
    ),
    Tool("image_classification", "model", _IMAGE, _TEXT, "Names the class of what an image mainly shows."),
    Tool(
        "visual_question_answering",
        "model",
        {"image": "image", "question": "text"},
        _TEXT,
        "Answers a question about an image.",
    ),
    Tool(
        "object_detection", "model", _IMAGE, _SCENE, "Finds the objects in an image, with a box and a label for each."
    ),
    Tool("image_segmentation", "model", _IMAGE, _SCENE, "Divides an image into objects, with an outline for each."),
    Tool("optical_character_recognition", "model", _IMAGE, _TEXT, "Reads the writing in an image."),
    Tool("image_crop", "processing", _PART, _IMAGE, "Cuts one object out of an image."),
    _half("left"),
    _half("right"),
    _half("top"),
    _half("bottom"),
    Tool("background_blur", "processing", _PART, _IMAGE, "Blurs all of an image but one object."),
    Tool("color_pop", "processing", _PART, _IMAGE, "Leaves one object of an image in colour and the rest in grey."),
    Tool("count", "processing", {"objects": "objects"}, _NUMBER, "Says how many objects a list holds."),
    Tool("tag", "processing", _SCENE, _IMAGE, "Draws boxes and labels of objects into an image."),
    Tool(
        "emoji",
        "processing",
        {"image": "image", "object": "object", "emoji": "text"},
        _IMAGE,
        "Covers one object of an image with an emoji, given by its name.",
    ),
    Tool(
        "select_object",
        "processing",
        {"objects": "objects", "object_name": "text"},
        {"object": "object"},
        "Picks the object of a given name out of a list.",
    ),
    Tool("get_date_fact", "service", {"date": "text"}, _TEXT, "Tells something about a day of the year (month/day)."),
    Tool("get_year_fact", "service", {"year": "number"}, _TEXT, "Tells something about a year."),
    Tool("get_math_fact", "service", _NUMBER, _TEXT, "Tells a mathematical property of a number."),
    Tool("get_trivia_fact", "service", _NUMBER, _TEXT, "Tells a curiosity about a number."),
    Tool(
        "love_calculator",
        "service",
        {"first_name": "text", "second_name": "text"},
        _NUMBER,
        "Rates how well two people match, from their names.",
    ),
    Tool(
        "get_location",
        "service",
        {"city": "text"},
        {"lon": "number", "lat": "number"},
        "Gives the coordinates of a city or an address.",
    ),
    Tool(
        "search_movie",
        "service",
        {"movie_title": "text", "movie_year": "number"},
        _TEXT,
        "Looks up a film by its title and year.",
    ),
    Tool(
        "get_weather",
        "service",
        {"lon": "number", "lat": "number"},
        {"objects": "objects"},
        "Gives the weather forecasts for a place, as a list.",
    ),
    Tool("wikipedia_simple_search", "service", _TEXT, _TEXT, "Gives the gist of the encyclopedia page about a text."),
)

TOOLS: Mapping[str, Tool] = {tool.name: tool for tool in _ALL}


def tool_list() -> str:
    """The signatures and descriptions of all tools, one in each line."""
    return "\n".join(f"- {tool.signature}: {tool.description}" for tool in TOOLS.values())
