"""An engine whose records are made in two stages, and run before they are handed over."""

import json
import random
from collections import Counter

from tasks.code import ProceduralCodeTask
from tasks.code.records import split_answer
from tasks.code.verdict import CallTest
from teachers import DataPlan, DataSpec
from teachers.engines import LLMEngine
from tests.teachers.taught import taught_by


class ProgrammingBrain:
    """Writes problems out of the task's generator, and then, for three problems in ten, a wrong solution."""

    def __init__(self, task):
        self.task = task
        self.solutions = {}
        self.schemas = []

    def __call__(self, body):
        form = body["response_format"]["json_schema"]
        prompt = next(message["content"] for message in body["messages"] if message["role"] == "user")
        self.schemas.append(form)
        if form["name"] == "RecordList":
            return json.dumps({"items": [self.problem(random.Random(f"{prompt}/{i}")) for i in range(8)]})
        [solution] = [text for problem, text in self.solutions.items() if json.dumps(problem)[1:-1] in prompt]
        return json.dumps({"solution": solution})

    def problem(self, rng):
        while True:
            record = self.task.record(*rng.choice(self.task.subskill_pairs()), rng)
            program, tests, entry = split_answer(record.answer)
            if not any(record.instruction in other or other in record.instruction for other in self.solutions):
                break
        self.solutions[record.instruction] = program if rng.random() < 0.7 else "x" if entry else "print(0)"
        if isinstance(tests[0], CallTest):
            rows = [(json.dumps(list(test.arguments)), json.dumps(test.expected)) for test in tests]
        else:
            rows = [(test.stdin, test.expected) for test in tests]
        return {
            "instruction": record.instruction,
            "function": entry,
            "starter_code": None,
            "tests": [{"input": given, "output": result} for given, result in rows],
        }


def test_solutions_are_run_before_records_are_handed_over():
    task = ProceduralCodeTask(val_size=39, test_size=39)
    brain = ProgrammingBrain(task)
    with taught_by(brain) as heard:
        engine = LLMEngine(task, records_per_call=8, max_rounds=8, chat=heard.calls)
        batch = engine.generate(DataPlan(1, 0, (DataSpec(8, skill="arithmetic"),)))
    assert len(batch.records) == 8
    assert all(task.fault_of(record) is None for record in batch.records)
    dropped = Counter(drop.reason for drop in batch.dropped)
    assert dropped["tests_fail"] >= 1, dropped
    assert {form["name"] for form in brain.schemas} == {"RecordList", "Solution"}
    # Structured outputs refuse fields without a type, and objects that do not say which fields they have.
    for form in brain.schemas:
        assert form["strict"] is True
        check_strict(form["schema"])


def check_strict(node):
    if isinstance(node, list):
        for part in node:
            check_strict(part)
    elif isinstance(node, dict):
        if "properties" in node:
            assert node["additionalProperties"] is False
            assert set(node["required"]) == set(node["properties"])
            for name, field in node["properties"].items():
                assert {"type", "$ref", "anyOf", "enum"} & set(field), f"{name} has no type: {field}"
        for part in node.values():
            check_strict(part)
