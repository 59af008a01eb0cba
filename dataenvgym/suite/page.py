"""What the suite says of a policy: in words what it is good and bad at, its shares as radar plot and tables."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dataenvgym.reporting.charts import radar
from dataenvgym.reporting.pages import page, pct
from dataenvgym.suite.challenges import challenge
from dataenvgym.suite.standing import Table
from environments.statistics.gaps import Estimate, seeds_needed
from tasks.markdown import markdown_table
from tasks.records import write_atomic

# From which share of a gap on a policy is said to be good at what a challenge asks, and up to which to be bad at it.
_GOOD, _BAD = 0.7, 0.3
_BASIS = (
    "Shares are of the gap in test accuracy from random to oracle that a policy closes, beside them of the gap from "
    "even to oracle: 0 is no better than the lower yardstick, 1 as good as the best static teacher that is known. "
    "Intervals are 95 % bootstrap intervals over seeds and instances, of the policy and of both yardsticks. Overall is "
    "the interquartile mean of all runs. Yardsticks and ablations are not ranked."
)
_SIMULATED = "Runs of simulated students, laws fitted to the real one's fits: to be confirmed by real runs. "


def text_summary(table: Table, name: str) -> str:
    """What the suite found, for a terminal: a line for each challenge, the overall share, strengths and weaknesses."""
    lines = []
    for one in (each for each in table.challenges if name in table.policies(each)):
        share = _share(table, one, name)
        lines.append(
            f"{one:<20} {pct(table.accuracy(one, name)):>8}   " + (_written(share) if share else _unscored(table, one))
        )
    scored = [one for one in table.challenges if table.scored(one)]
    lacking = [one for one in scored if name not in table.policies(one)]
    if (overall := table.overall(name)) is not None:
        lines.append(f"{f'overall of {len(scored)}':<20} {'':>8}   {_written(overall)}")
    elif scored:
        lines.append(f"{'overall':<20} {'':>8}   not given: no results on {', '.join(lacking)}")
    return "\n".join([*lines, "", *strengths(table, name)])


def strengths(table: Table, name: str) -> list[str]:
    """A sentence for each challenge on which the policy stands out, and each at which it fails."""
    said = []
    for one in table.challenges:
        share = _share(table, one, name) if name in table.policies(one) else None
        if share is None or share.ci95 is None:
            continue
        ability = challenge(one).ability
        if share.ci95[0] >= _GOOD:
            said.append(f"Good at {one}, closes {share.value:.0%} of the gap: {ability}")
        elif share.ci95[1] <= 0:
            said.append(f"Worse than random on {one}: {ability}")
        elif share.ci95[1] <= _BAD:
            said.append(f"Bad at {one}, closes {share.value:.0%} of the gap: {ability}")
    return said or ["On no challenge is it clearly good or clearly bad; more seeds may tell (--plan)."]


@dataclass(frozen=True)
class _Row:
    kind: str  # of a policy: own, yardstick, heuristic or ablation
    cells: list[str]


@dataclass(frozen=True)
class _Section:
    title: str
    note: str
    heads: list[str]
    rows: list[_Row]


def write_pages(table: Table, name: str, kinds: Mapping[str, str], folder: Path) -> tuple[Path, Path]:
    """Writes the pages of a policy, HTML and Markdown: its standing among all policies, overall and by challenge.

    ``kinds`` tells of each other policy whether it is a yardstick, a heuristic or an ablation.
    """
    kinds = {**kinds, name: "own"}
    sections = [_overall(table, kinds), *(_section(table, one, kinds) for one in table.challenges)]
    # Its rows are in order, the best first.
    best = next((row.cells[0] for row in sections[0].rows if kinds.get(row.cells[0]) == "heuristic"), None)
    sentences, basis = strengths(table, name), (_SIMULATED if table.simulated else "") + _BASIS
    html = page(
        "suite.html.jinja",
        name=name,
        basis=basis,
        sentences=sentences,
        radar=_radar(table, name, best),
        tables=sections,
    )
    lines = [f"# {name}", "", *(f"- {said}" for said in sentences), "", basis, ""]
    for section in sections:
        rows = [[f"**{cell}**" if row.kind == "own" and cell else cell for cell in row.cells] for row in section.rows]
        lines += [f"## {section.title}", "", section.note, "", *markdown_table(section.heads, rows), ""]
    paths = folder / f"{name}.html", folder / f"{name}.md"
    for path, text in zip(paths, (html, "\n".join(lines)), strict=True):
        write_atomic(path, text)
    return paths


def _overall(table: Table, kinds: Mapping[str, str]) -> _Section:
    """All policies by their overall share, with the shares behind it."""
    scored = [one for one in table.challenges if table.scored(one)]
    everyone = sorted({policy for one in scored for policy in table.policies(one)})
    overall = {each: share for each in everyone if (share := table.overall(each)) is not None}
    rows, rank = [], 0
    for each in sorted(overall, key=lambda name: -overall[name].value):
        ranked = kinds.get(each) in ("own", "heuristic")
        rank += ranked
        from_even = table.overall(each, "even")
        even = "" if from_even is None else _written(from_even)
        shares = [f"{table.contest(one, each).share:.2f}".replace("-", "\u2212") for one in scored]
        cells = [each, str(rank) if ranked else "", _written(overall[each]), even, *shares]
        rows.append(_Row(kinds.get(each, "heuristic"), cells))
    missing = [each for each in everyone if each not in overall]
    note = "Policies with results on every challenge that is scored."
    if missing:
        note += f" Without results on some: {', '.join(missing)}."
    heads = ["policy", "rank", "random → oracle", "even → oracle", *scored]
    return _Section("Overall", note if rows else "No challenge can be scored.", heads, rows)


def _section(table: Table, one: str, kinds: Mapping[str, str]) -> _Section:
    rows = []
    for policy in sorted(table.policies(one), key=lambda each: -table.accuracy(one, each)):
        seeds, likelihood = table.accuracies(one, policy), table.likelihood(one, policy)
        cells = [policy, str(len(seeds)), pct(table.accuracy(one, policy))]
        cells.append("" if likelihood is None else f"{likelihood:.3f}")
        for low in ("random", "even"):
            share = _share(table, one, policy, low)
            cells.append("" if share is None else _written(share))
        rows.append(_Row(kinds.get(policy, "heuristic"), cells))
    noise = table.noise(one)
    note = challenge(one).ability
    note += "" if np.isnan(noise) else f" A run's standard deviation is {100 * noise:.1f} points."
    note += "" if table.scored(one) else f" {_unscored(table, one).capitalize()}."
    return _Section(one, note, ["policy", "seeds", "test", "likelihood", "random → oracle", "even → oracle"], rows)


def _radar(table: Table, name: str, best: str | None) -> str | None:
    """The policy, the best shipped heuristic and even; from three scored challenges on."""
    scored = [one for one in table.challenges if table.scored(one) and name in table.policies(one)]
    if len(scored) < 3:
        return None
    drawn = [name, *([best] if best else [])]
    drawn += ["even"] if all("even" in table.policies(one) for one in scored) else []
    return radar({each: {one: table.contest(one, each).share for one in scored} for each in drawn}, "radar")


def seeds_by_challenge(table: Table, points: float) -> str:
    """How many seeds a comparison of two policies will need to show a difference of so many points, by challenge."""
    lines = [f"Seeds on which two policies that differ by {points:g} points are told apart (80 % power, paired t):"]
    for one in table.challenges:
        noise = 100 * table.noise(one) * 2**0.5
        if np.isnan(noise):
            lines.append(f"{one:<20} unknown: no shipped policy has two seeds")
            continue
        lines.append(
            f"{one:<20} {seeds_needed(points, noise):>4}   (a run's standard deviation: {noise / 2**0.5:.1f} points)"
        )
    return "\n".join(lines)


def _share(table: Table, one: str, name: str, low: str = "random") -> Estimate | None:
    return table.share(one, name, low) if table.scored(one, low) else None


def _written(share: Estimate) -> str:
    ends = "" if share.ci95 is None else f" ({share.ci95[0]:+.2f} to {share.ci95[1]:+.2f})"
    return f"{share.value:+.2f}{ends}".replace("-", "\u2212")


def _unscored(table: Table, one: str) -> str:
    known = set(table.policies(one))
    missing = [yardstick for yardstick in ("random", "oracle") if yardstick not in known]
    if missing:
        return f"not scored: no results of {' and '.join(missing)}"
    if np.isnan(table.noise(one)):
        return "not scored: the shipped results are of one seed"
    return "not scored: random and oracle are less than five standard deviations of a run apart"
