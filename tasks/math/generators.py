"""The questions of elementary mathematics: eighteen skills, three subskills each.

Subskills of one skill differ by notation or phrasing, by range, or by length. Each has at least several hundred
distinct questions, because a smaller space is split so thinly by the hash of its texts that what looks like skill
would be memory. Skills ask for what a model of a million parameters can learn: copying, selecting, comparing digits
and changing notation; ``addition`` with its carries is there as the hard one.
"""

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any

Generator = Callable[[Random], tuple[str, str]]

_ONES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
_ONES += ["thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"]
_TENS = ["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_PLACES = ["ones", "tens", "hundreds", "thousands", "ten thousands"]
_ORDINALS = ["first", "second", "third", "fourth", "fifth"]


def number_in_words(number: int) -> str:
    """A whole number below ten thousand in English words, without "and" or hyphens."""
    if number < 20:
        return _ONES[number]
    if number < 100:
        tens, ones = divmod(number, 10)
        return _TENS[tens] + (f" {_ONES[ones]}" if ones else "")
    unit, name = (1000, "thousand") if number >= 1000 else (100, "hundred")
    head, tail = divmod(number, unit)
    return f"{_ONES[head]} {name}" + (f" {number_in_words(tail)}" if tail else "")


_POWERS = {10: "ten", 100: "a hundred", 1000: "a thousand"}

# Whole numbers of so many digits.
_TWO, _THREE, _FOUR, _FIVE = (range(10 ** (digits - 1), 10**digits) for digits in (2, 3, 4, 5))
_DOLLARS, _CENTS = range(1, 100), range(100)


def _ask(make: Callable[..., tuple[str, object]], *draws: Sequence[Any] | Callable[[Random], int]) -> Generator:
    """A question and its answer, which ``make`` gives for one value of each of the draws."""

    def generate(rng: Random) -> tuple[str, str]:
        question, answer = make(*(draw(rng) if callable(draw) else rng.choice(draw) for draw in draws))
        return question, str(answer)

    return generate


def _two_or_three(rng: Random) -> int:
    return rng.choice(rng.choice((_TWO, _THREE)))


def _join(numbers: Sequence[int], separator: str = ", ") -> str:
    return separator.join(map(str, numbers))


def _expanded(number: int) -> list[int]:
    """The non-zero place values of a number, largest first: 405 gives [400, 5]."""
    text = str(number)
    return [int(digit) * 10 ** (len(text) - 1 - i) for i, digit in enumerate(text) if digit != "0"]


def _place(numbers: range, places: int) -> Generator:
    return _ask(
        lambda number, place: (f"What is the {_PLACES[place]} digit of {number}?", str(number)[-1 - place]),
        numbers,
        range(places),
    )


def _of(numbers: range, question: str, answer: Callable[[int], object]) -> Generator:
    return _ask(lambda number: (question.format(number), answer(number)), numbers)


def _parity(number: int) -> str:
    return "odd" if number % 2 else "even"


def _reverse(heads: range, question: str) -> Generator:
    # No zero at the end: reversed it would lead, and "021" is a string but not a number.
    return _ask(lambda head, last: (question.format(f"{head}{last}"), f"{head}{last}"[::-1]), heads, range(1, 10))


def _expanded_to_number(question: str, shuffled: bool = False) -> Generator:
    def make(rng: Random) -> tuple[str, str]:
        number = rng.choice(_FOUR)
        parts = _expanded(number)
        if shuffled:
            rng.shuffle(parts)
        return question.format(_join(parts, " + ")), str(number)

    return make


def _sort(length: int, question: str, descending: bool = False) -> Generator:
    return _ask(
        lambda *digits: (question.format(_join(digits)), _join(sorted(digits, reverse=descending))),
        *[range(10)] * length,
    )


def _round(heads: range, unit: int, question: str) -> Generator:
    def make(head: int, tail: int, rest: int = 0) -> tuple[str, int]:
        # Only values that round down or up without a carry into the next digit: carrying is another skill.
        head -= head % 10 == 9
        number = (head * 10 + tail) * (unit // 10) + rest
        return question.format(number), (number + unit // 2) // unit * unit

    return _ask(make, heads, range(10), *([range(unit // 10)] if unit > 10 else []))


def _compare(question: str, chosen: Callable[[int, int], int]) -> Generator:
    def make(rng: Random) -> tuple[str, str]:
        left = right = rng.choice(_THREE)
        while left == right:
            right = rng.choice(_THREE)
        return question.format(left, right), str(chosen(left, right))

    return make


def _compare_sign(rng: Random) -> tuple[str, str]:
    left = rng.choice(_TWO)
    right = left if rng.random() < 0.2 else rng.choice(_TWO)
    return f"Put <, > or = between {left} and {right}.", "<" if left < right else ">" if left > right else "="


def _sequence(step: int, terms: range, question: str) -> Generator:
    def make(rng: Random) -> tuple[str, str]:
        # The fourth term keeps the number of digits, so that only one digit moves.
        start = rng.choice(terms)
        while start + 3 * step not in terms:
            start = rng.choice(terms)
        return question.format(_join([start + i * step for i in range(3)])), str(start + 3 * step)

    return make


def _add(numbers: range, carry: bool, question: str) -> Generator:
    def make(rng: Random) -> tuple[str, str]:
        while True:
            left, right = rng.choice(numbers), rng.choice(numbers)
            carries = any(int(a) + int(b) > 9 for a, b in zip(str(left), str(right), strict=True))
            if carries == carry:
                return question.format(left, right), str(left + right)

    return make


def _named_places(number: int) -> str:
    digits = str(number)
    return ", ".join(f"{digit} {place}" for digit, place in zip(digits, _PLACES[len(digits) - 1 :: -1], strict=True))


SKILLS: Mapping[str, Mapping[str, Generator]] = {
    "place_value": {
        "three_digits": _place(_THREE, 3),
        "five_digits": _place(_FIVE, 5),
        "from_the_left": _ask(
            lambda n, place: (f"In {n}, which digit comes {_ORDINALS[place]} from the left?", str(n)[place]),
            _FIVE,
            range(5),
        ),
    },
    "parity": {
        "even_or_odd": _of(_THREE, "Is {} even or odd?", _parity),
        "long_number": _of(_FIVE, "Is {} even or odd?", _parity),
        "last_digit": _of(_FOUR, "What remains when {} is divided by 10?", lambda n: n % 10),
    },
    "powers_of_ten": {
        "multiply": _ask(lambda n, power: (f"{n} * {power} =", n * power), _two_or_three, list(_POWERS)),
        "divide": _ask(lambda n, power: (f"{n * power} / {power} =", n), _two_or_three, list(_POWERS)),
        "in_words": _ask(lambda n, power: (f"Multiply {n} by {_POWERS[power]}.", n * power), _THREE, list(_POWERS)),
    },
    "neighbours": {
        "after": _of(_THREE, "Which number comes after {}?", lambda n: n + 1),
        "before": _of(_THREE, "Which number comes before {}?", lambda n: n - 1),
        "one_hundred_more": _of(_FOUR, "What is 100 more than {}?", lambda n: n + 100),
    },
    "reversal": {
        "three_digits": _reverse(_TWO, "Reverse the digits of {}."),
        "four_digits": _reverse(_THREE, "Reverse the digits of {}."),
        "backwards": _reverse(_THREE, "Read {} backwards."),
    },
    "number_words": {
        "to_digits": _ask(lambda n: (f"Write {number_in_words(n)} in digits.", n), _THREE),
        "thousands": _ask(lambda n: (f"Write {number_in_words(n)} in digits.", n), _FOUR),
        "to_words": _of(_THREE, "Write {} in words.", number_in_words),
    },
    "expanded_form": {
        "to_number": _expanded_to_number("{} ="),
        "shuffled": _expanded_to_number("{} =", shuffled=True),
        "from_number": _of(_FOUR, "Write {} in expanded form.", lambda n: _join(_expanded(n), " + ")),
    },
    "addition": {
        "without_carry": _add(_TWO, False, "{} + {} ="),
        "with_carry": _add(_TWO, True, "{} + {} ="),
        "three_digits": _add(_THREE, False, "Find the sum of {} and {}."),
    },
    "sorting": {
        "three": _sort(3, "Sort {} from small to large."),
        "four": _sort(4, "Sort {} from small to large."),
        "descending": _sort(3, "Put {} in falling order.", descending=True),
    },
    "rounding": {
        "nearest_ten": _round(_TWO, 10, "Round {} to the nearest ten."),
        "four_digits": _round(_THREE, 10, "Round {} to the nearest ten."),
        "nearest_hundred": _round(_TWO, 100, "Give {} to the closest hundred."),
    },
    "comparison": {
        "larger": _compare("Which is larger, {} or {}?", max),
        "smaller": _compare("Pick the lesser of {} and {}.", min),
        "sign": _compare_sign,
    },
    "money": {
        "dollars_to_cents": _ask(
            lambda dollars, cents: (f"How many cents are ${dollars}.{cents:02d}?", 100 * dollars + cents),
            _DOLLARS,
            _CENTS,
        ),
        "cents_to_dollars": _ask(
            lambda dollars, cents: (f"Write {100 * dollars + cents} cents in dollars.", f"${dollars}.{cents:02d}"),
            _DOLLARS,
            _CENTS,
        ),
        "spoken_price": _ask(
            lambda dollars, cents: (
                f"Write as a price: {dollars} dollars and {cents} cents.",
                f"${dollars}.{cents:02d}",
            ),
            _DOLLARS,
            _CENTS,
        ),
    },
    "units": {
        "metres_to_centimetres": _ask(lambda m, cm: (f"{m} m {cm} cm = ? cm", 100 * m + cm), range(1, 60), range(100)),
        "kilograms_to_grams": _ask(lambda kg: (f"How many grams are {kg} kg?", 1000 * kg), _two_or_three),
        "millimetres_to_centimetres": _ask(
            lambda cm, mm: (f"Change {10 * cm + mm} mm to cm.", f"{cm}.{mm}"), range(1, 100), range(10)
        ),
    },
    "percent": {
        "from_decimal": _ask(
            lambda whole, rest: (f"Write {whole}.{rest:02d} as a percent.", f"{100 * whole + rest}%"),
            range(10),
            range(1, 100),
        ),
        "to_decimal": _of(range(101, 1000), "Write {}% as a decimal.", lambda n: f"{n // 100}.{n % 100:02d}"),
        "out_of_hundred": _ask(
            lambda n, times, thing: (f"{n * times} of {100 * times} {thing} is what percent?", f"{n}%"),
            range(1, 100),
            (1, 10),
            ("pupils", "apples", "books", "birds", "cars", "games"),
        ),
    },
    "decimals": {
        "hundredths": _of(range(101, 1000), "{} hundredths as a decimal:", lambda n: f"{n // 100}.{n % 100:02d}"),
        "mixed_tenths": _ask(
            lambda whole, tenths: (f"{whole} and {tenths} tenths as a decimal:", f"{whole}.{tenths}"),
            range(1, 100),
            range(2, 10),
        ),
        "from_fraction": _of(_THREE, "Write {}/10 as a decimal.", lambda n: f"{n // 10}.{n % 10}"),
    },
    "clock": {
        "minutes_past": _ask(
            lambda hour, minute: (f"Show {minute} minutes past {hour} on a digital clock.", f"{hour}:{minute:02d}"),
            range(1, 13),
            range(1, 60),
        ),
        "in_words": _ask(
            lambda hour, minute: (
                f"The clock says {number_in_words(hour)} {number_in_words(minute)}. Write it.",
                f"{hour}:{minute:02d}",
            ),
            range(1, 13),
            range(10, 60),
        ),
        "afternoon": _ask(
            lambda hour, minute: (f"Write {hour}:{minute:02d} pm in 24 hour time.", f"{hour + 12}:{minute:02d}"),
            range(1, 12),
            range(60),
        ),
    },
    "sequences": {
        "by_ten": _sequence(10, _THREE, "What comes next: {}?"),
        "by_hundred": _sequence(100, _FOUR, "Continue: {},"),
        "down_by_ten": _sequence(-10, _THREE, "Count on: {},"),
    },
    "composition": {
        "hundreds": _ask(lambda n: (f"Which number has {_named_places(n)}?", n), _THREE),
        "thousands": _ask(lambda n: (f"Build a number from {_named_places(n)}.", n), _FOUR),
        "largest_digit": _of(_FOUR, "What is the largest digit in {}?", lambda n: max(str(n))),
    },
}
