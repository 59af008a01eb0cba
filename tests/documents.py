"""The code blocks of the documents, as they are printed."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]

_MADE = ("runs", "build", "dist", "exported", "lightning_logs")  # by commands, and no part of the repository
_FOLDERS = [path for path in ROOT.iterdir() if path.is_dir() and path.name[0] != "." and path.name not in _MADE]

# All documents, model cards among them: they have no code, but added code fails a test.
DOCUMENTS = sorted(
    path.relative_to(ROOT)
    for found in (ROOT.glob("*.md"), *(folder.rglob("*.md") for folder in _FOLDERS))
    for path in found
)


@dataclass(frozen=True)
class Block:
    document: str
    language: str
    text: str

    @property
    def name(self) -> str:
        first = next((line for line in self.text.splitlines() if line.strip()), "")
        return f"{self.document}: {first[:64].split('    ')[0].rstrip()}"


def blocks() -> Iterator[Block]:
    for path in DOCUMENTS:
        text = (ROOT / path).read_text(encoding="utf-8")
        for language, body in re.findall(r"^ *(?:```|~~~)(\w*)[^\n]*\n(.*?)^ *(?:```|~~~)\s*$", text, re.DOTALL | re.M):
            yield Block(path.as_posix(), language, body)


def commands(text: str) -> list[list[str]]:
    lines = text.replace("\\\n", " ").splitlines()
    return [words for line in lines if (words := shlex.split(line, comments=True))]
