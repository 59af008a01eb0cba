"""Whole episodes of teachers that are language models, against the test server: quiet, full of faults, and killed.

    python tests/llm_episode.py --records 1000 --steps 5 --faults 0.3 --kills 3

The server answers from the generator of the offline mathematics task. One episode (Skill-Tree, with the policy, the
engine and the skill discovery all asking the server) runs undisturbed; another runs with this share of faulty replies
and is killed so many times. Both must accept the same number of records, every drop must be counted, and no call that
was answered and kept may be billed again.
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]
from kill_and_resume import wait_until_taken  # noqa: E402
from llm_server import LLMServer  # noqa: E402
from procedural_brain import elementary_brain  # noqa: E402
from processes import Command, run  # noqa: E402

KEY = "sk-canary-5f1d7c0a93e24b68"

# Every kind of fault that a reply can have; those that bill leave no usable reply, or one of another shape.
KINDS = (
    *("rate_limit", "rate_limit_wait", "server_error", "hang", "truncated", "broken_json"),
    *("malformed_text", "wrong_schema", "too_few", "too_many", "duplicates"),
)


@contextlib.contextmanager
def server(log, faults=0.0, **options):
    """A server, its address in the environment; faults are a share of all, or of each named."""
    shares = faults if isinstance(faults, dict) else dict.fromkeys(KINDS, faults / len(KINDS))
    before = dict(os.environ)
    with LLMServer(elementary_brain, KEY, faults=shares, hang_seconds=4, log_path=str(log), **options) as running:
        try:
            os.environ |= {"OPENAI_BASE_URL": running.url, "OPENAI_API_KEY": KEY}
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)


def words(records, steps, *extra, environment="skill_tree", task="math_procedural"):
    fragments = [f"tasks/{task}", "students/tiny_text", f"environments/{environment}", f"teachers/{environment}_llm"]
    return [
        *(word for name in fragments for word in ("--config", str(ROOT / f"configs/{name}.yaml"))),
        *(("--environment.skills", "environments.skills.DiscoveredSkills") if environment != "open_ended" else ()),
        *("--environment.budget.max_records", str(records), "--environment.budget.max_steps", str(steps)),
        *("--teacher.init_args.chat.init_args.timeout", "2"),
        *extra,
    ]


def run_killed(episode, run_dir, moments):
    """Runs an episode that is killed at these moments (seconds after each start), then to its end."""
    for index, moment in enumerate(moments):
        process = Command(["episode", *episode, "--run_dir", run_dir, *(["--resume"] if index else [])])
        wait_until_taken(process, run_dir)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=moment)
        if process.poll() is None:
            process.kill()
    finished(run(["episode", *episode, "--run_dir", run_dir, "--resume"]))


def finished(done):
    assert done.returncode == 0, done.stderr


def rows(path):
    return [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]


def summary(run_dir):
    return json.loads((Path(run_dir) / "summary.json").read_text(encoding="utf-8"))


def essence(run_dir):
    """What must be the same wherever a run was interrupted, and wherever its replies came from."""
    told = summary(run_dir)
    for changing in ("seconds", "chat"):
        told.pop(changing)
    names = ("records.jsonl", "predictions.jsonl", "rejected.jsonl", "plan.json")
    files = {str(path.relative_to(run_dir)): path.read_bytes() for name in names for path in run_dir.rglob(name)}
    return told, files


def billed_twice(log):
    answered = [row["key"] for row in rows(log) if row["status"] == 200 and row["input"] and row["kind"] not in _LOST]
    return [key for key, count in Counter(answered).items() if count > 1]


# Billed, and the client never had the reply: asking again is the only way on.
_LOST = ("hang", "truncated", "broken_json", "disconnect")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=1000)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--faults", type=float, default=0.3)
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--plain", action="store_true", help="a server that does not honour Idempotency-Key")
    parser.add_argument("--out", type=Path, default=ROOT / "runs" / "llm_episode")
    chosen = parser.parse_args()
    episode = words(chosen.records, chosen.steps)
    chosen.out.mkdir(parents=True, exist_ok=True)
    quiet, spoilt = chosen.out / "quiet", chosen.out / "spoilt"
    with server(chosen.out / "quiet.log"):
        began = time.monotonic()
        finished(run(["episode", *episode, "--run_dir", quiet]))
        wall = time.monotonic() - began
    with server(chosen.out / "spoilt.log", chosen.faults, **({} if chosen.plain else {"honour_idempotency": True})):
        # The first seconds are the discovery's, which asks the most.
        moments = [wall * share for share in (0.03, 0.2, 0.4, 0.1, 0.3)][: chosen.kills]
        run_killed(episode, spoilt, moments)
    for name in ("quiet", "spoilt"):
        told = summary(chosen.out / name)
        gain, low, high = told["gain"]["test"]["points"], *told["gain"]["test"]["ci95"]
        print(f"{name}: {told['records']} records accepted, rejected {told['rejected']}, calls {told['cost']}")
        print(f"  went wrong since the last start: {told.get('chat')}")
        print(f"  test gain {gain:+.1f} points, 95 % interval {low:+.1f} to {high:+.1f}")
        print(f"  server: {dict(Counter(row['kind'] or 'good' for row in rows(chosen.out / f'{name}.log')))}")
        print(f"  requests answered and billed more than once: {len(billed_twice(chosen.out / f'{name}.log'))}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
