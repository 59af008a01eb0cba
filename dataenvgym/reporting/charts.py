"""The charts of a report: SVG text that takes its colours from the page, so that one drawing serves light and dark."""

from __future__ import annotations

import io
import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from dataenvgym.reading.curves import CurvePoint

if TYPE_CHECKING:
    from matplotlib.axes import Axes

XAxis = Literal["step", "records"]

# Stand-ins that no drawing uses by chance; each is replaced by a CSS variable of the page.
_INK, _GRID, _MUTED = "#010203", "#010204", "#010205"
_SERIES = tuple(f"#0102{i:02x}" for i in range(16, 24))
_VARIABLES = {_INK: "--ink", _GRID: "--grid", _MUTED: "--muted"} | {
    colour: f"--series-{i + 1}" for i, colour in enumerate(_SERIES)
}

_DASHES = ("-", "--", ":")
_MAX_NAME = 40

# Identifiers inside an SVG are global to the page: each drawing gets a prefix of its own.
_IDENTIFIER = re.compile(r'(\bid="|href="#|url\(#)')


def curves(series: Mapping[str, Sequence[CurvePoint]], x: XAxis, prefix: str) -> str | None:
    """Accuracy in percent, with its 95 % band, against steps or records; None if no point has a place on that axis.

    ``prefix`` is the identifier of a drawing, unique on its page.
    """
    from matplotlib.ticker import MaxNLocator

    drawn = {
        name: [(at, point) for point in points if (at := point.step if x == "step" else point.records) is not None]
        for name, points in series.items()
    }
    if not any(drawn.values()):
        return None

    def draw(axes: Axes) -> None:
        for index, (name, points) in enumerate(drawn.items()):
            if not points:
                continue
            colour, dash = _SERIES[index % len(_SERIES)], _DASHES[index // len(_SERIES) % len(_DASHES)]
            at = [place for place, _ in points]
            band = [(place, point.ci95) for place, point in points if point.ci95 is not None]
            axes.fill_between(
                [place for place, _ in band],
                [100 * interval[0] for _, interval in band],
                [100 * interval[1] for _, interval in band],
                color=colour,
                alpha=0.15 if len(drawn) < 4 else 0.06,
                linewidth=0,
            )
            axes.plot(
                at,
                [100 * point.value for _, point in points],
                color=colour,
                linestyle=dash,
                linewidth=2,
                marker="o",
                markersize=4,
                label=_label(name),
            )
        axes.set_xlabel("step" if x == "step" else "records trained on so far")
        axes.set_ylabel("accuracy, %")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        if x == "step":
            # Half a step of room on each side keeps a run of one point readable.
            axes.margins(x=0.03)
        axes.grid(axis="y", color=_GRID, linewidth=0.8)
        _legend(axes, columns)

    # The width of a chart holds about ninety letters.
    columns = max(1, min(4, 90 // (8 + max(len(_label(name)) for name in drawn))))
    return _drawing(draw, (7.2, 3.1 + 0.2 * -(-len(drawn) // columns)), prefix)


def skill_bars(skills: Mapping[str, Mapping[str, Any]], prefix: str) -> str | None:
    """Test accuracy before and after (fractions or None) as two bars per skill, the largest gain on top."""
    known = {
        name: (float(row["before"]), float(row["after"]))
        for name, row in skills.items()
        if row.get("before") is not None and row.get("after") is not None
    }
    if not known:
        return None
    names = sorted(known, key=lambda name: (known[name][1] - known[name][0], name))

    def draw(axes: Axes) -> None:
        places = range(len(names))
        for offset, which, label, colour in ((0.2, 0, "before", _MUTED), (-0.2, 1, "after", _SERIES[0])):
            axes.barh(
                [place + offset for place in places],
                [100 * known[name][which] for name in names],
                height=0.36,
                color=colour,
                label=label,
            )
        for place, name in zip(places, names, strict=True):
            points = 100 * (known[name][1] - known[name][0])
            axes.text(102, place, f"{points:+.0f}".replace("-", "\u2212"), va="center", fontsize=9, color=_INK)
        axes.set_yticks(list(places), [_label(name) for name in names])
        axes.set_xlim(0, 108)
        axes.set_xticks(range(0, 101, 20))
        axes.set_ylim(-0.6, len(names) - 0.4)
        axes.set_xlabel("accuracy on test, %; at the right, the change in points")
        axes.grid(axis="x", color=_GRID, linewidth=0.8)
        _legend(axes, columns=2)

    return _drawing(draw, (7.2, 1.1 + 0.36 * len(names)), prefix)


def phase_bars(seconds: Sequence[tuple[str, Mapping[str, float]]], prefix: str) -> str | None:
    """Seconds by phase as one stacked bar per step; from pairs of a step's label and its seconds by phase."""
    phases = list(dict.fromkeys(phase for _, row in seconds for phase in row))
    if not phases:
        return None

    def draw(axes: Axes) -> None:
        places = list(range(len(seconds)))[::-1]
        left = [0.0] * len(seconds)
        for phase, colour in zip(phases, itertools.cycle(_SERIES), strict=False):
            widths = [float(row.get(phase) or 0) for _, row in seconds]
            axes.barh(places, widths, left=left, height=0.62, color=colour, label=_label(phase))
            left = [start + width for start, width in zip(left, widths, strict=True)]
        axes.set_yticks(places, [label for label, _ in seconds])
        axes.set_xlabel("seconds")
        axes.grid(axis="x", color=_GRID, linewidth=0.8)
        _legend(axes, columns=min(6, len(phases)))

    return _drawing(draw, (7.2, 1.1 + 0.3 * len(seconds)), prefix)


def radar(series: Mapping[str, Mapping[str, float]], prefix: str) -> str:
    """Shares by challenge, one axis for each, 0 and 1 marked; a series that lacks an axis is drawn without it.

    Values are drawn from -0.5 to 1.25: what lies outside is drawn at the edge.
    """
    import math

    axes_names = sorted({name for values in series.values() for name in values})
    turns = {name: 2 * math.pi * place / len(axes_names) for place, name in enumerate(axes_names)}

    def draw(axes: Axes) -> None:
        polar: Any = axes
        polar.set_theta_zero_location("N")
        polar.set_ylim(-0.5, 1.25)
        polar.set_yticks([0.0, 0.5, 1.0], ["0", "0.5", "1"])
        polar.set_xticks(list(turns.values()), [_label(name) for name in turns])
        polar.grid(color=_GRID, linewidth=0.8)
        polar.spines["polar"].set_color(_GRID)
        circle = [2 * math.pi * place / 90 for place in range(91)]
        for level in (0.0, 1.0):
            polar.plot(circle, [level] * len(circle), color=_MUTED, linewidth=1, linestyle=":")
        for index, (name, values) in enumerate(series.items()):
            around = [each for each in axes_names if each in values]
            around += around[:1]
            heights = [min(1.25, max(-0.5, values[each])) for each in around]
            colour, dash = _SERIES[index % len(_SERIES)], _DASHES[min(index, 1)]
            places = [turns[each] for each in around]
            polar.plot(places, heights, color=colour, linestyle=dash, linewidth=2, marker="o", ms=3, label=_label(name))
            if not index:
                polar.fill(places, heights, color=colour, alpha=0.12, linewidth=0)
        _legend(polar, columns=2)

    return _drawing(draw, (5.6, 5.6), prefix, projection="polar")


def _label(name: str) -> str:
    """A name as text of a drawing: not too long, and its dollars no formula.

    matplotlib leaves an entry with a leading underscore out of the legend; a space of no width keeps it in.
    """
    short = (name if len(name) <= _MAX_NAME else f"…{name[1 - _MAX_NAME :]}").replace("$", r"\$")
    return f"\u200b{short}" if short.startswith("_") else short


def _legend(axes: Axes, columns: int) -> None:
    axes.legend(
        loc="lower left", bbox_to_anchor=(0, 1.0), ncols=columns, frameon=False, labelcolor=_INK, borderaxespad=0.2
    )


def _drawing(
    draw: Callable[[Axes], None], size: tuple[float, float], prefix: str, projection: str | None = None
) -> str:
    """One figure as SVG text without document header; the same input gives the same bytes."""
    # The object interface: no pyplot, so that there is no display, no global list of figures and no user's style.
    import matplotlib
    from matplotlib.figure import Figure

    settings: dict[Any, Any] = {
        **matplotlib.rcParamsDefault,
        "backend": "svg",
        "svg.fonttype": "none",
        "svg.hashsalt": prefix,
        "font.family": "sans-serif",
        "font.size": 10,
        "axes.labelsize": 9.5,
    }
    with matplotlib.rc_context(settings):
        figure = Figure(figsize=size, layout="constrained")
        axes = figure.add_subplot(projection=projection)
        axes.set_axisbelow(True)
        if projection is None:
            for side in ("top", "right", "left"):
                axes.spines[side].set_visible(False)
            axes.spines["bottom"].set_color(_GRID)
        axes.tick_params(color=_GRID, labelcolor=_INK, length=0)
        axes.xaxis.label.set_color(_MUTED)
        axes.yaxis.label.set_color(_MUTED)
        draw(axes)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    # The width follows the page; the view box keeps the proportions.
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", svg, count=1)
    svg = _IDENTIFIER.sub(rf"\g<1>{prefix}-", svg)
    for colour, variable in _VARIABLES.items():
        svg = svg.replace(colour, f"var({variable})")
    return svg
