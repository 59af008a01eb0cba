"""What the programming tasks share: replies are programs, and a score is a verdict of the sandbox."""

import contextlib
import hashlib
import json
import re
from abc import abstractmethod
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import astuple
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from tasks.base import SplitTask
from tasks.code.confined.values import NotPlainError, dumps, encode
from tasks.code.records import Tests, extract_program, join_answer, split_answer
from tasks.code.sandbox import Sandbox
from tasks.code.verdict import CallTest, Job, Level, Limits, StdinTest, Verdict
from tasks.errors import RecordError
from tasks.types import TaskInstance, TrainingRecord

# Verdicts kept: some thousand programs of an evaluation repeat (a student at its start answers many questions alike).
_KEPT = 20_000
_PRINTS = re.compile(r"print|write|stdout")  # pprint(), json.dump(value, sys.stdout)


_JSONText = Annotated[str, BeforeValidator(lambda value: value if isinstance(value, str) else json.dumps(value))]


class ExampleTest(BaseModel):
    """One test of a problem, as a language model writes it."""

    model_config = ConfigDict(extra="forbid")

    # Texts, though arguments are values: structured outputs admit no field of any type.
    input: _JSONText = Field(description="The text on standard input, or the list of arguments as JSON")
    output: _JSONText = Field(description="The text on standard output, or the value returned as JSON")


class Problem(BaseModel):
    """The first stage of a record: a problem and its tests."""

    model_config = ConfigDict(extra="forbid")

    instruction: str
    function: str | None
    starter_code: str | None
    tests: list[ExampleTest]


class Solution(BaseModel):
    """The second stage: a program that solves it."""

    model_config = ConfigDict(extra="forbid")

    solution: str


class ProgrammingTask(SplitTask):
    """A task whose replies are Python programs, run against tests in the sandbox.

    Args:
        seconds: Wall time of one test.
        isolation: What programs run under; see Sandbox.
        strict: Refuse to run with less.
        packages: Installed packages that programs may import; see Sandbox.
    """

    schemas = (Problem, Solution)
    no_train = "There is no training split of programs: choose an engine that writes its records."
    scores_in_parallel = True

    def __init__(
        self, seconds: float, isolation: Level = "full", strict: bool = False, packages: Sequence[str] = ()
    ) -> None:
        self.sandbox = Sandbox(isolation, strict, Limits(seconds=seconds), packages=packages)
        self._verdicts: OrderedDict[bytes, Verdict] = OrderedDict()

    @abstractmethod
    def job(self, instance: TaskInstance, program: str) -> Job | None:
        """How a program is judged as an answer to an instance; None if it cannot be one and need not be run."""

    def score(self, instance: TaskInstance, text: str) -> float:
        """1.0 if the program in a reply passes all tests, else 0.0.

        Raises:
            SandboxError: The sandbox cannot be had, or broke: no verdict on the program.
        """
        verdict = self.verdict(instance, text)
        return float(verdict is not None and verdict.accepted)

    def verdict(self, instance: TaskInstance, text: str) -> Verdict | None:
        """The verdict on the program in a reply; None if nothing needed to be run to see that it is no answer."""
        program = self.program_of(instance, text)
        if not program.strip() or (job := self.job(instance, program)) is None:
            return None
        key = hashlib.sha256(dumps(encode(astuple(job)))).digest()
        if (known := self._verdicts.get(key)) is not None:
            with contextlib.suppress(KeyError):  # another thread may have made room meanwhile
                self._verdicts.move_to_end(key)
            return known
        verdict = self.sandbox.judge(job)
        self._verdicts[key] = verdict
        if len(self._verdicts) > _KEPT:
            self._verdicts.popitem(last=False)
        return verdict

    def program_of(self, instance: TaskInstance, text: str) -> str:
        """The program in a reply to an instance."""
        return extract_program(text)

    def fault_of(self, record: TrainingRecord) -> str | None:
        """``no_tests`` for a record without tests, ``tests_fail`` if its response or its answer fails one."""
        program, tests, _ = split_answer(record.answer)
        if not tests:
            return "no_tests"
        instance = self.as_instance(record)
        passed = all(self.score(instance, text) == 1.0 for text in (record.response, program))
        return None if passed else "tests_fail"

    def parse_record(self, reply: Mapping[str, Any]) -> TrainingRecord:
        """A record from the fields of Problem and Solution, or from a record's own."""
        if "solution" not in reply:
            return super().parse_record(reply)
        for field in ("instruction", "solution"):
            if not isinstance(reply.get(field), str) or not reply[field].strip():
                raise RecordError(f"a problem needs a non-empty text {field!r}, found {reply.get(field)!r:.60}")
        tests = tests_of(reply)
        function = reply.get("function") or None
        instruction = str(reply["instruction"]).strip()
        if starter := str(reply.get("starter_code") or "").strip():
            instruction += f"\n\n{starter}"
        program = extract_program(str(reply["solution"]))
        answer = join_answer(program, tests, function)
        return super().parse_record(
            {"instruction": self.ask(instruction), "response": self.render(program), "answer": answer}
        )

    def ask(self, problem: str) -> str:
        """The instruction that a problem is asked with."""
        return problem

    def render(self, program: str) -> str:
        """The reply that teaches a program: in a code block."""
        return f"```python\n{program.strip()}\n```"


def may_answer(program: str, entry_point: str | None) -> bool:
    """Whether a text can be an answer at all: it names the function that it should define, or something that prints.

    Most wrong replies are texts that do neither; they need not be run, and some would compute for a very long time.
    """
    needed = _PRINTS if entry_point is None else re.compile(rf"\b{re.escape(entry_point)}\b")
    return needed.search(program) is not None


def tests_of(reply: Mapping[str, Any]) -> Tests:
    """The tests of a problem as a language model wrote it."""
    tests: list[StdinTest | CallTest] = []
    rows, function = reply.get("tests") or (), reply.get("function")
    if not isinstance(function, str | None) or not isinstance(rows, list | tuple):
        raise RecordError(f"a problem needs a list of tests and a name, found {rows!r:.60} and {function!r:.60}")
    for row in rows:
        if not isinstance(row, Mapping) or not row.keys() >= {"input", "output"}:
            raise RecordError(f"a test needs an input and an output, found {row!r:.60}")
        given, result = row["input"], row["output"]
        if function:
            given, result = (_value(text) for text in (given, result))
            if not isinstance(given, list):
                raise RecordError(f"a test of a function needs a list of arguments as input, found {given!r:.60}")
            try:
                encode([given, result])
            except (NotPlainError, RecursionError) as error:
                raise RecordError(f"a test holds something else than plain data: {error}") from None
            tests.append(CallTest(tuple(given), result))
        else:
            if not isinstance(given, str) or not isinstance(result, str):
                raise RecordError(f"a test of a whole program needs texts, found {given!r:.60} and {result!r:.60}")
            tests.append(StdinTest(given, result))
    if not tests:
        raise RecordError("a problem needs at least one test")
    return tuple(tests)


def _value(text: Any) -> Any:
    if not isinstance(text, str):
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise RecordError(f"a test of a function needs JSON, found {text!r:.60}") from None
