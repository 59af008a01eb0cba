"""What the sandbox leaves behind: no process, no folder, nothing of one program for the next, whoever runs it."""

import gc
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tasks.code.sandbox import Sandbox
from tasks.code.verdict import Limits, StdinTest
from tests.tasks.code_rows import every_level

ROOT = Path(__file__).parents[2]
_DOUBLES = (StdinTest("21\n", "42\n"),)


@pytest.mark.parametrize("end", ["sandbox.close()", "", "os.kill(os.getpid(), 9)"])
def test_no_process_and_no_folder_survives_its_caller(sandbox: Sandbox, end: str, tmp_path: Path) -> None:
    script = (
        "import os, sys\nfrom tasks.code.sandbox import Sandbox\nfrom tasks.code.verdict import StdinTest\n"
        "sandbox = Sandbox()\nsandbox.run('print(42)', [StdinTest('', '42')])\n"
        f"print(sandbox._all[0]._process.pid, flush=True)\n{end}\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}
    result = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=60)
    server = int(result.stdout)
    for _ in range(500):
        if not Path(f"/proc/{server}").exists():
            break
        subprocess.run(["sleep", "0.01"], check=True)
    else:
        raise AssertionError("the server outlives its caller")
    if "kill" not in end or "mount" in sandbox.isolation.layers:
        assert not list(tmp_path.iterdir())


def test_a_sandbox_that_is_forgotten_ends_its_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    for level in ("full", "filtered"):
        sandbox = Sandbox(level)  # type: ignore[arg-type]
        assert sandbox.run("print(42)", _DOUBLES).accepted
        process = sandbox._all[0]._process
        del sandbox
        gc.collect()
        assert process.poll() is not None and not list(tmp_path.iterdir())


_AS_NOBODY = """
import json, os, subprocess, sys, types
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
sys.path.insert(0, sys.argv[1])
module = sys.modules["tasks.code"] = types.ModuleType("tasks.code")  # the package imports what this interpreter lacks
module.__path__ = [sys.argv[1] + "/tasks/code"]
from tasks.code.sandbox import Sandbox
from tasks.code.verdict import Limits, StdinTest

other = subprocess.Popen(["sleep", "60"], stdout=subprocess.DEVNULL)
with Sandbox(sys.argv[2]) as sandbox:
    print(sandbox.isolation)
    for source in sys.argv[3:]:
        source = source.replace("$OTHER", str(other.pid))
        verdict = sandbox.run(source, [StdinTest("", "42")], limits=Limits(seconds=2.0))
        clean = sandbox.run("import os; print(os.listdir())", [StdinTest("", "[]")]).accepted
        print(verdict.outcome if clean and other.poll() is None else "escaped", verdict.message, sep="|")
other.kill()
"""
_THREADS = "import threading, time\nfor _ in range(100): threading.Thread(target=time.sleep, args=(9,)).start()"
_STREAM = "import os\nos.unlink('/dev/stdout')\nos.mkfifo('/dev/stdout')\nprint(42)"
_FOLDER = "import os\nos.mkdir('a')\nos.chmod('a', 0)\nopen('b', 'w').close()\nprint(42)"


def _readable_by_all(path: Path) -> bool:
    return all(part.stat().st_mode & 0o001 for part in (path, *path.parents))


@pytest.fixture
def nobodys_interpreter() -> Path:
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip("only root can become another user")
    candidates = [Path(sys._base_executable).resolve(), Path("/usr/bin/python3")]  # type: ignore[attr-defined]
    interpreters = [path for path in candidates if path.exists() and _readable_by_all(path)]
    if not interpreters or not _readable_by_all(ROOT):
        pytest.skip("no interpreter that others than root can read")
    return interpreters[0]


def test_an_ordinary_user_gets_the_same_isolation(sandbox: Sandbox, nobodys_interpreter: Path) -> None:
    sources = (
        "print(42)",
        "import os\nos.kill(-1, 9)",
        _STREAM,
        _FOLDER,
        _THREADS,
        "import os\nprint(42 + len(os.listdir()))",
    )
    result = as_nobody(nobodys_interpreter, "full", *sources)
    layers, *outcomes = (line.split("|")[0] for line in result.stdout.splitlines())
    assert outcomes[:2] == ["accepted", "forbidden"] and outcomes[3:] == ["accepted", "runtime_error", "accepted"], (
        result
    )
    if "mount" in sandbox.isolation.layers:
        assert layers == str(sandbox.isolation), result


def as_nobody(interpreter: Path, level: str, *sources: str) -> subprocess.CompletedProcess[str]:
    command = [str(interpreter), "-P", "-c", _AS_NOBODY, str(ROOT), level, *sources]
    return subprocess.run(command, cwd="/", capture_output=True, text=True, timeout=120)


_SIGNALS = "import fcntl, os, signal, struct\nr, w = os.pipe()\n{}\nfcntl.fcntl(r, 10, 9)\n"
_SIGNALS += "fcntl.fcntl(r, fcntl.F_SETFL, os.O_ASYNC)\nos.write(w, b'x')\nprint(42)"
# Past the audit hook, which can be got round: a call that the hook has no event for, or that comes before it looks.
_ANOTHERS = {
    "fcntl.fcntl(r, fcntl.F_SETOWN, $OTHER)": "forbidden",
    "fcntl.fcntl(r, 15, struct.pack('ii', 1, $OTHER))": "forbidden",
    "fcntl.ioctl(r, 0x8901, struct.pack('i', $OTHER))": "forbidden",
    "os.kill($OTHER, 9)": "forbidden",
    "os.setpriority(os.PRIO_PROCESS, $OTHER, 19)": "runtime_error",
    "os.sched_setaffinity($OTHER, {0})": "runtime_error",
    "os.setpgid($OTHER, 0)": "runtime_error",
    "os.chmod('.', 0)": "runtime_error",
    "os.utime('.', (1, 1))": "runtime_error",
    "os.mkdir('.swept-0'); os.mkdir('.swept-0/x'); os.mkdir('a'); os.mkdir('a/b'); os.mkdir('a/b/c')": "forbidden",
    "open('/proc/$OTHER/environ')": "forbidden",
    "os.pidfd_open($OTHER)": "forbidden",
}


def test_without_namespaces_an_ordinary_users_processes_are_out_of_reach(nobodys_interpreter: Path) -> None:
    sources = ["print(42)", *(_SIGNALS.format(attack) for attack in _ANOTHERS), _SIGNALS.format("")]
    result = as_nobody(nobodys_interpreter, "filtered", *sources)
    layers, *lines = result.stdout.splitlines()
    if "landlock" not in layers or "seccomp" not in layers:
        pytest.skip(f"this machine has no {layers}")
    assert [line.split("|")[0] for line in lines] == ["accepted", *_ANOTHERS.values(), "forbidden"], result


_LEFT = {
    "in the way of sweeping": "for n in range(50): os.makedirs(f'.swept-{n}/x')\nos.makedirs('a/b/c/d')",
    "named like what is moved": "for n in range(99): os.makedirs(f'.{n:016x}/{n:016x}/.swept-{n}')",
    "deep": "for _ in range(900):\n os.mkdir('x')\n os.chdir('x')",
    "without rights": "os.makedirs('a/b/c')\nopen('a/b/f', 'w').close()\nos.mkdir('a/d', 0)\nos.mkdir('n', 0)",
    "rights taken": "os.makedirs('a/b')\nos.chmod('a/b', 0)\nos.chmod('a', 0)",
    "symbolic links": "os.symlink('kept', 'link')\nos.mkdir('kept')",
    "links outwards": "os.mkdir('a')\nos.symlink('/', 'a/root')",
    "hard links": "os.mkdir('a')\nopen('f', 'w').close()\nos.link('f', 'a/f')",
    "odd names": "for n in ('\\n', ' ', '-rf', '*', 'é' * 99, '\\udcff', '...'): os.makedirs(n + '/' + n)",
    "open and deleted": "f = open('f', 'w+b')\nf.write(b'x' * 1000)\nf.flush()\nos.remove('f')",
    "a pipe": "os.mkfifo('p')",
    "its own folder changed": "os.chmod('.', 0o500)",
}
_LOOK = """
import os
open('new', 'w').close()
os.mkdir('folder')
print(sorted(os.listdir('.')), os.stat('.').st_mode & 0o700)
"""


@every_level
def test_nothing_that_a_program_leaves_survives(sandbox: Sandbox) -> None:
    for left, source in _LEFT.items():
        verdict = sandbox.run(f"import os\n{source}\nprint(42)", _DOUBLES)
        assert verdict.outcome in ("accepted", "forbidden", "runtime_error"), (left, verdict)
        expected = f"['folder', 'new'] {0o700}"
        assert sandbox.run(_LOOK, [StdinTest("", expected)]).accepted, (left, verdict)


def test_a_server_that_could_not_clean_up_is_replaced() -> None:
    with Sandbox("limits", limits=Limits(seconds=60.0)) as sandbox:
        assert sandbox.run("print(42)", _DOUBLES).accepted
        first = sandbox._all[0]
        many = "import os\nfor n in range(15000): os.mkdir(str(n))\nprint(42)"  # more than a second's work to remove
        assert sandbox.run(many, _DOUBLES).accepted
        assert first.clean or (sandbox._all == [] and first._process.poll() is not None)
        assert sandbox.run("import os\nprint(os.listdir('.'))", [StdinTest("", "[]")]).accepted
