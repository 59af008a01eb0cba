"""The calls of the Linux kernel that Python has no function for, through ctypes: namespaces, mounts, capabilities."""

import ctypes
import os
import sys

CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT = 1, 2, 4, 8, 32
MS_NOATIME, MS_NODIRATIME, MS_BIND, MS_REC = 1024, 2048, 4096, 16384
MS_PRIVATE, MS_RELATIME = 1 << 18, 1 << 21
_MNT_DETACH = 2
_ST_RELATIME = 4096

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER, _PR_SET_NO_NEW_PRIVS, _PR_SET_DUMPABLE = 1, 36, 38, 4
_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
_CAPABILITY_VERSION = 0x20080522

LINUX = sys.platform == "linux"
MACHINE = os.uname().machine if hasattr(os, "uname") else ""

_libc = ctypes.CDLL(None, use_errno=True) if LINUX else None


def _call(name: str, *arguments: object) -> int:
    if _libc is None:
        raise OSError(f"{name} is there on Linux only")
    result = int(getattr(_libc, name)(*arguments))
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
    return result


def unshare(flags: int) -> None:
    """Moves this process (for pid namespaces: its next child) into new namespaces."""
    _call("unshare", flags)


def setns(fd: int, flags: int) -> None:
    """Moves this process (for pid namespaces: its next child) into the namespace of a descriptor."""
    _call("setns", fd, flags)


def mount(source: str, target: str, kind: str | None, flags: int, options: str | None = None) -> None:
    """Mounts a file system, or changes a mount."""
    texts = [None if text is None else text.encode() for text in (source, target, kind)]
    _call("mount", *texts, ctypes.c_ulong(flags), None if options is None else options.encode())


def bind_read_only(source: str, target: str) -> None:
    """Shows a file or folder at another place, read-only and without set-uid programs."""
    mount(source, target, None, MS_BIND | MS_REC)
    # In a user namespace a remount must keep the flags that the source's mount has.
    held = os.statvfs(target).f_flag
    keep = held & (MS_NODEV | MS_NOEXEC | MS_NOATIME | MS_NODIRATIME) | (MS_RELATIME if held & _ST_RELATIME else 0)
    mount("none", target, None, MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | keep)


def pivot_root(new: str, old: str) -> None:
    """Makes a mount the root folder and lets go of everything that was below the old one."""
    _call("syscall", ctypes.c_long(_PIVOT_ROOT[MACHINE]), new.encode(), old.encode())
    os.chdir("/")
    inside = "/" + os.path.relpath(old, new)
    _call("umount2", inside.encode(), _MNT_DETACH)
    os.rmdir(inside)


def die_with_parent() -> None:
    """Has the kernel kill this process when its parent ends."""
    _call("prctl", _PR_SET_PDEATHSIG, 9, 0, 0, 0)


def adopt_orphans() -> None:
    """Makes this process the parent of descendants that lose theirs."""
    _call("prctl", _PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def no_new_privileges() -> None:
    """From now on no program that is executed gains rights."""
    _call("prctl", _PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def hide_from_others() -> None:
    """Keeps other processes of this user from reading this one's memory and descriptors, and its children's."""
    _call("prctl", _PR_SET_DUMPABLE, 0, 0, 0, 0)


def name_host(name: str) -> None:
    """Gives the host name and domain of this process's namespace."""
    for call in ("sethostname", "setdomainname"):
        _call(call, name.encode(), ctypes.c_size_t(len(name)))


def drop_capabilities() -> None:
    """Gives up every capability, for good if no_new_privileges() came before."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    _call("capset", header, (ctypes.c_uint32 * 6)())
