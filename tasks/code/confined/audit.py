"""An audit hook that ends a program which reaches for what is not its own, and says what it reached for.

The kernel's layers are what holds; a hook inside the interpreter can be got round. It is there for the message, which
the kernel cannot give ("forbidden: open /etc/passwd"), and as the best there is where the kernel offers nothing.
"""

import fcntl
import os
import sys
from collections.abc import Callable, Mapping

# Events that no honest program raises; a trailing dot means all events of that family.
_FORBIDDEN = (
    *("os.system", "os.fork", "os.forkpty", "os.exec", "os.posix_spawn", "os.spawn", "os.startfile"),
    *("os.kill", "os.killpg", "os.chroot", "os.setxattr", "subprocess.Popen", "pty.spawn", "signal.pthread_kill"),
    *("socket.", "ctypes.dlopen", "ctypes.dlsym", "ctypes.cdata", "ctypes.call_function", "ctypes.addressof"),
    *("syslog.", "fcntl.lockf", "resource.prlimit", "sqlite3.connect", "urllib.Request", "ftplib.connect"),
    *(
        "smtplib.connect",
        "poplib.connect",
        "imaplib.open",
        "telnetlib.Telnet.open",
        "nntplib.connect",
        "webbrowser.open",
    ),
)
# Events about paths that only the scratch folder may see; their path arguments come first.
_PATHS = {
    **dict.fromkeys(("os.listdir", "os.scandir", "os.walk", "os.chdir", "os.mkdir", "os.rmdir", "os.remove"), 1),
    **dict.fromkeys(("os.chmod", "os.chown", "os.truncate", "os.utime", "os.listxattr", "os.getxattr"), 1),
    **dict.fromkeys(("os.rename", "os.link", "os.symlink"), 2),
}
# Who gets a descriptor's signals, and which; leases and notices of others' files; typing for a terminal: the numbers
# that fcntl and ioctl know them by.
_FCNTL = tuple(
    getattr(fcntl, name) for name in ("F_SETOWN", "F_SETSIG", "F_SETLEASE", "F_NOTIFY") if hasattr(fcntl, name)
)
_CONTROLS: Mapping[str, tuple[int, ...]] = {
    "fcntl.fcntl": (*_FCNTL, 15),
    "fcntl.ioctl": (0x8901, 0x8902, 0x5410, 0x5412),
}
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_DEVICES = ("/dev/null", "/dev/stdin", "/dev/stdout", "/dev/stderr", "/dev/zero", "/dev/urandom", "/dev/fd/0")


_FAMILIES = tuple(name for name in _FORBIDDEN if name.endswith("."))
_SINGLE = frozenset(_FORBIDDEN) - set(_FAMILIES)


def install(own: tuple[str, ...], seen: tuple[str, ...], report: Callable[[str], None]) -> None:
    """Watches this process until it ends; ``report`` is told what was reached for, and must end the process.

    A program may write what is in ``own`` and read what is in ``seen``: the same, and what the interpreter reads
    modules from. Both are resolved.
    """
    # Everything that the hook uses is local to it: what a program does to a module changes nothing here.
    families, single, paths_of, writes, devices = _FAMILIES, _SINGLE, _PATHS, _WRITES, _DEVICES
    controls = _CONTROLS
    resolve, fspath, text, whole = os.path.realpath, os.fspath, str, int

    def inside(path: object, roots: tuple[str, ...]) -> bool:
        if path is None or isinstance(path, whole):
            return True
        try:
            plain = fspath(path)  # type: ignore[call-overload]
            plain = plain.decode() if isinstance(plain, bytes) else plain
            if plain in devices:
                return True  # whatever it is a link to: it is the program's own
            plain = resolve(plain)
        except (TypeError, ValueError, OSError):
            return True  # no path: the call itself fails
        return any(plain == root or plain.startswith(root + "/") for root in roots)

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if event == "open":
            path, _, flags = arguments
            roots = own if isinstance(flags, whole) and flags & writes else seen
            if not inside(path, roots):
                report(f"open {text(path)[:200]}")
        elif event in single or event.startswith(families):
            report(f"{event} {text(arguments)[:200]}")
        elif event in controls:
            if arguments[1] in controls[event]:
                report(f"{event} {text(arguments)[:200]}")
        elif event in paths_of:
            roots = seen if event in ("os.listdir", "os.scandir") else own
            for path in arguments[: paths_of[event]]:
                if not inside(path, roots):
                    report(f"{event} {text(path)[:200]}")

    sys.addaudithook(hook)
