"""A leaderboard as a self-contained HTML page and as Markdown."""

from __future__ import annotations

from importlib import resources
from typing import Any

from dataenvgym.reporting.leaderboard_rows import FLOORS, Board, Leaderboard, Row
from dataenvgym.reporting.report import interval, p_value, pct, points
from environments.statistics import Gain, Interval

_STEPS = {"last": "the last step", "best": "the best step on validation"}
_BASIS = (
    "Intervals are at 95 %: Student's t over seeds where there are several, over instances where there is one, those "
    "that come in groups by group. The p-value is of the gain over the no-state teacher, corrected after Holm for the "
    "teachers of the board. Floors have no rank, and a teacher that is not above both has none. Validation of the best "
    "step is first as its choice saw it, then on instances that took no part in the choice."
)


def to_html(leaderboard: Leaderboard) -> str:
    """The page."""
    import jinja2

    template = (
        resources.files("dataenvgym.reporting").joinpath("templates/leaderboard.html.jinja").read_text(encoding="utf-8")
    )
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined, autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(template).render(
        boards=[
            {"title": title_of(board), "rows": [_cells(row) for row in board.lines]} for board in leaderboard.boards
        ],
        refused=[{"path": str(refusal.path), "reason": refusal.reason} for refusal in leaderboard.refused],
        ranked_by=_STEPS[leaderboard.by],
        basis=_BASIS,
    )


def to_markdown(leaderboard: Leaderboard) -> str:
    """The same as Markdown."""
    lines = ["# Leaderboard", "", f"Ranked by test accuracy after {_STEPS[leaderboard.by]}. {_BASIS}", ""]
    for board in leaderboard.boards:
        lines += [f"## {title_of(board)}", ""]
        heads = ["rank", "teacher", "seeds", "test, before → after", "gain, points", "over no state"]
        heads += ["over more epochs", "p (Holm)", "best step: test", "its validation", "records", "dollars"]
        lines += ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
        for row in board.lines:
            cells = _cells(row)
            after = f"{cells['before']} → {cells['after']} ({cells['interval']})"
            shown = [cells["rank"], cells["name"], cells["seeds"], after, _joined(cells["gain"])]
            shown += [_joined(cells["no_state"]), _joined(cells["more_epochs"]), cells["p_value"], cells["best"]]
            shown += [f"{cells['naive']}, {cells['corrected']}", cells["records"], cells["usd"]]
            lines.append("| " + " | ".join(str(each).replace("|", r"\|") for each in shown) + " |")
        lines += ["", *(f"- {row.name}: {note}" for row in board.lines for note in _cells(row)["notes"]), ""]
    if leaderboard.refused:
        lines += ["## Not ranked", ""]
        lines += [f"- {refusal.path}: {refusal.reason}" for refusal in leaderboard.refused]
    return "\n".join(lines).replace("\n\n\n", "\n\n").rstrip("\n") + "\n"


def title_of(board: Board) -> str:
    """What a board is of."""
    apart = f" ({board.apart})" if board.apart else ""
    return f"{board.task}, {board.environment}, {board.student}: {board.budget}{apart}"


def rank_of(row: Row) -> str:
    """The rank of a row in words."""
    if row.floor is not None:
        return "floor"
    return "below a floor" if row.rank is None else str(row.rank)


def _cells(row: Row) -> dict[str, Any]:
    """A row in words."""
    tokens = f"{row.tokens:,.0f}"
    below = [f"not above the floor: {FLOORS[kind]}" for kind in row.below]
    return {
        "rank": rank_of(row),
        "name": f"{row.name} ({FLOORS[row.floor]})" if row.floor is not None else row.name,
        "seeds": _seeds(row.seeds),
        "before": pct(row.before),
        "after": pct(row.after),
        "interval": _percents(row.interval),
        "gain": _gain(row.gain),
        "no_state": _gain(row.over.get("no_state")),
        "more_epochs": _gain(row.over.get("more_epochs")),
        "p_value": "" if row.adjusted is None else p_value(row.adjusted),
        "best": pct(row.best),
        "naive": pct(row.naive),
        "corrected": pct(row.corrected),
        "records": f"{row.records:,.0f}",
        "usd": "unknown" if row.usd is None else f"{row.usd:.2f}",
        "tokens": tokens,
        "notes": [*below, *row.notes],
    }


def _seeds(seeds: list[int]) -> str:
    return (
        f"{len(seeds)} ({', '.join(map(str, seeds))})" if len(seeds) < 6 else f"{len(seeds)} ({seeds[0]} … {seeds[-1]})"
    )


def _percents(ends: Interval | None) -> str:
    return "no interval" if ends is None else interval(ends, scale=100)


def _gain(gain: Gain | None) -> dict[str, str | bool] | None:
    """A gain and its interval in words; clear if the interval leaves out zero."""
    if gain is None:
        return None
    clear = gain.ci95 is not None and not gain.ci95[0] <= 0 <= gain.ci95[1]
    spread = "no interval" if gain.ci95 is None else interval(gain.ci95, signed=True)
    return {"points": points(gain.points), "interval": spread, "up": gain.points > 0, "clear": clear}


def _joined(gain: dict[str, str | bool] | None) -> str:
    return "" if gain is None else f"{gain['points']} ({gain['interval']})"
