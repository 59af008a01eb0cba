"""The small programs of ProceduralCodeTask: thirteen skills, three subskills each, with tests made by construction.

A question asks for a function ``f`` or for a program that reads and prints; what it should do is said twice and
independently: as a Python function, which makes the tests' expected values, and as the text of a short program. Texts
are short because the shipped student reads 128 tokens and writes 32. Every subskill has at least several hundred
distinct questions, since a smaller space is split so thinly by the hash of its texts that what looks like skill would
be memory.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from tasks.code.verdict import CallTest, StdinTest

_LETTERS = "abcdefghijklmnoprstuvw"

Values = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Form:
    """One subskill.

    Args:
        question: What is asked, with places for the values.
        program: The shortest program that answers it, with the same places.
        meaning: What it should do: from the values and the argument (or the line read) to the result.
        inputs: Arguments that tell a right program from one with another value or operator.
        draw: The values of one question.
    """

    question: str
    program: str
    meaning: Callable[[Values, Any], Any]
    inputs: Callable[[Values, Random], Sequence[Any]]
    draw: Callable[[Random], Values]

    @property
    def reads_input(self) -> bool:
        """Whether it is a program that reads and prints, and no function."""
        return "input()" in self.program

    def make(self, rng: Random) -> tuple[str, str, tuple[StdinTest | CallTest, ...]]:
        """One question, its program, and its tests."""
        values = self.draw(rng)
        arguments = self.inputs(values, Random(f"{self.question}/{values}"))
        tests: list[StdinTest | CallTest] = []
        for argument in arguments:
            result = self.meaning(values, argument)
            if self.reads_input:
                tests.append(StdinTest(f"{argument}\n", f"{result}\n"))
            else:
                tests.append(CallTest((argument,), result))
        return self.question.format(*values), self.program.format(*values), tuple(tests)


def _three_digits(rng: Random) -> Values:
    return (rng.randrange(2, 1000),)


def _two_numbers(rng: Random) -> Values:
    first = rng.randrange(2, 100)
    second = first
    while second == first:
        second = rng.randrange(2, 100)
    return first, second


def _rising(rng: Random) -> Values:
    return tuple(sorted(_two_numbers(rng)))


def _two_letters(rng: Random) -> Values:
    return tuple(rng.sample(_LETTERS, 2))


def _letter_and_number(rng: Random) -> Values:
    return rng.choice(_LETTERS), rng.randrange(10, 100)


def _numbers(values: Values, rng: Random) -> list[int]:
    """Numbers around every value, where a comparison or a constant that is off by one shows."""
    near = [value + step for value in values if isinstance(value, int) for step in (-1, 0, 1)]
    return sorted({0, 1, -7, *near, -near[1], rng.randrange(1000, 3000)})


def _counts(values: Values, rng: Random) -> list[int]:
    return [0, 1, 2, 3, 7]


def _lists(values: Values, rng: Random) -> list[list[int]]:
    near = [value + step for value in values if isinstance(value, int) for step in (1, -1, 0)]
    return [[], [5], near, [*near, 0, -3, *near], [rng.randrange(-999, 1000) for _ in range(5)]]


def _long_lists(values: Values, rng: Random) -> list[list[int]]:
    return [[], [3, 1, 2], [rng.randrange(1000) for _ in range(values[-1] - 1)], rng.sample(range(1000), 110)]


def _texts(values: Values, rng: Random) -> list[str]:
    letters = [value for value in values if isinstance(value, str)] or ["q"]
    return ["", "xyz", "".join(letters) * 2, f"q{letters[-1]} {letters[0]}{letters[0]}", "The end."]


def _word_lists(values: Values, rng: Random) -> list[list[str]]:
    return [[], ["one"], ["one", "two"], ["a", "", "b c", *(value for value in values if isinstance(value, str))]]


def _dictionaries(values: Values, rng: Random) -> list[dict[int, int]]:
    key = values[0]
    return [{}, {key: 5}, {key: -1, key + 1: 7}, {key + 1: 3, 0: 2}, {0: key, 1: 1}]


def _with_key(values: Values, rng: Random) -> list[dict[int, int]]:
    key = values[0]
    return [{key: 5}, {key: -1, key + 1: 7, key - 1: 9}, {0: 2, key: 0}]


def _lines(values: Values, rng: Random) -> list[str]:
    return ["ab", "x", "two words", str(values[-1])]


SKILLS: Mapping[str, Mapping[str, Form]] = {
    "arithmetic": {
        "add": Form("f(x) adds {} to x.", "f = lambda x: x + {}", lambda v, x: x + v[0], _numbers, _three_digits),
        "subtract": Form(
            "f(x) takes {} from x.", "f = lambda x: x - {}", lambda v, x: x - v[0], _numbers, _three_digits
        ),
        "linear": Form(
            "f(x) is {} times x plus {}.",
            "f = lambda x: {} * x + {}",
            lambda v, x: v[0] * x + v[1],
            _numbers,
            _two_numbers,
        ),
    },
    "division": {
        "remainder": Form(
            "f(x) is the remainder of x by {}.", "f = lambda x: x % {}", lambda v, x: x % v[0], _numbers, _three_digits
        ),
        "quotient": Form(
            "f(x) divides x by {}, whole part.",
            "f = lambda x: x // {}",
            lambda v, x: x // v[0],
            _numbers,
            _three_digits,
        ),
        "both": Form(
            "f(x) is quotient and remainder by {}.",
            "f = lambda x: divmod(x, {})",
            lambda v, x: (x // v[0], x % v[0]),
            _numbers,
            _three_digits,
        ),
    },
    "conditionals": {
        "at_least": Form(
            "f(x) is x, but at least {}.",
            "f = lambda x: max(x, {})",
            lambda v, x: max(x, v[0]),
            _numbers,
            _three_digits,
        ),
        "at_most": Form(
            "f(x) is x, but at most {}.", "f = lambda x: min(x, {})", lambda v, x: min(x, v[0]), _numbers, _three_digits
        ),
        "choice": Form(
            "f(x) is {} if x is negative, else {}.",
            "f = lambda x: {} if x < 0 else {}",
            lambda v, x: v[0] if x < 0 else v[1],
            _numbers,
            _two_numbers,
        ),
    },
    "predicates": {
        "above": Form(
            "Is x above {}? Write f(x).", "f = lambda x: x > {}", lambda v, x: x > v[0], _numbers, _three_digits
        ),
        "between": Form(
            "Is x from {} to {}? Write f(x).",
            "f = lambda x: {} <= x <= {}",
            lambda v, x: v[0] <= x <= v[1],
            _numbers,
            _rising,
        ),
        "either": Form(
            "Is x {} or {}? Write f(x).", "f = lambda x: x in ({}, {})", lambda v, x: x in v, _numbers, _two_numbers
        ),
    },
    "loops": {
        "add_to_each": Form(
            "f(v) adds {} to each of v.",
            "f = lambda v: [x + {} for x in v]",
            lambda v, x: [item + v[0] for item in x],
            _lists,
            _three_digits,
        ),
        "multiply_each": Form(
            "f(v) has each of v times {}.",
            "f = lambda v: [x * {} for x in v]",
            lambda v, x: [item * v[0] for item in x],
            _lists,
            _three_digits,
        ),
        "count_up": Form(
            "f(x) counts x numbers up from {}.",
            "f = lambda x: [*range({0}, {0} + x)]",
            lambda v, x: [v[0] + i for i in range(x)],
            _counts,
            _three_digits,
        ),
    },
    "lists": {
        "append": Form(
            "f(v) puts {} after v.", "f = lambda v: v + [{}]", lambda v, x: [*x, v[0]], _lists, _three_digits
        ),
        "prepend": Form(
            "f(v) puts {} before v.", "f = lambda v: [{}] + v", lambda v, x: [v[0], *x], _lists, _three_digits
        ),
        "slice": Form(
            "f(v) is v from place {} to {}.",
            "f = lambda v: v[{}:{}]",
            lambda v, x: x[v[0] : v[1]],
            _long_lists,
            _rising,
        ),
    },
    "filtering": {
        "keep_above": Form(
            "f(v) keeps what is above {}.",
            "f = lambda v: [x for x in v if x > {}]",
            lambda v, x: [item for item in x if item > v[0]],
            _lists,
            _three_digits,
        ),
        "keep_below": Form(
            "f(v) keeps what is below {}.",
            "f = lambda v: [x for x in v if x < {}]",
            lambda v, x: [item for item in x if item < v[0]],
            _lists,
            _three_digits,
        ),
        "count": Form(
            "How often is {} in v? f(v)", "f = lambda v: v.count({})", lambda v, x: x.count(v[0]), _lists, _three_digits
        ),
    },
    "strings": {
        "replace": Form(
            "f(s) turns {} to {} in s.",
            "f = lambda s: s.replace('{}', '{}')",
            lambda v, x: v[1].join(x.split(v[0])),
            _texts,
            _two_letters,
        ),
        "suffix": Form(
            "f(s) is s followed by {}{}.",
            "f = lambda s: s + '{}{}'",
            lambda v, x: f"{x}{v[0]}{v[1]}",
            _texts,
            _letter_and_number,
        ),
        "join": Form(
            "f(v) joins v by {}{}.",
            "f = lambda v: '{}{}'.join(v)",
            lambda v, x: f"{v[0]}{v[1]}".join(x),
            _word_lists,
            _letter_and_number,
        ),
    },
    "dictionaries": {
        "look_up": Form("f(d) is d at {}.", "f = lambda d: d[{}]", lambda v, x: x[v[0]], _with_key, _three_digits),
        "default": Form(
            "f(d) is d at {}, else {}.",
            "f = lambda d: d.get({}, {})",
            lambda v, x: x.get(v[0], v[1]),
            _dictionaries,
            _two_numbers,
        ),
        "has_key": Form(
            "Has d the key {}? f(d)", "f = lambda d: {} in d", lambda v, x: v[0] in set(x), _dictionaries, _three_digits
        ),
    },
    "sorting": {
        "insert": Form(
            "f(v) sorts v with {} in it.",
            "f = lambda v: sorted(v + [{}])",
            lambda v, x: sorted([*x, v[0]]),
            _lists,
            _three_digits,
        ),
        "middle": Form(
            "Sort v, keep {} to {}. f(v)",
            "f = lambda v: sorted(v)[{}:{}]",
            lambda v, x: sorted(x)[v[0] : v[1]],
            _long_lists,
            _rising,
        ),
        "falling": Form(
            "f(v) is v in falling order and {}.",
            "f = lambda v: sorted(v)[::-1] + [{}]",
            lambda v, x: [*sorted(x, reverse=True), v[0]],
            _lists,
            _three_digits,
        ),
    },
    "recursion": {
        "sum": Form(
            "f(0) is {}, f(x) is f(x - 1) plus {}.",
            "f = lambda x: f(x-1) + {1} if x else {0}",
            lambda v, x: v[0] + v[1] * x,
            _counts,
            _two_numbers,
        ),
        "product": Form(
            "f(0) is {}, f(x) is f(x - 1) times {}.",
            "f = lambda x: f(x-1) * {1} if x else {0}",
            lambda v, x: v[0] * v[1] ** x,
            _counts,
            _two_numbers,
        ),
        "from_zero": Form(
            "f(0) is 0, f(x) is f(x - 1) plus {}.",
            "f = lambda x: x and f(x-1) + {}",
            lambda v, x: v[0] * x,
            _counts,
            _three_digits,
        ),
    },
    "input_output": {
        "add": Form(
            "Read a number, print it plus {}.",
            "print(int(input()) + {})",
            lambda v, x: x + v[0],
            _numbers,
            _three_digits,
        ),
        "echo": Form(
            "Read a line, print it and {}.", "print(input(), {})", lambda v, x: f"{x} {v[0]}", _lines, _three_digits
        ),
        "larger": Form(
            "Read a number, print it or {} if larger.",
            "print(max(int(input()), {}))",
            lambda v, x: max(x, v[0]),
            _numbers,
            _three_digits,
        ),
    },
    "tuples": {
        "pair": Form(
            "f(x) is the pair of x and {}.", "f = lambda x: (x, {})", lambda v, x: (x, v[0]), _numbers, _three_digits
        ),
        "swap": Form(
            "f(x) is the pair of {} and x.", "f = lambda x: ({}, x)", lambda v, x: (v[0], x), _numbers, _three_digits
        ),
        "triple": Form(
            "f(x) is {}, x and {} as a tuple.",
            "f = lambda x: ({}, x, {})",
            lambda v, x: (v[0], x, v[1]),
            _numbers,
            _two_numbers,
        ),
    },
}
