"""LiveCodeBench (Jain et al., 2024): contest problems as they appeared, with tests of two styles."""

import base64
import binascii
import io
import json
import pickle
import zlib
from collections.abc import Collection, Mapping
from typing import Any, ClassVar

from tasks.benchmark_rows import BenchmarkRow, BenchmarkRows
from tasks.code.records import Tests, split_answer
from tasks.code.task import ProgrammingTask, may_answer
from tasks.code.verdict import CallTest, Job, StdinTest
from tasks.errors import RecordError
from tasks.types import Split, TaskInstance

HUB_ID = "livecodebench/code_generation_lite"

# Names of the files that hold release 1, and what goes into validation beside it. On the hub each file adds to the
# ones before; a local folder may also have whole releases, or the two splits by name.
_FILES = (("test", "test2"), ("release_v1", "release_v2"), ("test", "val"))

_STDIN_REQUEST = (
    "Write a Python program that reads from standard input and prints to standard output. "
    "Reply with the whole program in one code block."
)
_FUNCTION_REQUEST = "Solve it in Python, starting from this code. Reply with the whole program in one code block."


class _HubFiles(BenchmarkRows):
    """Reads the benchmark's files themselves: its loading script is one that current versions of datasets refuse."""

    def _from_hub(self, split: str, only: tuple[str, Collection[Any]] | None = None) -> list[BenchmarkRow]:
        from huggingface_hub import hf_hub_download

        try:
            file = hf_hub_download(self.hub_id, f"{split}.jsonl", repo_type="dataset", revision=self.revision)
        except (OSError, ValueError, RuntimeError) as error:
            raise self._unreachable(split, str(error).strip().split("\n")[0]) from error
        with open(file, encoding="utf-8") as lines:
            return [
                BenchmarkRow(index, json.loads(line), f"{self.source}, {split} row {index}")
                for index, line in enumerate(lines)
                if line.strip()
            ]


class LiveCodeBenchTask(ProgrammingTask):
    """LiveCodeBench: test is release 1, validation is what release 2 adds to it, as in the paper.

    Rows come from ``path``, else from ``$DATAENVGYM_DATA_DIR/livecodebench``, else from the hub. A program is judged by
    the public and the private tests. Results are also reported by difficulty.

    Args:
        path: A local folder with ``test.jsonl`` and ``test2.jsonl`` (the hub's files: release 1, and what release 2
            adds), or ``release_v1.jsonl`` and ``release_v2.jsonl``, or ``test.jsonl`` and ``val.jsonl``.
        hub_id: The data set on the Hugging Face hub.
        revision: Its commit; None takes the newest.
        seconds: Wall time of one test.
        settings: Those of ProgrammingTask: isolation, strict and packages; the benchmark's own harness has ``numpy``.

    Raises:
        ConfigurationError: A package is not installed.
        MissingFileError: There are no such files.
        RecordError: A row lacks a field, or its tests cannot be read.
    """

    name: ClassVar[str] = "livecodebench"

    def __init__(
        self,
        path: str | None = None,
        hub_id: str = HUB_ID,
        revision: str | None = None,
        seconds: float = 6.0,
        **settings: Any,
    ) -> None:
        super().__init__(seconds, **settings)
        self.rows = _HubFiles("livecodebench", path, hub_id, revision)

    def make_split(self, split: Split) -> list[TaskInstance]:
        """Validation or test, in the order of the question ids."""
        there = (names for names in _FILES if all(map(self.rows.has, names)))
        test, val = next(there, _FILES[0])
        rows = self.rows.read(test)
        if split == "val":
            first = {row.text("question_id") for row in rows}
            rows = [row for row in self.rows.read(val) if row.text("question_id") not in first]
        return [self._instance(row) for row in sorted(rows, key=lambda row: row.text("question_id"))]

    def _instance(self, row: BenchmarkRow) -> TaskInstance:
        starter = str(row.fields.get("starter_code") or "")
        # The tests stay packed until they are needed: unpacked they take gigabytes.
        return TaskInstance(
            instance_id=row.text("question_id"),
            instruction=self.ask(f"{row.text('question_content').strip()}\n\n{starter}".strip()),
            answer=str(row.fields.get("solution") or _UNKNOWN),
            metadata={**row.fields, "where": row.where},
        )

    def ask(self, problem: str) -> str:
        """The instruction of a problem; one that ends in starter code asks for a function."""
        request = _FUNCTION_REQUEST if "\nclass Solution" in problem or "\ndef " in problem else _STDIN_REQUEST
        return f"{problem}\n\n{request}"

    def slices_of(self, instance: TaskInstance) -> Mapping[str, str]:
        """The difficulty: easy, medium or hard."""
        difficulty = instance.metadata.get("difficulty")
        return {"difficulty": str(difficulty)} if difficulty else {}

    def job(self, instance: TaskInstance, program: str) -> Job | None:
        """The row's public and private tests, or a record's own."""
        if "question_id" not in instance.metadata:
            _, tests, entry_point = split_answer(instance.answer)
        elif program == _UNKNOWN:
            return None
        else:
            tests, entry_point = tests_of_row(instance.metadata)
        if not tests or not may_answer(program, entry_point):
            return None
        return Job(program, tests, entry_point, preamble=True, exact=True)


# The benchmark has no reference solutions; an answer must not be empty, and this one is never accepted.
_UNKNOWN = "# no reference solution is known"


def tests_of_row(fields: Mapping[str, Any]) -> tuple[Tests, str | None]:
    """The tests of a row, public ones first, and the function that they call if they call one."""
    where = str(fields.get("where", fields.get("question_id")))
    rows: list[dict[str, Any]] = []
    for field in ("public_test_cases", "private_test_cases"):
        rows += read_tests(fields.get(field), f"{where}: the field {field!r}")
    if not rows:
        raise RecordError(f"{where}: there are no tests; delete that row.")
    entry_point = _entry_point(fields.get("metadata"), where)
    tests: list[StdinTest | CallTest] = []
    for row in rows:
        if entry_point is None:
            tests.append(StdinTest(str(row["input"]), str(row["output"])))
            continue
        try:
            arguments = tuple(json.loads(line) for line in str(row["input"]).split("\n") if line.strip())
            tests.append(CallTest(arguments, json.loads(str(row["output"]))))
        except (ValueError, RecursionError) as error:
            raise RecordError(f"{where}: a test of {entry_point} is no JSON ({error}); delete that row.") from None
    return tuple(tests), entry_point


def _entry_point(metadata: Any, where: str) -> str | None:
    try:
        plain = json.loads(metadata) if isinstance(metadata, str) and metadata.strip() else metadata or {}
        name = plain.get("func_name")
    except (ValueError, AttributeError, RecursionError) as error:
        raise RecordError(
            f"{where}: the field 'metadata' is no JSON object ({error}); mend or delete that row."
        ) from None
    return str(name) if name else None


# The largest tests of the benchmark unpack to some hundred megabytes; what claims to be more is a bomb.
_LARGEST = 1 << 30


class _TextOnly(pickle.Unpickler):
    """Builds texts, numbers and containers; refuses to look up any class or function, which is how pickles do harm."""

    def find_class(self, module: str, name: str) -> Any:
        raise pickle.UnpicklingError(f"it asks for {module}.{name}")

    def persistent_load(self, pid: Any) -> Any:
        raise pickle.UnpicklingError("it asks for an object from elsewhere")


def read_tests(packed: Any, where: str) -> list[dict[str, Any]]:
    """The tests of a row's field (a list, JSON, or the packed form): each has ``input``, ``output`` and ``testtype``.

    Raises:
        RecordError: It is none of these, or its pickle holds anything but plain data.
    """
    if packed in (None, "", []):
        return []
    tests = packed
    if isinstance(packed, str):
        try:
            tests = json.loads(packed)
        except RecursionError:
            raise RecordError(f"{where} is nested too deeply: mend or delete that row.") from None
        except ValueError:
            tests = _unpack(packed, where)
    keys = ("input", "output", "testtype")
    if not isinstance(tests, list) or not all(
        isinstance(test, dict) and all(key in test for key in keys) for test in tests
    ):
        raise RecordError(f"{where} is no list of tests with {', '.join(keys)}: mend or delete that row.")
    return tests


def _unpack(packed: str, where: str) -> Any:
    try:
        decompressor = zlib.decompressobj()
        plain = decompressor.decompress(base64.b64decode(packed.encode("ascii"), validate=True), _LARGEST)
        if decompressor.unconsumed_tail:
            raise RecordError(f"{where} unpacks to more than {_LARGEST >> 20} MiB: delete that row.")
        data = _TextOnly(io.BytesIO(plain)).load()
        return json.loads(data) if isinstance(data, str | bytes) else data
    except (binascii.Error, UnicodeError, zlib.error, ValueError, RecursionError) as error:
        raise RecordError(f"{where} is neither JSON nor packed JSON ({error}): mend or delete that row.") from None
    # A damaged pickle may raise any of these, says its documentation.
    except (pickle.UnpicklingError, AttributeError, EOFError, ImportError, IndexError, KeyError, TypeError) as error:
        raise RecordError(f"{where} holds a pickle that is not plain data ({error}): delete that row.") from None
