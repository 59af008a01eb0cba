"""A finished run made into one that was killed."""

from pathlib import Path


def cut_after(run_dir: Path, steps: int) -> None:
    """Leaves a run as a kill after so many finished steps would."""
    kept = (run_dir / "episode.jsonl").read_text().splitlines(keepends=True)[: steps + 1]
    (run_dir / "episode.jsonl").write_text("".join(kept))
    summary = (run_dir / "summary.json").read_text()
    (run_dir / "summary.json").write_text(summary.replace('"finished"', '"running"'))
