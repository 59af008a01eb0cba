"""The headline score of a reply's plan: right as a whole or not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

from tasks.errors import ConfigurationError
from tasks.tool_use.metrics import EXACT_METRICS
from tasks.tool_use.plans import Plan

Headline = Literal["plan_tool", "plan_argname", "plan_argvalue", "plan"]


def check_headline(headline: str) -> Headline:
    """The headline, if there is such a one.

    Raises:
        ConfigurationError: There is none.
    """
    for known in get_args(Headline):
        if headline == known:
            return known  # type: ignore[no-any-return]
    raise ConfigurationError(f"task.init_args.headline is {headline!r}: choose one of {', '.join(get_args(Headline))}.")


def plan_score(golds: Sequence[Plan], predicted: Plan, headline: Headline) -> float:
    """1.0 if the predicted plan is one of the gold plans by an exact metric, else 0.0."""
    same = EXACT_METRICS[headline]
    return float(bool(predicted.calls) and any(same(gold, predicted) for gold in golds))
