r"""How MATH's scoring judges variants of the benchmark's own answers: rewritten ones, and ones that are next to them.

    DATAENVGYM_DATA_DIR=/path/to/data python benchmarks/math_variants.py      # or --path FOLDER with test.jsonl

Each class rewrites every test answer that it applies to, so that it says the same (aim: at least 99 % score 1) or
something else (aim: none does). Pairs on the wrong side are printed.
"""

import re
import sys
import time
from collections.abc import Callable, Mapping
from fractions import Fraction

from common import make_parser

from tasks.math import MATHTask
from tasks.math.equivalence import spell
from tasks.math.normalisation import normalise_answer
from tasks.math.structure import number, split_top

Variant = Callable[[str], str | None]
AIM_SAME = 0.99
_FRACTION = re.compile(r"\\d?frac\{(\d+)\}\{(\d+)\}")


def _value(answer: str) -> Fraction | None:
    return number(spell(normalise_answer(answer)))


def _single(answer: str) -> bool:
    """Whether an answer is one formula: no words, no relation, no list."""
    return not re.search(r"[=,<>%_$:]|\\(?:text|mbox|in|pm|cup|begin)(?![a-z])", answer)


def _when(condition: Callable[[str], object], form: Callable[[str], str]) -> Variant:
    return lambda answer: form(answer) if condition(answer) else None


def _tuple(answer: str) -> list[str] | None:
    text = re.sub(r"\\(?:left|right)", "", answer).strip()
    if not re.fullmatch(r"\(.*\)", text) or re.search(r"\\infty|\\cup|\).*\(", text):
        return None
    parts = split_top(text[1:-1], ",")
    return parts if len(parts) in (2, 3) else None


def _list(answer: str) -> list[str] | None:
    parts = split_top(answer, ",")
    plain = len(parts) > 1 and not re.search(r"\\!|\\text|\{,|\\\{|[=$]", answer)
    return parts if plain and not re.fullmatch(r"\d{1,3}(,\d{3})+", answer) else None


def _interval(answer: str) -> bool:
    return bool(re.fullmatch(r"[(\[][^()\[\]]*\\infty[^()\[\]]*[)\]]|\[[^\[\]()]*,[^\[\]()]*[\])]", answer))


def _mixed(answer: str) -> str | None:
    fraction = _FRACTION.fullmatch(answer)
    if not fraction or int(fraction[1]) < int(fraction[2]):
        return None
    whole, rest = divmod(int(fraction[1]), int(fraction[2]))
    return rf"{whole} {rest}/{fraction[2]}" if rest else None


def _decimal(answer: str) -> str | None:
    value = _value(answer) if "frac" in answer else None
    return f"{float(value)}" if value is not None and Fraction(str(float(value))) == value else None


def _rounded(answer: str) -> str | None:
    value = _value(answer) if "frac" in answer else None
    return f"{float(value):.6f}" if value is not None and Fraction(f"{float(value):.6f}") != value else None


def _flipped(answer: str) -> str | None:
    return {"(": "[", "[": "("}[answer[0]] + answer[1:] if _interval(answer) and "(-\\infty" not in answer else None


def _sides(answer: str) -> list[str]:
    sides = answer.split("=")
    return sides if len(sides) == 2 else []


def _integer(answer: str) -> bool:
    return bool(re.fullmatch(r"-?\d+", answer))


SAME: Mapping[str, Variant] = {
    "x = 5": _when(lambda a: _single(a) and "x" not in a, lambda a: f"x = {a}"),
    "f(x) = x + 1": _when(lambda a: _single(a) and re.search(r"(?<![a-z])x", a), lambda a: f"f(x) = {a}"),
    "(x, y) = (3, 2)": _when(
        _tuple, lambda a: f"({', '.join('xyz'[: len(_tuple(a) or ())])}) = ({','.join(_tuple(a) or ())})"
    ),
    "x = 3, y = 2": _when(
        _tuple, lambda a: ", ".join(f"{n} = {v}" for n, v in zip("xyz", _tuple(a) or (), strict=False))
    ),
    "2 and 1 for 1, 2": _when(_list, lambda a: r" \text{ and } ".join(reversed(_list(a) or ()))),
    "x = 1 or x = 2": _when(
        lambda a: _list(a) and "x" not in a, lambda a: r" \text{ or } ".join(f"x = {part}" for part in _list(a) or ())
    ),
    r"\{1, 2\}": _when(_list, lambda a: rf"\{{{a}\}}"),
    r"x \in [1, 2]": _when(_interval, lambda a: rf"x \in {a}"),
    r"5\textnormal{ miles}": _when(lambda a: re.fullmatch(r"[\d.]+", a), lambda a: rf"{a}\textnormal{{ miles}}"),
    r"5^\circ": _when(_integer, lambda a: rf"{a}^{{\circ}}"),
    r"\$5": _when(lambda a: re.fullmatch(r"[\d.]+", a), lambda a: rf"\${a}"),
    "1,000": _when(lambda a: re.fullmatch(r"\d{4,}", a), lambda a: f"{int(a):,}"),
    "1{,}000": _when(lambda a: re.fullmatch(r"\d{4,}", a), lambda a: f"{int(a):,}".replace(",", "{,}")),
    "2 1/2": _mixed,
    "0.5 for 1/2": _decimal,
    "1/2": _when(_FRACTION.fullmatch, lambda a: _FRACTION.sub(r"\1/\2", a)),
    r"\frac12": _when(lambda a: re.fullmatch(r"\\d?frac\{\d\}\{\d\}", a), lambda a: re.sub(r"[{}]", "", a)),
    "the same doubled and halved": _when(lambda a: _single(a) and not a.isalpha(), lambda a: rf"\frac{{2({a})}}{{2}}"),
    "equation, sides swapped": _when(_sides, lambda a: "=".join(reversed(_sides(a)))),
    "equation doubled": _when(_sides, lambda a: "=".join(f"2({side})" for side in _sides(a))),
    "plain word": _when(lambda a: re.fullmatch(r"\\text\{\w+\}", a), lambda a: a[6:-1]),
}
DIFFERENT: Mapping[str, Variant] = {
    "5 + 1": _when(_single, lambda a: f"{a} + 1"),
    "-(5)": _when(lambda a: _single(a) and a != "0" and "infty" not in a, lambda a: f"-({a})"),
    "2x = 5": _when(_single, lambda a: f"2x = {a}"),
    r"\sin x = 5": _when(_single, lambda a: rf"\sin x = {a}"),
    "5 with a digit more": _when(_integer, lambda a: f"{a}1"),
    "5.0001": _when(_integer, lambda a: f"{a}.0001"),
    "0.333333 for 1/3": _rounded,
    "upside down": _when(
        lambda a: (f := _FRACTION.fullmatch(a)) and f[1] != f[2], lambda a: _FRACTION.sub(r"\\frac{\2}{\1}", a)
    ),
    "(2, 3) for (3, 2)": _when(
        lambda a: (parts := _tuple(a)) and len({str(_value(part)) for part in parts}) > 1 and parts != parts[::-1],
        lambda a: f"({','.join(reversed(_tuple(a) or ()))})",
    ),
    "list without its first": _when(_list, lambda a: ", ".join((_list(a) or ())[1:])),
    "list with one more": _when(_list, lambda a: f"{a}, 12345"),
    "[1, 2) for (1, 2)": _flipped,
    "10 for 10%": _when(lambda a: a.endswith("\\%"), lambda a: a[:-2]),
    "base lost": _when(lambda a: re.fullmatch(r"\d+_.*", a), lambda a: a.split("_")[0]),
    "another base": _when(lambda a: re.fullmatch(r"\d+_\{?[3-9]\}?", a), lambda a: a.split("_")[0] + "_{16}"),
    "right side alone": _when(lambda a: len((_sides(a) or [""])[0].strip()) > 1, lambda a: _sides(a)[1]),
    "other left side": _when(_sides, lambda a: rf"\cos q = {_sides(a)[1]}"),
    "equation, right side + 1": _when(_sides, lambda a: f"{a} + 1"),
    "word backwards": _when(lambda a: re.fullmatch(r"\\text\{\w\w+\}", a), lambda a: rf"\text{{{a[6:-1][::-1]}}}"),
}


def main() -> int:
    """Prints a line for each class; returns 1 if an aim is missed."""
    parser = make_parser(__doc__)
    parser.add_argument("--path", help="folder with test.jsonl; default: $DATAENVGYM_DATA_DIR/math")
    options = parser.parse_args()
    task = MATHTask(path=options.path, val_from="test", overlap=True)
    met = True
    for label, classes in (("same", SAME), ("different", DIFFERENT)):
        for name, variant in classes.items():
            start = time.perf_counter()
            # An answer that several problems have is asked once.
            first = {one.answer: one for one in reversed(task.instances("test"))}
            varied = [(one, text) for one in first.values() if (text := variant(one.answer)) is not None]
            accepted = [task.score(one, rf"$\boxed{{{text}}}$") == 1.0 for one, text in varied]
            share = sum(accepted) / max(1, len(varied))
            seconds = time.perf_counter() - start
            print(f"{label:10s} {name:28s} {sum(accepted):5d} of {len(varied):5d} score 1 {seconds:7.1f} s", flush=True)
            for (one, text), score in zip(varied, accepted, strict=True):
                if score != (label == "same"):
                    print(f"    {one.instance_id}: {one.answer!r} <- {text!r}")
            met = met and (share >= AIM_SAME if label == "same" else not any(accepted))
    print(dict(task.counters))
    print("aims met" if met else "AIMS MISSED")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
