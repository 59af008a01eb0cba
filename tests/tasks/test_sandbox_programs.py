"""Programs and their right verdicts, by class: what LiveCodeBench's harness accepts, and what no rule may."""

import pytest

from tasks.code.sandbox import Sandbox
from tasks.code.verdict import CallTest, Job, Limits, StdinTest
from tasks.errors import ConfigurationError

_OK, _WRONG, _ERROR, _COMPILE = "accepted", "wrong_answer", "runtime_error", "compile_error"
# The entry point, a right body of two arguments, and a wrong one: names that the preamble defines as well.
_NAMES = {
    "add": ("a + b", "a - b"),
    "gcd": ("a if not b else gcd(b, a % b)", "a * b"),
    "comb": ("1 if b in (0, a) else 0 if b > a else comb(a - 1, b - 1) + comb(a - 1, b)", "a"),
    "sum": ("a + b", "a - b"),
    "pow": ("a ** b", "a * b"),
    "search": ("[a, b].index(b)", "99"),
    "filter": ("[x for x in (a, b) if x > 4]", "[]"),
    "reduce": ("a + b", "0"),
    "date": ("a * 100 + b", "0"),
}
_CALLS: dict[str, str] = {
    "function": "def {0}(a, b): return {1}",
    "method": "class Solution:\n    def {0}(self, a: int, b: int) -> Any:\n        return {2}",
    "method before function": "class Solution:\n    def {0}(self, a, b): return {2}\ndef {0}(a, b): return None",
    "lambda": "{0} = lambda a, b: {1}",
    "static method": "class Solution:\n    @staticmethod\n    def {0}(a, b): return {2}",
    "function beside a class": "class Solution:\n    pass\ndef {0}(a, b): return {1}",
}


def right(body: str, name: str, a: int, b: int) -> object:
    space: dict[str, object] = {}
    exec(f"def {name}(a, b): return {body}", space)
    return space[name](a, b)  # type: ignore[operator]


@pytest.mark.parametrize("name", _NAMES)
def test_the_program_answers_and_never_the_preamble(sandbox: Sandbox, name: str) -> None:
    good, bad = _NAMES[name]
    tests = tuple(CallTest((a, b), right(good, name, a, b)) for a, b in ((7, 5), (6, 4)))
    for form in _CALLS.values():
        inner = good.replace(f" {name}(", f" self.{name}(") if "static" not in form else good
        inner = inner.replace(f"self.{name}(", f"Solution().{name}(")
        for body, method, outcome in ((good, inner, _OK), (bad, bad, _WRONG)):
            verdict = sandbox.run(form.format(name, body, method), tests, name, preamble=True)
            assert verdict.outcome == outcome, (form, verdict)
    for nothing in (
        "",
        "x = 1",
        f"import math\n# {name}",
        "class Solution: pass",
        "class Solution:\n def other(self): pass",
    ):
        assert sandbox.run(nothing, tests, name, preamble=True).outcome == _COMPILE


_PREAMBLE = {
    "class Solution:\n def f(self, x: List[int]) -> Optional[int]:\n  return max(Counter(x).values())": [
        CallTest(([1, 1],), 2)
    ],
    "def f(x): return list(accumulate(x)), reduce(lambda a, b: a * b, x)": [CallTest(([1, 2],), [[1, 3], 2])],
    "def f(x):\n q = deque(x)\n heapify(x)\n return [q.popleft(), heappop(x), bisect_left([1, 2], 2)]": [
        CallTest(([2, 1],), [2, 1, 1])
    ],
    "@cache\ndef f(x): return x if x < 2 else f(x - 1) + f(x - 2)": [CallTest((50,), 12586269025)],
    "def f(x): return math.gcd(x, 6) + collections.Counter('aa')['a'] + len(string.ascii_letters)": [
        CallTest((4,), 56)
    ],
    "def f(x): return [ascii_lowercase[x], inf > x, gcd(x, 6), sqrt(x), comb(5, x)]": [
        CallTest((4,), ["e", True, 2, 2.0, 5])
    ],
    "def f(x): return json.loads(x), re.sub('a', 'b', x), copy.deepcopy(x)": [CallTest(('"a"',), ["a", '"b"', '"a"'])],
    "def f(x): return [*map(itemgetter(0), x)], datetime.date(2024, 1, 1).year": [CallTest(([[1]],), [[1], 2024])],
    "def f(x): return [pow(x, -1, 7), sum([x]), open.__module__]": [CallTest((3,), [5, 3, "io"])],
    "def f(x): return defaultdict(list)[x], OrderedDict(a=1), Counter('a')": [CallTest((3,), [[], {"a": 1}, {"a": 1}])],
    "def f(x): return randint(1, 1) + mean([x, x]) + floor(0.5)": [CallTest((3,), 4)],
}


@pytest.mark.parametrize("source", _PREAMBLE)
def test_the_preamble_is_that_of_the_benchmark(sandbox: Sandbox, source: str) -> None:
    assert sandbox.run(source, _PREAMBLE[source], "f", preamble=True).outcome == _OK
    if "f(self" not in source:  # annotations are evaluated where the class is defined
        assert sandbox.run(source, _PREAMBLE[source], "f").outcome in (_ERROR, _OK)


_STDIN: list[tuple[str, str, str, str]] = [
    # programs that end themselves
    ("print(int(input()) * 2)\nexit()", "21", "42", _OK),
    ("print(42)\nraise SystemExit", "", "42", _OK),
    ("exit()", "", "42", _WRONG),
    ("print(42)\nexit(1)", "", "42", _ERROR),
    # recursion
    ("def f(n): return n and 1 + f(n - 1)\nprint(f(45000))", "", "45000", _OK),
    ("@cache\ndef f(n): return n and 1 + f(n - 1)\nprint(f(20000))", "", "20000", _OK),
    ("def f(n): return max([n], key=lambda n: n and f(n - 1) and 1) if n else 1\nprint(f(9000))", "", "9000", _OK),
    ("import sys\nsys.setrecursionlimit(10 ** 6)\ndef f(n): return n and f(n - 1)\nprint(f(200000))", "", "0", _OK),
    ("import sys\nprint(sys.getrecursionlimit() >= 50000)", "", "True", _OK),
    ("def f(): f()\nf()", "", "", _ERROR),
    (
        "import sys, threading\nsys.setrecursionlimit(10 ** 6)\nthreading.stack_size(1 << 27)\n"
        "def f(n): return n and 1 + f(n - 1)\ndef main(): print(f(100000))\n"
        "t = threading.Thread(target=main)\nt.start()\nt.join()",
        "", "100000", _OK,
    ),
    # lines, compared as test_sandbox_verdicts.py has it
    ("print('07')", "", "7", _OK),
    ("print('case 07')", "", "case 7", _WRONG),
    ("print('a\\r')\nprint('b')", "", "a\nb", _OK),
    ("print('a b', end='')", "", "a\nb", _WRONG),
    ("pass", "", "", _OK),
    ("pass", "", "1", _WRONG),
    ("print(1)", "", "", _WRONG),
    ("print('é', 'ß', '中')", "", "é ß 中", _OK),
    ("print(input())", "é中\n", "é中", _OK),
    # ways to read
    ("import sys\nfor line in sys.stdin: print(int(line) * 2)", "1\n2\n", "2\n4", _OK),
    ("import sys\nprint(sum(map(int, sys.stdin.buffer.read().split())))", "1 2\n3", "6", _OK),
    ("import sys\ninput = sys.stdin.readline\nn = int(input())\nprint(input().strip() * n)", "2\nab\n", "abab", _OK),
    ("a, b = map(int, open(0).read().split())\nprint(a + b)", "1 2", "3", _OK),
    ("import os\nprint(os.read(0, 10).decode())", "abc", "abc", _OK),
    ("import io, os\ninput = io.BytesIO(os.read(0, os.fstat(0).st_size)).readline\nprint(int(input()))", "5", "5", _OK),
    ("import fileinput\nprint(sum(int(line) for line in fileinput.input()))", "1\n2\n", "3", _OK),
    ("while True:\n    try: print(input())\n    except EOFError: break", "a\nb\n", "a\nb", _OK),
    ("print(input(), input())", "a\n", "a", _ERROR),
    ("n = int(input())", "x", "", _ERROR),
    # ways to print
    ("import sys\nsys.stdout.write('42')", "", "42", _OK),
    ("import sys\nsys.stdout.buffer.write(b'42\\n')", "", "42", _OK),
    ("import sys\nprint(42, file=sys.stdout, flush=True)\nprint(43, file=sys.stderr)", "", "42", _OK),
    ("import os\nos.write(1, b'42')", "", "42", _OK),
    ("import contextlib, io\nwith contextlib.redirect_stdout(io.StringIO()): print(41)\nprint(42)", "", "42", _OK),
    # shapes of programs
    ("if __name__ == '__main__':\n    print(42)", "", "42", _OK),
    ("from dataclasses import dataclass\n@dataclass\nclass A:\n    x: int = 42\nprint(A().x)", "", "42", _OK),
    ("from typing import *\nfrom collections import *\nprint(Counter('aa')['a'])", "", "2", _OK),
    ("import builtins\nbuiltins.input = lambda: '42'\nprint(input())", "", "42", _OK),
    ("import decimal, fractions\nprint(decimal.Decimal('1') + 1, fractions.Fraction(1, 2))", "", "2 1/2", _OK),
    ("print('a' 'b'", "", "", _COMPILE),
    ("def f():\nprint(1)", "", "1", _COMPILE),
    ("", "", "1", _WRONG),
    ("import numpy_that_is_not_there", "", "", _ERROR),
    ("assert False, 'no'", "", "", _ERROR),
    ("raise KeyboardInterrupt", "", "", _ERROR),
]  # fmt: skip


@pytest.mark.parametrize(("source", "given", "expected", "outcome"), _STDIN)
def test_programs_that_read_and_print(sandbox: Sandbox, source: str, given: str, expected: str, outcome: str) -> None:
    for exact in (True, False):
        verdict = sandbox.judge(Job(source, (StdinTest(given, expected),), preamble=True, exact=exact))
        assert verdict.outcome == outcome, verdict


@pytest.mark.parametrize(
    ("source", "given", "expected"),
    [
        (
            "n = int(input())\nprint(sum(accumulate(range(n))), gcd(4, 6), Counter('aab').most_common(1)[0][0])",
            "4",
            "10 2 a",
        ),
        ("print(*permutations([1, 2]), inf, heapq.nsmallest(1, [2, 1]))", "", "(1, 2) (2, 1) inf [1]"),
        ("print(stdin.readline().strip() + stdin.read())", "a\nb", "ab"),
        (
            "def main(a: List[int]) -> Optional[str]: return a\nprint(main([1]), math.pi > 3, re.sub('a', 'b', 'a'))",
            "",
            "[1] True b",
        ),
        ("stdout.write('x')\nprint(sys.maxsize > 0, ascii_lowercase[:2], deque([1])[0])", "", "xTrue ab 1"),
    ],
)
def test_programs_have_the_preamble_too_and_for_each_test(
    sandbox: Sandbox, source: str, given: str, expected: str
) -> None:
    tests = (StdinTest(given, expected),) * 2
    assert sandbox.run(source, tests, preamble=True).outcome == _OK
    assert sandbox.run(source, tests).outcome == _ERROR


@pytest.mark.parametrize(("printed", "exact", "rounded"), [("1.500001", False, True), ("1.500000", True, True)])
def test_what_is_exact_for_the_benchmark_is_rounded_elsewhere(
    sandbox: Sandbox, printed: str, exact: bool, rounded: bool
) -> None:
    for way, same in ((True, exact), (False, rounded)):
        assert sandbox.judge(Job(f"print({printed!r})", (StdinTest("", "1.5"),), exact=way)).accepted is same


@pytest.mark.parametrize(
    ("source", "outcome"),
    [
        ("class Solution:\n def f(self, x): return self.g(x)\n def g(self, x): return x * 2", _OK),
        ("class Solution:\n def __init__(self): self.k = 2\n def f(self, x): return x * self.k", _OK),
        ("class Solution:\n def __init__(self): self.f = lambda x: x * 2", _OK),
        ("class Base:\n def f(self, x): return x * 2\nclass Solution(Base): pass", _OK),
        ("class Solution:\n def __init__(self, k): pass\n def f(self, x): return x * 2", _ERROR),
        ("class Solution:\n f = 5", _COMPILE),
        ("from functools import partial\nf = partial(int.__mul__, 2)", _OK),
        ("def f(x, k=2): return x * k", _OK),
        ("def f(x):\n print(x)\n return x * 2", _OK),
        ("def f(x):\n yield x * 2", _ERROR),
        ("f = 5", _COMPILE),
        ("def f(): return 42", _ERROR),
        ("def f(x): return object()", _ERROR),
        ("def f(x): return f", _ERROR),
        ("import os\ndef f(x): return 42 if x == 21 else os._exit(0)", _ERROR),
        ("def f(x): return float(x * 2)", _OK),
        ("def f(x): return str(x * 2)", _WRONG),
        ("def f(x): return [x * 2]", _WRONG),
        ("def f(x): return None", _WRONG),
        ("def f(x): return x * 2 if x > 9 else 0", _WRONG),
        ("def f(x): return input()", _ERROR),
        ("def f(x): exit()", _ERROR),
        ("def f(x: Unknown): return x * 2", _ERROR),
        ("from __future__ import annotations\ndef f(x: Unknown): return x * 2", _OK),
        ("def f(self, x): return x * 2", _ERROR),
        ("if False:\n def f(x): return x * 2", _COMPILE),
        ("def f(x):\n def g(n): return n and 1 + g(n - 1)\n return g(40000) - 40000 + x * 2", _OK),
    ],
)
def test_functions_in_every_form(sandbox: Sandbox, source: str, outcome: str) -> None:
    assert sandbox.run(source, (CallTest((21,), 42), CallTest((5,), 10)), "f", preamble=True).outcome == outcome


def test_packages_are_an_option() -> None:
    source = "import numpy as np\nfrom sortedcontainers import SortedList\n"
    source += (
        "n = int(input())\nprint(int(np.arange(n).sum()), SortedList([3, 1])[0], np.linalg.matrix_rank(np.eye(2)))"
    )
    tests = (StdinTest("4", "6 1 2"),) * 2
    for level in ("full", "filtered", "limits"):
        with Sandbox(level, packages=("numpy", "sortedcontainers")) as sandbox:  # type: ignore[arg-type]
            assert sandbox.run(source, tests).accepted
            calls = "import numpy as np\ndef f(x): return np.int64(x) * 2"
            assert sandbox.run(calls, (CallTest((21,), 42),), "f").accepted
            assert sandbox.run("import torch", tests).outcome in (_ERROR, "forbidden")
            assert sandbox.run("print(open('/etc/passwd'))", tests).outcome == "forbidden"
    with Sandbox() as sandbox:
        assert sandbox.run(source, tests).outcome == _ERROR
    for name in ("no_such_package", "../x", "", "numpy.linalg"):
        with pytest.raises(ConfigurationError, match="not installed") as error:
            Sandbox(packages=(name,))
        assert "\n" not in str(error.value)


def test_tests_that_hold_no_plain_data_are_one_line_errors(sandbox: Sandbox) -> None:
    for test in (CallTest((object(),), 1), CallTest((1,), object()), CallTest((1,), (i for i in ()))):
        with pytest.raises(ConfigurationError, match="plain data") as error:
            sandbox.run("def f(x): return x", (test,), "f")
        assert "\n" not in str(error.value)
    assert sandbox.run("print(42)", (StdinTest("", "42"),), limits=Limits()).accepted
