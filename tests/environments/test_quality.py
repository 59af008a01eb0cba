"""Quality filters: each drops what it should and keeps what it should, in any order of asking, and says why."""

import json
import random
from dataclasses import replace

import pytest
from PIL import Image as PILImage

from environments import Budget, OpenEndedEnvironment
from environments.intake import Intake
from environments.quality import Finding, QualityFilters
from environments.quality.near_duplicate import NearDuplicateFilter
from environments.quality.text import long_words, template, tokens
from tasks.base import Task
from tasks.errors import ConfigurationError
from tasks.images import Image
from tasks.types import Prediction, TaskInstance, TrainingRecord
from teachers.plan import DataSpec
from tests.environments.toy import LookupLoop, MemoryRecorder, ToyTask

SHOP = (
    "A shop sells pens for 3 dollars each and pads for \\$4.50 each. Ann buys 12 pens and 7 pads on Monday and gives "
    "back \\frac{1}{2} of the pens. How many dollars has she spent in the end?"
)
SHORT = "What is 3 plus 4?"
STANDING = "Express your answer as a common fraction in lowest terms and in terms of pi"
VAL = [SHOP, SHORT, *(f"Case {chr(97 + i)}{i}: area of {i} circles? {STANDING}." for i in range(12))]
TEST = ["Let f(x) = x^2 - 5x + 6 for all real numbers x. For how many integers n is the value of f(n) a prime number?"]


class Bench(Task):
    name = "bench"

    def __init__(self, val=VAL, test=TEST):
        self.texts = {"val": val, "test": test}
        self.scored = 0

    def instances(self, split):
        return [TaskInstance(f"{split}-{i}", text, "1", skill="s") for i, text in enumerate(self.texts[split])]

    def score(self, instance, text):
        self.scored += 1
        return float(text == instance.answer)


def record(text, answer="1", response=None):
    return TrainingRecord(text, answer if response is None else response, answer)


def reasons(batch, pool=(), filters=None, task=None):
    return Intake(task or Bench(), filters).screen([record(text) for text in batch], [record(text) for text in pool])


SWAPPED = SHOP.replace("3 d", "8 d").replace("4.50", "1{,}250").replace("12", "five").replace("\\frac{1}{2}", "3/4")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (SHOP, "leak"),
        ("  " + SHOP.upper(), "leak"),
        (SWAPPED, "leak_template"),
        (
            SHOP.replace("3", "0.85").replace("12", "-20").replace("7", "forty-two").replace("\\frac{1}{2}", "0.5"),
            "leak_template",
        ),
        ("Hint first. " + SHOP, "leak_ngram"),
        (TEST[0].replace("prime", "square"), "leak_ngram"),
        (TEST[0].replace("Let f(x) = x^2 - 5x + 6", "Let f(x) = x^2 - 9x + 20"), "leak_ngram"),
        # the same words in another order ask something else
        ("How many pads has Ann, if 12 pens are sold for each of 7 dollars and she gives back the 3 she has?", None),
        # twelve words in a row, and not thirteen
        ("Tell me this: is it true for all real numbers x, for how many integers n is it odd?", None),
        ("What is 5 plus 9?", None),  # a template, but of too few words to be anyone's own
        (f"Find the volume of the ball of radius 3. {STANDING}.", None),  # a standing phrase of the benchmark
    ],
)
def test_leaks(text, reason):
    assert reasons([text]) == [reason]


def test_a_leak_in_the_response_is_found_too():
    intake = Intake(Bench())
    accepted, rejected = intake.check([record("Make up a question.", SHOP)], [], 5)
    assert not accepted
    assert [(each.reason, each.detail) for each in rejected] == [
        ("leak_ngram", "shares 13 words in a row with val instance val-0")
    ]


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("x = 5", "x = -12"),
        ("x = 5", "x = \\frac{3}{4}"),
        ("x = 5", "x = \\dfrac34"),
        ("x = 5", "x = 1{,}000,000.25"),
        ("x = 5", "x = 2\\frac{1}{2}"),
        ("x = 5", "x = 3/4"),
        ("x = 5 apples", "x = twenty-five apples"),
        ("x = 5 apples", "x = two hundred and six apples"),
        ("costs \\$5 or 5\\%", "costs $12$ or 7%"),
    ],
)
def test_numbers_are_masked_however_they_are_written(one, two):
    assert template(one) == template(two)


@pytest.mark.parametrize(("one", "two"), [("x - 3", "x + 3"), ("2x", "2y"), ("5 + 3", "5 - 3"), ("f(3)", "f(3, 4)")])
def test_what_is_no_number_is_not_masked(one, two):
    assert template(one) != template(two)


def test_words_of_a_template_are_neither_numbers_nor_variables_nor_commands():
    assert long_words(template("Find x so that \\sqrt{x} = seven")) == 3


NEAR = (
    "Three friends share 24 marbles so that each gets twice as many as the one before; how many does the last one get?"
)


@pytest.mark.parametrize(
    ("first", "second", "reason"),
    [
        (NEAR, NEAR.replace("Three", "3 good"), "near_duplicate"),
        (NEAR, NEAR.lower().replace(";", " ;"), "near_duplicate"),
        (NEAR, NEAR.upper(), "duplicate"),
        (NEAR, NEAR.replace("24", "60").replace("Three", "Five").replace("twice", "thrice"), None),
        ("What is 3 + 4?", "What is 3 - 4?", None),
        ("What is 3 + 4?", "What is 4 + 3?", None),
        ("Name the largest prime below 100.", "Name the smallest prime above 100.", None),
        ("is it?", "it is?", None),
        ("7", "8", None),
        ("a b c d e f", "d e f a b c", None),
    ],
)
def test_near_duplicates_in_the_batch_and_in_the_pool(first, second, reason):
    assert reasons([first, second]) == [None, reason]
    assert reasons([second], pool=["Another one.", first]) == [reason]


def test_details_name_instance_and_record():
    intake = Intake(Bench())
    batch = [record(""), record("Say 1.", "1", "2"), record(NEAR), record(NEAR + " Why?"), record(NEAR.upper())]
    batch += [record(SHOP), record(SWAPPED), TrainingRecord("Q", "1", "1", skill=3), record("More.")]
    accepted, rejected = intake.check(batch, [record("Earlier.")], 1)
    assert accepted == [batch[2]]
    assert [(each.reason, each.detail) for each in rejected] == [
        ("schema", "instruction is ''"),
        ("answer_mismatch", "the response does not arrive at '1'"),
        ("near_duplicate", "is similar to record 2 (similarity 0.92)"),
        ("duplicate", "asks what record 2 asks"),
        ("leak", "is val instance val-0"),
        ("leak_template", "is val instance val-0 with other numbers"),
        ("schema", "skill is 3"),
        ("over_budget", "the plan ordered 1"),
    ]
    assert len(accepted) + len(rejected) == len(batch)


def test_near_duplicates_are_those_of_a_search_by_hand():
    rng = random.Random(0)
    vocabulary = [f"w{i}" for i in range(12)]
    texts = [" ".join(rng.choices(vocabulary, k=rng.randrange(1, 9))) for _ in range(150)]
    texts += [text + " " + rng.choice(vocabulary) for text in texts]

    def runs(text):
        found = tokens(text)
        return {tuple(found[i : i + 3]) for i in range(max(1, len(found) - 2))}

    for threshold in (0.5, 0.8, 1.0):
        kept, expected = [], []
        for text in texts:
            alike = [len(runs(text) & runs(one)) / len(runs(text) | runs(one)) for one in kept]
            if text in kept:
                expected.append("duplicate")
            elif alike and max(alike) >= threshold:
                expected.append("near_duplicate")
            else:
                expected.append(None)
                kept.append(text)
        assert reasons(texts, filters=QualityFilters(near_duplicate=threshold)) == expected
        assert ("near_duplicate" in expected) == (threshold < 1)


def test_screening_says_what_checking_does_and_leaves_no_trace():
    rng = random.Random(1)
    texts = [f"{NEAR} Take {rng.randrange(10)} and {word}." for word in "red blue green".split() * 20]
    records = [record(text) for text in texts] + [record(text, "1", "2") for text in texts[:5]]
    intake = Intake(Bench(), QualityFilters(near_duplicate=0.9))
    pool, fresh = [], []
    for start in range(0, len(records), 13):
        batch = records[start : start + 13]
        screened = intake.screen(batch, [*pool, *fresh])
        assert screened == intake.screen(batch, [*pool, *fresh])
        intake.screen(records[::-1], pool[:1])  # another pool in between, shorter and then undone
        accepted, rejected = intake.check(batch, [*pool, *fresh], 99)
        assert accepted == [each for each, reason in zip(batch, screened, strict=True) if reason is None]
        assert [each.reason for each in rejected] == [reason for reason in screened if reason]
        fresh += accepted
        if start % 2:
            pool, fresh = [*pool, *fresh], []
    assert 1 < len(pool + fresh) < len(records)
    again = Intake(Bench(), QualityFilters(near_duplicate=0.9))
    assert again.check(records, [], 99)[0] == pool + fresh  # however the records come in portions


def test_the_same_question_about_another_image_is_another_question():
    red, blue = (Image.drawn(PILImage.new("RGB", (2, 2), colour)) for colour in ("red", "blue"))

    class Pictures(Bench):
        def instances(self, split):
            return [replace(instance, image=red) for instance in super().instances(split)]

    intake = Intake(Pictures())
    texts = [SHOP, SWAPPED, "Hint. " + SHOP, NEAR, NEAR, NEAR + " Why?"]
    told = {
        about: intake.screen([replace(record(text), image=about) for text in texts], [record(NEAR)])
        for about in (red, blue)
    }
    of_itself = [None, "duplicate", "near_duplicate"]
    assert told[red] == ["leak", "leak_template", "leak_ngram", *of_itself]
    assert told[blue][0] is None and told[blue][3:] == of_itself
    assert intake.screen([replace(record(NEAR), image=blue)], [replace(record(NEAR), image=red)]) == [None]


def test_a_fault_that_the_task_finds_keeps_its_name():
    class Strict(Bench):
        def fault_of(self, record):
            return "unsafe" if "bomb" in record.instruction else super().fault_of(record)

    assert reasons(["Count bombs.", "Count sheep."], task=Strict()) == ["unsafe", None]


def test_a_pool_of_the_latest_records_only_forgets_the_others():
    intake = Intake(Bench())
    assert intake.check([record(NEAR)], [], 5)[0]
    assert intake.check([record(NEAR)], [], 5)[0]
    assert not intake.check([record(NEAR)], [record("Another."), record(NEAR)], 5)[0]
    assert not intake.check([record(NEAR)], [record(NEAR)], 5)[0]


def test_heuristics_are_on_for_benchmarks_and_off_for_procedural_tasks():
    task = ToyTask()
    swapped = task.instances("val")[0].instruction + "7"
    off = QualityFilters(near_duplicate=False, leak_ngram=False, leak_template=False)
    for filters in (None, off):
        assert reasons([swapped, swapped + "1"], task=task, filters=filters) == [None, None]
    on = QualityFilters(leak_template=2)
    assert reasons([swapped], task=task, filters=on) == ["leak_template"]
    dull = [SWAPPED, "Hint. " + SHOP, NEAR, NEAR + " Why?"]
    assert reasons(dull) == ["leak_template", "leak_ngram", None, "near_duplicate"]
    assert reasons(dull, filters=off) == [None] * 4
    assert reasons(dull, filters=QualityFilters(leak_template=99, leak_ngram=99, near_duplicate=0.99)) == [None] * 4


@pytest.mark.parametrize(
    "wrong", [{"near_duplicate": 0.0}, {"near_duplicate": 1.5}, {"leak_ngram": 0}, {"leak_template": -1}]
)
def test_settings_out_of_range_are_one_line(wrong):
    with pytest.raises(ConfigurationError, match=rf"filters(\.|: ){next(iter(wrong))} is ") as caught:
        QualityFilters(**wrong)
    assert "\n" not in str(caught.value)


def test_settings_are_plain_yaml():
    from jsonargparse import ArgumentParser

    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--filters", type=QualityFilters | None, default=None)
    config = {"near_duplicate": 0.9, "leak_ngram": True, "leak_template": 12, "known_by_student": True}
    parsed = parser.instantiate(parser.parse_args([f"--filters={json.dumps(config)}"])).filters
    assert parsed == QualityFilters(**config)
    assert parsed.leak_ngram is True
    off = parser.instantiate(parser.parse_args(["--filters.near_duplicate=false"])).filters
    assert off == QualityFilters(near_duplicate=False)


class Asked:
    """A student that knows the questions with an even number of letters; remembers what it was asked."""

    def __init__(self):
        self.batches = []

    def __call__(self, instances):
        self.batches.append([instance.instruction for instance in instances])
        return [Prediction(each.instance_id, "one", float(len(each.instruction) % 2 == 0)) for each in instances]


def test_what_the_student_knows_is_dropped_and_no_longer_makes_duplicates():
    student = Asked()
    intake = Intake(Bench(), QualityFilters(known_by_student=True), student)
    batch = [record("even"), record("even"), record(NEAR + "!"), record(NEAR), record(SHOP), record("odd")]
    accepted, rejected = intake.check(batch, [], 2)
    assert accepted == [batch[3], batch[5]]
    assert [(each.record, each.reason) for each in rejected] == [
        (batch[0], "known"), (batch[1], "known"), (batch[2], "known"), (batch[4], "leak")
    ]  # fmt: skip
    assert rejected[0].detail == "the student answers 'one'"
    # each round asks at once; nobody is asked what was rejected for another reason
    assert student.batches == [["even", NEAR + "!", "odd"], ["even", NEAR]]
    assert intake.screen(batch, []) == [None, "duplicate", None, "near_duplicate", "leak", None]
    assert len(student.batches) == 2


def test_the_student_is_not_asked_unless_that_is_wanted():
    student = Asked()
    assert len(Intake(Bench(), None, student).check([record("even")], [], 2)[0]) == 1
    assert student.batches == []


def test_a_record_is_scored_once_and_not_at_all_if_it_is_out_before():
    task = Bench()
    intake = Intake(task, QualityFilters(known_by_student=True), Asked())
    intake.check([record("odd"), record("even"), record("odd"), record(SHOP), record("")], [], 9)
    assert task.scored == 2


def test_what_an_engine_screens_in_every_round_is_scored_once():
    task = Bench()
    intake, batch = Intake(task), [record("odd"), record("even")]
    for round_of in (batch[:1], batch, batch):
        assert intake.screen(round_of, []) == [None] * len(round_of)
    assert intake.check(batch, [], 9) == (batch, [])
    assert task.scored == 2


def test_rejected_records_are_counted_and_never_trained_on():
    task = ToyTask()
    recorder = MemoryRecorder()
    environment = OpenEndedEnvironment(task, LookupLoop(task), recorder, Budget(max_records=100))
    environment.reset()
    plan = environment.plan([DataSpec(3)])
    batch = [record("one"), record("ONE"), record(task.instances("test")[0].instruction), record("two")]
    assert list(plan.screen(batch)) == [None, "duplicate", "leak", None]
    environment.step(batch)
    assert environment.results[-1].rejected == {"duplicate": 1, "leak": 1}
    assert [each.instruction for each in recorder.kept.pool] == ["one", "two"]
    assert environment.loop.trained_on == [2]


def test_a_large_pool_is_searched_by_what_is_rare():
    """Of 3,000 questions of one form, 4.5 million pairs, next to none are compared."""

    class Counting(NearDuplicateFilter):
        compared = 0

        def _similarity(self, own, number):
            self.compared += 1
            return super()._similarity(own, number)

    rng = random.Random(0)
    each = Counting(threshold=0.9)
    for number in range(1, 3001):
        question = record(f"{NEAR} Begin with {rng.randrange(10**6)} or {rng.randrange(10**6)}.")
        assert each.finding(question) is None
        each.add(number, question)
    assert each.compared < 3000
    assert each.finding(question) == Finding("near_duplicate", "is similar to record 3000 (similarity 1.00)")


def test_what_every_question_of_a_small_benchmark_ends_with_is_no_leak():
    """A prompt's own closing words, of 13 and more, stand in all of six instances: records have them as well."""
    closing = "Write a Python program that reads from standard input and prints the result to standard output."
    small = Bench(
        [f"Add {i} apples to the {i} there. {closing}" for i in range(3)],
        [f"Sort the cards of {i} decks. {closing}" for i in "abc"],
    )
    assert reasons([f"Count the birds of a day. {closing}"], task=small) == [None]
    assert reasons([SHOP], task=Bench([SHOP, SHORT], TEST)) == ["leak"]
    assert reasons(["Hint first. " + SHOP], task=Bench([SHOP, SHORT], TEST)) == ["leak_ngram"]


def test_what_every_question_ends_with_makes_no_near_duplicates():
    """The list of tools below every request of a benchmark is longer than the request."""
    tools = " ".join(f"- tool{i}(text) gives the text number {i} of them all." for i in range(40))
    task = Bench([f"Write {i} poems on {i} apples. {tools}" for i in "abcde"], [])
    told = " ".join(f"{chr(97 + i)}{i}" for i in range(26))
    one, two = f"Say what the harbour shows: {told}. {tools}", f"Shorten what we said: {told[::-1]}. {tools}"
    assert reasons([one, two, one.replace("harbour", "harbours")], task=task) == [None, None, "near_duplicate"]
    assert reasons([tools], task=task) == [None], "a question of standing phrases alone is compared as it is"
