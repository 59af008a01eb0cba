"""Seccomp filters: which system calls the fork server and its programs may make, as BPF handed to prctl.

Two filters, one on top of the other. The large one is installed once, in the fork server, and inherited by every
program: it names what may be called at all. The small one is installed in each program and takes away what only the
server needs; it is small because the kernel compiles it for every program.

``pyseccomp`` would write the filters for us, but loads libseccomp, which many machines lack.
"""

import ctypes
import struct
from collections.abc import Mapping

from tasks.code.confined import kernel, syscalls

# BPF: load a word, jump if equal / greater or equal / any bit set, return.
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _PROCESSOR, _ARGUMENT, _SECOND = 0, 4, 16, 24
_ALLOW, _KILL, _FAIL = 0x7FFF0000, 0x80000000, 0x00050000
_EPERM, _ENOSYS = 1, 38
_AUDIT = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_CLONE_THREAD = 0x00010000
_X32 = 0x40000000  # the third set of system calls of x86_64: beyond every number that is filtered
_CLONE3 = 435  # its flags lie in memory, where no filter sees them; without it libraries fall back on clone

# Of the calls that stand for many: what is allowed, by their second argument, and what kills; all else fails.
# fcntl: duplicating, flags, the size of a pipe, seals; not the setting of who gets a descriptor's signals, and which.
_FCNTL = ((0, 1, 2, 3, 4, 1030, 1032, 1034), (8, 10, 15))
# ioctl: of terminals (asked of every file that is opened), bytes that wait, blocking, closing on exec.
_IOCTL = ((0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451), (0x8901, 0x8902, 0x5410, 0x5412))

_PR_SET_SECCOMP, _MODE_FILTER = 22, 2

Instruction = tuple[int, int, int, int]


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_char_p)]


def _return(action: int) -> Instruction:
    return (_RETURN, 0, 0, action)


def _head(machine: str) -> list[Instruction]:
    """Kills callers of another processor's system calls, then loads the number."""
    return [
        (_LOAD, 0, 0, _PROCESSOR),
        (_EQUAL, 1, 0, _AUDIT[machine]),
        _return(_KILL),
        (_LOAD, 0, 0, _NUMBER),
    ]


def _tree(ranges: list[tuple[int, int]]) -> list[Instruction]:
    """A search tree over (first number, action), ascending: a program with a hundred cases takes seven comparisons."""
    if len(ranges) == 1:
        return [_return(ranges[0][1])]
    middle = len(ranges) // 2
    low, high = _tree(ranges[:middle]), _tree(ranges[middle:])
    return [(_AT_LEAST, len(low), 0, ranges[middle][0]), *low, *high]


def _ranges(actions: Mapping[int, int], default: int) -> list[tuple[int, int]]:
    ranges = [(0, actions.get(0, default))]
    for number in sorted({edge for known in actions for edge in (known, known + 1)}):
        action = actions.get(number, default)
        if action != ranges[-1][1]:
            ranges.append((number, action))
    return ranges


def server_filter(machine: str) -> bytes:
    """The filter of the fork server: allowed calls, forbidden calls that kill, and failure for all others."""
    tables = (syscalls.allowed(machine), syscalls.server_only(machine), syscalls.of_own_files(machine))
    actions = dict.fromkeys((number for table in tables for number in table.values()), _ALLOW)
    actions |= dict.fromkeys(syscalls.forbidden(machine).values(), _KILL)
    actions |= {_CLONE3: _FAIL | _ENOSYS, _X32: _KILL}
    several = [*_by_argument(tables[0]["fcntl"], *_FCNTL), *_by_argument(tables[0]["ioctl"], *_IOCTL)]
    return _pack([*_head(machine), *several, *_tree(_ranges(actions, _FAIL | _EPERM))])


def _by_argument(call: int, allowed: tuple[int, ...], kills: tuple[int, ...]) -> list[Instruction]:
    """Decides a call by its second argument, and leaves all other calls to what follows."""
    body: list[Instruction] = [(_LOAD, 0, 0, _SECOND)]
    for values, action in ((allowed, _ALLOW), (kills, _KILL)):
        for position, value in enumerate(values, start=1):
            last = position == len(values)
            body.append((_EQUAL, 0 if last else len(values) - position, 1 if last else 0, value))
        body.append(_return(action))
    body.append(_return(_FAIL | _EPERM))
    return [(_EQUAL, 0, len(body), call), *body]


def program_filter(machine: str, pid: int, own_files: bool) -> bytes:
    """The filter of a program: what the server alone may do, kills; threads and signals to itself stay.

    ``pid`` is the program's, as it sees it; ``own_files`` says whether it has a file system of its own.
    """
    own = syscalls.server_only(machine)
    quiet = ("capset", "prctl", "seccomp", "setsid", "memfd_create")  # harmless now, and libraries try them
    fails = {number for name, number in own.items() if name in quiet}
    if not own_files:
        fails |= set(syscalls.of_own_files(machine).values())
    kills = {number for name, number in own.items() if name not in (*quiet, "clone", "tgkill", "prlimit64")}
    body: list[Instruction] = []
    # Allowed if the condition on the first argument holds; these come before the tests by number alone.
    for number, test in (
        (own["clone"], (_ANY_BIT, 0, 1, _CLONE_THREAD)),
        (own["tgkill"], (_EQUAL, 0, 1, pid)),
        (own["prlimit64"], (_EQUAL, 0, 1, 0)),
    ):
        body += [(_EQUAL, 0, 4, number), (_LOAD, 0, 0, _ARGUMENT), test, _return(_ALLOW), _return(_KILL)]
    for numbers, action in ((kills, _KILL), (fails, _FAIL | _EPERM)):
        for position, number in enumerate(sorted(numbers), start=1):
            body.append((_EQUAL, len(numbers) - position, 0, number))
        body[-1] = (_EQUAL, 0, 1, body[-1][3])
        body.append(_return(action))
    return _pack([*_head(machine), *body, _return(_ALLOW)])


def _pack(instructions: list[Instruction]) -> bytes:
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in instructions)


def install(code: bytes) -> None:
    """Puts a filter on this thread and all its descendants; needs no_new_privileges() before."""
    program = _Program(len(code) // 8, code)
    kernel._call("prctl", _PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(program), 0, 0)


def available() -> bool:
    """Whether filters can be written for this machine."""
    return kernel.LINUX and syscalls.known(kernel.MACHINE)
