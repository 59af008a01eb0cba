"""The questions of elementary mathematics: eighteen skills, three subskills each.

Subskills of one skill differ by notation or phrasing, by range, or by length. Each has at least several hundred
distinct questions, because a smaller space is split so thinly by the hash of its texts that what looks like skill
would be memory. Skills ask for what a model of a million parameters can learn: copying, selecting, comparing digits
and changing notation; ``addition`` with its carries is there as the hard one.
"""

from collections.abc import Callable, Mapping
from random import Random

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


def _number(rng: Random, digits: int) -> int:
    return rng.randrange(10 ** (digits - 1), 10**digits)


def _digits(rng: Random, length: int) -> list[int]:
    return [rng.randrange(10) for _ in range(length)]


def _join(numbers: list[int], separator: str = ", ") -> str:
    return separator.join(str(number) for number in numbers)


def _expanded(number: int) -> list[int]:
    """The non-zero place values of a number, largest first: 405 gives [400, 5]."""
    text = str(number)
    return [int(digit) * 10 ** (len(text) - 1 - i) for i, digit in enumerate(text) if digit != "0"]


def _place(digits: int) -> Generator:
    def make(rng: Random) -> tuple[str, str]:
        text, place = str(_number(rng, digits)), rng.randrange(digits)
        return f"What is the {_PLACES[place]} digit of {text}?", text[-1 - place]

    return make


def _place_from_left(rng: Random) -> tuple[str, str]:
    text, place = str(_number(rng, 5)), rng.randrange(5)
    return f"In {text}, which digit comes {_ORDINALS[place]} from the left?", text[place]


def _parity(digits: int, question: str) -> Generator:
    def make(rng: Random) -> tuple[str, str]:
        number = _number(rng, digits)
        return question.format(number), "odd" if number % 2 else "even"

    return make


def _remainder_by_ten(rng: Random) -> tuple[str, str]:
    number = _number(rng, 4)
    return f"What remains when {number} is divided by 10?", str(number % 10)


def _times_power(rng: Random) -> tuple[str, str]:
    number, power = _number(rng, rng.choice([2, 3])), 10 ** rng.randrange(1, 4)
    return f"{number} * {power} =", str(number * power)


def _over_power(rng: Random) -> tuple[str, str]:
    number, power = _number(rng, rng.choice([2, 3])), 10 ** rng.randrange(1, 4)
    return f"{number * power} / {power} =", str(number)


def _power_in_words(rng: Random) -> tuple[str, str]:
    number, power = _number(rng, 3), rng.randrange(1, 4)
    return f"Multiply {number} by {('ten', 'a hundred', 'a thousand')[power - 1]}.", str(number * 10**power)


def _neighbour(digits: int, offset: int, question: str) -> Generator:
    def make(rng: Random) -> tuple[str, str]:
        number = _number(rng, digits)
        return question.format(number), str(number + offset)

    return make


def _reverse(digits: int, question: str) -> Generator:
    def make(rng: Random) -> tuple[str, str]:
        # No zero at the end: reversed it would lead, and "021" is a string but not a number.
        text = str(_number(rng, digits - 1)) + str(rng.randrange(1, 10))
        return question.format(text), text[::-1]

    return make


def _words_to_digits(low: int, high: int, question: str) -> Generator:
    def make(rng: Random) -> tuple[str, str]:
        number = rng.randrange(low, high)
        return question.format(number_in_words(number)), str(number)

    return make


def _digits_to_words(rng: Random) -> tuple[str, str]:
    number = rng.randrange(100, 1000)
    return f"Write {number} in words.", number_in_words(number)


def _expanded_to_number(digits: int, question: str, shuffled: bool = False) -> Generator:
    def make(rng: Random) -> tuple[str, str]:
        number = _number(rng, digits)
        parts = _expanded(number)
        if shuffled:
            rng.shuffle(parts)
        return question.format(_join(parts, " + ")), str(number)

    return make


def _number_to_expanded(rng: Random) -> tuple[str, str]:
    number = _number(rng, 4)
    return f"Write {number} in expanded form.", _join(_expanded(number), " + ")


def _sort(length: int, question: str, descending: bool = False) -> Generator:
    def make(rng: Random) -> tuple[str, str]:
        numbers = _digits(rng, length)
        return question.format(_join(numbers)), _join(sorted(numbers, reverse=descending))

    return make


def _round(digits: int, unit: int, question: str) -> Generator:
    def make(rng: Random) -> tuple[str, str]:
        # Only values that round down or up without a carry into the next digit: carrying is another skill.
        head, tail = rng.randrange(10 ** (digits - 2), 10 ** (digits - 1)), rng.randrange(10)
        head -= head % 10 == 9
        number = (head * 10 + tail) * (unit // 10) + (rng.randrange(unit // 10) if unit > 10 else 0)
        return question.format(number), str((number + unit // 2) // unit * unit)

    return make


def _compare(digits: int, question: str, smaller: bool = False) -> Generator:
    def make(rng: Random) -> tuple[str, str]:
        left = right = _number(rng, digits)
        while left == right:
            right = _number(rng, digits)
        return question.format(left, right), str(min(left, right) if smaller else max(left, right))

    return make


def _compare_sign(rng: Random) -> tuple[str, str]:
    left = _number(rng, 2)
    right = left if rng.random() < 0.2 else _number(rng, 2)
    return f"Put <, > or = between {left} and {right}.", "<" if left < right else ">" if left > right else "="


def _money(rng: Random) -> tuple[int, int]:
    return rng.randrange(1, 100), rng.randrange(100)


def _dollars_to_cents(rng: Random) -> tuple[str, str]:
    dollars, cents = _money(rng)
    return f"How many cents are ${dollars}.{cents:02d}?", str(100 * dollars + cents)


def _cents_to_dollars(rng: Random) -> tuple[str, str]:
    dollars, cents = _money(rng)
    return f"Write {100 * dollars + cents} cents in dollars.", f"${dollars}.{cents:02d}"


def _spoken_money(rng: Random) -> tuple[str, str]:
    dollars, cents = _money(rng)
    return f"Write as a price: {dollars} dollars and {cents} cents.", f"${dollars}.{cents:02d}"


def _metres_to_centimetres(rng: Random) -> tuple[str, str]:
    metres, centimetres = rng.randrange(1, 60), rng.randrange(100)
    return f"{metres} m {centimetres} cm = ? cm", str(100 * metres + centimetres)


def _kilograms_to_grams(rng: Random) -> tuple[str, str]:
    kilograms = _number(rng, rng.choice([2, 3]))
    return f"How many grams are {kilograms} kg?", str(1000 * kilograms)


def _millimetres_to_centimetres(rng: Random) -> tuple[str, str]:
    centimetres, millimetres = rng.randrange(1, 100), rng.randrange(10)
    return f"Change {10 * centimetres + millimetres} mm to cm.", f"{centimetres}.{millimetres}"


def _decimal_to_percent(rng: Random) -> tuple[str, str]:
    whole, hundredths = rng.randrange(0, 10), rng.randrange(1, 100)
    return f"Write {whole}.{hundredths:02d} as a percent.", f"{100 * whole + hundredths}%"


def _percent_to_decimal(rng: Random) -> tuple[str, str]:
    percent = rng.randrange(101, 1000)
    return f"Write {percent}% as a decimal.", f"{percent // 100}.{percent % 100:02d}"


def _out_of_hundred(rng: Random) -> tuple[str, str]:
    percent, times = rng.randrange(1, 100), 10 ** rng.randrange(0, 2)
    thing = rng.choice(["pupils", "apples", "books", "birds", "cars", "games"])
    return f"{percent * times} of {100 * times} {thing} is what percent?", f"{percent}%"


def _hundredths(rng: Random) -> tuple[str, str]:
    number = rng.randrange(101, 1000)
    return f"{number} hundredths as a decimal:", f"{number // 100}.{number % 100:02d}"


def _mixed_tenths(rng: Random) -> tuple[str, str]:
    whole, tenths = rng.randrange(1, 100), rng.randrange(2, 10)
    return f"{whole} and {tenths} tenths as a decimal:", f"{whole}.{tenths}"


def _fraction_to_decimal(rng: Random) -> tuple[str, str]:
    number = _number(rng, 3)
    return f"Write {number}/10 as a decimal.", f"{number // 10}.{number % 10}"


def _minutes_past(rng: Random) -> tuple[str, str]:
    hour, minute = rng.randrange(1, 13), rng.randrange(1, 60)
    return f"Show {minute} minutes past {hour} on a digital clock.", f"{hour}:{minute:02d}"


def _time_in_words(rng: Random) -> tuple[str, str]:
    hour, minute = rng.randrange(1, 13), rng.randrange(10, 60)
    return f"The clock says {number_in_words(hour)} {number_in_words(minute)}. Write it.", f"{hour}:{minute:02d}"


def _afternoon(rng: Random) -> tuple[str, str]:
    hour, minute = rng.randrange(1, 12), rng.randrange(60)
    return f"Write {hour}:{minute:02d} pm in 24 hour time.", f"{hour + 12}:{minute:02d}"


def _sequence(step: int, digits: int, question: str) -> Generator:
    def make(rng: Random) -> tuple[str, str]:
        # The fourth term keeps the number of digits, so that only one digit moves.
        start = rng.randrange(10 ** (digits - 1), 10**digits)
        while not 10 ** (digits - 1) <= start + 3 * step < 10**digits:
            start = rng.randrange(10 ** (digits - 1), 10**digits)
        return question.format(_join([start + i * step for i in range(3)])), str(start + 3 * step)

    return make


def _extreme_digit(rng: Random) -> tuple[str, str]:
    number = _number(rng, 4)
    return f"What is the largest digit in {number}?", max(str(number))


def _add(digits: int, carry: bool, question: str) -> Generator:
    def make(rng: Random) -> tuple[str, str]:
        while True:
            left, right = _number(rng, digits), _number(rng, digits)
            carries = any(int(a) + int(b) > 9 for a, b in zip(str(left), str(right), strict=True))
            if carries == carry:
                return question.format(left, right), str(left + right)

    return make


def _build(question: str, places: int) -> Generator:
    def make(rng: Random) -> tuple[str, str]:
        number = _number(rng, places)
        parts = [f"{digit} {_PLACES[places - 1 - i]}" for i, digit in enumerate(str(number))]
        return question.format(", ".join(parts)), str(number)

    return make


SKILLS: Mapping[str, Mapping[str, Generator]] = {
    "place_value": {"three_digits": _place(3), "five_digits": _place(5), "from_the_left": _place_from_left},
    "parity": {
        "even_or_odd": _parity(3, "Is {} even or odd?"),
        "long_number": _parity(5, "Is {} even or odd?"),
        "last_digit": _remainder_by_ten,
    },
    "powers_of_ten": {"multiply": _times_power, "divide": _over_power, "in_words": _power_in_words},
    "neighbours": {
        "after": _neighbour(3, 1, "Which number comes after {}?"),
        "before": _neighbour(3, -1, "Which number comes before {}?"),
        "one_hundred_more": _neighbour(4, 100, "What is 100 more than {}?"),
    },
    "reversal": {
        "three_digits": _reverse(3, "Reverse the digits of {}."),
        "four_digits": _reverse(4, "Reverse the digits of {}."),
        "backwards": _reverse(4, "Read {} backwards."),
    },
    "number_words": {
        "to_digits": _words_to_digits(100, 1000, "Write {} in digits."),
        "thousands": _words_to_digits(1000, 10_000, "Write {} in digits."),
        "to_words": _digits_to_words,
    },
    "expanded_form": {
        "to_number": _expanded_to_number(4, "{} ="),
        "shuffled": _expanded_to_number(4, "{} =", shuffled=True),
        "from_number": _number_to_expanded,
    },
    "addition": {
        "without_carry": _add(2, False, "{} + {} ="),
        "with_carry": _add(2, True, "{} + {} ="),
        "three_digits": _add(3, False, "Find the sum of {} and {}."),
    },
    "sorting": {
        "three": _sort(3, "Sort {} from small to large."),
        "four": _sort(4, "Sort {} from small to large."),
        "descending": _sort(3, "Put {} in falling order.", descending=True),
    },
    "rounding": {
        "nearest_ten": _round(3, 10, "Round {} to the nearest ten."),
        "four_digits": _round(4, 10, "Round {} to the nearest ten."),
        "nearest_hundred": _round(3, 100, "Give {} to the closest hundred."),
    },
    "comparison": {
        "larger": _compare(3, "Which is larger, {} or {}?"),
        "smaller": _compare(3, "Pick the lesser of {} and {}.", smaller=True),
        "sign": _compare_sign,
    },
    "money": {
        "dollars_to_cents": _dollars_to_cents,
        "cents_to_dollars": _cents_to_dollars,
        "spoken_price": _spoken_money,
    },
    "units": {
        "metres_to_centimetres": _metres_to_centimetres,
        "kilograms_to_grams": _kilograms_to_grams,
        "millimetres_to_centimetres": _millimetres_to_centimetres,
    },
    "percent": {
        "from_decimal": _decimal_to_percent,
        "to_decimal": _percent_to_decimal,
        "out_of_hundred": _out_of_hundred,
    },
    "decimals": {"hundredths": _hundredths, "mixed_tenths": _mixed_tenths, "from_fraction": _fraction_to_decimal},
    "clock": {"minutes_past": _minutes_past, "in_words": _time_in_words, "afternoon": _afternoon},
    "sequences": {
        "by_ten": _sequence(10, 3, "What comes next: {}?"),
        "by_hundred": _sequence(100, 4, "Continue: {},"),
        "down_by_ten": _sequence(-10, 3, "Count on: {},"),
    },
    "composition": {
        "hundreds": _build("Which number has {}?", 3),
        "thousands": _build("Build a number from {}.", 4),
        "largest_digit": _extreme_digit,
    },
}
