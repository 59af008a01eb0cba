"""The code blocks of the documents, as they are printed."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]

# Model cards have none, but whoever adds one is told.
DOCUMENTS = sorted(
    path.relative_to(ROOT)
    for path in ROOT.rglob("*.md")
    if not {part for part in path.relative_to(ROOT).parts if part.startswith(".")} & {".venv", ".git", ".pytest_cache"}
    and path.relative_to(ROOT).parts[0] not in ("runs", "build", "exported")
)


@dataclass(frozen=True)
class Block:
    """One fenced block.

    Args:
        document: Where it stands, relative to the repository.
        language: What stands behind its fence; empty for plain text.
        text: Its lines.
    """

    document: str
    language: str
    text: str

    @property
    def name(self) -> str:
        """The document and how its first line begins: what the tests call it by."""
        first = next((line for line in self.text.splitlines() if line.strip()), "")
        return f"{self.document}: {first[:64].split('    ')[0].rstrip()}"


def blocks() -> Iterator[Block]:
    """All fenced blocks of all documents."""
    for path in DOCUMENTS:
        text = (ROOT / path).read_text(encoding="utf-8")
        for language, body in re.findall(r"^ *(?:```|~~~)(\w*)[^\n]*\n(.*?)^ *(?:```|~~~)\s*$", text, re.DOTALL | re.M):
            yield Block(path.as_posix(), language, body)


def commands(text: str) -> list[list[str]]:
    """The words of each command of a shell block; comments are left out and lines that go on are joined."""
    lines = text.replace("\\\n", " ").splitlines()
    return [words for line in lines if (words := shlex.split(line, comments=True))]
