"""The sandbox's verdicts on honest programs, its rules of comparison, and its levels."""

import copy
import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.code.comparison import same_output, same_value
from tasks.code.confined.values import NotPlainError, decode, dumps, encode, loads
from tasks.code.sandbox import Sandbox
from tasks.code.verdict import CallTest, Isolation, Job, Limits, SandboxError, StdinTest
from tasks.errors import ConfigurationError

ROOT = Path(__file__).parents[2]
_DOUBLES = (StdinTest("21\n", "42\n"), StdinTest("5\n", "10\n"))
_CALLS = (CallTest((21,), 42), CallTest((5,), 10))
_QUICK = Limits(seconds=1.0)
_RECURSIVE = """
import sys
sys.setrecursionlimit(10**6)
def depth(n): return depth(n - 1) if n else 0
print(depth(20000) + 2 * int(input()))
"""
_SWALLOWING = """
n = int(input())
while n < 9:
    try:
        while True: pass
    except BaseException: pass
print(2 * n)
"""


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as made:
        yield made


@pytest.mark.parametrize(
    ("source", "outcome", "test"),
    [
        ("print(int(input()) * 2)", "accepted", None),
        ("def main():\n    print(int(input()) * 2)\nif __name__ == '__main__':\n    main()", "accepted", None),
        ("import sys\nprint(int(sys.stdin.read()) * 2)", "accepted", None),
        ("import sys\nprint(int(sys.stdin.buffer.readline()) * 2)", "accepted", None),
        ("print(int(open(0).read()) * 2)", "accepted", None),
        ("print(int(open('/dev/stdin').read()) * 2)", "accepted", None),
        ("import os\nos.write(1, str(int(os.read(0, 99)) * 2).encode())", "accepted", None),
        ("import sys\nprint(int(input()) * 2)\nsys.exit()", "accepted", None),
        ("import os\nprint(int(input()) * 2, flush=True)\nos._exit(0)", "accepted", None),
        ("import threading as h\nt = h.Thread(target=lambda: print(42))\nt.start()\nt.join()", "wrong_answer", 1),
        (_RECURSIVE, "accepted", None),
        ("open('x', 'w').write(input())\nprint(int(open('x').read()) * 2)", "accepted", None),
        ("import tempfile as t\nwith t.TemporaryFile() as f: f.write(b'')\nprint(int(input()) * 2)", "accepted", None),
        ("import xml.dom.minidom, csv, uuid\nprint(int(input()) * 2)", "accepted", None),
        ("n = int(input())\nprint(n * 2 if n > 9 else 0)", "wrong_answer", 1),
        ("print(0)", "wrong_answer", 0),
        ("print(int(input()) * 2", "compile_error", None),
        ("return 5", "compile_error", None),
        ("1/0", "runtime_error", 0),
        ("n = int(input())\nprint(n * 2)\nassert n > 9", "runtime_error", 1),
        ("while True: pass", "time_limit", 0),
        (_SWALLOWING, "time_limit", 1),
    ],
)  # fmt: skip
def test_programs_that_read_and_print(sandbox: Sandbox, source: str, outcome: str, test: int | None) -> None:
    verdict = sandbox.run(source, _DOUBLES, limits=_QUICK if outcome == "time_limit" else None)
    assert (verdict.outcome, verdict.test) == (outcome, test), verdict
    assert "\n" not in verdict.message and verdict.isolation == sandbox.isolation


@pytest.mark.parametrize(
    ("source", "outcome"),
    [
        ("def f(x): return x * 2", "accepted"),
        ("class Solution:\n    def f(self, x: int) -> int:\n        return x * 2", "accepted"),
        ("f = lambda x: x * 2", "accepted"),
        ("print('noise')\ndef f(x):\n    print('noise')\n    return x * 2", "accepted"),
        ("def g(x): return x * 2", "compile_error"),
        ("class Solution:\n    def g(self, x): return x", "compile_error"),
        ("f = 5", "compile_error"),
        ("def f(x): return object()", "runtime_error"),
        ("def f(x): return (i for i in range(x))", "runtime_error"),
        ("def f(x): return f", "runtime_error"),
        ("def f(): return 42", "runtime_error"),
        ("def f(x): return str(x * 2)", "wrong_answer"),
        ("def f(x): return [x * 2]", "wrong_answer"),
        ("def f(x): raise SystemExit", "runtime_error"),
        ("import os\ndef f(x): return 42 if x == 21 else os._exit(0)", "runtime_error"),
    ],
)
def test_functions(sandbox: Sandbox, source: str, outcome: str) -> None:
    assert sandbox.run(source, _CALLS, "f").outcome == outcome


def test_a_scalar_is_no_list_but_a_tuple_is(sandbox: Sandbox) -> None:
    assert sandbox.run("def f(x): return 1", [CallTest((0,), [1, 2])], "f").outcome == "wrong_answer"
    assert sandbox.run("def f(x): return (1, (2, 3))", [CallTest((0,), [1, [2, 3]])], "f").accepted
    assert sandbox.run("def f(x): return [x, x]", [CallTest((1 << 200,), (1 << 200, 1 << 200))], "f").accepted


@pytest.mark.parametrize(
    ("expected", "output", "same"),
    [
        ("0.3333333", "0.3333333333333333", True),
        ("1\n2\n", "1  \n2\n\n", True),
        ("1\n\n2", "1\n2", True),
        ("a b", "  a b ", True),
        ("1.0", "1", True),
        ("1e3", "1000.0", True),
        ("0.5 2", "0.5 2", True),
        ("Yes", "YES", False),
        ("1 2", "2 1", False),
        ("1 2", "1 3", False),
        ("0.5 2.5", "0.5 2.50001", True),
        ("0.5 2.5", "0.5 2.501", False),
        ("1 2", "1\n2", False),
        ("3", "3.1", False),
        ("3", "", False),
        ("", "3", False),
        ("10000000000000000000001", "10000000000000000000002", False),
        ("nan", "nan ", True),
        ("1", "[1]", False),
        ("inf", "Infinity", True),
    ],
)
def test_outputs_compared(expected: str, output: str, same: bool) -> None:
    assert same_output(expected, output) is same


@pytest.mark.parametrize(
    ("expected", "value", "same"),
    [
        ([1, 2], 1, False),
        (1, [1, 2], False),
        ([1], 1, False),
        ([1, (2,)], ([1, [2]]), True),
        ({"a": [1]}, {"a": (1,)}, True),
        ({"a": 1}, {"a": 1, "b": 2}, False),
        ([], (), True),
        ("ab", ["a", "b"], False),
        (1, 1.0, True),
        ({1, 2}, {2, 1}, True),
    ],
)
def test_values_compared(expected: object, value: object, same: bool) -> None:
    assert same_value(expected, value) is same


def test_plain_data_survives_and_nothing_else_does() -> None:
    value = [
        None,
        True,
        -3,
        1 << 90,
        0.1,
        float("inf"),
        1j,
        "\ud800",
        b"\0",
        (1, [2]),
        {3},
        frozenset({4}),
        {(1, 2): "x"},
    ]
    assert decode(loads(dumps(encode(value)))) == value
    for hostile in (
        {"x": 1},
        {"i": 3},
        {"i": "q"},
        {"d": [[[1], 2]]},
        {"s": [[1]]},
        {},
        {"i": "0", "f": "0"},
        {"c": [1]},
    ):
        with pytest.raises(NotPlainError):
            decode(hostile)
    with pytest.raises(NotPlainError):
        loads(b"[" * 100_000)
    with pytest.raises(NotPlainError):
        encode(object())


def test_a_check_sees_the_problems_helpers_and_names_the_failing_call(sandbox: Sandbox) -> None:
    prelude = "def helper(x):\n    return x + 1\n\ndef f(x):\n    pass\n"
    check = "def check(candidate):\n    assert candidate(1) == helper(1)\n"
    check += "    assert f(2) == 3\n    assert candidate(5) == 6\n"
    assert sandbox.check(f"{prelude}\ndef f(x): return x + 1", check, "f", prelude).accepted
    bent = "def helper(x): return 0\ndef f(x): return x + 1 if x > 1 else 0"
    assert sandbox.check(bent, check, "f", prelude).outcome == "wrong_answer"
    assert (
        sandbox.check("def helper(x): return 0\ndef f(x): return x + 1", check, "f", prelude).outcome == "wrong_answer"
    )
    verdict = sandbox.check(f"{prelude}\ndef f(x): return x + 1 if x < 5 else 0", check, "f", prelude)
    assert (verdict.outcome, verdict.test, verdict.message) == ("wrong_answer", 2, "assert candidate(5) == 6")
    verdict = sandbox.check(f"{prelude}\ndef f(x): return x + 1 if x < 2 else 1 / 0", check, "f", prelude)
    assert (verdict.outcome, verdict.test) == ("runtime_error", 1) and "ZeroDivisionError" in verdict.message
    assert sandbox.check("def f(x) return 1", check, "f", prelude).outcome == "compile_error"
    assert sandbox.check("def f(x):\n while True: pass", check, "f", prelude, _QUICK).outcome == "time_limit"
    with pytest.raises(SandboxError, match="never calls"):
        sandbox.check("def f(x): return x", "def check(candidate): pass", "f")


def test_limits_are_kept_and_may_be_raised(sandbox: Sandbox) -> None:
    source = "x = bytearray(100 << 20)\nprint(42)"
    assert sandbox.run(source, _DOUBLES[:1], limits=Limits(memory=50 << 20)).outcome == "memory_limit"
    assert sandbox.run(source, _DOUBLES[:1], limits=Limits(memory=200 << 20)).accepted
    flood = "print('x' * 2000)"
    assert sandbox.run(flood, _DOUBLES, limits=Limits(output=1000, file=1000)).outcome == "output_limit"
    long = StdinTest("7 " * 300_000, str(7 * 300_000))
    assert sandbox.run("print(sum(map(int, input().split())))", [long], limits=Limits(output=1000, file=1000)).accepted


def test_many_jobs_keep_their_order_on_two_workers() -> None:
    jobs = [
        Job(f"print({number} + int(input()))", (StdinTest("1", str(number + 1 + number % 2)),)) for number in range(30)
    ]
    with Sandbox(workers=2) as sandbox:
        verdicts = sandbox.run_many(jobs)
    assert [verdict.accepted for verdict in verdicts] == [number % 2 == 0 for number in range(30)]


@pytest.mark.parametrize("level", ["limits", "filtered", "full"])
def test_every_level_judges_alike_and_says_what_it_is(level: str) -> None:
    with Sandbox(level) as sandbox:  # type: ignore[arg-type]
        good, bad = sandbox.run("print(int(input()) * 2)", _DOUBLES), sandbox.run("import os\nos.fork()", _DOUBLES)
        assert good.accepted and bad.outcome == "forbidden"
        assert {"limits", "audit"} <= good.isolation.layers
        assert ("pid" in good.isolation.layers) <= (level == "full")
        assert sandbox.run("while True: pass", _DOUBLES, limits=_QUICK).outcome == "time_limit"
        assert sandbox.run("print(open('/etc/passwd').read())", _DOUBLES).outcome == "forbidden"
        assert sandbox.run("import csv, socket\nsocket.socket()", _DOUBLES).outcome in ("forbidden", "runtime_error")
        assert sandbox.run("open('x', 'w').write('1')\nprint(42)", _DOUBLES[:1]).accepted
        assert sandbox.run("import os\nprint(os.listdir('.'))", [StdinTest("", "[]")]).accepted


def test_strict_refuses_what_the_machine_cannot_give(monkeypatch: pytest.MonkeyPatch) -> None:
    from tasks.code import sandbox as module

    monkeypatch.setitem(module.LEVELS, "full", module.LEVELS["full"] | {"moat"})  # type: ignore[index]
    with pytest.raises(SandboxError, match="lacks moat") as error:
        Sandbox("full", strict=True).run("print(42)", _DOUBLES)
    assert "\n" not in str(error.value)
    with Sandbox("full", strict=False) as sandbox:
        assert "moat" not in sandbox.run("print(42)", _DOUBLES).isolation.layers


@pytest.mark.parametrize(
    "call",
    [
        lambda: Sandbox("castle"),  # type: ignore[arg-type]
        lambda: Sandbox(workers=0),
        lambda: Limits(seconds=0),
        lambda: Sandbox().run("print(1)", ()),
        lambda: Sandbox().run("print(1)", _DOUBLES, "f"),
        lambda: Sandbox().run("print(1)", _CALLS),
    ],
)
def test_settings_that_cannot_work_are_one_line_errors(call: object) -> None:
    with pytest.raises(ConfigurationError) as error:
        call()  # type: ignore[operator]
    assert "\n" not in str(error.value)


def test_a_broken_server_is_replaced(sandbox: Sandbox) -> None:
    assert sandbox.run("print(42)", _DOUBLES[:1]).accepted
    server = sandbox._idle.queue[-1]
    server._process.kill()
    server._process.wait()
    with pytest.raises(SandboxError, match="ended"):
        sandbox.run("print(42)", _DOUBLES[:1])
    assert sandbox.run("print(42)", _DOUBLES[:1]).accepted


def test_copies_and_pickles_start_servers_of_their_own(sandbox: Sandbox) -> None:
    sandbox.run("print(42)", _DOUBLES[:1])
    for other in (copy.deepcopy(sandbox), pickle.loads(pickle.dumps(sandbox))):
        with other:
            assert other.run("print(42)", _DOUBLES[:1]).accepted
            assert other._all[0] is not sandbox._all[0]
    isolation = Isolation(frozenset({"limits"}), {"pid": "no"})
    assert pickle.loads(pickle.dumps(isolation)) == isolation
