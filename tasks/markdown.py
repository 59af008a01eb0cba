"""Tables of Markdown."""

import re
from collections.abc import Iterable, Sequence

_SPACE = re.compile(r"[^\S\u00a0]+")  # white space but for the one that keeps a number and its unit together


def markdown_table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """The lines of a table; what is in a cell stays in it."""
    lines = ["| " + " | ".join(markdown_cell(cell) for cell in row) + " |" for row in (heads, *rows)]
    return [lines[0], "|" + "---|" * len(heads), *lines[1:]]


def markdown_cell(value: object) -> str:
    """A value as the text of one cell: on one line, its bars escaped."""
    return _SPACE.sub(" ", str(value)).strip().replace("|", r"\|")
