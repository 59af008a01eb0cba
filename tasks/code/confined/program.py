"""What a forked process does with a program: confine itself, compile, run the tests, report what came out.

Nothing here knows, or has ever known, what should come out. Whatever a program does to this process, to Python's
builtins or to the channel that the results go over, the most that it can report is output, and output is compared
elsewhere.
"""

import atexit
import builtins
import errno
import gc
import io
import os
import random
import resource
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, NoReturn

from tasks.code.confined import audit, kernel, seccomp, values
from tasks.code.confined.frames import read_frame, write_frame

# Descriptors of a program: its reports, and the link to the process that checks it. The other two are closed before
# anything of the program runs: what it is, and where this process says that it is confined.
CHANNEL, REPLIES, CALLS, PAYLOAD, CONFINED = 3, 4, 5, 6, 7
OUTPUT = b"O"  # begins a report that goes on with what a program wrote; every other report is JSON
_NAME = "<program>"
_OPEN_FILES = 64
_STACK = 120 << 20  # the main thread's stack grows up to here: the kernel keeps at least 128 MiB free below it
_MESSAGE = 300
_LIMITED = (
    *("RLIMIT_CPU", "RLIMIT_AS", "RLIMIT_FSIZE", "RLIMIT_NPROC", "RLIMIT_NOFILE"),
    *("RLIMIT_STACK", "RLIMIT_CORE", "RLIMIT_MSGQUEUE", "RLIMIT_MEMLOCK"),
)

Report = Callable[[Mapping[str, Any]], None]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the fork server prepared.

    Args:
        layers: The isolation in force.
        scratch: The folder that programs may write to.
        own: What programs may write, resolved.
        seen: What they may read, resolved.
        user: The user and group id that programs run under; None leaves them as they are.
        base_memory: Address space of the server, which a program starts with, in bytes.
        names: What a preamble defines.
        hard_limits: The limits that the server itself is under, by kind.
        filter_code: The filter for process 1 of a pid namespace.
    """

    layers: frozenset[str]
    scratch: str
    own: tuple[str, ...]
    seen: tuple[str, ...]
    user: int | None
    base_memory: int
    names: Mapping[str, Any]
    hard_limits: Mapping[int, int]
    filter_code: bytes


def read_payload(given: int = PAYLOAD) -> Any:
    """What this process is to run; the server that it was forked from has not read it."""
    parts: list[bytes] = []
    while part := os.pread(given, 1 << 24, sum(map(len, parts))):
        parts.append(part)
    os.close(given)
    return values.loads(b"".join(parts))


def confine(limits: Mapping[str, Any], around: Surroundings, links: bool) -> None:
    """Gives up, for good, everything that a program must not have; says so, or ends this process, unable to.

    The server reads what is said here once the process has ended: nothing that a program reports can pass for it.
    """
    try:
        _give_up(limits, around, links)
    except (OSError, ValueError) as error:
        os.write(CONFINED, str(error).encode()[:_MESSAGE])
        _leave(70)
    os.write(CONFINED, b"+")
    os.close(CONFINED)


def _give_up(limits: Mapping[str, Any], around: Surroundings, links: bool) -> None:
    os.setsid()
    os.umask(0o022)
    os.closerange(CALLS + 1 if links else CHANNEL + 1, CONFINED)
    os.closerange(CONFINED + 1, 1024)
    if kernel.LINUX:
        kernel.no_new_privileges()
    if around.user is not None:
        os.setresgid(around.user, around.user, around.user)
        os.setresuid(around.user, around.user, around.user)
    if kernel.LINUX:
        kernel.drop_capabilities()
        kernel.die_with_parent()
    _limit_resources(limits, around)
    if "seccomp" in around.layers:
        pid, own_files = os.getpid(), "mount" in around.layers
        seccomp.install(around.filter_code if pid == 1 else seccomp.program_filter(kernel.MACHINE, pid, own_files))


def limited_kinds() -> dict[int, int]:
    """The kinds of limits that this system has, with the hard limits in force."""
    kinds = [getattr(resource, name) for name in _LIMITED if hasattr(resource, name)]
    return {kind: resource.getrlimit(kind)[1] for kind in kinds}


def _limit_resources(limits: Mapping[str, Any], around: Surroundings) -> None:
    memory, cpu = int(limits["memory"]) + around.base_memory, int(limits["total"]) + 2
    wanted = dict(
        zip(_LIMITED, (cpu, memory, limits["file"], limits["processes"] + 1, _OPEN_FILES, _STACK, 0, 0, 0), strict=True)
    )
    for name, most in wanted.items():
        kind = getattr(resource, name, None)
        if kind is None:
            continue
        if name == "RLIMIT_NPROC" and around.user is None and "landlock" in around.layers:
            continue  # it counts all processes of this user, who may have many; here none can be started
        hard = around.hard_limits[kind]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        try:
            resource.setrlimit(kind, (most, most))
        except (ValueError, OSError):
            if kernel.LINUX:
                raise  # elsewhere some limits exist by name only


def run_program(request: Mapping[str, Any], start: int, around: Surroundings) -> NoReturn:
    """Runs a program's tests from number ``start`` on, in the request's mode and limits, and ends the process."""

    def report(row: Mapping[str, Any]) -> None:
        write_frame(CHANNEL, values.dumps(row))

    program = read_payload()
    _prepare(request, around, report)
    if program["preamble"]:
        # Beside Python's own names, not in the program's namespace: what is there is the program's work alone.
        vars(builtins).update(around.names)
    code = _compiled(program["source"], report)
    if request["mode"] == "stdin":
        _run_stdin(code, program["source"], program["tests"][start:], report)
    elif request["mode"] == "call":
        _run_calls(code, program["entry"], program["tests"][start:], report)
    else:
        _serve_calls(code, program["entry"], int(request["limits"]["output"]), report)
    _leave(0)


def _leave(code: int) -> NoReturn:
    os._exit(code)


def _prepare(request: Mapping[str, Any], around: Surroundings, report: Report) -> None:
    if "mount" not in around.layers:
        # Python gives no name for the host then; where there is a filter, the kernel gives none either.
        known = os.uname()
        told = os.uname_result((known.sysname, "sandbox", known.release, known.version, known.machine))
        os.uname = lambda: told
        if "posix" in sys.modules:
            sys.modules["posix"].uname = os.uname  # type: ignore[attr-defined]
    confine(request["limits"], around, request["mode"] == "check")
    for name in [name for name in sys.modules if name.startswith(("tasks", "ctypes", "_ctypes"))]:
        del sys.modules[name]  # imported again by a program, they raise the audit events that its own import would
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    random.seed(0)
    gc.enable()
    sys.argv = ["program.py"]
    os.environ["TMPDIR"] = around.scratch
    if "audit" in around.layers:

        def forbidden(what: str) -> None:
            report({"forbidden": what})
            _leave(71)

        audit.install(around.own, around.seen, forbidden)


def _compiled(source: str, report: Report) -> Any:
    try:
        return compile(source.removeprefix("\ufeff"), _NAME, "exec", dont_inherit=True)
    except MemoryError:
        # The parser says this of programs nested too deeply, too.
        report({"compile": "too deeply nested, or too large"})
    except (SyntaxError, ValueError, RecursionError, OverflowError) as error:
        report({"compile": f"{type(error).__name__}: {error}"[:_MESSAGE]})
    _leave(0)


def fault(error: BaseException) -> dict[str, Any]:
    """What is reported of an exception: which limit it stands for, if it stands for one, and its text."""
    kind = "runtime"
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        kind = "memory"
    elif isinstance(error, OSError) and error.errno in (errno.EFBIG, errno.ENOSPC, errno.EDQUOT):
        kind = "output"
    try:
        text = str(error)
    except BaseException:  # the exception is the program's own
        text = ""
    return {"error": kind, "message": f"{type(error).__name__}: {text}"[:_MESSAGE]}


def _run_stdin(code: Any, source: str, tests: Sequence[str], report: Report) -> None:
    """Each test sees a fresh ``__main__``, fresh standard streams, and real descriptors 0 and 1 below them.

    What Python does when a program ends is done after each test. Where that can be done only once in a process (threads
    that still run, functions for the end), this process ends in the middle, and the next test begins in a new one.
    """
    streams, registered = (os.dup(0), os.dup(1)), atexit._ncallbacks()  # a program may close its own
    # Files that a program opened, maybe on descriptors 0 and 1, and what it prints while it is taken apart.
    collected = "open" in source or "__del__" in source
    for test in tests:
        sys.stdin = sys.stdout = sys.__stdin__ = sys.__stdout__ = None  # type: ignore[misc]
        for fd, stream in enumerate(streams):
            os.dup2(stream, fd)
            os.ftruncate(fd, 0)
            os.lseek(fd, 0, os.SEEK_SET)
        os.pwrite(0, test.encode("utf-8", "surrogatepass"), 0)
        sys.stdin = io.TextIOWrapper(io.FileIO(0, closefd=False), encoding="utf-8", errors="replace")
        sys.stdout = printed = io.TextIOWrapper(
            io.BufferedWriter(io.FileIO(1, "w", closefd=False)), encoding="utf-8", errors="replace"
        )
        sys.__stdin__, sys.__stdout__ = sys.stdin, sys.stdout  # type: ignore[misc]
        if "stdin" in vars(builtins):
            vars(builtins).update(stdin=sys.stdin, stdout=sys.stdout)
        row = _guarded(lambda: exec(code, _module("__main__")))
        if last := "error" not in row and (atexit._ncallbacks() > registered or _threads_run()):
            row = _guarded(_end_as_python_does)
        if collected:
            sys.modules.pop("__main__", None)
            gc.collect()
        for written in (sys.stdout, printed):
            if "error" not in row and written is not None and not getattr(written, "closed", False):
                row = _guarded(written.flush)
        if "error" in row:
            report(row)
            _leave(0)
        if last:
            _leave(0)  # the server takes what was written
        write_frame(CHANNEL, OUTPUT + os.pread(streams[1], os.lseek(streams[1], 0, os.SEEK_END), 0))


def _threads_run() -> bool:
    """Whether there is a thread that Python would wait for before it ends."""
    if (threading := sys.modules.get("threading")) is None:
        return False
    own = threading.current_thread()
    return any(thread is not own and not thread.daemon for thread in threading.enumerate())


def _end_as_python_does() -> None:
    if "threading" in sys.modules:
        sys.modules["threading"]._shutdown()
    atexit._run_exitfuncs()


def _module(name: str) -> dict[str, Any]:
    """The namespace of a new module; what looks for a program by its name (pickle, dataclasses, typing) finds it."""
    sys.modules[name] = ModuleType(name)
    return vars(sys.modules[name])


def _guarded(action: Callable[[], object]) -> dict[str, Any]:
    try:
        action()
    except SystemExit as error:
        if error.code not in (None, 0):
            return {"error": "runtime", "message": f"SystemExit: {error.code}"[:_MESSAGE]}
    except BaseException as error:  # whatever a program raises is a verdict about it
        return fault(error)
    return {}


def _run_calls(code: Any, entry: str, tests: Sequence[Any], report: Report) -> None:
    function = _namespace(code, entry, report)[entry]
    for test in tests:
        row = _called(function, test)
        report(row)
        if "error" in row:
            _leave(0)


def _serve_calls(code: Any, entry: str, limit: int, report: Report) -> None:
    """Answers calls, of the function or of others that the program defines, until the check has no more."""
    namespace = _namespace(code, entry, report)
    while (payload := read_frame(CALLS, limit)) is not None:
        name, arguments = values.loads(payload)
        row = _called(namespace.get(name, _missing), arguments)
        write_frame(REPLIES, values.dumps(row))
        if "error" in row:
            report(row)
            _leave(0)


def _missing(*_: Any) -> NoReturn:
    raise NameError("the program does not define this function")


def _namespace(code: Any, entry: str, report: Report) -> dict[str, Any]:
    """What a program defines; under its name the entry point: a method of its class ``Solution``, else a function."""
    namespace = _module("program")
    row = _guarded(lambda: exec(code, namespace))
    solution = namespace.get("Solution")
    if "error" not in row and isinstance(solution, type) and (hasattr(solution, entry) or entry not in namespace):
        row = _guarded(lambda: namespace.__setitem__(entry, getattr(solution(), entry, None)))
    if "error" not in row and callable(namespace.get(entry)):
        return namespace
    report(row if "error" in row else {"compile": f"the program defines no function {entry}"})
    _leave(0)


def _called(function: Callable[..., Any], arguments: Any) -> dict[str, Any]:
    result: list[Any] = []
    row = _guarded(lambda: result.append(values.encode(function(*values.decode(arguments)))))
    if not row and not result:
        row = {"error": "runtime", "message": "SystemExit: 0"}
    return row or {"value": result[0]}
