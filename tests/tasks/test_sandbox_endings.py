"""What Python does when a program ends is done after each test; and what a reply or a record holds is read quickly."""

import sys
import time

import pytest

from tasks.code import HumanEvalTask, ProceduralCodeTask
from tasks.code.comparison import same_value
from tasks.code.confined.values import NotPlainError, decode, encode
from tasks.code.judging import _check_report
from tasks.code.livecodebench import tests_of_row as read_row
from tasks.code.records import extract_program, split_answer, without_tests
from tasks.code.sandbox import Sandbox
from tasks.code.task import may_answer
from tasks.code.task import tests_of as read_tests
from tasks.code.verdict import CallTest, Limits, SandboxError, StdinTest
from tasks.errors import RecordError
from tests.tasks.code_rows import every_level, made_humaneval

_TESTS = [StdinTest(str(number), str(2 * number)) for number in (1, 5, 7, 11, 12, 13)]
_COLLIDING = '# test: {"arguments": [{"d": [' + ",".join(f"[{k * (2**61 - 1)},0]" for k in range(30_000)) + "]}]}"

# Each prints twice the number that it reads, in a way that depends on how a program ends, or on its own module.
DOUBLING = {
    "own_stdin": "import sys\nsys.stdin = open(0)\nprint(int(input()) * 2)",
    "own_streams": "import os, sys\nsys.stdin, sys.stdout = os.fdopen(0), os.fdopen(1, 'w')\nprint(int(input()) * 2)",
    "own_file_in_a_cycle": "class In:\n    file = open(0)\n    def read(self): return int(self.file.readline())\n"
    "kept = [[] for _ in range(5000)]\nprint(In().read() * 2)",
    "file_not_closed": "out = open(1, 'w')\nout.write(str(int(input()) * 2))",
    "original_streams": "import sys\nprint(int(sys.__stdin__.readline()) * 2, file=sys.__stdout__)",
    "closed": "import sys\nprint(int(input()) * 2)\nsys.stdout.close()",
    "no_stdout": "import sys\nprint(int(input()) * 2)\nsys.stdout = None",
    "thread": "import threading, time\ndef run():\n    time.sleep(0.02)\n    print(int(input()) * 2)\n"
    "threading.Thread(target=run).start()",
    "pool_left_open": "from concurrent.futures import ThreadPoolExecutor\n"
    "print(ThreadPoolExecutor(2).submit(lambda: int(input()) * 2).result())",
    "at_exit": "import atexit\natexit.register(lambda: print(int(input()) * 2))",
    "finaliser": "import sys\nclass Late:\n    def __del__(self): sys.stdout.write(str(self.n))\n"
    "late = Late()\nlate.n = int(input()) * 2",
    "own_module": "import sys\ndef double(n): return n * 2\nprint(sys.modules[__name__].double(int(input())))",
    "import_main": "import __main__\nFACTOR = 2\nprint(int(input()) * __main__.FACTOR)",
    "pickle": "import pickle\nclass Box: pass\nbox = Box()\nbox.n = int(input())\n"
    "print(pickle.loads(pickle.dumps(box)).n * 2)",
    "byte_order_mark": "\ufeffprint(int(input()) * 2)",
    "device": "print(int(open('/dev/stdin').read()) * 2)",
    "normalised_names": "ñ = int(input()); \U0001d4f9 = 2\nprint(ñ * p)",
}


@pytest.mark.parametrize("name", DOUBLING)
@every_level
def test_programs_end_as_python_ends_them(sandbox: Sandbox, name: str) -> None:
    if name == "device" and sys.platform != "linux":
        pytest.skip("/dev/stdin is opened anew on Linux only")
    verdict = sandbox.run(DOUBLING[name], _TESTS)
    assert verdict.accepted, verdict
    wrong = DOUBLING[name].replace("* 2", "* 3")
    if wrong != DOUBLING[name]:
        assert not sandbox.run(wrong, _TESTS).accepted


@pytest.mark.parametrize(
    "late", ["print(3)", "raise SystemExit(1)", "while True: pass", "import os; os.write(1, b'3')"]
)
@every_level
def test_what_a_program_does_at_its_end_counts(sandbox: Sandbox, late: str) -> None:
    source = f"import atexit, threading\nprint(2)\ndef late():\n    {late}\n"
    for last in ("atexit.register(late)", "threading.Timer(0.05, late).start()"):
        verdict = sandbox.run(source + last, [StdinTest("", "2")], limits=Limits(seconds=0.4))
        in_vain = late.startswith("raise")  # neither changes how Python ends
        assert verdict.accepted == in_vain, (last, verdict)


@every_level
def test_annotations_as_text_are_resolved_in_functions_too(sandbox: Sandbox) -> None:
    source = (
        "from __future__ import annotations\nfrom dataclasses import dataclass\n@dataclass\nclass Box:\n    n: int\n"
    )
    assert sandbox.run(source + "def f(x): return Box(x).n", [CallTest((3,), 3)], "f").accepted


def test_values_that_are_equal_in_python_are_equal() -> None:
    big = 10**400
    assert same_value([big, 1], (big, 1)) and same_value({big: [1]}, {big: (1,)})
    assert not same_value([big], (big + 1,))
    with Sandbox() as sandbox:
        source = "from enum import Enum\nclass Text(str, Enum):\n    A = 'x'\ndef f(n): return Text.A"
        assert sandbox.run(source, [CallTest((1,), "x")], "f").accepted
        assert not sandbox.run(source, [CallTest((1,), "Text.A")], "f").accepted


@pytest.mark.parametrize("text", [" " * 200_000 + "x", "~" * 50_000 + "`", " \t" * 50_000 + "```" + " " * 50_000 + "`"])
def test_replies_are_read_in_linear_time(text: str) -> None:
    began = time.process_time()
    assert extract_program(text)
    assert time.process_time() - began < 20  # quadratic: minutes


def test_a_reply_that_looks_like_an_answer_is_not_read_as_one() -> None:
    task = ProceduralCodeTask(val_size=39)
    began = time.process_time()
    assert task.score(task.instances("val")[0], f"print(x)\n{_COLLIDING}") == 0.0
    assert time.process_time() - began < 8
    assert without_tests("a\n# entry point: f\n# test: [\nb") == "a\nb"


@pytest.mark.parametrize("kind", ["d", "s", "z"])
def test_keys_that_collide_are_refused(kind: str) -> None:
    keys = [k * (2**61 - 1) for k in range(1000)]
    with pytest.raises(NotPlainError, match="collide"):
        decode({kind: [[key, 0] for key in keys] if kind == "d" else keys})
    for many in ({k << 20: 0 for k in range(5000)}, {str(k) for k in range(5000)}):
        assert decode(encode(many)) == many


def test_tests_that_cannot_be_used_everywhere_are_damaged_tests() -> None:
    for arguments in ("[" * 150 + "]" * 150, "[" * 100_000):
        assert split_answer(f'f = 1\n# entry point: f\n# test: {{"arguments": {arguments}, "returns": 1}}')[1] == ()
    assert split_answer(f"x\n{_COLLIDING}")[1] == ()


@pytest.mark.parametrize(
    "reply",
    [
        {"tests": 5},
        {"tests": ["x"]},
        {"tests": [None]},
        {"tests": {"input": 1}},
        {"tests": [{"input": "1"}]},
        {"function": ["f"], "tests": [{"input": "[1]", "output": "1"}]},
    ],
)
def test_tests_of_another_form_are_a_record_error(reply: dict[str, object]) -> None:
    with pytest.raises(RecordError):
        read_tests({"function": "f", **reply})


def test_rows_nested_too_deeply_are_a_record_error() -> None:
    deep = "[" * 100_000
    row = {"question_id": "a", "metadata": '{"func_name": "f"}'}
    test = {"input": "1", "output": "1", "testtype": "functional"}
    for fields in (
        {"public_test_cases": deep},
        {"public_test_cases": [{**test, "input": deep}]},
        {"public_test_cases": [test], "metadata": deep},
    ):
        with pytest.raises(RecordError):
            read_row({**row, **fields})


def test_a_check_that_writes_to_its_own_report_is_a_broken_row() -> None:
    for report in (b"x", b"[" * 100_000, b"[]", b'{"passed": true}', b'{"calls": "1"}', b"\xff"):
        assert "broken" in _check_report(report)
    check = "import os\nos.write(3, b'\\0\\0\\0\\1x')\ndef check(candidate): os._exit(0)\n"
    with Sandbox() as sandbox, pytest.raises(SandboxError, match="mend the benchmark's row"):
        sandbox.check("def f(x): return 1", check, "f")


def test_programs_that_print_by_another_name_are_run() -> None:
    for program in ("from pprint import pprint as p", "import json, sys\njson.dump(1, sys.stdout)"):
        assert may_answer(program, None)
    assert not may_answer("x + 1", None)


def test_a_completion_may_begin_with_a_future_import_and_a_long_one_is_not_parsed_here() -> None:
    task = HumanEvalTask(str(made_humaneval()), val_size=4)
    for instance in task.instances("val"):
        reply = f"```python\nfrom __future__ import annotations\n{instance.answer}\n```"
        assert task.score(instance, reply) == 1.0
    began = time.process_time()
    job = task.job(instance, "x = 1\n" * 500_000 + instance.answer)
    assert job is not None and time.process_time() - began < 5
