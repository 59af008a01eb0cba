"""How close a plan is to the gold plan: the benchmark's metrics over parsed plans, and metrics of the data flow.

The benchmark compares *sets* of labels of each plan (``mnms/evaluation/evaluator.py`` and ``metrics.py``); so do these,
in [0, 1] instead of 0 to 100. But calls that its line-by-line reading loses are read, and a reference stands for the
call that it refers to, so that renamed variables are the same plan.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Literal

from tasks.tool_use.plans import Mixed, Plan, Reference, Unknown, Value, fold, references
from tasks.tool_use.tools import TOOLS

Labels = Callable[[Plan], list[str]]
Headline = Literal["plan_tool", "plan_argname", "plan_argvalue", "plan"]  # what a score may be: see EXACT_METRICS


def argument_name_labels(plan: Plan) -> list[str]:
    """The tool of each call with the names of its arguments."""
    return ["--".join((call.tool, *sorted(name for name, _ in call.arguments))) for call in plan.calls]


def argument_value_labels(plan: Plan) -> list[str]:
    """The tool of each call with the names and values of its arguments.

    A reference's value is the output of the n-th different call of a tool: an error in that call's own arguments
    counts there and not here again.
    """
    labels: list[str] = []
    names: list[str] = []
    numbers: dict[str, dict[str, int]] = {}
    for call in plan.calls:
        shown = sorted(f"{name}={_shown(value, names)}" for name, value in call.arguments)
        labels.append("--".join((call.tool, *shown)))
        earlier = numbers.setdefault(call.tool, {})
        names.append(f"{call.tool}#{earlier.setdefault(labels[-1], len(earlier))}")
    return labels


def flow_edges(plan: Plan) -> list[str]:
    """Data flow: the output of a tool with the argument of the tool that it goes into."""
    return [
        f"{plan.calls[one.step].tool}.{one.output}--{call.tool}.{name}"
        for call in plan.calls
        for name, value in call.arguments
        for one in references(value)
    ]


def _shown(value: Value, names: Sequence[str]) -> str:
    if isinstance(value, Reference):
        return f"<{names[value.step]}.{value.output}>"
    if isinstance(value, Mixed):
        return "".join(fold(part) if isinstance(part, str) else _shown(part, names) for part in value.parts)
    return f"<{value.text}>" if isinstance(value, Unknown) else fold(value)


# Precision, recall and F1 of labels. ``tool`` is averaged over tools, the others are pooled over all plans.
SET_METRICS: Mapping[str, Labels] = {
    "tool": lambda plan: list(plan.tools),
    "argname": argument_name_labels,
    "argvalue": argument_value_labels,
    # The benchmark's edges: each tool with the one that comes next, whether or not anything flows between them.
    "edge": lambda plan: [f"{left}--{right}" for left, right in pairwise(plan.tools)],
    "flow_edge": flow_edges,
}

# Shares of plans that are right as a whole. ``plan_*`` are the benchmark's, on labels in order; ``plan`` is ours: the
# same calls with the same data flowing into each, whatever the order of calls that do not depend on each other.
EXACT_METRICS: Mapping[str, Callable[[Plan, Plan], bool]] = {
    "plan_tool": lambda gold, made: gold.tools == made.tools,
    "plan_argname": lambda gold, made: argument_name_labels(gold) == argument_name_labels(made),
    "plan_argvalue": lambda gold, made: argument_value_labels(gold) == argument_value_labels(made),
    "plan": lambda gold, made: len(gold.calls) == len(made.calls) and gold.trees == made.trees,
}


def plan_score(golds: Sequence[Plan], predicted: Plan, headline: Headline) -> float:
    """1.0 if the predicted plan is one of the gold plans by an exact metric, else 0.0."""
    same = EXACT_METRICS[headline]
    return float(bool(predicted.calls) and any(same(gold, predicted) for gold in golds))


def aggregate_metrics(pairs: Iterable[tuple[Plan, Plan]]) -> dict[str, float]:
    """Precision, recall and F1 of every set metric, and the share of every exact one, over (gold, predicted) pairs.

    Each is in [0, 1]. Where there is nothing to find and nothing was claimed (no edge in plans of one call each), the
    three are 1; without any pair, all are 0.
    """
    pairs = list(pairs)
    found: dict[str, float] = {}
    for name, labels in SET_METRICS.items():
        both = [(set(labels(gold)), set(labels(made))) for gold, made in pairs]
        scores = macro_average(both) if name == "tool" else pooled(both)
        if not pairs:
            scores = (0.0, 0.0, 0.0)
        found |= {f"{name}_{which}": value for which, value in zip(("precision", "recall", "f1"), scores, strict=True)}
    for name, same in EXACT_METRICS.items():
        found[name] = sum(same(gold, made) for gold, made in pairs) / len(pairs) if pairs else 0.0
    return found


def best_match(golds: Sequence[Plan], predicted: Plan) -> Plan:
    """The alternative gold plan that a prediction is measured against: the first with the best F1 of tools."""
    return max(golds, key=lambda gold: pooled([(set(gold.tools), set(predicted.tools))])[2])


def macro_average(both: Sequence[tuple[set[str], set[str]]]) -> tuple[float, float, float]:
    """Precision, recall and F1 as means over the tools that occur in either plan; an invented tool is no category."""
    tools = sorted({label for pair in both for labels in pair for label in labels} & set(TOOLS))
    if not tools:
        return (0.0, 0.0, 0.0)
    each = [pooled([(gold & {tool}, made & {tool}) for gold, made in both]) for tool in tools]
    precision, recall, f1 = (sum(scores[place] for scores in each) / len(each) for place in range(3))
    return precision, recall, f1


def pooled(both: Sequence[tuple[set[str], set[str]]]) -> tuple[float, float, float]:
    """Precision, recall and F1 over the labels of all plans; a pair of sets (gold, predicted) for each plan."""
    right = sum(len(gold & made) for gold, made in both)
    claimed, wanted = (sum(len(pair[place]) for pair in both) for place in (1, 0))
    if not claimed and not wanted:
        return (1.0, 1.0, 1.0)
    precision, recall = right / claimed if claimed else 0.0, right / wanted if wanted else 0.0
    return precision, recall, 2 * right / (claimed + wanted)
