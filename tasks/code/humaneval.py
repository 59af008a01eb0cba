"""HumanEval (Chen et al., 2021): 164 functions to complete, each with a check that asserts."""

import ast
import random
import re
from typing import Any, ClassVar

from tasks.benchmark_rows import BenchmarkRow, BenchmarkRows
from tasks.code.records import code_blocks, extract_program, split_answer
from tasks.code.task import ProgrammingTask, may_answer
from tasks.code.verdict import Job
from tasks.errors import ConfigurationError, check_range
from tasks.types import Split, TaskInstance

_SPLIT = "test"
_PARSED = 50_000  # characters that are parsed here, outside the sandbox: millions take seconds and gigabytes
_FUTURE = re.compile(r"^from __future__ import [\w, ]+$", re.MULTILINE)
_FIELDS = ("task_id", "prompt", "canonical_solution", "test", "entry_point")


class HumanEvalTask(ProgrammingTask):
    """HumanEval, with validation instances drawn from its only split and left out of the test instances.

    Rows come from ``path``, else ``$DATAENVGYM_DATA_DIR/humaneval``, else the hub. A reply is a whole program,
    in a fence or not, or the body that goes on from the prompt. It is judged by the benchmark's own check, whose
    assertions run in a process that the program cannot see.

    Args:
        path: A local folder with ``test.jsonl`` in the benchmark's own fields (``task_id``, ``prompt``,
            ``canonical_solution``, ``test``, ``entry_point``).
        hub_id: The data set on the Hugging Face hub.
        revision: Its commit; None takes the newest.
        val_size: Rows drawn at random for validation.
        seed: Seed of that draw, apart from the run's seed.
        seconds: Wall time of one program's whole check.
        settings: Those of ProgrammingTask: isolation, strict and packages.

    Raises:
        ConfigurationError: ``val_size`` leaves nothing to validate or to test; or a package is not installed.
        RecordError: A row lacks a field.
    """

    name: ClassVar[str] = "humaneval"

    def __init__(
        self,
        path: str | None = None,
        hub_id: str = "openai/openai_humaneval",
        revision: str | None = None,
        val_size: int = 64,
        seed: int = 0,
        seconds: float = 10.0,
        **settings: Any,
    ) -> None:
        super().__init__(seconds, **settings)
        check_range("task.init_args", val_size=val_size)
        self.rows = BenchmarkRows("humaneval", path, hub_id, revision)
        self.val_size = val_size
        self.seed = seed

    def make_split(self, split: Split) -> list[TaskInstance]:
        """Validation or test: a random ``val_size`` rows, and all others."""
        rows = self.rows.read(_SPLIT)
        if self.val_size >= len(rows):
            raise ConfigurationError(
                f"task.init_args.val_size is {self.val_size}, but {self.rows.source} has {len(rows)} rows: "
                "some must be left for the test."
            )
        chosen = set(random.Random(self.seed).sample(range(len(rows)), self.val_size))
        made = [self._instance(row) for row in rows]  # all of them, so that a damaged row is found in either split
        return [instance for index, instance in enumerate(made) if (index in chosen) == (split == "val")]

    def _instance(self, row: BenchmarkRow) -> TaskInstance:
        fields = {name: row.text(name) for name in _FIELDS}
        return TaskInstance(
            instance_id=fields["task_id"],
            instruction=self.ask(fields["prompt"]),
            answer=fields["prompt"] + fields["canonical_solution"],
            metadata=dict(row.fields),
        )

    def ask(self, problem: str) -> str:
        """The instruction that a prompt is asked with."""
        return f"Complete this Python function. Reply with the whole function in one code block.\n\n{problem.strip()}"

    def reference(self, instance: TaskInstance) -> str | None:
        """The canonical solution, in a code block as it is asked for."""
        return f"```python\n{instance.answer.strip()}\n```"

    def program_of(self, instance: TaskInstance, text: str) -> str:
        """The last code block that defines the function, since many replies go on to use it; else the last of all."""
        blocks, entry_point = code_blocks(text), str(instance.metadata.get("entry_point", ""))
        defining = [block for block in blocks if entry_point and _defines(block, entry_point)]
        return defining[-1] if defining else extract_program(text)

    def job(self, instance: TaskInstance, program: str) -> Job | None:
        """The benchmark's check, or a record's own tests."""
        if "entry_point" not in instance.metadata:
            _, tests, entry_point = split_answer(instance.answer)
            judged = tests and may_answer(program, entry_point)
            return Job(program, tests, entry_point, preamble=True) if judged else None
        prompt, entry_point = instance.metadata["prompt"], instance.metadata["entry_point"]
        defines = _defines(program, entry_point)
        if not defines and not program[0].isspace():
            return None  # neither the function nor a body that goes on from the prompt
        # Helpers that the prompt defines are there whether or not the reply repeats them.
        future = "".join(f"{line}\n" for line in _FUTURE.findall(program))  # such lines are the first, or an error
        whole = f"{future}{prompt}    pass\n\n{_FUTURE.sub('', program)}" if defines else prompt + program
        return Job(whole, (), entry_point, instance.metadata["test"], prompt + "    pass\n", preamble=True)


def _defines(program: str, name: str) -> bool:
    """Whether a program defines a function at its top level; a body that goes on from a prompt does not parse alone."""
    try:
        tree = ast.parse(program) if len(program) <= _PARSED else None
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        tree = None
    if tree is None:
        return re.search(rf"^(async +)?def +{re.escape(name)}\b|^class +Solution\b", program, re.MULTILINE) is not None
    bound = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)}
    for node in tree.body:
        if isinstance(node, ast.Assign):
            bound |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return not bound.isdisjoint((name, "Solution"))
