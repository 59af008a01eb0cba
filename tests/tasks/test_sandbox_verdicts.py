"""The sandbox's verdicts on honest programs, its rules of comparison, and its levels."""

import copy
import pickle
from pathlib import Path

import pytest

from tasks.code.comparison import same_output
from tasks.code.confined.values import NotPlainError, decode, dumps, encode, loads
from tasks.code.sandbox import Sandbox
from tasks.code.verdict import CallTest, Isolation, Job, Limits, SandboxError, StdinTest
from tasks.errors import ConfigurationError
from tests.tasks.code_rows import every_level

ROOT = Path(__file__).parents[2]
_DOUBLES = (StdinTest("21\n", "42\n"), StdinTest("5\n", "10\n"))
_CALLS = (CallTest((21,), 42), CallTest((5,), 10))
_QUICK = Limits(seconds=0.4)
_SWALLOWING = """
n = int(input())
while n < 9:
    try:
        while True: pass
    except BaseException: pass
print(2 * n)
"""


@pytest.mark.parametrize(
    ("source", "outcome", "test"),
    [
        ("print(int(input()) * 2)", "accepted", None),
        ("import os\nprint(int(input()) * 2, flush=True)\nos._exit(0)", "accepted", None),
        ("import threading as h\nt = h.Thread(target=lambda: print(42))\nt.start()\nt.join()", "wrong_answer", 1),
        ("open('x', 'w').write(input())\nprint(int(open('x').read()) * 2)", "accepted", None),
        ("import tempfile as t\nwith t.TemporaryFile() as f: f.write(b'')\nprint(int(input()) * 2)", "accepted", None),
        ("import xml.dom.minidom, csv, uuid\nprint(int(input()) * 2)", "accepted", None),
        ("n = int(input())\nprint(n * 2 if n > 9 else 0)", "wrong_answer", 1),
        ("print(0)", "wrong_answer", 0),
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


def test_a_scalar_is_no_list_but_a_tuple_is(sandbox: Sandbox) -> None:
    assert sandbox.run("def f(x): return 1", [CallTest((0,), [1, 2])], "f").outcome == "wrong_answer"
    assert sandbox.run("def f(x): return (1, (2, 3))", [CallTest((0,), [1, [2, 3]])], "f").accepted
    assert sandbox.run("def f(x): return [x, x]", [CallTest((1 << 200,), (1 << 200, 1 << 200))], "f").accepted


@pytest.mark.parametrize(
    ("expected", "output", "exact", "rounded"),
    [
        ("0.3333333", "0.3333333333", False, True),
        ("1.5 7", "1.500001 8", False, False),
        ("0.5 2.5", "0.5 2.50001", False, True),
        ("0.5 2.5", "0.5 2.501", False, False),
        ("10000000 0.5", "10000001 0.5", False, False),
        ("3", "3.1", False, False),
        ("50000000000000000", "50000000000000001", False, False),
        ("1000", "1e3", True, True),
        ("1.5", "1.50", True, True),
        ("1", "1.0", True, True),
        ("7", "7.", True, True),
        ("7", "+7", True, True),
        ("0", "-0", True, True),
        ("7 -1", "007 -01", True, True),
        ("1_000", "1000", True, True),
        ("inf", "Infinity", True, True),
        ("1e999", "5", False, False),
        ("nan", "NaN", False, False),
        ("nan", "nan ", True, True),
        ("7", "0x7", False, False),
        ("7", "--7", False, False),
        ("7", "[7]", False, False),
        ("1 2", "1\t2", True, True),
        ("1 2", "1  2   ", True, True),
        ("1 2", "2 1", False, False),
        ("7 8", "7 8 9", False, False),
        ("7 8", "78", False, False),
        ("7 8", "7,8", False, False),
        ("1 2", "1\n2", False, False),
        ("a\nb", "a b", False, False),
        ("a b", "  a b ", True, True),
        ("a b", "a  b", False, False),
        ("Yes", "YES", False, False),
        ("case 7", "case 07", False, False),
        ("3", "", False, False),
        ("", "3", False, False),
        ("a", "a\n\n\n", True, True),
        ("a\n", "\n\na", True, True),
        ("1\n\n2", "1\n2", False, True),
        ("1\n2", "1\n\n2", False, True),
    ],
)
def test_outputs_compared(expected: str, output: str, exact: bool, rounded: bool) -> None:
    assert (same_output(expected, output, True), same_output(expected, output, False)) == (exact, rounded)


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


@every_level
def test_every_level_judges_alike_and_says_what_it_is(sandbox: Sandbox) -> None:
    good, bad = sandbox.run("print(int(input()) * 2)", _DOUBLES), sandbox.run("import os\nos.fork()", _DOUBLES)
    assert good.accepted and bad.outcome == "forbidden"
    assert {"limits", "audit"} <= good.isolation.layers
    assert ("pid" in good.isolation.layers) <= (sandbox.level == "full")
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
