"""The paper's numbers, each with where it is from (tables.py: S, C, and with a dagger B and D)."""

from __future__ import annotations

from tables import Number, published

# Accuracy in percent, GPT-4o as teacher: (row, state) by benchmark. What is missing is not known to us.
_TABLE_2: dict[str, dict[tuple[str, str], tuple[float, str]]] = {
    "gqa": {
        ("before", ""): (44.18, "D"),
        ("open_ended", "no"): (43.48, "D"),
        ("open_ended", "with"): (47.90, "B"),
        ("skill_list", "with"): (48.18, "D"),
        ("skill_tree", "no"): (49.53, "D"),
        ("skill_tree", "with"): (49.76, "B"),
    },
    "math": {
        ("before", ""): (15.78, "B"),
        ("open_ended", "no"): (19.78, "B"),
        ("open_ended", "with"): (23.44, "B"),
        ("skill_list", "with"): (19.48, "B"),
        ("skill_tree", "no"): (17.15, "D"),
        ("skill_tree", "with"): (18.90, "D"),
    },
    "livecodebench": {
        ("before", ""): (16.50, "D"),
        ("open_ended", "no"): (16.50, "B"),
        ("open_ended", "with"): (18.91, "B"),
        ("skill_list", "with"): (18.25, "D"),
        ("skill_tree", "no"): (16.50, "D"),
        ("skill_tree", "with"): (17.74, "D"),
    },
}

# Test instances of each benchmark, for what may be concluded from an accuracy alone.
TEST_SIZES = {"math": 5_000, "livecodebench": 400}

# The benchmark of the paper that a domain of either preset is set beside, and what it is called.
BENCHMARKS = {
    "math": "math",
    "vqa": "gqa",
    "code": "livecodebench",
    "gqa": "gqa",
    "livecodebench": "livecodebench",
}
LABELS = {"math": "MATH, Gemma-2-2B", "gqa": "GQA, PaliGemma-3B", "livecodebench": "LiveCodeBench, Llama-3-8B"}


def benchmark_of(domain: str) -> str | None:
    """The paper's benchmark of a domain; None where its numbers are not known to us."""
    return BENCHMARKS.get(domain)


def accuracy_in_paper(domain: str, row: str, state: str = "") -> Number:
    """Table 2's accuracy; an empty number if it is not known.

    Args:
        domain: Name of a domain of a preset.
        row: ``before`` or an environment.
        state: ``with`` or ``no``; empty for ``before``.
    """
    found = _TABLE_2.get(benchmark_of(domain) or "", {}).get((row, state))
    return Number(None) if found is None else published(*found)


def gain_in_paper(domain: str, row: str, state: str) -> Number:
    """Table 2's gain over before teaching, in points; secondary if either of its numbers is."""
    own, before = accuracy_in_paper(domain, row, state), accuracy_in_paper(domain, "before")
    if own.value is None or before.value is None:
        return Number(None)
    return Number(own.value - before.value, digits=2, signed=True, secondary=own.secondary or before.secondary)
