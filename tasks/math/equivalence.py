r"""Whether two answers are the same: by their text, as numbers, part by part, and by sympy only for what is left.

Lists, tuples, intervals, unions, matrices and relations are compared part by part, so that sympy sees only single
formulas. Notation that MATH's questions ask for is kept apart: ``10`` is not ``10\%``, ``25_6`` not ``25_8``, ``(1,2)``
not ``[1,2]``, ``1:2`` not ``2:4``, and words are equal only letter by letter. ``x = 5`` answers ``5``; no other left
side of an equation is dropped.
"""

import re
from collections.abc import Callable, Collection
from functools import lru_cache

from tasks.math.answers import LONGEST_ANSWER, NO_ANSWER
from tasks.math.normalisation import normalise_answer, read_answer
from tasks.math.structure import Structure, closing_bracket, has_unknown, number, plain_name, read_structure, split_top
from tasks.math.sympy_process import Mode, SympyProcess, shared_process
from tasks.math.units import conflicting

# Longest formula for sympy, in characters: its grammar's time grows faster than the text, and MATH's are below 150.
_LONGEST_FORMULA = 400
# Most parts of a list or matrix; unordered lists are matched pair by pair.
_MOST_PARTS = 60
# Deepest nesting of brackets: what is compared part by part is compared by recursion.
_DEEPEST = 40

_WORD = re.compile(r"(?<![\\a-zA-Z])(?:[a-zA-Z]{4,}|[A-Z]{2,})")
# Words short enough to be a product of variables; as a whole answer they are words.
_SHORT_WORDS = frozenset("no on yes odd one two six ten all not any am pm".split())
_TYPESET = re.compile(r"\\(?:text|math|[mh]box|operatorname|rm|bf)")
# What sympy's reader knows how to read. Anything else is compared by its text: the reader guesses, or leaves it out.
_FUNCTIONS = "sin|cos|tan|cot|sec|csc|arcsin|arccos|arctan|sinh|cosh|tanh|log|ln|exp"
_READABLE = re.compile(
    r"(?:[0-9a-zA-Z+\-*/^_(){}\[\]|!. ]|"
    rf"\\(?:frac|sqrt|binom|cdot|times|div|pi|circ|lfloor|rfloor|lceil|rceil|lvert|rvert|{_FUNCTIONS}|"
    r"alpha|beta|gamma|delta|epsilon|varepsilon|zeta|eta|theta|iota|kappa|lambda|mu|nu|xi|rho|sigma|tau|phi|varphi|chi|"
    r"psi|omega|Gamma|Delta|Theta|Lambda|Xi|Sigma|Phi|Psi|Omega|ell)(?![a-zA-Z]))*"
)
_UNREADABLE = re.compile(
    r"[0-9]_|(?<![_0-9])[0-9]+ +[0-9]+(?![0-9/])|/[^/]*/.*[0-9]{4}|[0-9]\.[0-9]*\.|!!|(?<![0-9a-zA-Z)}\]])!"
)
_ASKED = re.compile(
    r"(?:\b[Ff]ind|[Ww]hat is|[Cc]ompute|[Ee]valuate|[Dd]etermine|[Cc]alculate|values? of)\s+\$([^$]{1,200})\$"
)
_OPERATION = re.compile(r"(?<=.)[-+*/^=!|]|[(|]|\\[a-zA-Z]")
_CHOICE = re.compile(r"\(([A-Z])\)(?:[^A-Za-z(].*)?")
_SPELLINGS = tuple(
    (re.compile(pattern), spelling)
    for pattern, spelling in (
        (r"\\[dtc]frac(?![a-zA-Z])", r"\\frac"),
        (r"\\[dt]binom(?![a-zA-Z])", r"\\binom"),
        (r"\\(?:leq|leqslant|le)(?![a-zA-Z])|<=", r"\\le "),
        (r"\\(?:geq|geqslant|ge)(?![a-zA-Z])|>=", r"\\ge "),
        (r"\\(?:neq|ne)(?![a-zA-Z])", r"\\ne "),
        (r"\\lt(?![a-zA-Z])", "<"),
        (r"\\gt(?![a-zA-Z])", ">"),
        (r"\\lbrace(?![a-zA-Z])", r"\\{"),
        (r"\\rbrace(?![a-zA-Z])", r"\\}"),
        (r"\\[lr]?vert(?![a-zA-Z])|\\mid(?![a-zA-Z])", "|"),
        (r"\\colon(?![a-zA-Z])", ":"),
        (r"\\(?:varnothing|O)(?![a-zA-Z])|^\\\{\\\}$", r"\\emptyset "),
        (
            r"[(\[]\\begin\{(array|matrix)\}(?:\{[clr|]*\})?(.*)\\end\{\1\}[)\]]",
            r"\\begin{pmatrix}\2\\end{pmatrix}",
        ),
        (r"\{([^{}]+)\\choose(?![a-zA-Z])([^{}]+)\}|^([^{}]+)\\choose(?![a-zA-Z])([^{}]+)$", r"\\binom{\1\3}{\2\4}"),
        (r"\\(?:begin|end)\{(?:small|array)\}(?:\{[^{}]*\})?", ""),
        (r"\\\\\[[^\]]{1,8}\]", r"\\\\"),
        (r"\*\*", "^"),
        (r"\\ast(?![a-zA-Z])|\*", r"\\cdot "),
        (r"(?<![\\a-zA-Z])sqrt\(((?:[^()]|\([^()]*\))*)\)", r"\\sqrt{\1}"),
        (r"(?<![\\a-zA-Z])sqrt([0-9]+)", r"\\sqrt{\1}"),
        (rf"(?<![\\a-zA-Z])({_FUNCTIONS}|pi|theta|alpha|beta)(?![a-zA-Z])", r"\\\1 "),
        (r"(?<![\\a-zA-Z])(?:infinity|inf)(?![a-zA-Z])", r"\\infty "),
        (r"(?<=[0-9.])\s*\\(?:bar|dot)\{?([0-9]+)\}?", r"\\overline{\1}"),
        (r"([_^])\{(\w)\}(?![0-9])", r"\1\2"),
        (r"\^-([0-9]+|[a-zA-Z])", r"^{-\1}"),
        (r"\^\(([^()]*)\)", r"^{\1}"),
        (r"(?:^|(?<=[(\[,=+-]))\{(-?[\w.]+)\}(?![\w{])", r"\1"),
        (r"\+\\infty(?![a-zA-Z])", r"\\infty "),
        (r"\(\s*([0-9A-Fa-f]+)\s*\)_", r"\1_"),
        (r"^([a-zA-Z])\\approx", r"\1="),
        (r"^\\approx", ""),
        (r"^\\mathbb\{?R\}?$|^allreal(?:number|value)?s?$", r"(-\\infty,\\infty)"),
        (r"\\approx.*", ""),  # what stands before it is exact
    )
)

Formulas = Callable[[str, str, Mode], bool]


def equivalent(
    gold: str, candidate: str, process: SympyProcess | None = None, asked: Collection[str] = frozenset()
) -> bool:
    """Whether a candidate answer is the gold answer; symmetric.

    ``process`` (None: the one of this Python process) compares the formulas that text and arithmetic cannot; its limit
    holds for all formulas of an answer together. With ``x+y`` in ``asked``, see asked_formulas(), ``x+y=5`` answers 5.
    """
    if max(len(gold), len(candidate)) > LONGEST_ANSWER or NO_ANSWER in (gold.strip(), candidate.strip()):
        return False
    first, second = normalise_answer(gold), normalise_answer(candidate)
    if not first or not second or NO_ANSWER in (first, second):
        return False
    if max(_depth(first), _depth(second)) > _DEEPEST:
        return first == second
    return _Comparison(process or shared_process(), frozenset(asked)).same_part(gold, candidate)


@lru_cache(maxsize=16_384)
def asked_formulas(question: str) -> frozenset[str]:
    """The formulas that a question asks the value of, normalised and spelled."""
    return frozenset(spell(normalise_answer(formula)) for formula in _ASKED.findall(question))


@lru_cache(maxsize=16_384)
def _formulas_of(question: str) -> frozenset[str]:
    # Split at dollars, so that the question's words are no part of its formulas.
    return frozenset(spell(normalise_answer(part)) for part in re.split(r"\$|\\[\[\]()]", question)[1::2])


def repeats_question(question: str, gold: str, candidate: str) -> bool:
    r"""Whether a candidate only repeats a formula of the question.

    ``\sqrt{8}`` has the value that is wanted where it is to be simplified, and is no answer to that. A candidate that
    is the gold answer's own text is one, wherever else it stands.
    """
    first, second = (spell(normalise_answer(text)) for text in (gold, candidate))
    if first == second or len(candidate) > LONGEST_ANSWER or not _OPERATION.search(second):
        return False
    return any(second in formula for formula in _formulas_of(question))


def _depth(text: str) -> int:
    depth = deepest = 0
    for character in text:
        depth += (character in "([{") - (character in ")]}")
        deepest = max(deepest, depth)
    return deepest


@lru_cache(maxsize=65_536)
def spell(text: str) -> str:
    """A normalised answer in one spelling of fractions, comparisons, braces and blanks."""
    for pattern, spelling in _SPELLINGS:
        text = pattern.sub(spelling, text)
    text = re.sub(r"(\\[a-zA-Z]+)\s+(?![a-zA-Z])", r"\1", text).strip()
    choice = _CHOICE.fullmatch(text)
    return choice[1] if choice and len(text) == 3 else text


class _Comparison:
    """One comparison of two answers, within one limit of processor time for all of their formulas."""

    def __init__(self, process: SympyProcess, asked: frozenset[str]) -> None:
        self._process, self._left, self._asked = process, process.seconds, asked

    def same_part(self, first: str, second: str) -> bool:
        """Whether two answers, or parts of such, are the same, units and all."""
        (one, unit), (other, other_unit) = read_answer(first), read_answer(second)
        if not one or not other or conflicting(unit, other_unit):
            return False
        if one.isalpha() and other.isalpha() and _TYPESET.search(first + second):
            return one == other  # words, however short: tea is not eat
        return self.same(spell(one), spell(other))

    def same(self, first: str, second: str) -> bool:
        if first == second:
            return True
        if not any(split_top(side, ",")[1:] for side in (first, second)):
            if first.endswith("\\%") != second.endswith("\\%"):
                return False
            first, second = (side.removesuffix("\\%") for side in (first, second))
        first, second = _inside(first), _inside(second)
        left, right = number(first), number(second)
        if left is not None and right is not None:
            return left == right
        one, other = (read_structure(side, self._asked) for side in (first, second))
        if one is not None or other is not None:
            return self._same_structure(one, first, other, second)
        # Two single formulas: words, numbers to a base and unknown notation by their text, others by sympy.
        if first == second:
            return True
        for letter, described in ((first, second), (second, first)):
            if (choice := _CHOICE.fullmatch(described)) and letter == choice[1]:
                return True  # B is (B) 34
        return _readable(first) and _readable(second) and self._formulas(first, second, "value")

    def _same_structure(self, one: Structure | None, first: str, other: Structure | None, second: str) -> bool:
        if one is None or (other is not None and one.kind != "named" and other.kind == "named"):
            one, first, other, second = other, second, one, first
        assert one is not None
        if one.kind == "named":
            return self._same_named(one, other, second)
        if other is None:
            # A set of one is its element; an inequality or a list is no single formula.
            return one.kind == "list" and len(one.parts) == 1 and not one.marks and self.same_part(one.parts[0], second)
        if "assignment" in (one.kind, other.kind):
            return self._same_assignment(one, other)
        if "relation" in (one.kind, other.kind) and one.kind != other.kind:
            one, other = _interval(one), _interval(other)
        elif "or" in (*one.marks, *other.marks) and "union" in (one.kind, other.kind):
            one, other = _interval(one), _interval(other)
        if one is None or other is None or one.kind != other.kind:
            return False
        if one.kind == "relation":
            return self._same_relation(one, other)
        if one.marks != other.marks or len(one.parts) != len(other.parts) or len(one.parts) > _MOST_PARTS:
            return False
        if one.marks == ("ratio",):
            return one.parts == other.parts
        if one.kind == "ordered":
            return all(map(self.same_part, one.parts, other.parts))
        rights = list(other.parts)
        for left in one.parts:
            match = next((place for place, right in enumerate(rights) if self.same_part(left, right)), None)
            if match is None:
                return False
            del rights[match]
        return True

    def _same_named(self, one: Structure, other: Structure | None, second: str) -> bool:
        """``x = 5`` with ``5``, with ``x = 5`` or with ``x - 5 = 0``."""
        name, value = one.marks[0], one.parts[0]
        if not self._consistent(one) or (other is not None and other.kind == "named" and not self._consistent(other)):
            return False
        if other is None or other.kind not in ("named", "relation"):
            # "x=1, x=2" names no y, whatever "x=1, y=2" has for it.
            assigned = other is not None and other.kind == "assignment" and bool(name) and not value.startswith("(")
            return not assigned and self.same_part(value, second)
        if other.kind == "named":
            if not name or not other.marks[0] or name == other.marks[0]:
                return self.same_part(value, other.parts[0])
            other = Structure("relation", (other.marks[0], other.parts[0]), ("=",))
        elif set(other.marks) != {"="}:
            return self.same_part(value, second)  # x in an interval, and the inequality that says so
        return bool(name) and self._same_relation(Structure("relation", (name, value), ("=",)), other)

    def _consistent(self, named: Structure) -> bool:
        """Whether no number between a name and its value is another: ``x = 2 + 3 = 6`` says nothing."""
        return all(self.same_part(between, named.parts[0]) for between in named.parts[1:] if not has_unknown(between))

    def _same_assignment(self, one: Structure, other: Structure) -> bool:
        """``x=3, y=2`` with ``(x,y)=(3,2)`` by name; with ``(3,2)`` in the order of the names."""
        if one.kind != "assignment":
            one, other = other, one
        values = dict(zip(one.marks, one.parts, strict=True))
        if other.kind == "assignment":
            others = dict(zip(other.marks, other.parts, strict=True))
            return set(values) == set(others) and all(self.same_part(values[name], others[name]) for name in values)
        if other.kind != "list" and other.marks not in (("()",), ("\\langle\\rangle",)):
            return False
        if other.kind == "list" and len({name.partition("_")[0] for name in values}) == 1 and not other.marks:
            return self._same_structure(Structure("list", one.parts), "", other, "")  # x_1 and x_2 are solutions
        if all(len(name) == 1 for name in values) and list(values) != sorted(values):
            return False  # (y,x)=(2,3) is not (2,3), and a reader may mean either by it
        return len(values) == len(other.parts) and all(map(self.same_part, values.values(), other.parts))

    def _same_relation(self, one: Structure, other: Structure) -> bool:
        """Equations that are multiples of each other, inequalities that are positive ones; chains side by side."""
        if one.marks != other.marks:
            return False
        if len(one.marks) > 1:
            return all(map(self.same_part, one.parts, other.parts))
        if one.parts == other.parts or (one.marks[0] in ("=", "\\ne") and one.parts == other.parts[::-1]):
            return True
        mode: Mode = "multiple" if one.marks[0] in ("=", "\\ne") else "positive multiple"
        sides = (spell(normalise_answer(side)) for side in (*one.parts, *other.parts))
        first, second, third, fourth = sides
        if not all(map(_readable, (first, second, third, fourth))):
            return False
        return self._formulas(f"({first})-({second})", f"({third})-({fourth})", mode)

    def _formulas(self, first: str, second: str, mode: Mode) -> bool:
        if max(len(first), len(second)) > _LONGEST_FORMULA or self._left <= 0:
            return False
        if first > second:
            first, second = second, first
        result, seconds = self._process.same(first, second, mode)
        self._left -= seconds
        return result


def _readable(text: str) -> bool:
    return bool(
        text
        and _READABLE.fullmatch(text)
        and not _UNREADABLE.search(text)
        and not _WORD.search(text)
        and text not in _SHORT_WORDS
    )


def _inside(text: str) -> str:
    while text.startswith("(") and text.endswith(")") and closing_bracket(text, 1) == ")":
        if len(split_top(text[1:-1], ",")) > 1:
            break
        text = text[1:-1]
    return text


def _interval(one: Structure) -> Structure | None:
    r"""The interval or union that an inequality of one variable says: ``1<x\le 3`` is ``(1,3]``, ``x\ne 0`` two."""
    if one.kind == "list" and one.marks == ("or",):
        parts = [read_structure(part) for part in one.parts]
        intervals = [_interval(part) for part in parts if part is not None and part.kind == "relation"]
        texts = tuple(f"{i.marks[0][0]}{','.join(i.parts)}{i.marks[0][-1]}" for i in intervals if i is not None)
        return Structure("union", texts) if len(texts) == len(one.parts) else None
    if one.kind != "relation" or "=" in one.marks:
        return one if one.kind in ("ordered", "union") else None
    variable = re.compile(r"[a-zA-Z]")
    places = [place for place, side in enumerate(one.parts) if variable.fullmatch(plain_name(side))]
    if len(places) != 1 or (len(one.parts) == 3 and places != [1]) or len(one.parts) > 3:
        return None
    if one.marks == ("\\ne",):
        point = one.parts[1 - places[0]]
        return Structure("union", (f"(-\\infty,{point})", f"({point},\\infty)"))
    if "\\ne" in one.marks:
        return None
    low, opening = (one.parts[0], one.marks[0]) if places[0] else ("-\\infty", "<")
    high, closing = (one.parts[-1], one.marks[-1]) if places[0] < len(one.parts) - 1 else ("\\infty", "<")
    return Structure("ordered", (low, high), (("(" if opening == "<" else "[") + (")" if closing == "<" else "]"),))
