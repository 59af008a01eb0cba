"""LiveCodeBench and HumanEval: rows, splits, packed tests, verdicts, and the real HumanEval with mutants of it."""

import ast
import base64
import os
import pickle
import random
import subprocess
import sys
import zlib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tasks.code import HumanEvalTask, LiveCodeBenchTask
from tasks.code.livecodebench import read_tests
from tasks.code.livecodebench import tests_of_row as read_row
from tasks.errors import ConfigurationError, MissingFileError, RecordError
from tests.tasks.code_rows import (
    SOLUTIONS,
    humaneval_row,
    livecodebench_row,
    made_humaneval,
    made_livecodebench,
    packed,
    write_rows,
)

REAL = Path(os.environ.get("DATAENVGYM_DATA_DIR", "/nowhere"), "humaneval")


def fenced(program: str) -> str:
    return f"Here it is.\n\nA thought.\n```python\n{program}\n```\nThat is all."


@pytest.fixture(scope="module")
def bench() -> LiveCodeBenchTask:
    return LiveCodeBenchTask(str(made_livecodebench()))


def test_test_is_release_1_and_validation_what_release_2_adds(bench: LiveCodeBenchTask, tmp_path: Path) -> None:
    ids = {split: [instance.instance_id for instance in bench.instances(split)] for split in ("val", "test")}
    assert ids == {"test": [f"q{n:03d}" for n in range(8)], "val": [f"q{n:03d}" for n in range(8, 12)]}
    rows = [livecodebench_row(number) for number in range(12)]
    for first, second in (("test", "test2"), ("test", "val")):
        folder = tmp_path / second
        folder.mkdir()
        other = LiveCodeBenchTask(str(write_rows(folder, **{first: rows[:8], second: rows[6:]})))
        assert [instance.instance_id for instance in other.instances("val")] == ids["val"]
    with pytest.raises(ConfigurationError):
        bench.instances("train")
    with pytest.raises(MissingFileError):
        LiveCodeBenchTask(str(write_rows(tmp_path, test=rows))).instances("val")


def test_programs_are_judged_by_public_and_private_tests(bench: LiveCodeBenchTask) -> None:
    for instance in (*bench.instances("val"), *bench.instances("test")):
        number = int(instance.instance_id[1:])
        kind = "functional" if number % 2 else "stdin"
        right = SOLUTIONS[kind].format(number)
        tests, entry_point = read_row(instance.metadata)
        assert len(tests) == 4 and (entry_point == "addUp") is bool(number % 2)
        assert bench.score(instance, fenced(right)) == 1.0
        assert bench.score(instance, fenced(SOLUTIONS[kind].format(number + 1))) == 0.0
        # Right on both public tests, wrong on the private ones.
        if kind == "functional":
            private = right.replace("return ", "return 0 if len(numbers) in (0, 3) else ")
        else:
            private = right.replace("print(", "print(0 if n in (0, 3) else ")
        verdict = bench.verdict(instance, fenced(private))
        assert verdict is not None and (verdict.outcome, verdict.test) == ("wrong_answer", 2)
        assert bench.slices_of(instance) == {"difficulty": ("easy", "medium", "hard")[number % 3]}
        assert "addUp" in instance.instruction or kind == "stdin"


def test_rows_without_a_known_solution_have_an_answer_that_is_never_right(tmp_path: Path) -> None:
    rows = [livecodebench_row(number) for number in range(4)]
    for row in rows:
        del row["solution"]
    task = LiveCodeBenchTask(str(write_rows(tmp_path, test=rows[:2], val=rows[2:])))
    for instance in task.instances("val"):
        assert instance.answer.strip() and task.score(instance, instance.answer) == 0.0


class _Bomb:
    def __reduce__(self) -> tuple[object, ...]:
        return os.system, ("touch /tmp/unpickled",)


def hidden(value: object) -> str:
    return base64.b64encode(zlib.compress(pickle.dumps(value))).decode("ascii")


def test_packed_tests_are_read_without_building_objects() -> None:
    tests = [{"input": "1", "output": "2", "testtype": "stdin"}]
    assert read_tests(packed(tests), "here") == tests == read_tests(hidden(tests), "here")
    assert read_tests("", "here") == [] == read_tests(None, "here")
    for damaged in (
        hidden(_Bomb()),
        hidden([Counter("x")]),
        hidden({"input": 1}),
        base64.b64encode(b"no zlib").decode(),
        base64.b64encode(zlib.compress(b"no pickle")).decode(),
        "no base64 é",
        '[{"input": 1}]',
        '{"a": 1}',
        5,
    ):
        with pytest.raises(RecordError, match="here") as error:
            read_tests(damaged, "here")
        assert "\n" not in str(error.value)
    assert not Path("/tmp/unpickled").exists()


@pytest.mark.parametrize(
    "change",
    [
        {"private_test_cases": hidden(_Bomb())},
        {"public_test_cases": "[]", "private_test_cases": ""},
        {"metadata": "no JSON"},
        {"metadata": '{"func_name": "addUp"}', "public_test_cases": '[{"input": "x", "output": "1", "testtype": ""}]'},
    ],
)
def test_damaged_rows_are_one_line_errors(change: dict[str, str]) -> None:
    with pytest.raises(RecordError, match="q000") as error:
        read_row({**livecodebench_row(0), **change})
    assert "\n" not in str(error.value)


def test_humaneval_accepts_programs_and_bodies() -> None:
    task = HumanEvalTask(str(made_humaneval()), val_size=4)
    assert [len(task.instances(split)) for split in ("val", "test")] == [4, 8]
    for instance in task.instances("test"):
        number = int(instance.instance_id.split("/")[1])
        body = humaneval_row(number)["canonical_solution"]
        for reply, score in (
            (fenced(instance.answer), 1.0),
            (instance.answer, 1.0),
            (body, 1.0),
            (fenced(body), 1.0),
            (fenced(f"raised{number} = lambda x: x"), 0.0 if number else 1.0),
            (fenced(f"def raised{number}(x):\n    return x + {number + 1}"), 0.0),
            (fenced(f"def check(c): pass\ndef raised{number}(x): return 0"), 0.0),
            ("", 0.0),
            ("I do not know.", 0.0),
        ):
            assert task.score(instance, reply) == score, reply
    with pytest.raises(ConfigurationError, match="12 rows"):
        HumanEvalTask(str(made_humaneval()), val_size=12).instances("val")


_SWAPS: dict[type[ast.AST], type[ast.AST]] = {
    **{ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult},
    **{ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq},
    **{ast.Mod: ast.Add, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.And: ast.Or, ast.Or: ast.And},
}


def mutants(source: str) -> list[str]:
    """The program with one place changed, for each place: an operator, a comparison, a constant or what is returned."""
    made = []
    for place in range(sum(1 for _ in ast.walk(ast.parse(source)))):
        tree = ast.parse(source)
        node: Any = list(ast.walk(tree))[place]
        before = ast.dump(tree)
        if isinstance(node, ast.BinOp | ast.BoolOp) and type(node.op) in _SWAPS:
            node.op = _SWAPS[type(node.op)]()
        elif isinstance(node, ast.Compare) and type(node.ops[0]) in _SWAPS:
            node.ops[0] = _SWAPS[type(node.ops[0])]()
        elif isinstance(node, ast.Return):
            node.value = None
        elif isinstance(node, ast.Constant) and isinstance(node.value, int):
            node.value = not node.value if isinstance(node.value, bool) else node.value + 1
        if ast.dump(tree) != before:
            made.append(ast.unparse(tree))
    return made


_ORACLE = """
import json, os, random, resource, signal, sys
for program, check, entry in json.load(sys.stdin):
    pid = os.fork()
    if pid == 0:
        resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
        signal.alarm(5)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        try:
            random.seed(0)
            space = {"__name__": "oracle"}
            exec("from typing import *\\n" + program, space)
            exec(check, space)
            space["check"](space[entry])
        except BaseException:
            os._exit(1)
        os._exit(0)
    print(os.waitpid(pid, 0)[1] == 0, flush=True)
"""


@pytest.mark.slow
@pytest.mark.skipif(not REAL.is_dir(), reason="DATAENVGYM_DATA_DIR has no humaneval")
def test_real_solutions_are_accepted_and_mutants_that_differ_rejected() -> None:
    import json

    task = HumanEvalTask(seconds=5.0)
    instances = [*task.instances("val"), *task.instances("test")]
    assert len(instances) == 164
    refused = [instance.instance_id for instance in instances if task.score(instance, fenced(instance.answer)) < 1.0]
    assert not refused
    cases = []
    for instance in instances:
        made = mutants(instance.answer)
        for mutant in random.Random(instance.instance_id).sample(made, min(3, len(made))):
            cases.append((instance, mutant))
    assert len(cases) > 400
    # What a mutant does on the tests is found out by running it beside its own check, without the sandbox.
    plain = [(mutant, instance.metadata["test"], instance.metadata["entry_point"]) for instance, mutant in cases]
    result = subprocess.run([sys.executable, "-c", _ORACLE], input=json.dumps(plain), capture_output=True, text=True)
    alike = [line == "True" for line in result.stdout.split()]
    assert len(alike) == len(cases), result.stderr
    differing = [(instance, mutant) for (instance, mutant), same in zip(cases, alike, strict=True) if not same]
    assert len(differing) > 300
    passed = [mutant for instance, mutant in differing if task.score(instance, fenced(mutant)) == 1.0]
    assert not passed, passed[0]
    same = [pair for pair, like in zip(cases, alike, strict=True) if like]
    scored = [task.score(instance, fenced(mutant)) for instance, mutant in same]
    assert sum(scored) == len(scored), "a mutant that passes its check was refused"
