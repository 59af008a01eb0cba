"""Tables of results as Markdown, CSV and LaTeX, with published numbers beside our own."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from environments.statistics import Gain, Interval, paired_by_seed
from tasks.markdown import markdown_table

if TYPE_CHECKING:
    from dataenvgym.reading.over_seeds import Difference

# Where a published number is from: the paper's own documents (S) and code (C) stand for themselves; numbers that others
# quote from it (B) get a dagger.
PRIMARY, SECONDARY = ("S", "C"), ("B",)
INTERVALS = (
    "95 % intervals by instance (scores averaged over seeds) and by seed (Student's t). Detectable: the smallest true "
    "difference that these instances would show in four of five cases. p by instance (at least 0.0001 where scores are "
    "averaged), Holm's over the table; bold: it is below 0.05."
)
DAGGER_NOTE = "† secondary source, not checked against the paper."


@dataclass(frozen=True)
class Number:
    """A number with its 95 % interval and unit (``%``), empty if None; ``signed`` ones always have a sign, as gains do.

    ``secondary`` adds a dagger. The label stands before a number of another kind than the rest of its column
    (``gain``).
    """

    value: float | None
    ci95: Interval | None = None
    digits: int = 1
    signed: bool = False
    unit: str = ""
    secondary: bool = False
    strong: bool = False
    label: str = ""

    def text(self, dagger: str = "†", minus: str = "-") -> str:
        """The number as people read it; empty if it is not known."""
        if self.value is None:
            return ""
        shown = f"{self._one(self.value)}{self.unit and ' ' + self.unit}{dagger if self.secondary else ''}"
        if self.ci95 is not None:
            shown += f" ({self._one(self.ci95[0])} to {self._one(self.ci95[1])})"
        return f"{self.label and self.label + ' '}{shown.replace('-', minus)}"

    def _one(self, value: float) -> str:
        return f"{value:{'+' if self.signed else ''}.{self.digits}f}"


Value = str | Number


@dataclass
class Table:
    """A table that is filled row by row; the notes go below it."""

    columns: Sequence[str]
    caption: str = ""
    notes: list[str] = field(default_factory=list)
    rows: list[list[Value]] = field(default_factory=list)

    def add(self, *entries: Value) -> None:
        """Adds a row; missing entries at its end are empty."""
        assert len(entries) <= len(self.columns), "a row has no more entries than there are columns"
        self.rows.append([*entries, *[""] * (len(self.columns) - len(entries))])

    def markdown(self) -> str:
        """The table as Markdown."""
        rows = [
            [f"**{text}**" if text and _strong(entry) else text for entry, text in _texts(row)] for row in self.rows
        ]
        lines = markdown_table(self.columns, rows)
        head = [self.caption, ""] if self.caption else []
        return "\n".join([*head, *lines, *([""] if self._notes else []), *self._notes]) + "\n"

    def csv(self) -> str:
        """The table as CSV: bare numbers, interval ends and ``secondary`` (a dagger) in columns of their own."""
        file = io.StringIO()
        writer = csv.writer(file, lineterminator="\n")
        parts = [self._parts(place) for place in range(len(self.columns))]
        heads: list[str] = []
        for name, (intervals, daggers) in zip(self.columns, parts, strict=True):
            heads += [name, *([f"{name} low", f"{name} high"] if intervals else [])]
            heads += [f"{name} source"] if daggers else []
        writer.writerow(heads)
        for row in self.rows:
            writer.writerow([value for entry, kinds in zip(row, parts, strict=True) for value in _bare(entry, kinds)])
        return file.getvalue()

    def latex(self) -> str:
        """As a LaTeX table for the package booktabs."""
        lines = [r"\begin{table}", r"\centering"]
        if self.caption:
            lines.append(rf"\caption{{{_escape(self.caption)}}}")
        lines += [rf"\begin{{tabular}}{{l{'r' * (len(self.columns) - 1)}}}", r"\toprule"]
        lines += [" & ".join(_escape(name) for name in self.columns) + r" \\", r"\midrule"]
        for row in self.rows:
            texts = [
                rf"\textbf{{{_escape(text)}}}" if text and _strong(entry) else _escape(text)
                for entry, text in _texts(row)
            ]
            lines.append(" & ".join(texts) + r" \\")
        lines += [r"\bottomrule", r"\end{tabular}"]
        lines += [rf"\par\footnotesize {_escape(note)}" for note in self._notes]
        return "\n".join([*lines, r"\end{table}"]) + "\n"

    def write(self, stem: Path) -> list[Path]:
        """Writes all three beside each other: ``stem``.md, .csv and .tex."""
        made = []
        for suffix, text in (("md", self.markdown()), ("csv", self.csv()), ("tex", self.latex())):
            path = stem.with_name(f"{stem.name}.{suffix}")
            path.write_text(text, encoding="utf-8")
            made.append(path)
        return made

    @property
    def _notes(self) -> list[str]:
        marked = any(isinstance(entry, Number) and entry.secondary for row in self.rows for entry in row)
        return [*self.notes, *([DAGGER_NOTE] if marked or "†" in "".join(self.notes) else [])]

    def _parts(self, place: int) -> tuple[bool, bool]:
        """Whether a column has intervals, and daggers."""
        numbers = [entry for row in self.rows if isinstance(entry := row[place], Number)]
        return any(number.ci95 is not None for number in numbers), any(number.secondary for number in numbers)


def accuracy(values: Sequence[float]) -> Number:
    """Accuracies of several seeds as their mean in percent, with the interval over seeds."""
    mean = paired_by_seed(values)
    ends = None if mean.ci95 is None else (max(0.0, mean.ci95[0]), min(100.0, mean.ci95[1]))
    return Number(mean.points, ends, unit="%")


def gain(value: Gain) -> Number:
    """A gain in points; bold if its interval leaves out zero."""
    clear = value.ci95 is not None and not value.ci95[0] <= 0 <= value.ci95[1]
    return Number(value.points, value.ci95, digits=2, signed=True, strong=clear)


def compared(comparison: Difference, p_value: float | None) -> list[Number | str]:
    """A comparison as four entries: by instance (bold if its adjusted p is below 0.05), by seed, detectable, p."""
    by_instance, by_seed = comparison.by_instance, comparison.by_seed
    return [
        Number(by_instance.points, by_instance.ci95, signed=True, strong=p_value is not None and p_value < 0.05),
        "" if by_seed.ci95 is None else Number(by_seed.points, by_seed.ci95, signed=True),
        Number(comparison.detectable),
        "" if p_value is None else f"{p_value:.2g}",
    ]


def published(value: float | None, source: str, digits: int = 2, signed: bool = False, unit: str = "%") -> Number:
    """A number of the paper with the mark of where it is from (``S``, ``C`` or ``B``)."""
    assert source in (*PRIMARY, *SECONDARY), f"no such source: {source}"
    return Number(value, digits=digits, signed=signed, unit=unit, secondary=source in SECONDARY)


def _texts(row: Sequence[Value]) -> list[tuple[Value, str]]:
    return [(entry, entry if isinstance(entry, str) else entry.text()) for entry in row]


def _strong(entry: Value) -> bool:
    return isinstance(entry, Number) and entry.strong


def _bare(entry: Value, kinds: tuple[bool, bool]) -> list[object]:
    if isinstance(entry, str):
        return [entry, *[""] * (2 * kinds[0] + kinds[1])]
    low, high = entry.ci95 or ("", "")
    # A number of another kind than its column's stays text: nobody plots a gain as an accuracy.
    shown: object = entry.text(dagger="") if entry.label else entry.value
    values: list[object] = ["" if shown is None else shown]
    values += [low, high] if kinds[0] else []
    return values + (["secondary" if entry.secondary else ""] if kinds[1] else [])


_ESCAPES = {character: f"\\{character}" for character in "&%$#_{}"} | {
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "\\": r"\textbackslash{}",
    "†": r"\textsuperscript{\dag}",
    "→": r"$\rightarrow$",
    "\u2212": "$-$",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
}


def _escape(text: str) -> str:
    return "".join(_ESCAPES.get(character, character) for character in text)
