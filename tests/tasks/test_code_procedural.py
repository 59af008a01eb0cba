"""Small programs: tests that tell right from wrong, replies in every form, records that carry their tests."""

import random
import re

import pytest

from tasks.code import HumanEvalTask, LiveCodeBenchTask, ProceduralCodeTask
from tasks.code.generators import SKILLS
from tasks.code.records import extract_program, join_answer, split_answer
from tasks.code.task import ProgrammingTask
from tasks.code.verdict import CallTest, StdinTest
from tasks.errors import RecordError
from tasks.types import TrainingRecord
from tests.tasks.code_rows import made_humaneval, made_livecodebench

TASK = ProceduralCodeTask()


def test_the_task_has_the_size_that_it_promises() -> None:
    assert len(SKILLS) >= 10 and all(len(subskills) >= 3 for subskills in SKILLS.values())
    assert any(form.reads_input for forms in SKILLS.values() for form in forms.values())


@pytest.mark.parametrize("pair", TASK.subskill_pairs(), ids="/".join)
def test_another_value_anywhere_in_the_program_fails(pair: tuple[str, str]) -> None:
    rng = random.Random("/".join(pair))
    for _ in range(4):
        record = TASK.record(*pair, rng)
        instance = TASK.as_instance(record)
        assert TASK.score(instance, record.response) == 1.0
        values = set(map(int, re.findall(r"(?<![-\w])-?\d+", record.instruction))) - {0}
        for match in re.finditer(r"\d+", record.response):
            if int(match.group()) in values or -int(match.group()) in values:
                for other in (int(match.group()) + 1, int(match.group()) * 10):
                    wrong = record.response[: match.start()] + str(other) + record.response[match.end() :]
                    assert TASK.score(instance, wrong) == 0.0, f"{record.instruction!r}: {wrong!r} passes"


@pytest.mark.parametrize("pair", TASK.subskill_pairs(), ids="/".join)
def test_every_subskill_has_its_own_meaning(pair: tuple[str, str]) -> None:
    """The program of one question fails on the tests of nearly every other subskill with the same values."""
    form = SKILLS[pair[0]][pair[1]]
    _, program, tests = form.make(random.Random(3))
    assert len(tests) >= 3
    others = [form for forms in SKILLS.values() for form in forms.values() if form.make(random.Random(3))[2] == tests]
    assert others == [form], program


@pytest.mark.parametrize(
    ("reply", "score"),
    [
        ("x+25", 1.0),
        (" x + 25 ", 1.0),
        ("25 + x", 1.0),
        ("f = lambda x: x + 25", 1.0),
        ("def f(x):\n    return x + 25", 1.0),
        ("Sure:\n```python\ndef f(x):\n    return x + 25\n```\nDone.", 1.0),
        ("```\nx+25\n```", 1.0),
        ("sum([x, 25])", 1.0),
        ("x+24", 0.0),
        ("x+25 # ) or 1", 1.0),
        ("x+25)+(0", 0.0),
        ("25", 0.0),
        ("9**9**9**9", 0.0),
        ("def g(x): return x + 25", 0.0),
        ("lambda x: x + 25", 0.0),
        ("x +", 0.0),
        ("exit(x)", 0.0),
        ("__import__('os').fork() or x + 25", 0.0),
        ("f(x)", 0.0),
        ("", 0.0),
    ],
)
def test_replies_in_every_form(reply: str, score: float) -> None:
    answer = join_answer("x+25", (CallTest((0,), 25), CallTest((-4,), 21)), "f")
    record = TrainingRecord("Add 25 to x.", "x+25", answer, "arithmetic", "add")
    assert TASK.score(TASK.as_instance(record), reply) == score


def test_a_verdict_is_kept() -> None:
    task = ProceduralCodeTask()
    instance = task.instances("val")[0]
    first = task.verdict(instance, task.solution(instance))
    assert first is task.verdict(instance, f"\n{task.solution(instance)}\n") and first is not None
    assert first is not task.verdict(task.instances("val")[39], task.solution(instance))


@pytest.mark.parametrize(
    ("text", "program"),
    [
        ("```python\nprint(1)\n```", "print(1)\n"),
        ("One line.\n```python\nprint(1)\nprint(2)\n```", "print(1)\nprint(2)\n"),
        ("One.\nTwo.\n```py\nprint(1)\n```\nThree.", "print(1)\n"),
        ("```\nprint(1)\n```", "print(1)\n"),
        ("```python\nprint(1)\n```\n```python\nprint(2)\n```", "print(2)\n"),
        ("<think>\n```python\nprint(1)\n```\n</think>\n```Python3\nprint(2)\n```\nDone.", "print(2)\n"),
        ("```python\nprint(1)\n```\nRun it:\n```bash\npython x.py\n```\n```text\n1\n```", "print(1)\n"),
        ("```text\nprint(1)\n```", "print(1)\n"),
        ("```python\nprint(1)\n```\n```\n```", "print(1)\n"),
        ("~~~py\nprint(1)\n~~~\nDone.", "print(1)\n"),
        ("````python\nx = '''\n```\n'''\n````", "x = '''\n```\n'''\n"),
        ("1. So:\n   ```python\n   def f():\n       return 1\n   ```", "def f():\n    return 1\n"),
        ("Answer: ```python\nprint(1)```", "print(1)\n"),
        ('```python title="x"\r\nprint(1)\r\n```\r\n', "print(1)\r\n"),
        ("```{python}\nprint(1)\n```", "print(1)\n"),
        (
            "```python\ndef f():\n    '''\n    ```\n    f()\n    ```\n    '''\n```",
            "def f():\n    '''\n    ```\n    f()\n    ```\n    '''\n",
        ),
        ("```python\nprint(1)", "print(1)"),
        ("```python\nprint(1)\n```\n```python\nprint(2)", "print(2)"),
        ("\n  print(1)\n", "  print(1)"),
        ("Say `x` and ``y``", "Say `x` and ``y``"),
        ("", ""),
    ],
)
def test_the_program_in_a_reply(text: str, program: str) -> None:
    assert extract_program(text) == program


def test_answers_carry_their_tests() -> None:
    calls = (CallTest(([1, 2], "a\nb"), (1, {2})), CallTest((), None), CallTest(({1: "x"},), 1 << 80))
    assert split_answer(join_answer("def f(): pass", calls, "f")) == ("def f(): pass", calls, "f")
    texts = (StdinTest("1\n2\n", "3\n"), StdinTest("", "\u2028\x0c\r"))
    assert split_answer(join_answer("print(3)\n", texts, None)) == ("print(3)", texts, None)
    for damaged in ("print(3)\n# test: {", 'print(3)\n# test: {"stdin": 1}', "print(3)\n# test: [1]", "print(3)"):
        assert split_answer(damaged)[1] == ()
    mixed = join_answer("x", texts, "f")
    assert split_answer(mixed)[1] == ()


@pytest.mark.parametrize(
    "task",
    [TASK, HumanEvalTask(str(made_humaneval()), val_size=4), LiveCodeBenchTask(str(made_livecodebench()))],
    ids=lambda task: task.name,
)
def test_records_of_language_models_are_run_before_they_are_believed(task: ProgrammingTask) -> None:
    example = task.domain_text.example
    record = task.parse_record(example)
    assert task.fault_of(record) is None
    assert task.score(task.as_instance(record), record.response) == 1.0
    wrong = [*example["tests"], {**example["tests"][0], "output": "nonsense" if not example["function"] else [1, 2, 3]}]
    assert task.fault_of(task.parse_record({**example, "tests": wrong})) == "tests_fail"
    assert task.fault_of(task.parse_record({**example, "solution": "def oops("})) == "tests_fail"
    assert task.fault_of(TrainingRecord("What?", record.response, record.response)) == "no_tests"
    for change in (
        {"tests": []},
        {"tests": [{"input": 5, "output": 5}]},
        {"solution": " "},
        {"instruction": ""},
    ):
        with pytest.raises(RecordError) as error:
            task.parse_record({**example, **change})
        assert "\n" not in str(error.value)


def test_a_program_that_reads_is_a_record_too() -> None:
    tests = [{"input": "4\n", "output": "8\n"}, {"input": "-1\n", "output": "-2\n"}]
    reply = {"instruction": "Double it.", "function": None, "starter_code": None, "tests": tests}
    record = TASK.parse_record({**reply, "solution": "print(int(input())*2)"})
    assert TASK.fault_of(record) is None and record.response == "print(int(input())*2)"
    assert TASK.fault_of(TASK.parse_record({**reply, "solution": "print(8)"})) == "tests_fail"
