"""m&m's (Ma et al., 2024): human-verified requests with plans over 33 tools."""

import ast
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, ClassVar, Literal

from tasks.base import SplitTask
from tasks.benchmark_rows import BenchmarkRow, BenchmarkRows
from tasks.errors import RecordError, check_choice
from tasks.prompting import DomainText
from tasks.tool_use.authors import authors_metrics
from tasks.tool_use.checking import checked_record, plan_domain_text
from tasks.tool_use.metrics import EXACT_METRICS, Headline, aggregate_metrics, best_match, plan_score
from tasks.tool_use.parsing import parse_plan, plan_from_nodes
from tasks.tool_use.plans import Plan, render
from tasks.tool_use.tools import tool_list
from tasks.types import Prediction, Split, TaskInstance, TrainingRecord

HUB_ID = "zixianma/mnms"
# The commit that the authors of DataEnvGym pinned; it could not be downloaded where this was written.
REVISION = "da313260161c982eb2004bb15761d7aa2e03eb4f"
VERIFIED, FILTERED = "test_human_verified", "test_human_verified_filtered"

_HOW = (
    "Answer with a plan in Python: one call of a tool in each line, its result assigned to output0, output1 and so on, "
    "arguments by name, a result used by its key, as in output0['text']. Use no more tools than needed. The tools:"
)


class MnmsTask(SplitTask):
    """The m&m's benchmark: from a request to the calls of tools that carry it out.

    Rows come from ``path``, else from ``$DATAENVGYM_DATA_DIR/mnms``, else from the hub. As in DataEnvGym, the test set
    is ``test_human_verified_filtered`` (882 rows) and validation is the rest of ``test_human_verified`` (683).
    The skill of an instance is the tools of its plan, in order; results are also reported by the plan's length.

    Args:
        path: A local folder with ``test_human_verified.jsonl`` and ``test_human_verified_filtered.jsonl``, or with
            ``val.jsonl`` and ``test.jsonl`` (``id``, ``user_request``, ``plan_str``, ``code_str``, ``alt_plans_str``).
        hub_id: The data set on the Hugging Face hub.
        revision: Its commit; None takes the newest.
        headline: What the score is: ``plan_tool`` (the tools in order, DataEnvGym's measure) or a stricter one,
            ``plan_argname``, ``plan_argvalue`` or ``plan`` (all calls with all arguments, compared as data flow).
        alternatives: Also take the row's alternative plans for right.
        prompt: ``tools`` adds the signatures of all tools to each request, in evaluation and in records, for students
            that were not trained; ``request`` asks the request alone.

    Raises:
        ConfigurationError: A setting has a value that cannot work.
        MissingFileError: The local folder does not exist.
    """

    name: ClassVar[str] = "mnms"
    no_train = "m&m's has no train split: choose an engine that writes its records."

    def __init__(
        self,
        path: str | None = None,
        hub_id: str = HUB_ID,
        revision: str | None = REVISION,
        headline: Headline = "plan_tool",
        alternatives: bool = False,
        prompt: Literal["tools", "request"] = "tools",
    ) -> None:
        check_choice("task.init_args", ("tools", "request"), prompt=prompt)
        check_choice("task.init_args", EXACT_METRICS, headline=headline)
        self.headline = headline
        self.alternatives = alternatives
        self.prompt = prompt
        self._rows = BenchmarkRows(self.name, path, hub_id, revision)

    def score(self, instance: TaskInstance, text: str) -> float:
        """1.0 if the reply's plan is the gold plan, or one of its alternatives if they count, else 0.0."""
        return plan_score(self.gold_plans(instance), parse_plan(text), self.headline)

    def reference(self, instance: TaskInstance) -> str | None:
        """The gold plan."""
        return instance.answer

    def gold_plans(self, instance: TaskInstance) -> list[Plan]:
        """The gold plan and, if they count, its alternatives."""
        golds = [parse_plan(instance.answer)]
        if self.alternatives:
            golds += [plan_from_nodes(nodes) for nodes in instance.metadata.get("alternatives", ())]
        return golds

    def extra_metrics(self, split: Split, predictions: Sequence[Prediction]) -> Mapping[str, float]:
        """Precision, recall and F1 of tools, arguments and edges, and every exact measure, each in [0, 1].

        Beside ours stand those of the benchmark's authors, under their names behind ``mnms_`` (``authors.py``).
        With alternatives, a prediction is measured against the one with the nearest tools, as the benchmark does.
        """
        pairs, replies = [], []
        for instance, prediction in zip(self.instances(split), predictions, strict=True):
            predicted = parse_plan(prediction.text)
            pairs.append((best_match(self.gold_plans(instance), predicted), predicted))
            golds = [instance.metadata["plan"], *(instance.metadata["alternatives"] if self.alternatives else ())]
            replies.append((golds, prediction.text))
        return {**aggregate_metrics(pairs), **authors_metrics(replies)}

    @property
    def split_note(self) -> str:
        """Where the two splits come from."""
        return f"m&m's from {self._rows.source}: test is {FILTERED}, validation the rest of {VERIFIED}."

    def slices_of(self, instance: TaskInstance) -> Mapping[str, str]:
        """How many calls the gold plan has."""
        return {"steps": str(len(parse_plan(instance.answer).calls))}

    def parse_record(self, reply: Mapping[str, Any]) -> TrainingRecord:
        """A record whose response is a plan that the tools' signatures allow, asked as the instances are."""
        record = checked_record(reply)
        return replace(record, instruction=self._ask(record.instruction))

    @property
    def domain_text(self) -> DomainText:
        """The tools with their signatures, what a plan looks like, and one worked example."""
        return plan_domain_text(self.name)

    def _ask(self, request: str) -> str:
        """A request as the student is asked it. The request comes first: who quotes a part of it quotes that."""
        request = request.strip().removesuffix(self._suffix)
        return request + self._suffix

    @cached_property
    def _suffix(self) -> str:
        return f"\n\n{_HOW}\n{tool_list()}" if self.prompt == "tools" else ""

    def make_split(self, split: Split) -> list[TaskInstance]:
        """The instances of a split in the order of its rows."""
        whole = FILTERED if split == "test" else VERIFIED
        rows = self._rows.read(whole if self._rows.has(whole) else split)
        if split == "val" and self._rows.has(VERIFIED):
            tested = {instance.instance_id.removeprefix("test_") for instance in self.instances("test")}
            rows = [row for row in rows if str(row.fields.get("id")) not in tested]
        return [self._instance(row, split) for row in rows]

    def _instance(self, row: BenchmarkRow, split: Split) -> TaskInstance:
        if row.fields.get("id") is None:
            raise RecordError(f"{row.where}: the field 'id' is missing; mend or delete that row.")
        plan = _read_plans(row, "plan_str")
        alternatives = _read_plans(row, "alt_plans_str") if row.fields.get("alt_plans_str") else []
        gold = _gold(row, plan)
        for nodes in alternatives:
            _gold(row, nodes)
        return TaskInstance(
            instance_id=f"{split}_{row.fields['id']}",
            instruction=self._ask(row.text("user_request")),
            answer=render(gold),
            skill=", ".join(tool.replace("_", " ") for tool in gold.tools),
            metadata={**row.fields, "plan": plan, "alternatives": alternatives},
        )


def _read_plans(row: BenchmarkRow, field: str) -> list[Any]:
    """The list in a field, written as JSON or as a Python literal; what is neither is not evaluated."""
    text = row.text(field)
    try:
        value = json.loads(text)
    except ValueError:
        try:
            value = ast.literal_eval(text.strip())
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            value = None
    if not isinstance(value, list):
        raise RecordError(f"{row.where}: {field} is no list of nodes ({text!r:.80}); mend or delete that row.")
    # Through JSON, so that an instance equals itself after it was written and read: tuples become lists.
    return list(json.loads(json.dumps(value, default=str)))


def _gold(row: BenchmarkRow, nodes: Any) -> Plan:
    try:
        return plan_from_nodes(nodes)
    except ValueError as error:
        raise RecordError(f"{row.where}: its plan cannot be read ({error}); mend or delete that row.") from None
