"""A server that answers each request with the bytes that it is told, be they HTTP or not; for tests, in a thread."""

import asyncio
import json
import threading


def http(status, body, kind="application/json", headers=""):
    content = body if isinstance(body, bytes) else body.encode()
    head = f"HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Type: {kind}\r\n{headers}"
    head += f"Content-Length: {len(content)}\r\n\r\n"
    return head.encode() + content


def completion(message=None, finish_reason="stop", **fields):
    message = message if isinstance(message, dict) else {"role": "assistant", "content": message}
    usage = {"prompt_tokens": 7, "completion_tokens": 3}
    choice = {"index": 0, "message": message, "finish_reason": finish_reason}
    return http(200, json.dumps({"id": "x", "choices": [choice], "usage": usage, **fields}))


def error(status, message, headers="", **fields):
    return http(status, json.dumps({"error": {"message": message, **fields}}), headers=headers)


class RawServer:
    """A context manager; ``answer(number, body)`` gives the bytes for a request, None closes without any.

    A generator of bytes is sent piece by piece, for as long as somebody reads.
    """

    def __init__(self, answer):
        self.answer = answer
        self.heads, self.bodies = [], []

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/v1"

    def __enter__(self):
        ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main(ready)), daemon=True)
        self._thread.start()
        assert ready.wait(10)
        return self

    def __exit__(self, *_):
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(10)

    async def _main(self, ready):
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        await self._stopping.wait()
        server.close()

    async def _serve(self, reader, writer):
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            self.heads.append(head.decode())
            lengths = [line for line in head.decode().lower().split("\r\n") if line.startswith("content-length")]
            body = json.loads(await reader.readexactly(int(lengths[0].split(":")[1]))) if lengths else None
            self.bodies.append(body)
            answer = self.answer(len(self.bodies) - 1, body)
            for piece in [answer] if isinstance(answer, bytes | None) else answer:
                if piece:
                    writer.write(piece)
                    await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
