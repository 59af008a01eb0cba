"""What the files of a run directory must hold for a program to go on from them: their schemas, checked when read."""

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tasks.errors import RecordError
from tasks.records import read_json, read_json_lines

Row = dict[str, Any]
Number = Annotated[float, Field(allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0, le=2**53)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Ends = tuple[Number, Number] | list[Number]


class _Part(BaseModel):
    """A part of a file; what it holds besides is left as it is."""

    model_config = ConfigDict(strict=True, extra="ignore")


class Likelihood(_Part):
    """A mean likelihood of reference replies; None where none was measured."""

    value: Share | None = None
    n: Count | None = None
    ci95: Ends | None = None


class Measured(_Part):
    """An accuracy; None where nothing was measured. Its likelihood has an interval in summaries alone."""

    value: Share | None = None
    accuracy: Share | None = None
    n: Count | None = None
    groups: Count | None = None
    ci95: Ends | None = None
    likelihood: Share | Likelihood | None = None


class Report(_Part):
    """Accuracies of a split after a step."""

    overall: Measured | None = None
    skills: dict[str, Measured] | None = None
    slices: dict[str, Measured] | None = None
    metrics: dict[str, Number | None] | None = None


class Subskill(_Part):
    """A leaf of a skill tree."""

    name: str | None = None
    allocation: Count | None = None
    generated: Count | None = None
    accuracy: Share | None = None


class Tree(_Part):
    """A skill with its subskills, and what was done about it."""

    skill: str | None = None
    subskills: list[Subskill] | None = None
    rewards: list[Number] | None = None
    actions: list[str] | None = None


class State(_Part):
    """The environment's state after a step, as far as reports show it."""

    trees: list[Tree] | dict[str, Tree] | None = None


class Line(_Part):
    """A line of episode.jsonl: one finished step."""

    step: Annotated[int, Field(ge=0, le=1_000_000)]
    records: Count | None = None
    pool: Count | None = None
    trained: bool | None = None
    truncated_records: Count | None = None
    replayed_records: Count | None = None
    rejected: dict[str, Count] | None = None
    allocation: dict[str, Count] | None = None
    val: Report | None = None
    test: Report | None = None
    seconds: dict[str, Number | None] | None = None
    state: State | None = None


class Change(_Part):
    """A gain in points, of accuracy, and of likelihood where that was measured."""

    points: Number | None = None
    ci95: Ends | None = None
    p_value: Number | None = None
    likelihood: "Change | None" = None


class Choice(_Part):
    """What the choice of the best step owes to luck."""

    naive: Number | None = None
    corrected: Number | None = None
    optimism_points: Number | None = None


class Stage(_Part):
    """The first, best or last step."""

    step: Count | None = None
    val: Measured | None = None
    test: Measured | None = None
    gain: dict[Literal["val", "test"], Change] | None = None
    val_of_choice: Choice | None = None


class Group(_Part):
    """A skill or slice before and after."""

    before: Number | None = None
    after: Number | None = None
    n: Count | None = None


class Cost(_Part):
    """What calls to a chat model cost."""

    usd: Number | None = None
    tokens: Count | None = None
    calls: Count | None = None


class Summary(_Part):
    """summary.json."""

    status: str | None = None
    seed: int | None = None
    task: str | None = None
    environment: str | None = None
    teacher: str | None = None
    student: str | None = None
    steps: Count | None = None
    records: Count | None = None
    rejected: dict[str, Count] | None = None
    before: Stage | None = None
    after: Stage | None = None
    best: Stage | None = None
    gain: dict[Literal["val", "test"], Change] | None = None
    skills: dict[str, Group] | None = None
    slices: dict[str, Group] | None = None
    metrics: dict[str, Group] | None = None
    cost: Cost | None = None
    seconds: dict[str, Number | None] | None = None
    chat: dict[str, Count] | None = None
    scoring: dict[str, Count] | None = None


class Answer(_Part):
    """A line of predictions.jsonl."""

    split: Literal["val", "test"]
    instance_id: str
    score: Share
    text: str = ""
    truncated: bool = False
    likelihood: Share | None = None
    cluster: str | None = None


class FeedbackError(_Part):
    """An error that a teacher may be told."""

    instance_id: str | None = None
    instruction: str | None = None
    student_answer: str | None = None
    right_answer: str | None = None
    skill: str | None = None
    image: str | None = None


class Feedback(_Part):
    """feedback.json, as far as it is read back."""

    errors: list[FeedbackError] | None = None


class ReadRecord(_Part):
    """A line of records.jsonl, as far as a report shows it."""

    instruction: str
    response: str
    answer: str | None = None
    skill: str | None = None
    subskill: str | None = None
    image: str | None = None


class Called(_Part):
    """A line of calls.jsonl, as far as a report sums it up."""

    purpose: str | None = None
    usage: dict[str, Count | None] | None = None
    usd: Number | None = None


class Provenance(_Part):
    """provenance.json, as far as runs are compared by it."""

    versions: dict[str, Any] | None = None
    git_commit: str | None = None
    model: dict[str, Any] | None = None
    data: dict[str, Any] | None = None


def read_document(path: Path, schema: type[BaseModel]) -> Row:
    """A JSON file of a run; a RecordError names file and field if it is damaged.

    Raises:
        MissingFileError: There is no such file.
        RecordError: It is damaged; the message names file and field.
    """
    value = read_json(path)
    _check(str(path), schema, value)
    return value


def read_rows(path: Path, schema: type[BaseModel]) -> list[Row]:
    """The rows of a JSON-lines file of a run; a RecordError names file, line and field if it is damaged.

    Raises:
        MissingFileError: There is no such file.
        RecordError: It is damaged; the message names file, line and field.
    """
    rows = read_json_lines(path)
    for number, row in rows:
        check_row(path, number, row, schema)
    return [row for _, row in rows]


def check_row(path: Path, number: int, row: Mapping[str, Any], schema: type[BaseModel]) -> None:
    """Raises a RecordError if a line of a run's file is not as its schema says."""
    _check(f"{path}, line {number}", schema, row)


def check_answers(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Raises a RecordError if an instance was answered twice."""
    counts = Counter((row["split"], row["instance_id"]) for row in rows)
    if (twice := next((key for key, n in counts.items() if n > 1), None)) is not None:
        raise RecordError(f"{path} is damaged: {twice[0]} instance {twice[1]} is answered twice; restore it.")


def _check(where: str, schema: type[BaseModel], value: Mapping[str, Any]) -> None:
    try:
        schema.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        found = f"is {first['input']!r:.60} ({' '.join(first['msg'].split())})"
        found = "is missing" if first["type"] == "missing" else found
        raise RecordError(f"{where} is damaged: {field} {found}; restore it.") from None
