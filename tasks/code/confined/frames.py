"""Messages over a pipe or a socket: four bytes of length, then that many bytes."""

import os
from collections.abc import Iterator

_HEADER = 4


class FrameError(ValueError):
    """A message is longer than what its reader accepts."""


def write_frame(fd: int, payload: bytes) -> None:
    """Writes one message, whole."""
    write_all(fd, len(payload).to_bytes(_HEADER, "big") + payload)


def write_all(fd: int, data: bytes) -> None:
    """Writes bytes, all of them."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def read_frame(fd: int, limit: int, header: bytes | None = None) -> bytes | None:
    """The next message; None at the end of the stream, and FrameError if it is longer than the limit.

    ``header`` is its length, if that was read already.
    """
    header = header or _read_exactly(fd, _HEADER)
    if header is None:
        return None
    size = int.from_bytes(header, "big")
    if size > limit:
        raise FrameError(f"a message of {size} bytes, at most {limit} are read")
    return _read_exactly(fd, size)


def _read_exactly(fd: int, size: int) -> bytes | None:
    parts = []
    while size:
        part = os.read(fd, min(size, 1 << 20))
        if not part:
            return None
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


class FrameBuffer:
    """Takes bytes as they come and gives whole messages."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._bytes = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The messages that are complete with these bytes."""
        self._bytes += data
        while len(self._bytes) >= _HEADER:
            size = int.from_bytes(self._bytes[:_HEADER], "big")
            if size > self.limit:
                raise FrameError(f"a message of {size} bytes, at most {self.limit} are read")
            if len(self._bytes) < _HEADER + size:
                return
            payload = bytes(self._bytes[_HEADER : _HEADER + size])
            del self._bytes[: _HEADER + size]
            yield payload
