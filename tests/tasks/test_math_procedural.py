"""Elementary mathematics: answers recomputed from the question's text alone, equivalence, notation, hostile replies."""

import random
import re
from collections.abc import Callable

import pytest

from tasks.errors import ConfigurationError
from tasks.math import ProceduralMathTask
from tasks.math.generators import SKILLS, number_in_words
from tasks.math.scoring import same_value
from tasks.types import TaskInstance, TrainingRecord

TASK = ProceduralMathTask(val_size=54, test_size=54)


def numbers(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", text)]


WORDS = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen".split()
WORDS += "seventeen eighteen nineteen".split()
TENS = dict(zip("twenty thirty forty fifty sixty seventy eighty ninety".split(), range(20, 100, 10), strict=True))


def from_words(text: str) -> int:
    """A number from English words, by reading and not by the generator's way of writing."""
    total = part = 0
    for word in text.split():
        if word == "hundred":
            part *= 100
        elif word == "thousand":
            total, part = total + 1000 * part, 0
        else:
            part += TENS[word] if word in TENS else WORDS.index(word)
    return total + part


def place(text: str) -> str:
    names = {"ten thousands": 5, "thousands": 4, "hundreds": 3, "tens": 2, "ones": 1}
    digits = text.rstrip("?").split()[-1]
    return digits[-next(n for name, n in names.items() if f"the {name} digit" in text)]


def rounded(text: str) -> str:
    unit = 100 if "hundred" in text else 10
    (number,) = numbers(text)
    return str((2 * number + unit) // (2 * unit) * unit)


def to_expanded(text: str) -> str:
    digits = str(numbers(text)[0])
    return " + ".join(d + "0" * (len(digits) - 1 - i) for i, d in enumerate(digits) if d != "0")


def composed(text: str) -> str:
    return "".join(str(number) for number in numbers(text))


def sign(text: str) -> str:
    left, right = numbers(text.split("between")[1])
    return "=" if left == right else "<>"[left > right]


def past(text: str) -> str:
    minute, hour = numbers(text)
    return f"{hour}:{minute // 10}{minute % 10}"


def spoken_time(text: str) -> str:
    hour, *minute = text.removeprefix("The clock says ").removesuffix(". Write it.").split()
    return f"{from_words(hour)}:{from_words(' '.join(minute))}"


def decimal(hundredths: int) -> str:
    return f"{hundredths // 100}.{hundredths % 100 // 10}{hundredths % 10}"


# By subskill, or by skill for all its subskills that are not named.
ORACLES: dict[str | tuple[str, str], Callable[[str], str]] = {
    "place_value": place,
    ("place_value", "from_the_left"): lambda t: str(numbers(t)[0])[
        "first second third fourth fifth".split().index(re.search(r"comes (\w+) from", t)[1])
    ],
    "parity": lambda t: ("even", "odd")[numbers(t)[0] % 2],
    ("parity", "last_digit"): lambda t: str(numbers(t)[0])[-1],
    ("powers_of_ten", "multiply"): lambda t: str(numbers(t)[0]) + "0" * (len(str(numbers(t)[1])) - 1),
    ("powers_of_ten", "divide"): lambda t: str(numbers(t)[0])[: 1 - len(str(numbers(t)[1]))],
    ("powers_of_ten", "in_words"): lambda t: f"{numbers(t)[0]}{'0' * (1 + ('hundred' in t) + 2 * ('thousand' in t))}",
    ("neighbours", "after"): lambda t: str(numbers(t)[0] + 1),
    ("neighbours", "before"): lambda t: str(numbers(t)[0] - 1),
    ("neighbours", "one_hundred_more"): lambda t: str(sum(numbers(t))),
    "reversal": lambda t: "".join(reversed(str(numbers(t)[0]))),
    "number_words": lambda t: str(from_words(t.split(" ", 1)[1].removesuffix(" in digits."))),
    "expanded_form": lambda t: str(sum(numbers(t))),
    ("expanded_form", "from_number"): to_expanded,
    "addition": lambda t: str(sum(numbers(t))),
    "sorting": lambda t: ", ".join(map(str, sorted(numbers(t)))),
    ("sorting", "descending"): lambda t: ", ".join(map(str, sorted(numbers(t))[::-1])),
    "rounding": rounded,
    ("comparison", "larger"): lambda t: str(max(numbers(t))),
    ("comparison", "smaller"): lambda t: str(min(numbers(t))),
    ("comparison", "sign"): sign,
    ("money", "dollars_to_cents"): lambda t: str(numbers(t)[0] * 100 + numbers(t)[1]),
    ("money", "cents_to_dollars"): lambda t: "$" + decimal(numbers(t)[0]),
    ("money", "spoken_price"): lambda t: "$" + decimal(100 * numbers(t)[0] + numbers(t)[1]),
    ("units", "metres_to_centimetres"): lambda t: str(numbers(t)[0] * 100 + numbers(t)[1]),
    ("units", "kilograms_to_grams"): lambda t: f"{numbers(t)[0]}000",
    ("units", "millimetres_to_centimetres"): lambda t: f"{numbers(t)[0] // 10}.{numbers(t)[0] % 10}",
    ("percent", "from_decimal"): lambda t: f"{100 * numbers(t)[0] + numbers(t)[1]}%",
    ("percent", "to_decimal"): lambda t: decimal(numbers(t)[0]),
    ("percent", "out_of_hundred"): lambda t: f"{100 * numbers(t)[0] // numbers(t)[1]}%",
    ("decimals", "hundredths"): lambda t: decimal(numbers(t)[0]),
    ("decimals", "mixed_tenths"): lambda t: ".".join(map(str, numbers(t))),
    ("decimals", "from_fraction"): lambda t: f"{numbers(t)[0] // 10}.{numbers(t)[0] % 10}",
    ("clock", "minutes_past"): past,
    ("clock", "in_words"): spoken_time,
    ("clock", "afternoon"): lambda t: f"{numbers(t)[0] + 12}:{t.split(':')[1][:2]}",
    "sequences": lambda t: str(2 * numbers(t)[2] - numbers(t)[1]),
    "composition": composed,
    ("composition", "largest_digit"): lambda t: max(str(numbers(t)[0])),
}


@pytest.mark.parametrize("pair", [pair for pair in TASK.subskill_pairs() if pair[1] != "to_words"], ids="/".join)
def test_answers_recomputed_from_the_question(pair: tuple[str, str]) -> None:
    rng, oracle = random.Random("/".join(pair)), ORACLES.get(pair) or ORACLES[pair[0]]
    for _ in range(300):
        instance = TASK.generate(*pair, rng)
        assert oracle(instance.instruction) == instance.answer, instance.instruction


def test_words_are_read_back_for_every_number() -> None:
    texts = [number_in_words(number) for number in range(10_000)]
    assert [from_words(text) for text in texts] == list(range(10_000))
    assert len(set(texts)) == len(texts)
    rng = random.Random(0)
    for _ in range(100):
        instance = TASK.generate("number_words", "to_words", rng)
        assert from_words(instance.answer) == numbers(instance.instruction)[0]


def test_the_task_has_the_size_that_it_promises() -> None:
    assert len(SKILLS) >= 14 and all(len(subskills) >= 3 for subskills in SKILLS.values())
    task = ProceduralMathTask()
    assert len(task.instances("val")) >= 400 and len(task.instances("test")) >= 800


@pytest.mark.parametrize(
    ("answer", "reply"),
    [
        ("0.5", "0.50"),
        ("0.50", "0.5"),
        ("0.5", "1/2"),
        ("0.5", r"\frac{1}{2}"),
        ("0.5", r"\dfrac{1}{2}"),
        ("0.5", ".5"),
        ("1000", "1,000"),
        ("5", r"\boxed{5}"),
        ("5", "$5$"),
        ("5", r"\(5\)"),
        ("5", "5."),
        ("5", " 5 \n"),
        ("5", "5.0"),
        ("5", "+5"),
        ("12", "012"),
        ("even", "Even"),
    ],
)
def test_equivalent_answers(answer: str, reply: str) -> None:
    assert same_value(answer, reply)


@pytest.mark.parametrize(
    ("answer", "reply"),
    [
        ("120", "12 * 10"),
        ("5", "5%"),
        ("5", "2+3"),
        ("5", "-5"),
        ("5", "6"),
        ("5", "55"),
        ("5", "5 or 6"),
        ("5", "the answer is 5"),
        ("12", "1,2"),
        ("1000", "10,00"),
        ("12", "1/0"),
        ("8", "2^3"),
        ("3", "sqrt(9)"),
        ("5", r"\boxed{5} \boxed{6}"),
        ("12", "1²"),
        ("0", ""),
    ],
)
def test_answers_that_are_not_equivalent(answer: str, reply: str) -> None:
    assert not same_value(answer, reply)


@pytest.mark.parametrize(
    ("skill", "answer", "reply"),
    [
        ("money", "$5.30", "5.30"),
        ("money", "$5.30", "$5.3"),
        ("clock", "3:05", "3:5"),
        ("expanded_form", "400 + 5", "405"),
        ("sorting", "1, 2, 3", "3, 2, 1"),
        ("number_words", "forty two", "42"),
        ("parity", "odd", "even"),
        ("percent", "50%", "0.5"),
        ("percent", "50%", "50"),
        ("percent", "50", "50%"),
    ],
)
def test_notation_skills_need_the_notation(skill: str, answer: str, reply: str) -> None:
    instance = TaskInstance("x", "?", answer, skill)
    assert TASK.score(instance, answer) == 1.0
    assert TASK.score(instance, reply) == 0.0


@pytest.mark.parametrize(
    ("skill", "answer", "reply", "score"),
    [
        ("addition", "97", "**97**", 1.0),
        ("addition", "97", "The answer is 97.", 1.0),
        ("addition", "97", "Answer: 97", 1.0),
        ("addition", "97", "75 and 22 make \\boxed{97}.", 1.0),
        ("addition", "97", "97\n\nBecause 75 and 22 make 97.", 1.0),
        ("addition", "97", "The answer is 98, not 97.", 0.0),
        ("addition", "97", "98\n\nOr it may be 97.", 0.0),
        ("money", "$5.30", "The answer is $5.30.", 1.0),
        ("money", "$5.30", "\\boxed{$5.30}", 1.0),
        ("percent", "1.50", "1.5", 1.0),
        ("clock", "4:06", "**Answer:** 4:06", 1.0),
        ("clock", "4:06", "**Answer:** 6:04", 0.0),
        ("expanded_form", "400 + 5", "The answer is $400 + 5$.", 1.0),
        ("parity", "odd", "The answer is odd.", 1.0),
        ("parity", "odd", "The answer is even.", 0.0),
    ],
)
def test_an_answer_in_a_sentence_counts(skill: str, answer: str, reply: str, score: float) -> None:
    assert TASK.score(TaskInstance("x", "?", answer, skill), reply) == score


@pytest.mark.parametrize(
    ("skill", "answer", "reply"), [("powers_of_ten", "12", "1200/100"), ("decimals", "12.3", "123/10")]
)
def test_a_repeated_division_is_no_answer(skill: str, answer: str, reply: str) -> None:
    assert TASK.score(TaskInstance("x", f"{reply} =", answer, skill), reply) == 0.0
    assert not same_value("12", "1200/100")


def test_record_seen_as_instance_is_scored_like_one() -> None:
    record = TASK.record("units", "millimetres_to_centimetres", random.Random(4))
    instance = TASK.as_instance(record)
    assert isinstance(record, TrainingRecord)
    assert TASK.score(instance, record.answer + "0") == 1.0 and TASK.score(instance, "7") == 0.0


def test_too_many_instances_is_an_error_and_not_a_loop() -> None:
    with pytest.raises(ConfigurationError, match="too few distinct questions"):
        ProceduralMathTask(val_size=200 * 54).instances("val")
