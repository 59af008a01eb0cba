"""What the teacher suite can tell apart, by the results that ship with the package; nothing is run.

    python scripts/reproduce/table_suite.py
    python scripts/reproduce/table_suite.py --challenges relevance-v1 global_math-v1 --policies exp3 high_loss

The first table has the yardsticks of every challenge beside its best heuristic, and whether their order is certain
(one-sided paired t over seeds): oracle below no policy, best heuristic > random > adversarial. The second says how well
heuristics are told apart by accuracy and by likelihood: range over a run's standard deviation (SNR), reliability of the
published means, and the share of pairs that seeds 0 to 4 and 5 to 9 order alike, where both ran. The third says how
many points a policy gains over itself without feedback, with the first alone, with stale or another skill's (one-sided
paired t over shared seeds). ``--laws`` adds how well each world's law predicts fits that it was not fitted to, and what
is known of the oracles.
"""

import argparse

import numpy as np

from dataenvgym.reporting.pages import p_value, pct
from dataenvgym.suite.challenges import Challenge, challenge, challenges
from dataenvgym.suite.shipped import BANKS, baselines, oracles, policies_for
from dataenvgym.suite.standing import Metric, Paired, Table
from environments.simulation import cross_validated, read_bank
from environments.simulation.law import arrays_of
from environments.simulation.optimum import exam_accuracy
from environments.statistics.gaps import discrimination, observed_agreement
from tasks.markdown import markdown_table

_FEWEST = 5  # policies of which a range, and so what tells them apart, says something
FEEDBACK = ("none", "first look", "stale", "shuffled")  # what an ablated policy is shown in place of the truth
_FIRST, _SECOND = range(5), range(5, 10)  # the seeds of the two tables whose agreement is observed


def heuristics(table: Table, one: str) -> list[str]:
    """The policies of a challenge that somebody would submit, best first."""
    kinds = {name: named.kind for name, named in policies_for(challenge(one)).items()}
    names = [name for name in table.policies(one) if kinds.get(name) == "heuristic"]
    return sorted(names, key=lambda name: -table.accuracy(one, name))


def paired(table: Table, one: str, high: str, low: str) -> Paired | None:
    """The difference of two policies, if they share two seeds."""
    shared = set(table.accuracies(one, high)) & set(table.accuracies(one, low))
    return table.paired_difference(one, high, low) if len(shared) > 1 else None


def order_of(table: Table, one: str) -> list[str]:
    """A line of the first table."""
    known = set(table.policies(one))
    best = next(iter(heuristics(table, one)), "")
    cells = [one]
    for name in ("adversarial", "random", "even", "first_look", best, "oracle"):
        label = f"{name} " if name == best else ""
        cells.append(f"{label}{pct(table.accuracy(one, name))}" if name in known else "")
    gap = f"{100 * table.contest(one, 'random').gap:.1f}" if {"random", "oracle"} <= known else ""
    cells += [gap, f"{100 * table.noise(one):.1f}"]
    for high, low in ((best, "random"), ("random", "adversarial")):
        found = paired(table, one, high, low)
        cells.append("" if found is None else p_value(found.p_value))
    others = [(found, name) for name in sorted(known - {"oracle"}) if (found := paired(table, one, name, "oracle"))]
    if others:
        nearest, name = min(others, key=lambda item: item[0].p_value)
        cells.append(f"{name} {nearest.points:+.1f}, {p_value(nearest.p_value)}")
    else:
        cells.append("")
    return cells


def told_apart(table: Table, one: str, names: list[str]) -> list[list[str]]:
    """The lines of the second table for a challenge."""
    rows = []
    metrics: tuple[Metric, ...] = ("accuracy", "likelihood")
    for metric in metrics:
        values = {name: table.values(one, name, metric) for name in names}
        values = {name: by_seed for name, by_seed in values.items() if len(by_seed) > 1}
        if len(values) < _FEWEST:
            continue
        found = discrimination({name: list(by_seed.values()) for name, by_seed in values.items()})
        halves = [
            {name: float(np.mean([by_seed[seed] for seed in seeds])) for name, by_seed in values.items()}
            if all(set(seeds) <= set(by_seed) for by_seed in values.values())
            else None
            for seeds in (_FIRST, _SECOND)
        ]
        first, second = halves
        seen = f"{observed_agreement(first, second):.2f}" if first and second else ""
        numbers = [f"{found.signal:.1f}", f"{found.noise:.2f}", f"{found.snr:.1f}", f"{found.reliability:.3f}"]
        rows.append([one, metric, str(len(values)), *numbers, f"{found.agreement:.2f}", seen])
    return rows


def worth_of_feedback(table: Table, one: str) -> list[list[str]]:
    """The lines of the third table for a challenge: policies against themselves with other feedback."""
    named = policies_for(challenge(one))
    of = {str(policy.policy["class_path"]): name for name, policy in named.items() if policy.kind != "yardstick"}
    lines: dict[str, list[str]] = {}
    for name, ablated in named.items():
        settings = ablated.policy.get("init_args", {})
        if not str(ablated.policy["class_path"]).endswith(".FeedbackAblationPolicy"):
            continue
        true = of[settings["policy"]]
        kind = settings["feedback"]
        column = "first look" if kind == "stale" and settings.get("lag", 1) is None else kind
        cells = lines.setdefault(true, [""] * len(FEEDBACK))
        if (found := paired(table, one, true, name)) is not None:
            cells[FEEDBACK.index(column)] = f"{found.points:+.1f}, {p_value(found.p_value)}, {found.seeds} seeds"
    return [[one, true, named[true].environment or "skill_list", *cells] for true, cells in lines.items() if any(cells)]


def law_of(one: Challenge) -> list[str] | None:
    """A line of the table of laws: the law of the challenge's world on held-out fits, and the oracle found by it."""
    fits = [fit for path in sorted(BANKS.glob("*.gz")) for fit in read_bank(path) if fit.world == one.world]
    if not fits or one.name not in oracles():
        return None
    skills = tuple(fits[0].scores["test"])
    counts, measured = arrays_of(fits, skills)
    taught = counts.sum(1) > 0
    measured, predicted = measured[taught], cross_validated(fits, skills)[taught]
    spread = ((measured - measured.mean(0)) ** 2).sum(0)
    explained = 1 - ((measured - predicted) ** 2).sum(0) / np.where(spread, spread, np.inf)
    exams = exam_accuracy(measured, skills, one.exam), exam_accuracy(predicted, skills, one.exam)
    exam_error = ((exams[0] - exams[1]) ** 2).sum()
    exam_explained = 1 - exam_error / ((exams[0] - exams[0].mean()) ** 2).sum()
    known = oracles()[one.name]
    short, verified = known["short_of_optimum"], known["verified"][-1]
    return [
        one.name,
        str(len(fits)),
        f"{np.median(explained):.2f}",
        f"{100 * np.sqrt(((measured - predicted) ** 2).mean()):.1f}",
        f"{exam_explained:.3f}",
        f"{100 * np.sqrt(exam_error / len(measured)):.1f}",
        f"{100 * known['predicted']['accuracy']:.1f} ± {100 * known['predicted']['sd']:.1f}",
        f"{100 * verified['accuracy']:.1f} (sd {100 * verified['sd']:.1f}, {verified['fits']} fits)",
        f"{100 * short['mean']:.1f} (most {100 * short['most']:.1f})",
    ]


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--challenges", nargs="+", help="names (default: all with results)")
    parser.add_argument("--policies", nargs="+", help="heuristics of the second table (default: all)")
    parser.add_argument("--laws", action="store_true", help="also the laws and oracles (a minute)")
    arguments = parser.parse_args()
    table = Table(baselines([challenge(name) for name in arguments.challenges or ()] or challenges()))
    heads = [
        "challenge",
        "adversarial",
        "random",
        "even",
        "first look",
        "best heuristic",
        "oracle",
        "gap",
        "sd of a run",
    ]
    heads += ["best > random", "random > adversarial", "nearest to beating the oracle"]
    print("\n".join(markdown_table(heads, [order_of(table, one) for one in table.challenges])), end="\n\n")
    heads = ["challenge", "by", "policies", "range", "sd of a run", "SNR", "reliability", "agreement", "observed"]
    rows = []
    for one in table.challenges:
        rows += told_apart(table, one, arguments.policies or heuristics(table, one))
    print("\n".join(markdown_table(heads, rows)), end="\n\n")
    heads = ["challenge", "policy", "environment", *(f"over {kind}" for kind in FEEDBACK)]
    print("\n".join(markdown_table(heads, [row for one in table.challenges for row in worth_of_feedback(table, one)])))
    if arguments.laws:
        heads = ["challenge", "fits", "R² by skill", "error by skill", "R² of the exam", "error of the exam"]
        heads += ["oracle, by the law", "real, last round", "short of the optimum"]
        laws = [law_of(challenge(name)) for name in arguments.challenges or [one.name for one in challenges()]]
        print("\n" + "\n".join(markdown_table(heads, [row for row in laws if row])))


if __name__ == "__main__":
    main()
