"""Figures next to the tables: bars with intervals against floors, curves over an episode; a panel for each domain."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from environments.statistics import Interval

# Colours that stay apart for colour-blind readers and in grey (Okabe and Ito).
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
_MUTED = "#707070"
_STYLE: dict[Any, Any] = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e6e6e6",
    "legend.frameon": False,
    "svg.hashsalt": "dataenvgym",  # identifiers in the file are drawn at random otherwise
    "svg.fonttype": "none",
}


@dataclass(frozen=True)
class Bar:
    """A bar with its interval: its group on the axis, and the series that has its colour."""

    group: str
    series: str
    value: float
    ci95: Interval | None = None


@dataclass(frozen=True)
class Curve:
    """A curve, with a band from ``low`` to ``high`` if it has one; the series has its colour."""

    series: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float] = ()
    high: Sequence[float] = ()


@dataclass
class Panel:
    """One of a figure's panels: bars, curves, or named points ``(series, x, y)``, and horizontal lines by name."""

    title: str
    bars: list[Bar] = field(default_factory=list)
    curves: list[Curve] = field(default_factory=list)
    points: list[tuple[str, float, float]] = field(default_factory=list)
    levels: Mapping[str, float] = field(default_factory=dict)


def draw(panels: Sequence[Panel], x: str = "", y: str = "", columns: int = 2) -> Figure:
    """Panels in rows, one legend for all below them."""
    columns = max(1, min(columns, len(panels)))
    lines = -(-len(panels) // columns)
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(4.6 * columns, 3.1 * lines + 0.5), layout="constrained")
        names: dict[str, None] = {}
        for panel in panels:
            names |= dict.fromkeys([*(bar.series for bar in panel.bars), *(curve.series for curve in panel.curves)])
            names |= dict.fromkeys(name for name, _, _ in panel.points)
        colours = {name: COLOURS[place % len(COLOURS)] for place, name in enumerate(names)}
        for place, panel in enumerate(panels):
            axes = figure.add_subplot(lines, columns, place + 1)
            _bars(axes, panel.bars, colours)
            for curve in panel.curves:
                colour = colours[curve.series]
                if len(curve.low):
                    axes.fill_between(curve.x, curve.low, curve.high, color=colour, alpha=0.13, linewidth=0)
                axes.plot(curve.x, curve.y, color=colour, marker="o", markersize=3.5, label=curve.series)
            for name, at, height in panel.points:
                axes.plot([at], [height], "o", color=colours[name], markersize=5, alpha=0.8, label=name)
            for style, (name, level) in zip(("--", ":", "-."), panel.levels.items(), strict=False):
                axes.axhline(level, color=_MUTED, linestyle=style, linewidth=1.3, label=name)
            axes.set_title(panel.title, fontsize=10, loc="left")
            axes.set_xlabel(x)
            axes.set_ylabel(y if place % columns == 0 else "")
        handles: dict[str, Any] = {}
        for axes in figure.axes:
            handles |= dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
        figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=2 * columns)
    return figure


def save(figure: Figure, stem: Path) -> list[Path]:
    """Writes a figure as ``stem``.png and ``stem``.svg; the same figure is the same file."""
    made = [stem.with_name(f"{stem.name}.{suffix}") for suffix in ("png", "svg")]
    with mpl.rc_context(_STYLE):
        figure.savefig(made[0], dpi=160)
        figure.savefig(made[1], metadata={"Date": None})
    return made


def _bars(axes: Axes, bars: Sequence[Bar], colours: Mapping[str, str]) -> None:
    if not bars:
        return
    groups, series = (list(dict.fromkeys(getattr(bar, name) for bar in bars)) for name in ("group", "series"))
    width = 0.8 / len(series)
    for bar in bars:
        at = groups.index(bar.group) - 0.4 + width * (series.index(bar.series) + 0.5)
        axes.bar(at, bar.value, 0.92 * width, color=colours[bar.series], label=bar.series)
        if bar.ci95 is not None:
            axes.vlines(at, *bar.ci95, color="black", linewidth=1.2)
    axes.set_xticks(range(len(groups)), groups)
    axes.grid(False, axis="x")
