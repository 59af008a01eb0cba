"""How a programming record carries its tests: in its answer, a program and below it one comment line for each test.

So an answer is still a program, a record file stays readable, and a record is all that is needed to run it.
"""

import json
import re
from collections.abc import Sequence
from typing import Any

from tasks.code.confined.values import decode, encode, loads_forged
from tasks.code.verdict import CallTest, StdinTest

Tests = tuple[StdinTest | CallTest, ...]

_MARK = "# test: "
_ENTRY = "# entry point: "
_DEEPEST = 100  # nesting of a test's values; what is deeper cannot be read back, compared and shown everywhere
# Possessive: a reply is a student's, and a line of many spaces must not be tried in every way that it can be divided.
_FENCE = re.compile(r"([ \t]*+)[^`~]*+(`{3,}+|~{3,}+)[ \t]*+([^\s`{]*+)[^`]*+")
_PYTHON = re.compile(r"(python|py|cpython|pypy|sage)?[\d.]*", re.IGNORECASE)


def code_blocks(text: str) -> list[str]:
    """The code blocks of a reply that hold a program, as far as their languages say; one that is not closed counts.

    A block that is called anything but Python (``bash``, ``text``) counts only if no other is there. The first line of
    a block keeps its indentation, but for that of the fence: it may go on with a function that the question began.
    """
    blocks: list[tuple[bool, str]] = []
    lines = iter(text.split("\n"))
    for line in lines:
        if (fence := _FENCE.fullmatch(line.rstrip("\r"))) is None:
            continue
        indent, mark, language = fence.groups()
        held, end = [], ""
        for inner in lines:
            before, closes, after = inner.rpartition(mark)
            # Not deeper than Markdown allows: there it belongs to a text in the program.
            if closes and not after.strip() and (before.strip() or len(before) <= len(indent) + 3):
                held += [before.rstrip(mark[0])] if before.strip() else []
                end = "\n"
                break
            held.append(inner.removeprefix(indent))
        if any(map(str.strip, held)):
            blocks.append((_PYTHON.fullmatch(language) is not None, "\n".join(held) + end))
    programs = [block for python, block in blocks if python]
    return programs or [block for _, block in blocks]


def extract_program(text: str) -> str:
    """The program in a reply: its last code block, as in LiveCodeBench's harness, or else the whole text."""
    blocks = code_blocks(text)
    return blocks[-1] if blocks else text.strip("\r\n").rstrip()


def join_answer(program: str, tests: Sequence[StdinTest | CallTest], entry_point: str | None) -> str:
    """A program with its tests below."""
    lines = [program.rstrip()]
    if entry_point is not None:
        lines.append(_ENTRY + entry_point)
    for test in tests:
        if isinstance(test, StdinTest):
            row: dict[str, Any] = {"stdin": test.stdin, "stdout": test.expected}
        else:
            row = {"arguments": encode(list(test.arguments)), "returns": encode(test.expected)}
        lines.append(_MARK + json.dumps(row))
    return "\n".join(lines)


def without_tests(answer: str) -> str:
    """The program of an answer, whose tests, if it has any, are not read: a student's reply may look like an answer."""
    return "\n".join(line for line in answer.split("\n") if not line.startswith((_ENTRY, _MARK)))


def split_answer(answer: str) -> tuple[str, Tests, str | None]:
    """The program, the tests and the entry point of an answer; no tests if there are none, or one is damaged."""
    program: list[str] = []
    tests: list[StdinTest | CallTest] = []
    entry_point = None
    for line in answer.split("\n"):
        if line.startswith(_ENTRY):
            entry_point = line.removeprefix(_ENTRY).strip()
        elif line.startswith(_MARK):
            try:
                row = loads_forged(line.removeprefix(_MARK).encode(), _DEEPEST)
                if "stdin" in row:
                    tests.append(StdinTest(str(row["stdin"]), str(row["stdout"])))
                else:
                    tests.append(CallTest(tuple(decode(row["arguments"])), decode(row["returns"])))
            except (ValueError, KeyError, TypeError, RecursionError):
                return answer, (), entry_point
        else:
            program.append(line)
    wanted = StdinTest if entry_point is None else CallTest
    if not all(isinstance(test, wanted) for test in tests):
        return answer, (), entry_point
    return "\n".join(program), tuple(tests), entry_point
