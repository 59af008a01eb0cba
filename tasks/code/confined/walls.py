"""What the fork server builds around itself once: namespaces, an almost empty file system, no network, filters."""

import os
import resource
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tasks.code.confined import kernel, landlock, seccomp

# From the first to the last: what is asked for by level, and what each level is made of.
LEVELS: Mapping[str, frozenset[str]] = {
    "limits": frozenset({"limits", "audit"}),
    "filtered": frozenset({"limits", "audit", "seccomp", "landlock"}),
    "full": frozenset({"limits", "audit", "seccomp", "user", "pid", "mount", "network", "ipc"}),
}
# An id that no account has, outside the ranges of distributions' users and of systemd's dynamic ones.
_USER = 60_613
_INNER_USER = 1000
_ROOT = "/proc"  # where the new root is put together: there on every Linux, and no interpreter lives below it
_SCRATCH = "/scratch"  # not /tmp: a path of the user's there is then seen to be one
_LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/etc/ld.so.cache")
_DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom", "/dev/random")


@dataclass(frozen=True, slots=True)
class Walls:
    """What holds after build().

    Args:
        layers: The layers in force.
        scratch: The folder that programs may write to.
        io_folder: Where standard input and output lie as files.
        user: User and group id for programs; None if they keep the server's.
        missing: Why a layer that was asked for is not there, by layer.
        pid_namespace: Descriptor of the server's own pid namespace; -1 if it has none.
    """

    layers: frozenset[str]
    scratch: str
    io_folder: str
    user: int | None
    missing: Mapping[str, str]
    pid_namespace: int = -1


def build(level: str, settings: Mapping[str, Any]) -> Walls:
    """Puts up what a level asks for, as far as the machine allows; a layer that does not hold is not in ``layers``.

    Args:
        level: ``limits``, ``filtered`` or ``full``.
        settings: ``folder`` (an empty folder of the caller's), ``readable``, ``scratch_bytes`` and ``scratch_files``.
    """
    wanted, missing = LEVELS[level], dict[str, str]()
    layers = {"limits", "audit"}
    scratch, io_folder = f"{settings['folder']}/scratch", f"{settings['folder']}/io"
    user, pid_namespace = (_USER if os.geteuid() == 0 else None), -1
    if "mount" in wanted:
        try:
            user = _enter_namespaces()
            kernel.name_host("sandbox")
            _become_first()
            pid_namespace = os.open("/proc/self/ns/pid", os.O_RDONLY)
            _new_root(settings)
            scratch, io_folder = _SCRATCH, "/dev"
            layers |= {"user", "pid", "mount", "network", "ipc"}
        except OSError as error:
            missing |= dict.fromkeys(("user", "pid", "mount", "network", "ipc"), str(error))
    if "mount" not in layers:
        for folder in (scratch, io_folder):
            os.mkdir(folder, 0o700)
        if user is not None:
            os.chown(scratch, user, user)
            os.chmod(io_folder, 0o711)
            os.chmod(os.path.dirname(scratch), 0o711)
        os.chdir(scratch)
    if kernel.LINUX:
        kernel.no_new_privileges()
        kernel.adopt_orphans()
        kernel.hide_from_others()
    if "mount" not in layers and level != "limits":
        # Without a file system of its own a program can still be kept from opening others' files.
        writable = (scratch,) if hasattr(os, "memfd_create") else (scratch, io_folder)
        _try(landlock.restrict, "landlock", layers, missing, writable, settings["readable"])
    if "seccomp" in wanted:
        _try(_filter_calls, "seccomp", layers, missing)
    return Walls(frozenset(layers), scratch, io_folder, user, missing, pid_namespace)


def _try(action: Any, layer: str, layers: set[str], missing: dict[str, str], *arguments: Any) -> None:
    try:
        action(*arguments)
        layers.add(layer)
    except OSError as error:
        missing[layer] = str(error)


def _filter_calls() -> None:
    if not seccomp.available():
        raise OSError(f"no system call numbers for {sys.platform} on {kernel.MACHINE}")
    seccomp.install(seccomp.server_filter(kernel.MACHINE))


def _enter_namespaces() -> int | None:
    """New user, mount, network, ipc and host name namespaces; gives the user id for programs inside.

    Root maps a second, powerless user for programs; anyone else may map only themselves.
    """
    outer = os.geteuid()
    group = os.getegid()
    flags = kernel.CLONE_NEWUSER | kernel.CLONE_NEWNS | kernel.CLONE_NEWNET | kernel.CLONE_NEWIPC
    flags |= kernel.CLONE_NEWUTS | kernel.CLONE_NEWPID
    if outer != 0:
        kernel.unshare(flags)
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", f"{_INNER_USER} {outer} 1")
        _write("/proc/self/gid_map", f"{_INNER_USER} {group} 1")
        return None
    # The two-line map can only be written from outside, by a process that is still root there.
    (ready, done), server = (os.pipe(), os.pipe()), os.getpid()
    helper = os.fork()
    if helper == 0:
        try:
            os.read(ready[0], 1)
            for kind in ("uid", "gid"):
                _write(f"/proc/{server}/{kind}_map", f"0 0 1\n{_INNER_USER} {_USER} 1\n")
            os._exit(0)
        finally:
            os._exit(1)
    try:
        kernel.unshare(flags)
    finally:
        os.write(ready[1], b".")
        _, status = os.waitpid(helper, 0)
        for fd in (*ready, *done):
            os.close(fd)
    if status != 0:
        raise OSError("the user namespace's map cannot be written")
    os.setgroups([])
    return _INNER_USER


def _become_first() -> None:
    """Goes on as process 1 of the new pid namespace, in which each program's own namespace will lie.

    This process stays behind, to be waited for by the caller; if either ends, so does the other.
    """
    first = os.fork()
    if first:
        for fd in (0, 1):
            os.close(fd)
        os._exit(os.waitstatus_to_exitcode(os.waitpid(first, 0)[1]) & 0xFF)
    kernel.die_with_parent()


def _write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)


def _new_root(settings: Mapping[str, Any]) -> None:
    """A root of three small memory file systems, with the interpreter's own files shown read-only."""
    kernel.mount("none", "/", None, kernel.MS_REC | kernel.MS_PRIVATE)
    quiet = kernel.MS_NOSUID | kernel.MS_NODEV
    _tmpfs(_ROOT, quiet, "size=1m,nr_inodes=4096,mode=0755")
    # What of the real file system is there inside; a link is shown under its own name.
    for path in sorted(filter(os.path.exists, (*settings["readable"], *_LIBRARIES)), key=len):
        target = _ROOT + path
        if os.path.exists(target):
            continue  # below a folder that is shown already
        if os.path.isdir(path):
            os.makedirs(target)
        else:
            os.makedirs(os.path.dirname(target), exist_ok=True)
            os.close(os.open(target, os.O_CREAT | os.O_WRONLY))
        kernel.bind_read_only(path, target)
    for folder in (_SCRATCH, "/dev", "/old"):
        os.makedirs(_ROOT + folder, exist_ok=True)
    size, files = settings["scratch_bytes"], settings["scratch_files"]
    _tmpfs(_ROOT + _SCRATCH, quiet | kernel.MS_NOEXEC, f"size={size},nr_inodes={files},mode=0777")
    _tmpfs(_ROOT + "/dev", kernel.MS_NOSUID | kernel.MS_NOEXEC, f"size={settings['io_bytes']},nr_inodes=64,mode=0755")
    for device in _DEVICES:
        os.close(os.open(_ROOT + device, os.O_CREAT | os.O_WRONLY))
        kernel.mount(device, _ROOT + device, None, kernel.MS_BIND)
    kernel.pivot_root(_ROOT, _ROOT + "/old")
    kernel.mount("none", "/", None, kernel.MS_REMOUNT | kernel.MS_BIND | kernel.MS_RDONLY | quiet)
    os.chdir(_SCRATCH)


def _tmpfs(target: str, flags: int, options: str) -> None:
    kernel.mount("tmpfs", target, "tmpfs", flags, options)


def address_space() -> int:
    """The address space of this process, in bytes; 0 where the system does not say."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[0]) * resource.getpagesize()
    except OSError:
        return 0
