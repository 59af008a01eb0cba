"""The small programs of ProceduralCodeTask: thirteen skills, three subskills each, with tests made by construction.

A question asks for the body of a function ``f(x)``, or for a program that reads and prints; what it should do is said
twice and independently: as a Python function, which makes the tests' expected values, and as the text of a short
program. The shipped student reads 128 tokens and writes 32, so texts are short. Every subskill has several hundred
distinct questions: a smaller space is split so thinly by the hash of its texts that what looks like skill is memory.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from tasks.code.verdict import CallTest, StdinTest

Values = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Form:
    """One subskill.

    Args:
        question: What is asked, with places for the values.
        program: A short program that answers it, with the same places; of a function the expression that it returns.
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


def _one(rng: Random) -> Values:
    return (rng.randrange(2, 1000),)


def _two(rng: Random) -> Values:
    first = rng.randrange(2, 100)
    second = first
    while second == first:
        second = rng.randrange(2, 100)
    return first, second


def _rising(rng: Random) -> Values:
    first, second = sorted(_two(rng))
    return first, second + 2  # never so close that there is nothing in between


def _signed(rng: Random) -> Values:
    return (rng.randrange(-500, 500),)


def _numbers(values: Values, rng: Random) -> list[int]:
    """Numbers around every value, where a comparison or a constant that is off by one shows."""
    near = [value + step for value in values if isinstance(value, int) for step in (-1, 0, 1)]
    return sorted({0, 1, -7, *near, -near[1], rng.randrange(1000, 3000)})


def _counts(values: Values, rng: Random) -> list[int]:
    return [0, 1, 2, 3, 7]


def _lists(values: Values, rng: Random) -> list[list[int]]:
    """Lists with a value and without its neighbours, the other way round, and with all of them."""
    value = values[0]
    near = [value + 1, value - 1]
    return [[], [value], near, [*near, value, 0, -3, value, 10 * value], [rng.randrange(-999, 1000) for _ in range(4)]]


def _long_lists(values: Values, rng: Random) -> list[list[int]]:
    return [[], [3, 1, 2], [rng.randrange(1000) for _ in range(values[-1] - 1)], rng.sample(range(1000), 110)]


def _numbers_near(values: Values, rng: Random) -> list[int]:
    return [values[0] + step for step in (-2, -1, 0, 1, 5)]


def _texts(values: Values, rng: Random) -> list[str]:
    return ["", "xyz", str(values[0]), "two words", "The end."]


def _word_lists(values: Values, rng: Random) -> list[list[str]]:
    return [[], ["one"], ["one", "two"], ["a", "", "b c", str(values[0])]]


def _dictionaries(values: Values, rng: Random) -> list[dict[int, int]]:
    key = values[0]
    return [{}, {key: 5}, {key: -1, key + 1: 7}, {key + 1: 3, 0: 2}, {0: key, 1: 1}]


def _with_key(values: Values, rng: Random) -> list[dict[int, int]]:
    key = values[0]
    return [{key: 5}, {key: -1, key + 1: 7, key - 1: 9}, {0: 2, key: 0}]


def _lines(values: Values, rng: Random) -> list[str]:
    return ["ab", "x", "two words", str(values[-1])]


def _count_up(values: Values, x: int) -> list[int]:
    numbers: list[int] = []
    while values[0] <= x:
        numbers.insert(0, x)
        x -= 1
    return numbers


def _count(values: Values, x: list[int]) -> int:
    return sum(item == values[0] for item in x)


SKILLS: Mapping[str, Mapping[str, Form]] = {
    "arithmetic": {
        "add": Form("Add {} to x.", "x+{}", lambda v, x: x + v[0], _numbers, _one),
        "subtract": Form("Take {} from x.", "x-{}", lambda v, x: x - v[0], _numbers, _one),
        "linear": Form("{} times x, plus {}.", "{}*x+{}", lambda v, x: v[0] * x + v[1], _numbers, _two),
    },
    "division": {
        "remainder": Form("The remainder of x by {}.", "x%{}", lambda v, x: x % v[0], _numbers, _one),
        "quotient": Form("How many whole {} are in x?", "x//{}", lambda v, x: x // v[0], _numbers, _one),
        "divides": Form("Does {} divide x?", "x%{}==0", lambda v, x: x // v[0] * v[0] == x, _numbers, _one),
    },
    "conditionals": {
        "at_least": Form("x, but at least {}.", "max(x,{})", lambda v, x: sorted((x, v[0]))[1], _numbers, _one),
        "at_most": Form("x, but at most {}.", "min(x,{})", lambda v, x: sorted((x, v[0]))[0], _numbers, _one),
        "choice": Form("{} if x is zero, else {}.", "{1} if x else {0}", lambda v, x: v[x != 0], _numbers, _two),
    },
    "predicates": {
        "above": Form("Is x above {}?", "x>{}", lambda v, x: x > v[0], _numbers, _one),
        "between": Form("Is x between {} and {}?", "{}<x<{}", lambda v, x: v[0] < x < v[1], _numbers, _rising),
        "either": Form("Is x one of {} and {}?", "x in({},{})", lambda v, x: x in v, _numbers, _two),
    },
    "loops": {
        "count_up": Form("All numbers from {} to x.", "[*range({},x+1)]", _count_up, _numbers_near, _signed),
        "add_to_each": Form(
            "Add {} to each of x.", "[i+{} for i in x]", lambda v, x: [i + v[0] for i in x], _lists, _one
        ),
        "power": Form("x times itself, plus {}.", "x*x+{}", lambda v, x: x**2 + v[0], _numbers, _one),
    },
    "lists": {
        "append": Form("List x with {} after it.", "x+[{}]", lambda v, x: [*x, v[0]], _lists, _one),
        "prepend": Form("List x with {} before it.", "[{}]+x", lambda v, x: [v[0], *x], _lists, _one),
        "slice": Form("Items {} to {} of x.", "x[{}:{}]", lambda v, x: x[v[0] : v[1]], _long_lists, _rising),
    },
    "filtering": {
        "count": Form("How often is {} in x?", "x.count({})", _count, _lists, _one),
        "keep_above": Form(
            "Which of x are above {}?", "[i for i in x if i>{}]", lambda v, x: [i for i in x if i > v[0]], _lists, _one
        ),
        "present": Form("Is {} in list x?", "{} in x", lambda v, x: _count(v, x) > 0, _lists, _one),
    },
    "strings": {
        "suffix": Form("Word x followed by {}.", "x+'{}'", lambda v, x: f"{x}{v[0]}", _texts, _one),
        "prefix": Form("Word x after {}.", "'{}'+x", lambda v, x: f"{v[0]}{x}", _texts, _one),
        "join": Form("Join x with {}.", "'{}'.join(x)", lambda v, x: f"{v[0]}".join(x), _word_lists, _one),
    },
    "dictionaries": {
        "look_up": Form("What has x at {}?", "x[{}]", lambda v, x: dict(x)[v[0]], _with_key, _one),
        "default": Form(
            "Get {} of x, else {}.", "x.get({},{})", lambda v, x: x[v[0]] if v[0] in x else v[1], _dictionaries, _two
        ),
        "has_key": Form("Is {} a key of x?", "{} in x", lambda v, x: v[0] in set(x), _dictionaries, _one),
    },
    "sorting": {
        "insert": Form("Sort x and {}.", "sorted(x+[{}])", lambda v, x: sorted([v[0], *x]), _lists, _one),
        "smallest": Form(
            "Sort x, items {} to {}.", "sorted(x)[{}:{}]", lambda v, x: sorted(x)[v[0] : v[1]], _long_lists, _rising
        ),
        "sorted_then": Form("Sort x, then {}.", "sorted(x)+[{}]", lambda v, x: [*sorted(x), v[0]], _lists, _one),
    },
    "recursion": {
        "from_zero": Form("f(0) = 0, f(x) = f(x-1) + {}", "x and f(x-1)+{}", lambda v, x: v[0] * x, _counts, _one),
        "sum": Form(
            "f(0) = {}, f(x) = f(x-1) + {}", "f(x-1)+{1} if x else {0}", lambda v, x: v[0] + v[1] * x, _counts, _two
        ),
        "product": Form(
            "f(0) = {}, f(x) = f(x-1) * {}", "f(x-1)*{1} if x else {0}", lambda v, x: v[0] * v[1] ** x, _counts, _two
        ),
    },
    "input_output": {
        "add": Form(
            "Read a number, print it plus {}.", "print(int(input())+{})", lambda v, x: x + v[0], _numbers, _one
        ),
        "echo": Form("Read a line, print it and {}.", "print(input(),{})", lambda v, x: f"{x} {v[0]}", _lines, _one),
        "before": Form("Read a line, print {} and it.", "print({},input())", lambda v, x: f"{v[0]} {x}", _lines, _one),
    },
    "tuples": {
        "pair": Form("The pair of x and {}.", "x,{}", lambda v, x: (x, v[0]), _numbers, _one),
        "swapped": Form("The pair of {} and x.", "{},x", lambda v, x: (v[0], x), _numbers, _one),
        "triple": Form("The triple of {}, x and {}.", "{},x,{}", lambda v, x: (v[0], x, v[1]), _numbers, _two),
    },
}
