"""Pages from templates, and how numbers are written on them."""

from collections.abc import Sequence
from typing import Any

UNKNOWN = "not recorded"
_MINUS = "\u2212"


def page(template: str, **values: Any) -> str:
    """A template of this package, by the name of its file, as HTML text."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("dataenvgym.reporting"),
        undefined=jinja2.StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"pct": pct, "points": points, "interval": interval, "pvalue": p_value}
    return environment.get_template(template).render(**values)


def pct(value: float | None) -> str:
    """A fraction as percent."""
    return UNKNOWN if value is None else f"{100 * value:.1f}\u00a0%"


def points(value: float | None) -> str:
    """A gain in points with its sign."""
    return UNKNOWN if value is None else f"{value:+.1f}".replace("-", _MINUS)


def interval(ends: Sequence[float] | None, signed: bool = False, scale: float = 1.0) -> str:
    """The two ends of an interval."""
    if ends is None:
        return UNKNOWN
    low, high = (f"{scale * end:+.1f}" if signed else f"{scale * end:.1f}" for end in ends)
    return f"{low} to {high}".replace("-", _MINUS)


def p_value(value: float | None) -> str:
    """A p-value with its relation sign."""
    if value is None:
        return f"p {UNKNOWN}"
    return "p < 0.001" if value < 0.001 else f"p = {value:.3f}"
