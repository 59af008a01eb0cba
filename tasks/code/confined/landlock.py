"""Landlock: a process gives up all files but some, for itself and its descendants, without any privilege."""

import ctypes
import os
from collections.abc import Sequence

from tasks.code.confined import kernel

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same on every processor
_VERSION, _PATH_BENEATH = 1, 1
_ALL_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}  # how many access rights each version knows
_EXECUTE, _READ_FILE, _READ_FOLDER = 1 << 0, 1 << 2, 1 << 3
_WRITE_FILE, _TRUNCATE, _IOCTL = 1 << 1, 1 << 14, 1 << 15
_OF_FILES = _EXECUTE | _READ_FILE | _WRITE_FILE | _TRUNCATE | _IOCTL


class _PathRule(ctypes.Structure):
    _pack_ = 1
    _fields_ = [("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32)]


def restrict(writable: Sequence[str], readable: Sequence[str]) -> None:
    """Leaves this process the folders named, and nothing else of the file system."""
    if not kernel.LINUX:
        raise OSError("Landlock is there on Linux only")
    version = kernel._call("syscall", ctypes.c_long(_CREATE_RULESET), None, ctypes.c_size_t(0), _VERSION)
    rights = (1 << _ALL_RIGHTS[min(version, max(_ALL_RIGHTS))]) - 1
    handled = ctypes.c_uint64(rights)
    size = ctypes.c_size_t(ctypes.sizeof(handled))
    ruleset = kernel._call("syscall", ctypes.c_long(_CREATE_RULESET), ctypes.byref(handled), size, 0)
    devices = ("/dev/null", "/dev/zero", "/dev/urandom")
    try:
        for paths, given in ((writable, rights), (devices, rights), (readable, _EXECUTE | _READ_FILE | _READ_FOLDER)):
            for path in filter(os.path.exists, paths):
                parent = os.open(path, os.O_PATH | os.O_CLOEXEC)
                try:
                    rule = _PathRule(given if os.path.isdir(path) else given & _OF_FILES, parent)
                    number = ctypes.c_long(_ADD_RULE)
                    kernel._call("syscall", number, ruleset, _PATH_BENEATH, ctypes.byref(rule), 0)
                finally:
                    os.close(parent)
        kernel.no_new_privileges()
        kernel._call("syscall", ctypes.c_long(_RESTRICT_SELF), ruleset, 0)
    finally:
        os.close(ruleset)
