"""How fast the sandbox judges programs: against a fresh interpreter, a bare fork, more programs, and a second worker.

    python benchmarks/sandbox_speed.py --programs 200 --rounds 7

The ways take turns in each round, so that a busy machine slows them alike, and ratios are medians over rounds. A bare
fork is a small process that forks for each program, sets rlimits, runs it and reads its output.
"""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import get_args

from common import make_parser

from tasks.code.sandbox import Sandbox
from tasks.code.verdict import Job, Level, StdinTest

_BARE = """
import json, os, resource, sys, io
import array, bisect, cmath, collections, copy, datetime, decimal, fractions, functools, hashlib, heapq, itertools
import math, operator, random, re, statistics, string, time, typing
import gc
programs = json.load(sys.stdin)
gc.collect(); gc.freeze(); gc.disable()
limits = {"RLIMIT_CPU": 5, "RLIMIT_AS": 1 << 30, "RLIMIT_FSIZE": 1 << 23, "RLIMIT_NPROC": 1000, "RLIMIT_NOFILE": 64}
def run(source, text):
    given, taken = os.pipe(), os.pipe()
    os.write(given[1], text.encode())
    os.close(given[1])
    pid = os.fork()
    if pid == 0:
        os.dup2(given[0], 0)
        os.dup2(taken[1], 1)
        for name, most in limits.items():
            resource.setrlimit(getattr(resource, name), (most, most))
        sys.stdin, sys.stdout = io.TextIOWrapper(io.FileIO(0)), io.TextIOWrapper(io.BufferedWriter(io.FileIO(1, "w")))
        gc.enable()
        exec(compile(source, "<program>", "exec"), {"__name__": "__main__"})
        sys.stdout.flush()
        os._exit(0)
    os.close(given[0])
    os.close(taken[1])
    output = b""
    while part := os.read(taken[0], 65536):
        output += part
    os.close(taken[0])
    os.waitpid(pid, 0)
    return output.decode()
for line in iter(open(3).readline, ""):
    first, count = map(int, line.split())
    right = sum(run(source, text).strip() == expected for source, text, expected in programs[first:first + count])
    os.write(4, f"{right}\\n".encode())
"""

Program = tuple[str, str, str]


def make_programs(count: int) -> list[Program]:
    """Small programs, no two alike, with an input and the output."""
    made = []
    for number in range(count):
        source = (
            "from collections import Counter\n"
            "def main():\n"
            f"    values = sorted(int(word) + {number} for word in input().split())\n"
            "    print(sum(values), Counter(values).most_common(1)[0][0])\n"
            "main()\n"
        )
        values = sorted(value + number for value in (5, 3, 3, 8))
        made.append((source, "5 3 3 8\n", f"{sum(values)} {number + 3}"))
    return made


class BareFork:
    """The process that forks for each program with nothing but rlimits."""

    def __init__(self, programs: Sequence[Program]) -> None:
        import os

        orders, answers = os.pipe(), os.pipe()
        launch = f"import os\nos.dup2({orders[0]}, 3)\nos.dup2({answers[1]}, 4)\n"
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", launch + _BARE],
            stdin=subprocess.PIPE,
            pass_fds=(orders[0], answers[1]),
        )
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(programs).encode())
        self.process.stdin.close()
        self.orders, self.answers = os.fdopen(orders[1], "w"), os.fdopen(answers[0])

    def run(self, first: int, count: int) -> int:
        """Runs some of the programs; gives how many were right."""
        self.orders.write(f"{first} {count}\n")
        self.orders.flush()
        return int(self.answers.readline())

    def close(self) -> None:
        """Ends the process."""
        self.orders.close()
        self.process.wait()


def fresh(programs: Sequence[Program], *flags: str) -> int:
    """A fresh interpreter for each program."""
    right = 0
    for source, text, expected in programs:
        command = [sys.executable, *flags, "-c", source]
        result = subprocess.run(command, input=text, capture_output=True, text=True)
        right += result.stdout.strip() == expected
    return right


def sandboxed(sandbox: Sandbox, programs: Sequence[Program]) -> int:
    """The programs in the sandbox; gives how many were accepted."""
    jobs = [Job(source, (StdinTest(text, expected),)) for source, text, expected in programs]
    return sum(verdict.accepted for verdict in sandbox.run_many(jobs))


def timed(action: Callable[[], int], count: int) -> float:
    """Seconds for each program."""
    began = time.perf_counter()
    right = action()
    seconds = (time.perf_counter() - began) / count
    if right != count:
        raise AssertionError(f"{right} of {count} programs were right")
    return seconds


def main(words: Sequence[str] | None = None) -> None:
    """Prints the table."""
    parser = make_parser(__doc__)
    parser.add_argument("--programs", type=int, default=200, help="programs of a round")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args(words)
    programs = make_programs(options.programs)
    few = programs[: max(1, options.programs // 10)]
    bare = BareFork(programs)
    sandboxes = {level: Sandbox(level) for level in get_args(Level)}
    pair = Sandbox("full", workers=2)
    for made in (*sandboxes.values(), pair):
        sandboxed(made, programs[:4])
    rows: dict[str, list[float]] = {}
    for _ in range(options.rounds):
        took = {"fresh": timed(lambda: fresh(few), len(few))}
        took["fresh -I -S"] = timed(lambda: fresh(few, "-I", "-S"), len(few))
        took["bare"] = timed(lambda: bare.run(0, len(programs)), len(programs))
        for level, sandbox in sandboxes.items():
            took[level] = timed(lambda sandbox=sandbox: sandboxed(sandbox, programs), len(programs))  # type: ignore[misc]
        took["few"] = timed(lambda: sandboxed(sandboxes["full"], few), len(few))
        took["pair"] = timed(lambda: sandboxed(pair, programs), len(programs))
        for name, seconds in took.items():
            rows.setdefault(name, []).append(seconds)
    bare.close()
    _print(rows, {level: str(sandbox.isolation) for level, sandbox in sandboxes.items()})


def _print(rows: dict[str, list[float]], layers: dict[str, str]) -> None:
    def ratio(of: str, to: str) -> float:
        return statistics.median(a / b for a, b in zip(rows[of], rows[to], strict=True))

    for name in ("fresh", "fresh -I -S", "bare"):
        print(f"{name:11s} {1000 * statistics.median(rows[name]):7.2f} ms per program")
    for level, names in layers.items():
        print(
            f"{level:11s} {1000 * statistics.median(rows[level]):7.2f} ms per program, "
            f"{ratio('fresh', level):4.1f}x a fresh interpreter "
            f"({ratio('fresh -I -S', level):.1f}x without site), {ratio('bare', level):4.2f}x a bare fork"
        )
        print(f"            {names}")
    print(f"a tenth of the programs cost {ratio('few', 'full'):4.2f}x as much each (1 is linear)")
    print(f"two workers are {ratio('full', 'pair'):4.2f}x as fast as one")


if __name__ == "__main__":
    main()
