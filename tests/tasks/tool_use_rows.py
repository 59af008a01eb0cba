"""Rows in the m&m's benchmark's own fields, of our own making."""

import tempfile
from functools import cache
from pathlib import Path

from tasks.tool_use.benchmark import FILTERED, VERIFIED
from tasks.tool_use.metrics import aggregate_metrics
from tests.tasks.math_rows import write_rows

CAPTION = {"id": 0, "name": "image captioning", "args": {"image": "1.jpg"}}
SUMMARY = {"id": 1, "name": "text summarization", "args": {"text": "<node-0>.text"}}
LABEL = {"id": 0, "name": "image classification", "args": {"image": "1.jpg"}}


def make_row(number, request, nodes, alternatives=None):
    return {
        "id": number,
        "user_request": request,
        "plan_str": str(nodes),
        "code_str": "def solve(): ...",
        "alt_plans_str": None if alternatives is None else str(alternatives),
    }


def make_rows():
    """Six rows; the first three are those of the filtered split."""
    fact = {"id": 0, "name": "get year fact", "args": {"year": 1984}}
    poster = {"id": 0, "name": "image generation", "args": {"text": 'a "red" poster, isn\'t it'}}
    found = {"id": 0, "name": "object detection", "args": {"image": "7.jpg"}}
    one = {"id": 1, "name": "select object", "args": {"objects": "<node-0>.objects", "object_name": "dog"}}
    blur = {"id": 2, "name": "background blur", "args": {"image": "<node-0>.image", "object": "<node-1>.object"}}
    about = {"id": 1, "name": "image generation", "args": {"text": "a view of <node-0>.text, at night"}}
    return [
        make_row(3, "Shorten what 1.jpg shows.", [CAPTION, SUMMARY], [[LABEL, SUMMARY]]),
        make_row(5, "What happened in 1984?", [fact], []),
        make_row(8, "Leave only the dog of 7.jpg sharp.", [found, one, blur]),
        make_row(11, "Say what 1.jpg shows.", [CAPTION]),
        make_row(12, "Draw me a poster.", [poster]),
        make_row(14, "Draw what 1.jpg shows, at night.", [CAPTION, about]),
    ]


@cache
def made():
    rows = make_rows()
    return write_rows(Path(tempfile.mkdtemp(prefix="mnms-")), **{VERIFIED: rows, FILTERED: rows[:3]})


def plan_metrics(gold, predicted):
    return aggregate_metrics([(gold, predicted)])
