"""The process that compares formulas: time limits in any thread, its death, its parent's death."""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tasks.math import sympy_process
from tasks.math.equivalence import equivalent
from tasks.math.sympy_process import Counts, SympyProcess

ROOT = Path(__file__).parents[2]
# Each keeps sympy busy for far longer than any limit here: in Python, in its arithmetic, in its grammar.
SLOW = ("2^{3^{4^{5^{6}}}}", "\\lfloor\\pi^{10^7}\\rfloor", "x^{" * 90 + "2" + "}" * 90)
BUSY = ("\\binom{10^7}{5000000}", "2\\binom{10^7}{5000000}")


@pytest.fixture(scope="module")
def process():
    made = SympyProcess(seconds=0.3)
    yield made
    made.close()


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] in "ZX"
    except FileNotFoundError:
        return True


def wait_for(condition, seconds: float = 60.0) -> bool:
    deadline = time.monotonic() + seconds
    while not (met := condition()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return met


def test_the_limit_holds_in_a_thread(process):
    results, before = [], replace(process.counts)

    def compare() -> None:
        results.append(equivalent(*BUSY, process=process))
        results.append(equivalent("x+1", "1+x", process=process))

    thread = threading.Thread(target=compare)
    thread.start()
    thread.join(120)
    assert results == [False, True]
    assert process.counts == Counts(before.compared + 2, before.timeouts + 1, before.crashes)


@pytest.mark.parametrize("formula", [*SLOW, BUSY[0]])
def test_slow_formulas_are_no_answers(process, formula):
    assert not equivalent("271", formula, process=process)
    assert equivalent(formula, formula, process=process)  # the same text needs no sympy
    assert equivalent("x+1", "1+x", process=process)


def test_the_limit_is_for_all_formulas_of_an_answer(process):
    many = [", ".join(f"{formula}+{place}x" for place in range(1, 30)) for formula in BUSY]
    before = process.counts.timeouts
    assert not equivalent(*many, process=process)
    assert process.counts.timeouts == before + 1


def test_a_dead_worker_is_replaced(process):
    assert process.same("x+1", "1+x")[0]
    assert process._process is not None
    os.kill(process._process.pid, signal.SIGKILL)
    process._process.wait()
    assert process.same("x+2", "2+x")[0]


def test_a_worker_that_dies_on_an_item_is_counted():
    process = SympyProcess(seconds=60.0)
    assert process.same("x+1", "1+x")[0]
    assert process._process is not None
    pid = process._process.pid

    def kill() -> None:
        assert wait_for(lambda: process.counts.compared == 2)
        os.kill(pid, signal.SIGKILL)

    thread = threading.Thread(target=kill)
    thread.start()
    assert not process.same(*BUSY)[0]
    thread.join()
    assert process.counts.crashes == 1 and process.counts.timeouts == 0
    assert process.same("x+2", "2+x")[0]
    process.close()


def test_one_worker_serves_many_threads(process):
    results: list[bool] = []
    before = process.counts.compared
    threads = [
        threading.Thread(target=lambda n=n: results.append(process.same(f"{n}+x", f"x+{n + n % 2}")[0] == (n % 2 == 0)))
        for n in range(2, 30)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert results == [True] * len(threads)
    assert process.counts.compared == before + len(threads)


def _in_child(queue) -> None:
    queue.put((equivalent("x+1", "1+x"), sympy_process.counts()["compared"]))


@pytest.mark.filterwarnings("ignore:This process.*:DeprecationWarning")
def test_a_forked_child_has_its_own_worker():
    assert equivalent("x+3", "3+x")
    before = sympy_process.shared_process()._process
    assert before is not None
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=_in_child, args=(queue,))
    child.start()
    assert queue.get(timeout=120) == (True, 1)
    child.join(60)
    assert before.poll() is None, "the child must not take its parent's worker along"
    assert equivalent("x+4", "4+x")


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks processes up in /proc")
def test_no_worker_outlives_a_killed_parent():
    program = (
        "import sys, threading, time\n"
        "from tasks.math.sympy_process import SympyProcess\n"
        "idle, busy = SympyProcess(), SympyProcess(seconds=0.6)\n"
        "idle.same('x+1', '1+x'), busy.same('x+1', '1+x')\n"
        "print(idle._process.pid, busy._process.pid, flush=True)\n"
        f"busy.same(*{BUSY!r})\n"
        "time.sleep(300)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert parent.stdout is not None
    workers = [int(pid) for pid in parent.stdout.readline().split()]
    assert not any(map(gone, workers))
    time.sleep(0.3)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert wait_for(lambda: all(map(gone, workers)))


def test_a_worker_that_cannot_start_is_one_line(monkeypatch, tmp_path):
    from tasks.errors import ConfigurationError

    broken = tmp_path / "sympy_worker.py"
    broken.write_text("import no_such_package\n")
    monkeypatch.setattr(sympy_process, "_PROGRAM", broken)
    with pytest.raises(ConfigurationError, match="does not start") as caught:
        SympyProcess().same("x+1", "1+x")
    assert "\n" not in str(caught.value)


def test_importing_the_task_loads_no_sympy():
    check = "import sys, tasks.math; sys.exit(any(name in sys.modules for name in ('sympy', 'torch', 'datasets')))"
    assert subprocess.run([sys.executable, "-c", check], cwd=ROOT, timeout=120).returncode == 0
