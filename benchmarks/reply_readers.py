"""Compares readers of replies with the benchmarks' own rules, on the labelled replies of the tests.

    python benchmarks/reply_readers.py

Prints how many replies with two options are read as a careful reader reads them, by NaturalBench's own rule and by
ours, and the metrics of m&m's over replies that should hold one plan, as its authors compute them and as we do.
"""

import json
import re
from typing import Any

from common import ROOT

from tasks.choices import LETTERS, YES_NO, Options, choose
from tasks.tool_use import aggregate_metrics, parse_plan
from tasks.tool_use.authors import authors_metrics
from tasks.tool_use.plans import plan_nodes

DATA = ROOT / "tests" / "tasks" / "data"


def rows(name: str) -> list[dict[str, Any]]:
    """The labelled replies of a file."""
    return [json.loads(line) for line in (DATA / name).read_text(encoding="utf-8").split("\n") if line]


def first_word(reply: str, options: Options) -> str | None:
    """NaturalBench's own rule: the option that occurs first as a word."""
    matches = [match for word in options.words if (match := re.search(rf"\b{word}\b", reply, re.IGNORECASE))]
    return min(matches, key=lambda match: match.start()).group().lower() if matches else None


def main() -> None:
    """Prints both comparisons."""
    for kind, options in (("yes_no", YES_NO), ("letters", LETTERS)):
        labelled = [row for row in rows("replies_with_choices.jsonl") if row["kind"] == kind]
        labels = [row["choice"] and row["choice"].lower() for row in labelled]
        for name, reader in (("NaturalBench's rule", first_word), ("ours", choose)):
            read = [reader(row["reply"], options) for row in labelled]
            right = sum(one == label for one, label in zip(read, labels, strict=True))
            false = sum(one not in (None, label) for one, label in zip(read, labels, strict=True))
            print(f"{kind}: {name}: {right} of {len(labels)} as labelled, {false} read as a wrong option")
    plans = [row for row in rows("replies_with_plans.jsonl") if row["plan"]]
    golds = [parse_plan(row["plan"]) for row in plans]
    theirs = authors_metrics(([plan_nodes(gold)], row["reply"]) for gold, row in zip(golds, plans, strict=True))
    ours = aggregate_metrics((gold, parse_plan(row["reply"])) for gold, row in zip(golds, plans, strict=True))
    for name, value in theirs.items():
        own = name.removeprefix("mnms_").replace("tool_macro", "tool").removesuffix("_accuracy")
        print(
            f"m&m's, {len(plans)} replies: {name} {value:.3f}, ours {own} {ours[own]:.3f}"
            if own in ours
            else f"{name} {value:.3f}"
        )


if __name__ == "__main__":
    main()
