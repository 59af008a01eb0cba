"""Kills an episode with SIGKILL at many moments, resumes it each time, and compares the run directory byte for byte.

    python scripts/kill_and_resume.py --kills 20 -- --config configs/quickstart.yaml

The moments are spread evenly over the time of an undisturbed run, counted from when the run directory is taken. Times,
host and paths aside, all files must be equal.
"""

import argparse
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from dataenvgym.reading.run import Run

ROOT = Path(__file__).resolve().parents[1]

# TensorBoard's event files hold wall times and host names; the report is drawn from the files compared here.
# The part file keeps what attempts without a reply may have cost.
_IGNORED = ("tensorboard", "provenance.json", "report.html", ".calls.part.jsonl")


def comparable(run_dir: Path) -> dict[str, str]:
    """Digest of every file of a run that must not depend on when or where it ran, by relative path."""
    digests = {}
    for path in sorted(run_dir.rglob("*")):
        name = str(path.relative_to(run_dir))
        if not path.is_file() or any(part in _IGNORED for part in path.relative_to(run_dir).parts):
            continue
        content = path.read_bytes()
        if name == "summary.json":
            content = _without_times(json.loads(content))
        elif name in ("episode.jsonl", "calls.jsonl"):
            content = b"\n".join(_without_times(json.loads(line)) for line in content.splitlines())
        digests[name] = hashlib.sha256(content).hexdigest()
    return digests


def _without_times(value: dict[str, Any]) -> bytes:
    # "chat" and "scoring" count what went wrong on the way (a rate limit, a time-out), which depends on chance.
    return json.dumps(
        {key: item for key, item in value.items() if key not in ("seconds", "chat", "scoring")}, sort_keys=True
    ).encode()


def differences(left: dict[str, str], right: dict[str, str]) -> list[str]:
    """The files that only one side has or that differ."""
    return sorted(name for name in left.keys() | right.keys() if left.get(name) != right.get(name))


def start(words: list[str], run_dir: Path, *extra: str) -> subprocess.Popen[bytes]:
    """Starts an episode into a run directory, in a process group of its own."""
    command = [sys.executable, "-m", "dataenvgym", "episode", *words, "--run_dir", str(run_dir), *extra]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        command, cwd=ROOT, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True
    )


def finish(process: subprocess.Popen[bytes]) -> None:
    """Waits for an episode; exits if it failed."""
    _, errors = process.communicate()
    if process.returncode:
        raise SystemExit(f"the episode failed:\n{errors.decode()}")


def wait_until_taken(process: subprocess.Popen[bytes], run_dir: Path) -> None:
    """Waits until an episode has taken its run directory: what comes before is starting Python."""
    while not (run_dir / "config.yaml").exists() and process.poll() is None:
        time.sleep(0.01)


def kill_at(words: list[str], run_dir: Path, seconds: float) -> bool:
    """Starts an episode, kills it so many seconds after it took its run directory; returns whether it was running."""
    process = start(words, run_dir)
    wait_until_taken(process, run_dir)
    try:
        process.communicate(timeout=seconds)
        return False
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return True


def main() -> int:
    """Runs the comparison; exits 1 if any file differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--out", type=Path, default=ROOT / "runs" / "kill_and_resume")
    parser.add_argument("words", nargs="+", help="options of `dataenvgym episode`, after --")
    arguments = parser.parse_args()

    whole = arguments.out / "undisturbed"
    process = start(arguments.words, whole)
    wait_until_taken(process, whole)
    began = time.monotonic()
    finish(process)
    wall = time.monotonic() - began
    expected = comparable(whole)
    print(f"undisturbed: {wall:.0f} s, {len(expected)} files")
    bad = 0
    for kill in range(1, arguments.kills + 1):
        run_dir = arguments.out / f"killed-{kill:02d}"
        moment = 0.9 * wall * kill / arguments.kills  # the last well before the end
        running = kill_at(arguments.words, run_dir, moment)
        steps = len(Run(run_dir).steps)
        finish(start(arguments.words, run_dir, "--resume"))
        changed = differences(expected, comparable(run_dir))
        bad += bool(changed)
        state = f"killed at {moment:.1f} s with {steps} finished steps" if running else "finished before the kill"
        print(f"{kill:2d}. {state}: {'equal' if not changed else 'DIFFERENT: ' + ', '.join(changed)}", flush=True)
    print(f"{arguments.kills - bad} of {arguments.kills} equal")
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
