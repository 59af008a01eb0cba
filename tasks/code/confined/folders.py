"""Emptying a folder of whatever a program made of it: deep, unreadable, or named to be in the way."""

import contextlib
import os
import stat
import time
from collections.abc import Container


def empty(folder: str, keep: Container[str] = (), seconds: float = 1.0) -> bool:
    """Removes what lies in a folder, for so many seconds at most; whether nothing but ``keep`` is left.

    What lies in an inner folder is moved up before that folder is removed, so that no path grows long. It is moved to a
    name that was drawn only now, which nothing in the way can have.
    """
    deadline = time.monotonic() + seconds
    for _ in range(3):  # what could not be removed at once may be when all else is gone
        pending = [name for name in os.listdir(folder) if name not in keep]
        if not pending:
            return True
        while pending and time.monotonic() < deadline:
            pending += _remove(folder, pending.pop())
    return False


def _remove(folder: str, name: str) -> list[str]:
    """Removes a file or a folder; gives the names, in ``folder``, of the folders that were in it."""
    path, moved = f"{folder}/{name}", []
    with contextlib.suppress(OSError):  # empty() sees what is still there
        if not stat.S_ISDIR(os.lstat(path).st_mode):
            os.unlink(path)
            return []
        os.chmod(path, 0o700)
        for inner in os.listdir(path):
            if stat.S_ISDIR(os.lstat(f"{path}/{inner}").st_mode):
                os.chmod(f"{path}/{inner}", 0o700)  # a folder that may not be written to cannot be moved
                moved.append(f".{os.urandom(8).hex()}")
                os.rename(f"{path}/{inner}", f"{folder}/{moved[-1]}")
            else:
                os.unlink(f"{path}/{inner}")
        os.rmdir(path)
    return moved
