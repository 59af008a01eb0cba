"""What the suite says of a policy: a table of its shares, and in words what it is good and bad at."""

from pathlib import Path

import numpy as np

from dataenvgym.reporting.pages import pct
from dataenvgym.suite.challenges import challenge
from dataenvgym.suite.standing import Table
from environments.statistics.gaps import Estimate, seeds_needed
from tasks.markdown import markdown_table
from tasks.records import write_atomic

# From which share of a gap on a policy is said to be good at what a challenge asks, and up to which to be bad at it.
_GOOD, _BAD = 0.7, 0.3


def told(table: Table, name: str) -> str:
    """What the suite found, for a terminal: a line for each challenge, the overall share, strengths and weaknesses."""
    lines = []
    for one in (each for each in table.challenges if name in table.policies(each)):
        accuracy = float(np.mean(list(table.accuracies(one, name).values())))
        share = _share(table, one, name)
        lines.append(f"{one:<20} {pct(accuracy):>8}   " + (_written(share) if share else _unscored(table, one)))
    if any(table.scored(one) for one in table.challenges):
        lines.append(f"{'overall':<20} {'':>8}   {_written(table.overall(name))}")
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


def write_page(table: Table, name: str, path: Path) -> Path:
    """The page of a policy, as Markdown: its standing among all policies, challenge by challenge."""
    lines = [f"# {name}", "", *[f"- {said}" for said in strengths(table, name)], ""]
    lines += [
        "Share of the gap from random to oracle that a policy closes, with a 95 % bootstrap interval over seeds and",
        "instances of the policy and of both yardsticks; then the share of the gap from even to oracle.",
        "",
    ]
    for one in table.challenges:
        rows = []
        for policy in sorted(table.policies(one), key=lambda each: -table.scores(one, each).mean()):
            seeds = table.accuracies(one, policy)
            cells = [policy, str(len(seeds)), pct(float(np.mean(list(seeds.values()))))]
            for low in ("random", "even"):
                share = _share(table, one, policy, low)
                cells.append("" if share is None else _written(share))
            rows.append([f"**{cell}**" if policy == name and cell else cell for cell in cells])
        heads = ["policy", "seeds", "test", "random → oracle", "even → oracle"]
        note = "" if table.scored(one) else f" {_unscored(table, one)}."
        lines += [f"## {one}", "", f"{challenge(one).ability}{note}", "", *markdown_table(heads, rows), ""]
    write_atomic(path, "\n".join(lines))
    return path


def planned(table: Table, points: float) -> str:
    """How many seeds a comparison of two policies will need to show a difference of so many points, by challenge."""
    lines = [f"Seeds on which two policies that differ by {points:g} points are told apart (80 % power, paired t):"]
    for one in table.challenges:
        noise = 100 * table.noise(one) * 2**0.5
        lines.append(
            f"{one:<20} {seeds_needed(points, noise):>4}   (a run's standard deviation: {noise / 2**0.5:.1f} points)"
        )
    return "\n".join(lines)


def _share(table: Table, one: str, name: str, low: str = "random") -> Estimate | None:
    return table.share(one, name, low) if table.scored(one) and low in table.policies(one) else None


def _written(share: Estimate) -> str:
    ends = "" if share.ci95 is None else f" ({share.ci95[0]:+.2f} to {share.ci95[1]:+.2f})"
    return f"{share.value:+.2f}{ends}".replace("-", "\u2212")


def _unscored(table: Table, one: str) -> str:
    known = set(table.policies(one))
    missing = [yardstick for yardstick in ("random", "oracle") if yardstick not in known]
    if missing:
        return f"not scored: no results of {' and '.join(missing)}"
    return "not scored: random and oracle are less than five standard deviations of a run apart"
