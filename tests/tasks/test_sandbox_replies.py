"""Whatever a function answers is a verdict on it: nothing that it returns, raises or forges passes, stalls, raises."""

import resource
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from tasks.code.comparison import excerpt, one_line, same_data, same_output
from tasks.code.confined.values import NotPlainError, dumps, encode, loads_forged
from tasks.code.sandbox import Sandbox
from tasks.code.verdict import CallTest, Limits, StdinTest
from tests.tasks.code_rows import LEVELS

FILES = Path(__file__).parent / "data" / "functions"
PROGRAMS: dict[str, dict[str, str]] = {
    file.stem: yaml.safe_load(file.read_text(encoding="utf-8")) for file in sorted(FILES.glob("*.yaml"))
}
# What a function returns takes the same way to the caller at every level; what it does to its own process does not.
ATTACKS = [
    pytest.param(level, kind, name, id=f"{level}-{name}")
    for level in LEVELS
    for kind in PROGRAMS
    for place, name in enumerate(PROGRAMS[kind])
    if kind != "values" or LEVELS[place % 3] == level
]
_FORGE = "import os\ndef forge(fd, text): os.write(fd, len(text).to_bytes(4, 'big') + text)"
_TESTS = (CallTest((20,), 41), CallTest((1,), 3))
_CHECK = "def check(candidate):\n    assert candidate(20) == 41\n    assert candidate(1) == 3\n"
_LIMITS = Limits(seconds=1.5, memory=256 << 20, output=1 << 20, file=1 << 20)
# Never over, as functions or where they are checked; the others may take what a busy machine needs.
_ENDLESS = {
    *("shared", "list_that_lies", "dictionary_that_lies", "error_that_never_ends", "endless"),
    *("forged_half_and_wait", "answer_links_swapped", "question_taken"),
}
_LONGEST = 20.0  # a busy machine's, for what must not take minutes


@pytest.mark.parametrize(("level", "kind", "name"), ATTACKS)
def test_no_reply_passes_or_ends_a_run(sandboxes: dict[str, Sandbox], level: str, kind: str, name: str) -> None:
    sandbox, source = sandboxes[level], PROGRAMS[kind][name].replace("$FORGE", _FORGE)
    limits, began = replace(_LIMITS, seconds=0.3) if name in _ENDLESS else _LIMITS, time.monotonic()
    for verdict in (sandbox.run(source, _TESTS, "f", limits), sandbox.check(source, _CHECK, "f", limits=limits)):
        assert not verdict.accepted, verdict
        assert verdict.message.isprintable() and len(verdict.message) <= 300
    assert time.monotonic() - began < _LONGEST
    # A check runs its program on the server that runs programs without one.
    assert sandbox.check("def f(x): return 2 * x + 1", _CHECK, "f").accepted, "the next program suffers"


def test_there_are_enough_of_them() -> None:
    assert sum(map(len, PROGRAMS.values())) >= 132


@pytest.mark.parametrize(
    "payload",
    [
        b'{"value":' + b"9" * 2_000_000 + b"}",
        b'{"value":[1,-' + b"9" * 10_000 + b"]}",
        b'{"value":' + b"[" * 30_000 + b"]" * 30_000 + b"}",
        b'{"value":' + b'{"t":[' * 30_000 + b"]}" * 30_000 + b"}",
    ],
)
def test_a_caller_without_pythons_own_guards_is_safe_too(payload: bytes) -> None:
    """With digits and recursion unlimited, reading these takes hours or more stack than there is."""
    digits, depth = sys.get_int_max_str_digits(), sys.getrecursionlimit()
    try:
        sys.set_int_max_str_digits(0)
        sys.setrecursionlimit(10**6)
        with pytest.raises(NotPlainError):
            loads_forged(payload)
        texts = '{"value":["' + "[" * 5000 + r"\"[\\" + '"]}'
        assert loads_forged(texts.encode()) == {"value": ["[" * 5000 + '"[\\']}
    finally:
        sys.set_int_max_str_digits(digits)
        sys.setrecursionlimit(depth)


@pytest.mark.parametrize(
    "found",
    [
        "1" * 300_000 + "x",
        "1." * 200_000,
        "0" * 300_000 + "1",
        "1e" + "9" * 300_000,
        "1e999999999",
        "." * 300_000,
        "+" * 300_000 + "1",
        "1_" * 200_000 + "1",
        "sNaN",
        "nan",
        "-inf",
        "١٢٣٤",
        "\ud800",
        " " * 3_000_000 + "2",
        "\n" * 1_000_000 + "2",
        "\x0b\x1c\u2028" * 100_000 + "2",
    ],
)  # fmt: skip
def test_printed_numbers_are_compared_in_linear_time(found: str) -> None:
    for expected in ("1", "1.5", "1e999", "nan", "1e400 2", "1" * 300_000):
        for exact in (True, False):
            began = time.process_time()
            assert not same_output(expected, found, exact) or (expected, found) == ("nan", "nan")
            assert time.process_time() - began < 2.0


def test_values_are_compared_in_linear_time() -> None:
    """Built as a dictionary, 30,000 such keys take 15 seconds; compared by equality, sets of them do as well."""
    keys = [{"i": hex(k * (2**61 - 1) << 1)} for k in range(2, 30_000)]
    began = time.process_time()
    for made in ({"s": keys}, {"d": [[key, 0] for key in keys]}, {"s": [{"t": [key]} for key in keys]}):
        assert not same_data({"s": []}, made)
        assert same_data(made, {next(iter(made)): list(reversed(next(iter(made.values()))))})
    assert time.process_time() - began < 10.0


@pytest.mark.parametrize(
    ("value", "other", "same"),
    [
        (1, True, True),
        (1, 1.0, True),
        (2**80, float(2**80), True),
        (2**80 + 1, float(2**80), False),
        (1, 1 + 0j, True),
        (0.0, -0.0, True),
        (1.5, {"a": 1.5}, False),
        ({1.0: [1]}, {1: (1,)}, True),
        ({(1, 2): 3}, {(1, 2): 3.0}, True),
        ({1, 2.0}, frozenset((2, 1)), True),
        ("1", 1, False),
        (b"a", "a", False),
        (b"a", bytearray(b"a"), True),
        (None, 0, False),
        (None, "none", False),
        ([], {}, False),
        ([], (), True),
        ([1], 1, False),
        ([1, (2,)], ([1, [2]]), True),
        ({"a": 1}, {"a": 1, "b": 2}, False),
        ([[]], [], False),
        (["ab"], ["a", "b"], False),
        ([["a"], "b"], ["a", ["b"]], False),
        ({}, set(), False),
        ({1: 2}, {2: 1}, False),
        (float("inf"), float("-inf"), False),
    ],
)
def test_digests_are_equal_where_values_are(value: object, other: object, same: bool) -> None:
    for left, right in ((value, other), (other, value)):
        assert same_data(encode(left), encode(right)) is same
    assert same_data(encode([value]), encode((value,)))


def test_what_is_shown_is_short_and_plain() -> None:
    for value in (
        [10**5000],
        {(1, 2): {3}},
        "x" * 10**6,
        [[[[]] * 50] * 50],
        1 << 100,
        b"\xff" * 1000,
        [1.5, None, 2j],
    ):
        assert len(excerpt(encode(value))) <= 80
    assert excerpt(encode([1, (2,), {3: "x"}, 1 << 70])) == "[1, (2,), {[3, 'x']}, 1180591620717411303424]"
    for text in (
        "\x1b[2J\x1b]0;x\x07",
        "a\u202eb\u2066c",
        "x\r\ny\x85z\u2028",
        "\ud800",
        "\0" * 10**6,
        "x" * 10**6,
        5,
        None,
    ):
        line = one_line(text)
        assert line.isprintable() and len(line) <= 300
    assert one_line("two\n  words \x1b[31m") == r"two words \x1b[31m"


def test_a_reply_does_not_fill_the_caller(sandboxes: dict[str, Sandbox]) -> None:
    """Empty objects take twenty times the memory of their text; what is longer than allowed is not read."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    source = f"{_FORGE}\nforge(3, b'{{\"value\":[' + b'{{}},' * 2_500_000 + b'{{}}]}}')\ndef f(x): return 0"
    printed = "import sys\nfor _ in range(7): sys.stdout.write('[' * 1_000_000)"
    for sandbox in sandboxes.values():
        assert not sandbox.run(source, _TESTS, "f", Limits(output=1 << 20)).accepted
        assert sandbox.run(printed, [StdinTest("", "42")], limits=Limits(output=4 << 20)).outcome == "output_limit"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 << 10


def test_dumped_numbers_are_never_as_long_as_those_refused() -> None:
    for value in (2**61, -(2**62), 10**4000, [10**5000, {10**5000: 1}]):
        assert same_data(encode(value), loads_forged(dumps(encode(value))))
