"""How close calls to a chat model come to what an endpoint's latency allows, client's work and journal included.

    python benchmarks/teacher_throughput.py                            # 64 and 16 calls in flight, 0.5 s each
    python benchmarks/teacher_throughput.py --calls 1280 --latency 0.5

The endpoint is tests/llm_server.py in a process of its own. Ideal is calls / concurrency * latency; the aim is to reach
90 % of the throughput that it stands for. The first connection and the import of the SDK are not timed: an episode has
them once.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from common import ROOT, make_parser
from pydantic import BaseModel

from teachers.chat import Calls, OpenAIChat, Question

AIM = 0.90


class Items(BaseModel):
    """A list of items."""

    items: list[str]


def measure(url: str, concurrency: int, count: int, latency: float) -> float:
    """Prints one row; returns measured throughput as a share of the ideal."""
    chat = OpenAIChat("gpt-4o-mini", url, concurrency=concurrency, max_tokens=256)
    text = f"At {concurrency} in flight, write three items. " + "Some context of a usual prompt. " * 60
    questions = [
        Question(f"{text}{index}", Items, Items(items=["a"]), "engine", 1, index) for index in range(count + 1)
    ]
    with tempfile.TemporaryDirectory() as folder:
        calls = Calls(chat, max_usd=100.0)
        with calls.recording(Path(folder) / "calls.jsonl"):
            calls.ask(questions[:1])
            start, used = time.perf_counter(), time.process_time()
            answers = calls.ask(questions[1:])
            seconds, work = time.perf_counter() - start, time.process_time() - used
            assert all(answer.value is not None for answer in answers)
    ideal = count / concurrency * latency
    print(
        f"{concurrency:11d} {count:6d} {ideal:9.2f} {seconds:11.2f} {ideal / seconds:6.3f} {1000 * work / count:14.2f}"
    )
    return ideal / seconds


def main() -> int:
    """Measures; 1 if a ratio is under the aim."""
    parser = make_parser(__doc__)
    parser.add_argument("--calls", type=int, default=1280)
    parser.add_argument("--latency", type=float, default=0.5)
    parser.add_argument("--concurrency", type=int, nargs="+", default=[64, 16])
    words = parser.parse_args()
    os.environ["OPENAI_API_KEY"] = "test-key-0123456789"
    command = [sys.executable, str(ROOT / "tests" / "llm_server.py"), "--latency", str(words.latency)]
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert server.stdin is not None and server.stdout is not None
    try:
        url = json.loads(server.stdout.readline())["url"]
        print("concurrency  calls   ideal s  measured s  ratio  CPU ms a call")
        ratios = [measure(url, concurrency, words.calls, words.latency) for concurrency in words.concurrency]
    finally:
        server.stdin.close()
        server.wait(10)
    return 0 if min(ratios) >= AIM else 1


if __name__ == "__main__":
    raise SystemExit(main())
