"""A process of its own that compares two LaTeX expressions with sympy: ``python -P sympy_worker.py CPU_SECONDS``.

It reads one JSON list ``[first, second]`` per line and answers each with a line ``[same, seconds of processor time]``.
An item that takes more than it may ends the process: by the kernel's timer and its default action, which no busy
computation can hold up, as it can a signal handler in Python. So nothing outlives its limit, not even if the parent
was killed in the meantime; an idle worker ends with its standard input.

This file imports nothing of the package, so that starting it costs the import of sympy alone.
"""

from __future__ import annotations

import contextlib
import json
import random
import re
import resource
import signal
import sys
from typing import Any

# Address space; towers of powers and expansions ask for more and then fail with MemoryError.
_MEMORY = 4 * 2**30
_DIGITS = 30
_TOLERANCE = 1e-20
_POINTS = 6


def main() -> None:
    """Answers until the input ends."""
    seconds = float(sys.argv[1])
    for kind, limit in ((resource.RLIMIT_AS, _MEMORY), (resource.RLIMIT_CORE, 0)):
        hard = resource.getrlimit(kind)[1]
        with contextlib.suppress(ValueError, OSError):  # macOS refuses to limit the address space
            resource.setrlimit(kind, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard))
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    same("1", "2")  # loads the grammar
    print("ready", flush=True)
    for line in sys.stdin:
        first, second = json.loads(line)
        signal.setitimer(signal.ITIMER_PROF, seconds)
        result = same(first, second)
        left, _ = signal.setitimer(signal.ITIMER_PROF, 0)
        print(json.dumps([result, max(0.0, seconds - left)]), flush=True)


def same(first: str, second: str) -> bool:
    """Whether two LaTeX expressions have the same value, or two equations or inequalities the same solutions."""
    from sympy.core.relational import Relational

    try:
        left, right = _read(first), _read(second)
        if isinstance(left, Relational) and isinstance(right, Relational):
            return _same_relation(left, right)
        return _same_value(left, right)
    # The reader and sympy raise nearly everything on text that is no mathematics; none of it is an equivalence.
    except Exception:
        return False


def _read(latex: str) -> Any:
    from latex2sympy2_extended import latex2sympy
    from latex2sympy2_extended.latex2sympy2 import ConversionConfig
    from sympy import Float, I, Rational, Symbol

    # Degrees as radians, so that the cosine of 58 degrees is that of 58 degrees.
    latex = re.sub(r"(\d+(?:\.\d+)?)\s*\^\s*\{?\s*\\circ\s*\}?", r"(\1\\cdot\\frac{\\pi}{180})", latex)
    expression = latex2sympy(latex, conversion_config=ConversionConfig(lowercase_symbols=False))
    # Decimals as they are written: as binary floats 0.1 + 0.2 - 0.3 would not be 0.
    exact = {decimal: Rational(str(decimal)) for decimal in expression.atoms(Float)}
    return expression.xreplace(exact).subs(Symbol("i"), I)


def _same_value(left: Any, right: Any) -> bool:
    """Whether the difference is 0 at several points (to 30 digits); symbolically where there is no number to see."""
    from sympy import Abs, Expr, Float, Max, Rational, simplify
    from sympy.core.function import AppliedUndef

    if not (isinstance(left, Expr) and isinstance(right, Expr)):
        return bool(left == right)
    if left == right:
        return True
    unknown = sorted(left.free_symbols | right.free_symbols, key=str)
    if left.has(AppliedUndef) or right.has(AppliedUndef):
        return bool(simplify(left - right) == 0)
    rng, seen = random.Random(0), 0
    for point in range(_POINTS if unknown else 1):
        # Positive points first, then such of either sign: a square root's square tells them apart.
        sign = 1 if point < _POINTS // 2 else -1
        values = {name: sign * Rational(rng.randrange(10, 400), 101) for name in unknown}
        one, other, gap = (side.subs(values).evalf(_DIGITS) for side in (left, right, left - right))
        if not all(side.is_number and side.is_finite for side in (one, other, gap)):
            continue
        seen += 1
        # A difference of which not one digit could be found is 0, in sympy's way of saying so. Any other is judged by
        # the size of the sides, which are of any size: floats would be 0 or infinite.
        if all(part._prec == 1 for part in gap.atoms(Float)) and gap.atoms(Float):
            continue
        if gap != 0 and bool(Abs(gap) > _TOLERANCE * Max(Abs(one), Abs(other))):
            return False
    return seen > 0


def _same_relation(left: Any, right: Any) -> bool:
    """Whether two equations are multiples of each other, or two inequalities say the same of the same sides."""
    from sympy import Eq, simplify

    if isinstance(left, Eq) != isinstance(right, Eq):
        return False
    if isinstance(left, Eq):
        ratio = simplify((left.lhs - left.rhs) / (right.lhs - right.rhs))
        return bool(ratio.is_number and ratio.is_finite and ratio != 0)
    if left.canonical == right.canonical:
        return True
    for one in (right, right.reversed):
        if one.func == left.func and _same_value(one.lhs, left.lhs) and _same_value(one.rhs, left.rhs):
            return True
    return False


if __name__ == "__main__":
    main()
