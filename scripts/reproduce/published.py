"""The paper's numbers that have a source, each with a mark of which (tables.py: S, C, and with a dagger B).

Of its Table 2, four accuracies and four gains are quoted by others; nothing else of it is known to us.
"""

from collections.abc import Mapping

from dataenvgym.studies.tables import Number, published

# GPT-4o as teacher, the best of ten steps by validation: (environment, state) by benchmark. Accuracies in percent.
_ACCURACIES: Mapping[str, Mapping[tuple[str, str], Number]] = {
    "math": {
        ("before", ""): published(15.78, "B"),
        ("open_ended", "no"): published(19.78, "B"),
        ("open_ended", "with"): published(23.44, "B"),
        ("skill_list", "with"): published(19.48, "B"),
    },
}

# Gains over before teaching, in points.
_GAINS: Mapping[str, Mapping[tuple[str, str], Number]] = {
    "gqa": {
        ("open_ended", "with"): published(3.72, "B", signed=True, unit=""),
        ("skill_tree", "with"): published(5.58, "B", signed=True, unit=""),
    },
    "livecodebench": {
        ("open_ended", "no"): published(0.00, "B", signed=True, unit=""),
        ("open_ended", "with"): published(2.41, "B", signed=True, unit=""),
    },
}

# The benchmark of the paper that a domain of either preset is compared with, and its label.
BENCHMARKS = {
    "math": "math",
    "vqa": "gqa",
    "code": "livecodebench",
    "gqa": "gqa",
    "livecodebench": "livecodebench",
}
LABELS = {"math": "MATH, Gemma-2-2B", "gqa": "GQA, PaliGemma-3B", "livecodebench": "LiveCodeBench, Llama-3-8B"}

# How the paper's numbers differ from ours, by preset.
APART = {
    "embedded": "The paper's numbers are of other students and benchmarks, at the best of ten steps.",
    "paper": "The paper's numbers are at the best of ten steps, chosen on validation.",
    "rehearsal": "The paper's numbers are for comparison with real runs.",
}


def accuracy_in_paper(domain: str, row: str, state: str = "") -> Number:
    """Table 2's accuracy of an environment ``with`` or with ``no`` state, or ``before``; empty if it is not known."""
    return _ACCURACIES.get(BENCHMARKS.get(domain, ""), {}).get((row, state), Number(None))


def gain_in_paper(domain: str, row: str, state: str) -> Number:
    """Table 2's gain over before teaching, in points, where a gain is what is quoted; else an empty number."""
    return _GAINS.get(BENCHMARKS.get(domain, ""), {}).get((row, state), Number(None))
