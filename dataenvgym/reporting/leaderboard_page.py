"""A leaderboard as a self-contained HTML page and as Markdown."""

from typing import Any

from dataenvgym.reporting.pages import interval, p_value, page, pct, points
from dataenvgym.reporting.standings import FLOORS, Leaderboard, Standing
from environments.statistics import Gain
from tasks.markdown import markdown_table

_STEPS = {"last": "the last step", "best": "the best step on validation"}
_BASIS = (
    "Intervals are at 95 %: Student's t over seeds where there are several, over instances where there is one, those "
    "that come in groups by group. The p-value is of the gain over the no-state teacher, corrected after Holm for the "
    "teachers of the board. Floors have no rank, and a teacher that is not above both has none. Validation of the best "
    "step is first as its choice saw it, then on instances that took no part in the choice. Likelihood is the mean "
    "probability that the student gives the reference replies of test."
)


def to_html(leaderboard: Leaderboard) -> str:
    """The leaderboard as one HTML page."""
    return page(
        "leaderboard.html.jinja",
        boards=[{"title": board.title, "rows": [_cells(one) for one in board.lines]} for board in leaderboard.boards],
        refused=leaderboard.refused,
        ranked_by=_STEPS[leaderboard.by],
        basis=_BASIS,
    )


def to_markdown(leaderboard: Leaderboard) -> str:
    """The leaderboard as Markdown."""
    lines = ["# Leaderboard", "", f"Ranked by test accuracy after {_STEPS[leaderboard.by]}. {_BASIS}", ""]
    heads = ["rank", "teacher", "seeds", "test, before → after", "gain, points", "over no state", "over more epochs"]
    heads += ["p (Holm)", "likelihood", "best step: test", "its validation", "records", "dollars"]
    for board in leaderboard.boards:
        rows, notes = [], []
        for one in board.lines:
            cells = _cells(one)
            gains = [
                "" if (gain := cells[name]) is None else f"{gain['points']} ({gain['interval']})"
                for name in ("gain", "no_state", "more_epochs")
            ]
            after = f"{cells['before']} → {cells['after']} ({cells['interval']})"
            row = [cells["rank"], cells["name"], cells["seeds"], after, *gains, cells["p_value"]]
            row += [" ".join(filter(None, (cells["likelihood"], cells["spread"]))), cells["best"]]
            rows.append([*row, f"{cells['naive']}, {cells['corrected']}", cells["records"], cells["usd"]])
            notes += [f"- {one.name}: {note}" for note in cells["notes"]]
        lines += [f"## {board.title}", "", *markdown_table(heads, rows), "", *notes, ""]
    if leaderboard.refused:
        lines += ["## Not ranked", ""]
        lines += [f"- {refusal.path}: {refusal.reason}" for refusal in leaderboard.refused]
    return "\n".join(lines).replace("\n\n\n", "\n\n").rstrip("\n") + "\n"


def _cells(one: Standing) -> dict[str, Any]:
    seeds = one.teacher.seeds
    listed = ", ".join(map(str, seeds)) if len(seeds) < 6 else f"{seeds[0]} … {seeds[-1]}"
    naive, corrected = one.choice
    likelihood = one.likelihood
    return {
        "rank": one.place,
        "name": one.name if one.floor is None else f"{one.name} ({FLOORS[one.floor]})",
        "seeds": f"{len(seeds)} ({listed})",
        "before": pct(one.before),
        "after": pct(one.after),
        "interval": "no interval" if one.interval is None else interval(one.interval, scale=100),
        "likelihood": "" if likelihood is None else f"{likelihood:.3f}",
        "spread": ""
        if likelihood is None or likelihood.ci95 is None
        else "({:.3f} to {:.3f})".format(*likelihood.ci95),
        "gain": _gain(one.gain),
        "no_state": _gain(one.over.get("no_state")),
        "more_epochs": _gain(one.over.get("more_epochs")),
        "p_value": "" if one.adjusted is None else p_value(one.adjusted),
        "best": pct(one.best),
        "naive": pct(naive),
        "corrected": pct(corrected),
        "records": f"{one.records:,.0f}",
        "usd": "unknown" if one.usd is None else f"{one.usd:.2f}",
        "tokens": f"{one.tokens:,.0f}",
        "notes": [*(f"not above the floor: {FLOORS[kind]}" for kind in one.below), *one.notes],
    }


def _gain(gain: Gain | None) -> dict[str, str | bool] | None:
    """A gain and its interval in words; clear if the interval leaves out zero."""
    if gain is None:
        return None
    clear = gain.ci95 is not None and not gain.ci95[0] <= 0 <= gain.ci95[1]
    spread = "no interval" if gain.ci95 is None else interval(gain.ci95, signed=True)
    return {"points": points(gain.points), "interval": spread, "up": gain.points > 0, "clear": clear}
