"""Programs that mean harm get the right verdict in time, and afterwards the host is as it was."""

import os
import resource
import socket
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import yaml

from tasks.code.sandbox import Sandbox
from tasks.code.verdict import CallTest, Limits, StdinTest

ROOT = Path(__file__).parents[2]
PROGRAMS: dict[str, tuple[list[str], str]] = {
    **{
        name: (verdicts.split(" or "), source)
        for file in sorted((Path(__file__).parent / "data" / "programs").glob("*.yaml"))
        for verdicts, programs in yaml.safe_load(file.read_text(encoding="utf-8")).items()
        for name, source in programs.items()
    },
    "deep_source": (["compile_error"], "(" * 100_000),
    "long_expression": (["compile_error", "runtime_error"], f"x = {'-' * 200_000}1"),
    "null_byte": (["compile_error"], "print(42)\0"),
    "bad_encoding": (["compile_error"], "# coding: of-nowhere\nprint(\ud800)"),
}
_TESTS = (StdinTest("21", "42"), StdinTest("2", "42"))
_LIMITS = Limits(seconds=4.0, memory=256 << 20, output=1 << 20, file=4 << 20)
_LOOPS = replace(_LIMITS, seconds=0.2)
_PROGRAM_USER = 60_613

pytestmark = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="namespaces and seccomp are Linux's")


@dataclass
class Host:
    folder: Path
    canary: Path
    port: int
    path: str

    def fill(self, source: str) -> str:
        for name, value in {
            "$CANARY": self.canary,
            "$FOLDER": self.folder,
            "$PARENT": os.getpid(),
            "$PORT": self.port,
            "$SOCKET": self.path,
            "$REPOSITORY": ROOT,
            "$HOST": socket.gethostname(),
        }.items():
            source = source.replace(name, str(value))
        return source

    def state(self) -> dict[str, object]:
        names = [name for name in dir(resource) if name.startswith("RLIMIT_")]
        known = parents()
        return {
            "limits": {name: resource.getrlimit(getattr(resource, name)) for name in names},
            "files": {str(path): path.stat().st_mtime_ns for path in self.folder.rglob("*")},
            "canary": self.canary.read_text(),
            "environment": {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"},
            "host": socket.gethostname(),
            "priority": os.getpriority(os.PRIO_PROCESS, 0),
            "folder": os.getcwd(),
            "descriptors": sorted(os.listdir("/proc/self/fd")),
            "processes": descendants(os.getpid(), known),
            # Processes of the programs' user that no process of ours waits for any more.
            "orphans": {pid for pid, parent in known.items() if parent == 1 and owner(pid) == _PROGRAM_USER},
            "interpreter": Path(os.__file__).stat().st_mtime_ns,
        }


def parents() -> dict[int, int]:
    found: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                found[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
    return found


def descendants(pid: int, known: dict[int, int] | None = None) -> set[int]:
    known, found, queue = known or parents(), set[int](), [pid]
    while queue:
        parent = queue.pop()
        children = [child for child, its in known.items() if its == parent]
        found.update(children)
        queue += children
    return found


def owner(pid: int) -> int:
    try:
        return Path(f"/proc/{pid}").stat().st_uid
    except OSError:
        return -1


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    folder = tmp_path_factory.mktemp("users")
    canary = folder / "canary.txt"
    canary.write_text("secret")
    os.environ["DATAENVGYM_SECRET"] = "secret"
    path = str(folder / "socket")
    with socket.socket() as tcp, socket.socket(socket.AF_UNIX) as unix:
        tcp.bind(("127.0.0.1", 0))
        unix.bind(path)
        tcp.listen()
        unix.listen()
        yield Host(folder, canary, tcp.getsockname()[1], path)
    del os.environ["DATAENVGYM_SECRET"]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(limits=_LIMITS) as made:
        if "mount" not in made.isolation.layers:
            pytest.skip(f"this machine allows no namespaces: {dict(made.isolation.missing)}")
        yield made


@pytest.fixture(scope="module")
def before(sandbox: Sandbox, host: Host) -> dict[str, object]:
    """The host's state before any of these programs, and once whatever the server keeps open is open."""
    sandbox.run("print(42)", _TESTS)
    return host.state()


@pytest.mark.parametrize("name", PROGRAMS)
def test_hostile_program(sandbox: Sandbox, host: Host, before: dict[str, object], name: str) -> None:
    right, source = PROGRAMS[name]
    limits = _LOOPS if right[0] == "time_limit" else _LIMITS
    verdict = sandbox.run(host.fill(source), _TESTS, limits=limits)
    assert verdict.outcome in right, verdict
    assert verdict.message.isprintable() and len(verdict.message) <= 300
    assert verdict.seconds <= limits.seconds + 1.0, verdict
    assert verdict.isolation == sandbox.isolation
    assert host.state() == before
    assert sandbox.run("print(2 * 21)", _TESTS).accepted, "the next program suffers"


def test_there_are_enough_of_them() -> None:
    assert len(PROGRAMS) >= 129


def test_nothing_of_one_program_reaches_the_next(sandbox: Sandbox) -> None:
    marks = "import os, sys, builtins\nopen('mark', 'w').write('x')\nos.mkdir('deep')\nopen('deep/er', 'w').close()\n"
    marks += "os.chmod('deep', 0)\nbuiltins.mark = sys.mark = 1\nos.environ['MARK'] = 'x'\nprint(42)"
    look = "import os, sys, builtins\nprint(os.listdir('.'), hasattr(sys, 'mark'), hasattr(builtins, 'mark'), "
    look += "'MARK' in os.environ)"
    assert sandbox.run(marks, _TESTS[:1]).accepted
    assert sandbox.run(look, [StdinTest("", "[] False False False")]).accepted


def test_a_value_that_equals_everything_is_no_data(sandbox: Sandbox) -> None:
    source = "class Any:\n def __eq__(self, other): return True\n __hash__ = None\ndef f(x): return Any()"
    verdict = sandbox.run(source, [CallTest((1,), 5)], "f")
    assert verdict.outcome == "runtime_error" and "plain data" in verdict.message
    number = "class Int(int):\n def __eq__(self, other): return True\ndef f(x): return Int(3)"
    assert sandbox.run(number, [CallTest((1,), 5)], "f").outcome == "wrong_answer"
