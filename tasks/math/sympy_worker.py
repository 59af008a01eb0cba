"""A process of its own that compares two LaTeX expressions with sympy: ``python -P sympy_worker.py CPU_SECONDS``.

It reads one JSON list ``[first, second, mode]`` per line and answers each with a line ``[same, processor seconds]``.
An item over its limit ends the process by the kernel's timer and its default action, which no busy computation can
delay as it can a signal handler in Python, even if the parent was killed. An idle worker ends with its standard input.

This file imports nothing of the package, so that starting it costs the import of sympy alone.
"""

import contextlib
import json
import random
import re
import resource
import signal
import sys
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

# Address space; towers of powers and expansions ask for more and then fail with MemoryError.
_MEMORY = 4 * 2**30
_DIGITS = 15
# Digits that sympy may calculate with to find one of a difference, and how much smaller than its parts that is then.
_MOST_DIGITS = 200
_TOLERANCE = 1e-100
# Sizes and signs of the values at which formulas are compared.
_SIZES = (1, 1, 20, 1, 1, 20, 900)
_SIGNS = (1, 1, 1, -1, -1, -1, 1)


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
        first, second, mode = json.loads(line)
        signal.setitimer(signal.ITIMER_PROF, seconds)
        result = same(first, second, mode)
        left, _ = signal.setitimer(signal.ITIMER_PROF, 0)
        print(json.dumps([result, max(0.0, seconds - left)]), flush=True)


def same(first: str, second: str, mode: str = "value") -> bool:
    """Whether two LaTeX expressions have the same value, or are multiples of each other."""
    from sympy import AccumBounds, Expr, nan, oo, zoo
    from sympy.core.function import AppliedUndef

    try:
        left, right = _read(first), _read(second)
        # A division by zero is equal to nothing, and neither is what is no number at all (a set, a truth value).
        if not all(isinstance(side, Expr) and not side.has(zoo, nan, oo, -oo, AccumBounds) for side in (left, right)):
            return False
        if mode != "value":
            return _is_multiple(left, right, positive=mode == "positive multiple")
        if left.has(AppliedUndef) or right.has(AppliedUndef):
            return bool((left - right).expand() == 0)
        return _same_value(left, right)
    # The reader and sympy raise nearly everything on text that is no mathematics; none of it is an equivalence.
    except Exception:
        return False


@lru_cache(maxsize=4096)
def _read(latex: str) -> Any:
    from latex2sympy2_extended import latex2sympy
    from latex2sympy2_extended.latex2sympy2 import ConversionConfig
    from sympy import Float, I, Rational, Symbol

    # Degrees as radians, so that the cosine of 58 degrees is that of 58 degrees.
    latex = re.sub(
        r"(\d+(?:\.\d+)?|[a-zA-Z]|\\[a-zA-Z]+)\s*\^\s*\{?\s*\\circ\s*\}?", r"(\1\\cdot\\frac{\\pi}{180})", latex
    )
    if r"\circ" in latex:
        raise ValueError("degrees of something else")  # the reader leaves them out
    # Side by side, the reader takes any two numbers for a mixed number, as in 2(3), and x(3) for a function's value.
    latex = re.sub(r"(?<![\d.}\w^])(\d+)\s*(\\frac\{\d+\}\{\d+\})", r"(\1+\2)", latex)
    latex = re.sub(r"(?<![\d.}\w^])(\d+) (\d+/\d+)", r"(\1+\2)", latex)
    latex = re.sub(r"/(\d+)(?=[a-zA-Z(])", r"/\1\\cdot ", latex)
    latex = re.sub(r"(?<![\d^_])(\d+)(?=[(\[{])|(?<=[)\]])(?=[\d(\[])", r"\1\\cdot ", latex)
    latex = re.sub(r"(?<![\\a-zA-Z])([abcmnkrstuvwxyz](?:\^(?:\d|\{\d+\}))?)(?=\()", r"\1\\cdot ", latex)
    expression = latex2sympy(latex, conversion_config=ConversionConfig(lowercase_symbols=False))
    # Decimals as they are written: as binary floats 0.1 + 0.2 - 0.3 would not be 0.
    exact = {decimal: Rational(str(decimal)) for decimal in expression.atoms(Float)}
    return expression.xreplace(exact).subs(Symbol("i"), I).doit()  # the reader evaluates nothing


def _points(unknown: Sequence[Any]) -> Iterator[dict[Any, Any]]:
    """Values for the unknowns: small and large, first positive, then of either sign.

    A square root's square tells the signs apart, and rounding or absolute values may differ only far from 0.
    """
    from sympy import Rational

    rng = random.Random(0)
    for size, sign in zip(_SIZES, _SIGNS, strict=True):
        yield {
            name: sign * (-1 if sign < 0 and rng.random() < 0.3 else 1) * Rational(rng.randrange(10, 400) * size, 101)
            for name in unknown
        }
        if not unknown:
            return


def _is_zero(difference: Any, size: Any) -> bool | None:
    """Whether a number is 0, as the difference of numbers of that size; None if it is no finite number."""
    from sympy import Abs, Float

    if difference.is_Rational:
        return bool(difference == 0)
    found = difference.evalf(_DIGITS, maxn=_MOST_DIGITS)
    if not (found.is_number and found.is_finite):
        return None
    # Of a difference that is 0, sympy finds not one digit, and says so by a precision of 1, or finds what its
    # rounding has left.
    if found.atoms(Float) and all(part._prec == 1 for part in found.atoms(Float)):
        return True
    return bool(Abs(found) <= _TOLERANCE * size.evalf(_DIGITS))


def _same_value(left: Any, right: Any) -> bool:
    from sympy import Abs

    if left == right:
        return True
    unknown = sorted(left.free_symbols | right.free_symbols, key=str)
    zeros: list[bool | None] = []
    for values in _points(unknown):
        try:
            one, other = left.subs(values), right.subs(values)
            zeros.append(_is_zero(one - other, Abs(one) + Abs(other)))
        except OverflowError:
            zeros.append(None)  # a tower of powers far from 0
        if zeros[-1] is False:
            return False
    # Where one has no value, the other may have one: (x^2-1)/(x-1) is x+1.
    return zeros.count(True) >= min(2, len(zeros))


def _is_multiple(left: Any, right: Any, positive: bool) -> bool:
    """Whether one expression is a constant times the other, and not 0 everywhere."""
    from sympy import Abs

    unknown = sorted(left.free_symbols | right.free_symbols, key=str)
    if not unknown:
        return False
    pairs = [(left.subs(values), right.subs(values)) for values in _points(unknown)]
    finite = [pair for pair in pairs if all(_is_zero(side, Abs(side)) is False for side in pair)]
    if len(finite) < 2:
        return False
    (first, second), *others = finite
    if positive and not (first / second).is_positive:
        return False
    return all(_is_zero(one * second - other * first, Abs(one * second)) for one, other in others)


if __name__ == "__main__":
    main()
