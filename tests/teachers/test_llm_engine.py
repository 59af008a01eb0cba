"""The engine that has records written: everything is checked, counted, and made up for within bounds."""

import json
from collections import Counter

import pytest
from procedural_brain import ProceduralBrain, labelled
from pydantic import BaseModel

from tasks.base import identity
from tasks.errors import ConfigurationError
from tasks.prompting import DomainText, RecordStage
from teachers.chat.meter import Rehearsal
from teachers.chat.types import SpendingCapError
from teachers.engines import LLMEngine, SeededLLMEngine
from teachers.plan import DataPlan, DataSpec
from tests.environments.toy import ToyTask
from tests.teachers.taught import TaughtToyTask, saying, taught_by

TASK = TaughtToyTask()


def generate(specs, brain=None, screen=None, make=LLMEngine, task=TASK, step=1, settings=None, **options):
    with taught_by(brain or ProceduralBrain(task), **(settings or {})) as heard:
        return make(task, chat=heard.calls, **options).generate(DataPlan(step, 0, tuple(specs), screen=screen)), heard


def reasons(batch):
    return Counter(drop.reason for drop in batch.dropped)


def item(question, response="1", answer="1"):
    return {"instruction": question, "response": response, "answer": answer}


def test_a_plan_is_made_in_full_and_in_the_order_of_its_specs():
    specs = [DataSpec(25, "skill1", "sub2"), DataSpec(3, "skill0"), DataSpec(4)]
    batch, heard = generate(specs)
    assert [(record.skill, record.subskill) for record in batch] == (
        [("skill1", "sub2")] * 25 + [("skill0", None)] * 3 + [(None, None)] * 4
    )
    assert batch.dropped == ()
    assert all("skill1 sub2" in record.instruction for record in batch[:25])
    assert len({identity(record) for record in batch}) == 32
    assert sorted(int(labelled(prompt, "Records to write")) for prompt in heard.prompts) == [3, 4, 5, 10, 10]
    assert {record.source for record in batch} == {"LLMEngine"}
    assert list(generate([])[0]) == []


def test_the_same_replies_give_the_same_records_and_other_steps_others():
    specs = [DataSpec(12, "skill1"), DataSpec(5)]
    assert generate(specs)[0] == generate(specs)[0]
    assert generate(specs)[0] != generate(specs, step=2)[0]


def test_the_order_of_arrival_changes_nothing():
    specs, brain = [DataSpec(60, "skill1"), DataSpec(20)], ProceduralBrain(TASK, wrong=0.2)
    with taught_by(brain, concurrency=8, latency=0.01) as heard:
        at_once = LLMEngine(TASK, chat=heard.calls).generate(DataPlan(1, 0, tuple(specs)))
    assert at_once == generate(specs, brain)[0]


def test_a_model_that_counts_badly_and_repeats_itself_still_fills_the_order():
    faults = dict.fromkeys(("too_few", "too_many", "duplicates", "malformed_text", "wrong_schema", "refused"), 0.1)
    batch, _ = generate([DataSpec(60, "skill1"), DataSpec(20)], settings={"faults": faults})
    assert len(batch) == 80 and len({identity(record) for record in batch}) == 80
    assert {"duplicate"} <= set(reasons(batch)) <= {"surplus", "duplicate", "answer_mismatch"}


def test_the_calls_of_one_order_differ():
    _, heard = generate([DataSpec(40), DataSpec(40)])
    assert len(heard.prompts) == len(set(heard.prompts)) == 8


def test_wrong_answers_are_dropped_and_made_up_for():
    batch, heard = generate([DataSpec(40, "skill0")], ProceduralBrain(TASK, wrong=0.3))
    assert len(batch) == 40
    assert set(reasons(batch)) == {"answer_mismatch"}
    assert all(drop.skill == "skill0" for drop in batch.dropped)
    assert all(TASK.score(TASK.as_instance(record), record.response) == 1 for record in batch)
    later = [prompt for prompt in heard.prompts if "# Written already" in prompt]
    assert later and any(f"> {batch[0].instruction}\n" in prompt + "\n" for prompt in later)


def test_every_drop_has_its_reason():
    first = [item("a"), item("A "), item("b", "2"), {**item("c"), "instruction": " "}, item("LEAK"), *map(item, "defg")]
    batch, _ = generate(
        [DataSpec(4)],
        saying({"items": first}),
        screen=lambda records: ["leak" if "LEAK" in record.instruction else None for record in records],
    )
    assert [record.instruction for record in batch] == ["a", "d", "e", "f"]
    assert reasons(batch) == {"duplicate": 1, "answer_mismatch": 1, "unparsable": 1, "leak": 1, "surplus": 1}
    assert {drop.reason: drop.text for drop in batch.dropped}["surplus"] == "g"


def test_what_the_environment_refuses_is_made_up_for_and_not_asked_for_again():
    known = set()

    def screen(records):
        return ["duplicate" if record.instruction in known else None for record in records]

    known.update(record.instruction for record in generate([DataSpec(10, "skill2")])[0])
    batch, heard = generate([DataSpec(10, "skill2")], screen=screen)
    assert len(batch) == 10 and not known & {record.instruction for record in batch}
    assert reasons(batch) == {"duplicate": 10}
    [second] = [prompt for prompt in heard.prompts if "# Written already" in prompt]
    assert all(f"\n> {text}\n" in second for text in known)


def test_the_screen_sees_what_was_accepted_in_earlier_rounds():
    seen = []

    def screen(records):
        seen.append([record.instruction for record in records])
        return [None] * len(records)

    generate([DataSpec(3)], saying({"items": [item("a"), item("b", "2")]}, {"items": [item("c"), item("d")]}), screen)
    assert seen == [["a"], ["a", "c", "d"]]


def test_an_order_that_gains_nothing_twice_is_given_up():
    batch, heard = generate([DataSpec(5)], saying({"items": [item("a")]}), max_rounds=20)
    assert [record.instruction for record in batch] == ["a"]
    assert len(heard.prompts) == 3
    assert reasons(batch) == {"duplicate": 2}


def test_rounds_are_bounded():
    numbers = iter(range(100))
    batch, heard = generate([DataSpec(50)], lambda body: json.dumps({"items": [item(f"q{next(numbers)}")]}))
    assert len(heard.prompts) == 5 + 5 + 4 + 4 and len(batch) == 18


def test_unusable_replies_cost_records_and_not_the_run():
    batch, heard = generate([DataSpec(5), DataSpec(2)], saying("no"))
    assert len(batch) == 0 and batch.dropped == ()
    assert heard.calls.counters["failures/invalid_reply"] == 4


def test_without_money_it_hands_over_what_there_is():
    prices = {"test-model": {"input": 1.0, "output": 1.0}}
    with pytest.raises(SpendingCapError):
        generate([DataSpec(5)], settings={"max_usd": 1e-9, "prices": prices})
    # A call may cost its longest reply, some 4,096 millionths here, before it turns out to be cheap.
    batch, heard = generate([DataSpec(100)], settings={"max_usd": 0.008, "prices": prices})
    assert len(batch) == 10 * len(heard.prompts) and 0 < len(batch) < 100


def test_the_order_is_in_the_prompt_and_like_only_names_validation():
    val, test = TASK.instances("val")[3], TASK.instances("test")[3]
    batch, heard = generate([DataSpec(2, like=val.instance_id)])
    assert f"> {val.instruction}" in heard.prompts[0]
    assert all(f"{val.skill} {val.subskill}" in record.instruction for record in batch)
    with pytest.raises(ConfigurationError, match=f"like '{test.instance_id}', which is no validation instance"):
        generate([DataSpec(2, like=test.instance_id)])


def test_questions_are_the_first_round_and_have_valid_examples_of_their_size():
    plan = DataPlan(1, 0, (DataSpec(13, "skill0"), DataSpec(2)))
    with taught_by(ProceduralBrain(TASK)) as heard:
        engine = LLMEngine(TASK, chat=heard.calls)
        questions = engine.questions(plan)
        assert engine.questions(plan) == questions and heard.bodies == []
        engine.generate(plan)
    assert sorted(question.prompt for question in questions) == sorted(heard.prompts)
    assert [len(question.example.items) for question in questions] == [10, 3, 2]
    assert [question.item for question in questions] == [0, 0, 1]
    assert {(question.purpose, question.step, question.schema.__name__) for question in questions} == {
        ("engine", 1, "RecordList")
    }
    assert len({question.sample for question in questions}) == 3


def test_a_rehearsal_counts_the_first_round_and_ends():
    rehearsal = Rehearsal()
    with taught_by(saying("never sent")) as heard, heard.calls.rehearsing(rehearsal):
        engine = LLMEngine(TASK, chat=heard.calls)
        engine.rehearse(DataPlan(1, 0, (DataSpec(13, "skill0"), DataSpec(2))))
        assert len(rehearsal.calls) == 3
        assert len(engine.generate(DataPlan(1, 0, (DataSpec(13),)))) == 1
    assert heard.bodies == []


class Problem(BaseModel):
    question: str


class Solution(BaseModel):
    reply: str


class TwoStageTask(ToyTask):
    @property
    def domain_text(self):
        return DomainText(
            "You teach.",
            "saying",
            (
                RecordStage("Ask.", Problem, {"question": "say 7"}),
                RecordStage("Answer.", Solution, {"reply": "7"}),
            ),
        )

    def parse_record(self, reply):
        row = {"instruction": reply["question"], "response": reply["reply"], "answer": reply["reply"]}
        return super().parse_record(row)


def test_further_stages_are_asked_for_each_item_and_for_no_surplus():
    def brain(body):
        prompt = body["messages"][1]["content"]
        if body["response_format"]["json_schema"]["name"] == "RecordList":
            return json.dumps({"items": [{"question": f"say {number}"} for number in range(5)]})
        number = prompt.split("> say ")[1].split("\n")[0]
        return "no" if number == "1" else json.dumps({"reply": number})

    task = TwoStageTask()
    batch, heard = generate([DataSpec(3)], brain, task=task, max_rounds=1)
    assert [(record.instruction, record.response) for record in batch] == [("say 0", "0"), ("say 2", "2")]
    assert reasons(batch) == {"surplus": 2, "incomplete": 1}
    assert all("question:\n> say " in prompt and "Answer." in prompt for prompt in heard.of("Solution"))
    with taught_by(brain) as heard:
        questions = LLMEngine(task, chat=heard.calls).questions(DataPlan(1, 0, (DataSpec(12),)))
    assert Counter(question.schema.__name__ for question in questions) == {"RecordList": 2, "Solution": 12}


def test_seeded_shows_fresh_examples_of_the_training_pool_in_every_call():
    batch, heard = generate([DataSpec(30)], make=SeededLLMEngine, examples_per_call=4)
    assert len(batch) == 30
    pool = {record.instruction for record in TASK.training_pool()}
    shown = []
    for prompt in heard.prompts:
        parts = prompt.split("A record of the course, as an example of content:\n> ")[1:]
        shown.append(tuple(part.split("\n")[0] for part in parts))
    assert all(len(examples) == 4 and set(examples) <= pool for examples in shown)
    assert len(set(shown)) == 3
    assert generate([DataSpec(30)], make=SeededLLMEngine, examples_per_call=4)[0] == batch
