"""Folders of rows in the benchmarks' own fields, for tests of the programming tasks."""

import base64
import json
import pickle
import tempfile
import zlib
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from tasks.code.verdict import Level
from tests.tasks.math_rows import write_rows

LEVELS: tuple[Level, ...] = ("full", "filtered", "limits")
every_level = pytest.mark.parametrize("sandbox", LEVELS, indirect=True)

_STARTER = "class Solution:\n    def addUp(self, numbers: List[int], start: int) -> int:\n        "
SOLUTIONS = {
    "stdin": "n = int(input())\nprint(sum(map(int, input().split())) + {0} * n)\n",
    "functional": "class Solution:\n    def addUp(self, numbers: List[int], start: int) -> int:\n"
    "        return start + {0} + sum(numbers)\n",
}


def packed(tests: list[dict[str, str]]) -> str:
    """Tests as the benchmark hides its private ones: base64 of zlib of a pickle of JSON."""
    return base64.b64encode(zlib.compress(pickle.dumps(json.dumps(tests)))).decode("ascii")


def livecodebench_row(number: int) -> dict[str, Any]:
    """One row; every other one asks for a method, the rest for a program."""
    kind = "functional" if number % 2 else "stdin"
    public, private = [], []
    for target, size in ((public, 1), (public, 2), (private, 3), (private, 0)):
        items = list(range(1, size + 1))
        if kind == "stdin":
            given, result = f"{size}\n{' '.join(map(str, items))}\n", str(sum(items) + number * size)
        else:
            given, result = f"{json.dumps(items)}\n5", json.dumps(5 + number + sum(items))
        target.append({"input": given, "output": result, "testtype": kind})
    return {
        "question_title": f"Adding {number}",
        "question_content": f"Add up what is given, and {number} more.",
        "platform": "leetcode" if number % 2 else "atcoder",
        "question_id": f"q{number:03d}",
        "contest_date": "2024-01-01T00:00:00",
        "starter_code": _STARTER if number % 2 else "",
        "difficulty": ("easy", "medium", "hard")[number % 3],
        "public_test_cases": json.dumps(public),
        "private_test_cases": packed(private) if number % 4 < 2 else json.dumps(private),
        "metadata": json.dumps({"func_name": "addUp"} if number % 2 else {}),
        "solution": SOLUTIONS[kind].format(number),
    }


def humaneval_row(number: int) -> dict[str, Any]:
    return {
        "task_id": f"Made/{number}",
        "prompt": f'def raised{number}(x: int) -> int:\n    """ Gives x raised by {number}. """\n',
        "canonical_solution": f"    return x + {number}\n",
        "test": f"def check(candidate):\n    assert candidate(1) == {number + 1}\n"
        f"    assert candidate(-5) == {number - 5}\n",
        "entry_point": f"raised{number}",
    }


@lru_cache(maxsize=1)
def made_livecodebench() -> Path:
    """Release 1 with eight problems, and release 2 with four more."""
    folder = Path(tempfile.mkdtemp(prefix="livecodebench-"))
    rows = [livecodebench_row(number) for number in range(12)]
    return write_rows(folder, release_v1=rows[:8], release_v2=rows)


@lru_cache(maxsize=1)
def made_humaneval() -> Path:
    """Twelve functions."""
    folder = Path(tempfile.mkdtemp(prefix="humaneval-"))
    return write_rows(folder, test=[humaneval_row(number) for number in range(12)])
