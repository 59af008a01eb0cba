"""summary.json: what a run says in one page; first, best and last side by side, with intervals."""

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from environments.statistics import accuracy_interval, best_of_steps, gain_by_instance

Scores = Mapping[str, Sequence[float]]
Likelihoods = Mapping[str, Sequence[float | None]]
Clusters = Mapping[str, Sequence[str]]
_SPLITS = ("val", "test")


def best_step(lines: Sequence[Mapping[str, Any]]) -> int:
    """The step of the highest validation accuracy; the earliest of equals. Test accuracy plays no part."""
    return int(max(lines, key=lambda line: (line["val"]["overall"]["value"] or 0.0, -line["step"]))["step"])


def summarise(
    lines: Sequence[Mapping[str, Any]],
    scores: Mapping[int, Scores],
    facts: Mapping[str, Any],
    status: str,
    counted: Mapping[str, Mapping[str, Any]],
    stopped: str | None = None,
    clusters: Clusters | None = None,
    error: str | None = None,
    likelihoods: Mapping[int, Likelihoods] | None = None,
) -> dict[str, Any]:
    """The summary of the steps finished so far.

    Args:
        lines: The lines of episode.jsonl.
        scores: By step and split, the score of every instance, in the task's order.
        facts: Seed and the names of task, environment, teacher and student.
        status: ``running``, ``finished`` or ``failed``.
        counted: ``cost`` of all calls to a chat model that the run rests on (dollars, tokens, calls); under ``chat``
            and ``scoring`` what went wrong in this process's calls and in the task's work, by name.
        stopped: What ended the episode before its budget was spent (``max_usd``), if anything did.
        clusters: By split, the group of every instance in the order of the scores; None, or no entry, where instances
            are independent.
        error: What a failed run ended with, on one line.
        likelihoods: As ``scores``, the likelihood of every instance's reference reply, None where it has none.
    """
    of = clusters or {}
    likely = likelihoods or {}
    summary: dict[str, Any] = {"status": status, **facts, "steps": max(0, len(lines) - 1)}
    if stopped is not None:
        summary["stopped"] = stopped
    if error is not None:
        summary["error"] = error
    summary["records"] = sum(line["records"] for line in lines)
    summary["rejected"] = dict(sorted(sum((Counter(line["rejected"]) for line in lines), Counter()).items()))
    summary["truncated_records"] = lines[-1]["truncated_records"] if lines else 0
    summary["replayed_records"] = lines[-1].get("replayed_records", 0) if lines else 0
    if lines:
        first, last, best = 0, lines[-1]["step"], best_step(lines)
        summary["before"] = _measured(first, scores, likely, of)
        summary["after"] = _measured(last, scores, likely, of)
        summary["best"] = {
            **_measured(best, scores, likely, of),
            "gain": _gain(first, best, scores, likely, of),
            "val_of_choice": _val_of_choice({line["step"]: scores[line["step"]]["val"] for line in lines}, of),
        }
        summary["gain"] = _gain(first, last, scores, likely, of)
        summary["skills"] = _groups(lines[first]["test"]["skills"], lines[-1]["test"]["skills"])
        summary["metrics"] = {  # the benchmark's further scores
            f"{split}/{name}": {"before": lines[first][split]["metrics"].get(name), "after": value}
            for split in _SPLITS
            for name, value in lines[-1][split].get("metrics", {}).items()
        }
        summary["slices"] = _groups(lines[first]["test"].get("slices", {}), lines[-1]["test"].get("slices", {}))
    summary |= {name: dict(values) for name, values in counted.items()}
    names = ("fit", "evaluate", "teacher", "other")
    summary["seconds"] = {name: round(sum(line["seconds"].get(name, 0.0) for line in lines), 3) for name in names}
    return summary


def _measured(
    step: int, scores: Mapping[int, Scores], likelihoods: Mapping[int, Likelihoods], clusters: Clusters
) -> dict[str, Any]:
    measured: dict[str, Any] = {"step": step}
    for split in _SPLITS:
        values = scores[step][split]
        accuracy = sum(values) / len(values) if values else None
        groups = clusters.get(split)
        measured[split] = {
            "accuracy": accuracy,
            "n": len(values),
            **({} if groups is None else {"groups": len(set(groups))}),
            "ci95": accuracy_interval(values, clusters=groups),
        }
        known, units = _known(likelihoods.get(step), split, groups)
        if known:
            mean, ci95 = sum(known) / len(known), accuracy_interval(known, clusters=units)
            measured[split]["likelihood"] = {"value": mean, "n": len(known), "ci95": ci95}
    return measured


def _gain(
    first: int,
    last: int,
    scores: Mapping[int, Scores],
    likelihoods: Mapping[int, Likelihoods],
    clusters: Clusters,
) -> dict[str, Any]:
    gain: dict[str, Any] = {}
    for split in _SPLITS:
        groups = clusters.get(split)
        gain[split] = asdict(gain_by_instance(scores[first][split], scores[last][split], groups))
        before, units = _known(likelihoods.get(first), split, groups)
        after, _ = _known(likelihoods.get(last), split, groups)
        if before and len(before) == len(after):
            gain[split]["likelihood"] = asdict(gain_by_instance(before, after, units))
    return gain


def _known(
    likelihoods: Likelihoods | None, split: str, groups: Sequence[str] | None
) -> tuple[list[float], Sequence[Hashable]]:
    """The likelihoods that were measured, and the group of each.

    Where instances are independent each is a group of its own: the interval is then Student's t, which suits means of
    graded values by the hundred, and costs nothing at every step where a bootstrap would cost a second.
    """
    values = (likelihoods or {}).get(split, ())
    if not values:
        return [], []
    units: Sequence[Hashable] = range(len(values)) if groups is None else groups
    pairs = [(value, unit) for value, unit in zip(values, units, strict=True) if value is not None]
    return [value for value, _ in pairs], [unit for _, unit in pairs]


def _val_of_choice(val: Mapping[int, Sequence[float]], clusters: Clusters) -> dict[str, float | None]:
    """Validation accuracy of the best step: as its choice saw it, and without what the choice owed to luck."""
    groups = clusters.get("val")
    units = len(val[0]) if groups is None else len(set(groups))
    if units < 2:
        return {"naive": None, "corrected": None, "optimism_points": None}  # no half to choose on
    best = best_of_steps(val, clusters=groups)
    return {"naive": best.naive, "corrected": best.corrected, "optimism_points": best.optimism}


def _groups(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: {"before": before[name]["value"], "after": after[name]["value"], "n": after[name]["n"]} for name in after
    }
