"""The 33 tools of m&m's with typed signatures, described in our own words.

Names, arguments and outputs are those of the benchmark's tool API and metadata (github.com/RAIVNLab/mnms,
``mnms/constants.py`` and ``mnms/execution/tool_api.py``): 13 models, 11 kinds of data processing, 9 public services.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, cast

# What goes into a tool and comes out of it. ``objects`` is a list of found objects (or of forecasts), ``object`` one of
# them; neither can be written down in a plan, they only come out of another tool.
ValueType = Literal["text", "number", "image", "audio", "objects", "object"]


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool: types of its arguments, in the order of positional ones (all are required), and of its outputs."""

    name: str
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


# A tool in each line, as its signature and what it does: first the models, then data processing, then services.
_LINES = """
text_generation(text) -> {text}: Writes on from a text, or carries out what it asks for.
text_summarization(text) -> {text}: Shortens a long text to a few sentences.
text_classification(text) -> {text}: Names the class of a text, such as its sentiment.
question_answering(question: text, text) -> {text}: Finds the answer to a question inside a text.
automatic_speech_recognition(audio) -> {text}: Writes down what is said in a recording.
image_generation(text) -> {image}: Draws an image of what a text describes.
image_captioning(image) -> {text}: Describes an image in one sentence.
image_editing(image, prompt: text) -> {image}: Changes an image as a text asks.
image_classification(image) -> {text}: Names the class of what an image mainly shows.
visual_question_answering(image, question: text) -> {text}: Answers a question about an image.
object_detection(image) -> {image, objects}: Finds the objects in an image, with a box and a label for each.
image_segmentation(image) -> {image, objects}: Divides an image into objects, with an outline for each.
optical_character_recognition(image) -> {text}: Reads the writing in an image.
image_crop(image, object) -> {image}: Cuts one object out of an image.
image_crop_left(image) -> {image}: Keeps the left half of an image.
image_crop_right(image) -> {image}: Keeps the right half of an image.
image_crop_top(image) -> {image}: Keeps the top half of an image.
image_crop_bottom(image) -> {image}: Keeps the bottom half of an image.
background_blur(image, object) -> {image}: Blurs all of an image but one object.
color_pop(image, object) -> {image}: Leaves one object of an image in colour and the rest in grey.
count(objects) -> {number}: Says how many objects a list holds.
tag(image, objects) -> {image}: Draws boxes and labels of objects into an image.
emoji(image, object, emoji: text) -> {image}: Covers one object of an image with an emoji, given by its name.
select_object(objects, object_name: text) -> {object}: Picks the object of a given name out of a list.
get_date_fact(date: text) -> {text}: Tells something about a day of the year (month/day).
get_year_fact(year: number) -> {text}: Tells something about a year.
get_math_fact(number) -> {text}: Tells a mathematical property of a number.
get_trivia_fact(number) -> {text}: Tells a curiosity about a number.
love_calculator(first_name: text, second_name: text) -> {number}: Rates how well two people match, from their names.
get_location(city: text) -> {lon: number, lat: number}: Gives the coordinates of a city or an address.
search_movie(movie_title: text, movie_year: number) -> {text}: Looks up a film by its title and year.
get_weather(lon: number, lat: number) -> {objects}: Gives the weather forecasts for a place, as a list.
wikipedia_simple_search(text) -> {text}: Gives the gist of the encyclopedia page about a text.
"""


def _read(line: str) -> Tool:
    match = re.fullmatch(r"(\w+)\((.*)\) -> \{(.*)\}: (.*)", line)
    assert match is not None, line
    ins, outs = (
        {name: cast(ValueType, kind or name) for name, _, kind in (part.partition(": ") for part in side.split(", "))}
        for side in match.group(2, 3)
    )
    return Tool(match[1], ins, outs, match[4])


TOOLS: Mapping[str, Tool] = {tool.name: tool for tool in map(_read, _LINES.strip().splitlines())}


def tool_list() -> str:
    """The signatures and descriptions of all tools, one in each line."""
    return "\n".join(f"- {tool.signature}: {tool.description}" for tool in TOOLS.values())
