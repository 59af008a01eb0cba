"""A judged program never has, or had, what it is judged by: hunted for from within, and looked for from outside."""

import os
import re
import secrets
import threading
from pathlib import Path

import pytest

from tasks.code import HumanEvalTask
from tasks.code.sandbox import Sandbox
from tasks.code.verdict import CallTest, Limits, StdinTest
from tests.tasks.code_rows import every_level, made_humaneval
from tests.tasks.solving_nothing import SOLVING_NOTHING
from tests.tasks.test_sandbox_hostile import descendants

REAL = Path(os.environ.get("DATAENVGYM_DATA_DIR", "/nowhere"), "humaneval")
_LIMITS = Limits(seconds=8.0)
_MARK = "hidden-"  # what is hunted for begins so; hunters put it together themselves

# Ways to look through one's own process; each defines texts(), which yields whatever texts it finds.
HUNTERS = {
    "collector": """
import gc
def texts():
    seen, waiting = set(), list(gc.get_objects())
    while waiting:
        item = waiting.pop()
        if id(item) not in seen:
            seen.add(id(item))
            yield item
            if not isinstance(item, (str, bytes, int, float)): waiting += gc.get_referents(item)
""",
    "frames": """
import sys
def texts():
    for frame in [sys._getframe(), *sys._current_frames().values()]:
        while frame:
            for space in (frame.f_locals, frame.f_globals, frame.f_builtins):
                for value in list(space.values()):
                    yield value
                    yield from value.values() if type(value) is dict else ()
                    yield repr(value) if type(value) in (dict, list, tuple) else ''
            yield from frame.f_code.co_consts
            frame = frame.f_back
""",
    "functions": """
import sys, types
def texts():
    for module in list(sys.modules.values()):
        for value in list(vars(module).values()):
            yield value
            if isinstance(value, types.FunctionType):
                yield from value.__code__.co_consts
                for cell in value.__closure__ or ():
                    try: yield repr(cell.cell_contents)
                    except ValueError: pass
""",
    "lines": """
import linecache, sys
def texts():
    for entry in linecache.cache.values(): yield repr(entry)
    yield repr(sys.argv) + repr(getattr(sys, 'orig_argv', '')) + repr(sys.path)
""",
    "environment": """
import os
def texts(): yield repr(os.environ)
""",
    "descriptors": """
import os
def texts():
    for fd in range(1024):
        for whence in (0, 1):
            try: yield os.pread(fd, 1 << 22, 0)
            except OSError: pass
        if fd > 5:
            try: yield os.read(fd, 1 << 20)
            except OSError: pass
""",
    "link": """
import os
def texts():
    try:
        os.set_blocking(5, False)
        yield os.read(5, 1 << 20)
    except OSError: pass
""",
    "scratch": """
import os
def texts():
    for folder, inner, files in os.walk('.'):
        yield repr((folder, inner, files))
        for name in files: yield open(os.path.join(folder, name), 'rb').read()
""",
    "memory_by_bytearray": """
import gc
def texts():
    held = []
    for size in range(16, 600, 8):
        for _ in range(300): held.append(bytes(bytearray(size)))
    yield from held
""",
}  # fmt: skip
# Ways that a layer ends at once, at every level.
FORBIDDEN = {
    "own_memory": "def texts(): yield open('/proc/self/mem', 'rb').read()",
    "parents_memory": "import os\ndef texts(): yield open(f'/proc/{os.getppid()}/mem', 'rb').read()",
    "ctypes": "import ctypes\ndef texts(): yield ctypes.string_at(id('x'), 1 << 20)",
    "threads": "import os\ndef texts(): yield from os.listdir('/proc/self/task')",
}
_HUNT = """
import re
def find(mark):
    for text in texts():
        if isinstance(text, (bytes, bytearray)): text = bytes(text).decode('utf-8', 'replace')
        if isinstance(text, str):
            found = re.search(mark + '[0-9a-f]{16}', text)
            if found: return found.group()
    return 'nothing'
def f(x):
    return find('hid' + 'den-')
"""


def secret() -> str:
    return _MARK + secrets.token_hex(8)


@pytest.mark.parametrize("name", HUNTERS)
@every_level
def test_no_hunter_finds_what_is_expected(sandbox: Sandbox, name: str) -> None:
    hidden = secret()
    source = HUNTERS[name] + _HUNT
    check = f"HIDDEN = {hidden!r}\ndef check(candidate):\n    print(HIDDEN)\n    assert candidate(1) == {hidden!r}\n"
    verdict = sandbox.check(source, check, "f", f"PRELUDE = {hidden!r}\n", _LIMITS)
    assert verdict.outcome == "wrong_answer", verdict
    verdict = sandbox.run(source, [CallTest((1,), hidden)], "f", _LIMITS)
    assert verdict.outcome == "wrong_answer" and "found 'nothing'" in verdict.message, verdict
    tests = [StdinTest("a", hidden), StdinTest("b", hidden)]
    assert sandbox.run(source + "print(f(1))", tests, limits=_LIMITS).outcome == "wrong_answer"


@pytest.mark.parametrize("name", FORBIDDEN)
@every_level
def test_memory_is_out_of_reach(sandbox: Sandbox, name: str) -> None:
    check = f"def check(candidate):\n    assert candidate(1) == {secret()!r}\n"
    verdict = sandbox.check(FORBIDDEN[name] + _HUNT, check, "f", limits=_LIMITS)
    assert verdict.outcome in ("forbidden", "runtime_error", "wrong_answer"), verdict


@pytest.mark.parametrize("name", ["collector", "frames"])
@every_level
def test_the_hunters_find_what_is_there(sandbox: Sandbox, name: str) -> None:
    """What the program itself was given it finds: so that it finds nothing else says something."""
    hidden = secret()
    given = f"def check(candidate):\n    assert candidate({hidden!r}) == {hidden!r}\n"
    assert sandbox.check(HUNTERS[name] + _HUNT, given, "f", limits=_LIMITS).accepted
    own = HUNTERS[name] + _HUNT + f"\nkept = [{hidden!r}]"
    assert sandbox.run(own, [CallTest((1,), hidden)], "f", _LIMITS).accepted


@pytest.mark.parametrize("name", ["collector", "frames", "descriptors", "memory_by_bytearray"])
@every_level
def test_no_hunter_finds_what_was_judged_before(sandbox: Sandbox, name: str) -> None:
    hidden = secret()
    source = HUNTERS[name] + _HUNT
    assert sandbox.run(f"# {hidden}\nprint({hidden!r})", [StdinTest(hidden, hidden)]).accepted
    assert sandbox.run(f"def f(x): return {hidden!r}", [CallTest((hidden,), hidden)], "f").accepted
    check = f"def check(candidate):\n    assert candidate(1) == {hidden!r}\n"
    assert sandbox.check(f"def f(x): return {hidden!r}", check, "f").accepted
    assert sandbox.check(source, check, "f", limits=_LIMITS).outcome == "wrong_answer"
    verdict = sandbox.run(source, [CallTest((1,), hidden)], "f", _LIMITS)
    assert verdict.outcome == "wrong_answer" and "found 'nothing'" in verdict.message, verdict


def holds(pid: int, *marks: bytes, files: bool = True) -> list[bool]:
    """Whether a process has texts in its writable memory, or in what it was sent as a file."""
    found = [False] * len(marks)

    def look(data: bytes) -> None:
        found[:] = [known or mark in data for known, mark in zip(found, marks, strict=True)]

    try:
        with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
            for line in maps:
                first, last, rights = re.match(r"(\w+)-(\w+) (\S+)", line).groups()  # type: ignore[union-attr]
                if "w" in rights:
                    memory.seek(int(first, 16))
                    look(memory.read(int(last, 16) - int(first, 16)))
        for link in Path(f"/proc/{pid}/fd").iterdir() if files else ():
            if "payload" in os.readlink(link):
                look(link.read_bytes())
    except OSError:
        pass  # it has ended
    return found


_APART = [[False, True], [True, False]]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root reads others' memory")
@every_level
def test_seen_from_outside_only_the_judge_has_the_check_and_only_the_program_the_program(sandbox: Sandbox) -> None:
    """Memory and open files of every process of the sandbox, while a program is at work and after."""
    hidden, own = secret(), secret()
    source = f"import time\nMINE = {own!r}\ndef f(x):\n    time.sleep(2)\n    return 0"
    check = f"HIDDEN = {hidden!r}\ndef check(candidate):\n    assert candidate(1) == HIDDEN\n"
    sandbox.check("def f(x): return 1", "def check(c):\n    assert c(1) == 1", "f")
    before = descendants(os.getpid())
    thread = threading.Thread(target=lambda: sandbox.check(source, check, "f", limits=_LIMITS))
    thread.start()
    marks = own.encode(), hidden.encode()
    working: list[list[bool]] = []
    while thread.is_alive() and sorted(working) != _APART:
        servers, fresh = before & (now := descendants(os.getpid())), now - before
        working = [holds(pid, *marks) for pid in fresh]
    serving = [holds(pid, *marks) for pid in servers]
    remembered = [holds(pid, *marks, files=False) for pid in servers]
    thread.join()
    assert sorted(working) == _APART, "a program and a judge, each with its own"
    assert [True, True] not in serving and [True, False] in serving, "one server hands on what the other may not have"
    assert len(remembered) >= 2 and not any(map(any, remembered)), "a server has read what it hands on"
    assert not any(any(holds(pid, *marks)) for pid in servers), "a server keeps what is over"


def test_the_text_that_solves_nothing_scores_nothing() -> None:
    """140 of 164 where programs were forked from the process that had read the check; see solving_nothing.py."""
    for folder in (made_humaneval(), *([REAL] if REAL.is_dir() else [])):
        task = HumanEvalTask(str(folder), val_size=4)
        instances = [*task.instances("val"), *task.instances("test")]
        assert len(instances) in (12, 164)
        for instance in instances:
            verdict = task.verdict(instance, SOLVING_NOTHING)
            assert verdict is not None and verdict.outcome != "accepted", instance.instance_id


def test_the_text_that_solves_nothing_would_obey_a_check_that_it_finds() -> None:
    check = "def check(candidate):\n    assert candidate(20) == 41\n    assert candidate(1) == 3\n"
    source = f"REQUEST = {{'check': {check!r}}}\ndef f(x):\n{SOLVING_NOTHING}"
    with Sandbox() as sandbox:
        assert sandbox.run(source, [CallTest((20,), 41), CallTest((1,), 3)], "f", _LIMITS).accepted
