"""A run directory with the real shapes of every file, for tests of what reads run directories."""

import random
from functools import cache
from pathlib import Path
from typing import Any

from environments.run.summary import summarise
from tasks.records import write_json, write_json_lines
from tasks.types import TrainingRecord

SKILLS = ("addition", "clock", "sorting", "number_words", "rounding", "money")
PER_SKILL = {"val": 12, "test": 24}


def make_run_dir(folder: Path, steps: int = 4, seed: int = 0, status: str = "finished", tree: bool = True) -> Path:
    """Writes a run of so many training steps in which the weak skills improve; a "running" one lacks its last step."""
    folder.mkdir(parents=True, exist_ok=True)
    lines, scores = _episode(steps, seed, status, tree)
    for line, answered in zip(lines, scores, strict=True):
        _write_step(folder / f"step_{line['step']:02d}", line["step"], answered, line["rejected"])
    write_json_lines(folder / "episode.jsonl", lines)
    write_json(folder / "summary.json", _summary(steps, seed, status, tree))
    write_json(
        folder / "provenance.json",
        {
            "versions": {"python": "3.11.2", "torch": "2.13.0", "lightning": "2.6.6"},
            "git_commit": "0123456789abcdef0123456789abcdef01234567",
            "host": {"platform": "Linux", "processor": "x86_64", "cores": 2},
            "seed": seed,
            "model": {"name": "tiny_text", "fingerprint": "ab" * 32},
            "data": {"val": "cd" * 32, "test": "ef" * 32},
        },
    )
    (folder / "config.yaml").write_text(f"seed_everything: {seed}\ntrainer:\n  max_epochs: 4\n", encoding="utf-8")
    return folder


def _scores(step: int, rng: random.Random) -> dict[str, list[float]]:
    """0/1 scores by split: skill i starts at a level of its own, and those that start low rise."""
    made: dict[str, list[float]] = {}
    for split, n in PER_SKILL.items():
        made[split] = []
        for i, _ in enumerate(SKILLS):
            start = (0.1, 0.9, 0.5, 0.05, 0.4, 0.7)[i]
            level = start + (0.85 - start) * (1 - 0.6**step) if i < 5 else 0.7 - 0.04 * step
            made[split] += [float(rng.random() < level) for _ in range(n)]
    return made


def _report(scores: list[float], n: int) -> dict[str, Any]:
    skills = {skill: scores[i * n : (i + 1) * n] for i, skill in enumerate(SKILLS)}
    return {
        "overall": {"value": sum(scores) / len(scores), "n": len(scores)},
        "skills": {skill: {"value": sum(part) / len(part), "n": len(part)} for skill, part in skills.items()},
    }


def _records(step: int) -> list[TrainingRecord]:
    if step == 0:
        return []
    return [
        TrainingRecord(
            f"{10 * step + i} + {i} =", str(10 * step + 2 * i), str(10 * step + 2 * i), skill, "easy", "made"
        )
        for skill, count in zip(SKILLS, (12, 2, 6, 14, 8, 0), strict=True)
        for i in range(count)
    ]


def _line(step: int, scores: dict[str, list[float]], tree: bool) -> dict[str, Any]:
    records = _records(step)
    allocation = {skill: sum(record.skill == skill for record in records) for skill in SKILLS}
    trees = [
        {
            "skill": skill,
            "subskills": [
                {"name": "easy", "allocation": 10, "generated": 10 * step, "accuracy": 0.8},
                {"name": "hard <b>", "allocation": 4, "generated": 4 * step, "accuracy": None},
            ],
            "rewards": [0.05] * step,
            "actions": ["explore", "exploit"][:step],
        }
        for skill in SKILLS[:2]
    ]
    return {
        "step": step,
        "records": len(records),
        "pool": 0,
        "trained": bool(step),
        "truncated_records": 0,
        "rejected": {"duplicate": 2 * step, "leak": 1} if step else {},
        "val": _report(scores["val"], PER_SKILL["val"]),
        "test": _report(scores["test"], PER_SKILL["test"]),
        "allocation": allocation if step else {},
        "state": {"records": 0, "rejected": {}} | ({"trees": trees if step else []} if tree else {}),
        "seconds": {"fit": 20.5 * bool(step), "evaluate": 6.25, "teacher": 0.5 * bool(step), "other": 0.125},
    }


def _write_step(folder: Path, step: int, scores: dict[str, list[float]], rejected: dict[str, int]) -> None:
    folder.mkdir(exist_ok=True)
    predictions = [
        {
            "split": split,
            "instance_id": f"{split}-{i:05d}",
            "text": "<b>7</b>" if score else "seven & more",
            "score": score,
            "truncated": i % 50 == 1,
            "skill": SKILLS[i // PER_SKILL[split]],
        }
        for split, values in scores.items()
        for i, score in enumerate(values)
    ]
    write_json_lines(folder / "predictions.jsonl", predictions)
    errors = [
        {
            "instance_id": row["instance_id"],
            "instruction": f"Which is larger, {i} < {i + 1} or 7?",
            "student_answer": row["text"],
            "right_answer": "7",
            "skill": row["skill"],
        }
        for i, row in enumerate(predictions)
        if row["split"] == "val" and not row["score"]
    ]
    report = _report(scores["val"], PER_SKILL["val"])
    write_json(
        folder / "feedback.json",
        {"accuracy": report["overall"]["value"], "n": len(scores["val"]), "skills": report["skills"], "errors": errors},
    )
    if step:
        write_json_lines(folder / "records.jsonl", _records(step))
        plain = {"instruction": "1 + 1 =", "response": "2", "answer": "2", "skill": "addition", "subskill": "easy"}
        rows = [plain | {"source": "made", "reason": reason} for reason, n in rejected.items() for _ in range(n)]
        write_json_lines(folder / "rejected.jsonl", rows)


@cache  # many tests break a copy of the same run
def _summary(steps: int, seed: int, status: str, tree: bool) -> dict[str, Any]:
    lines, scores = _episode(steps, seed, status, tree)
    facts = {
        "seed": seed,
        "task": "math_procedural",
        "environment": "SkillTreeEnvironment" if tree else "OpenEndedEnvironment",
        "teacher": "SkillTreePolicy + ProceduralEngine" if tree else "OpenEndedPolicy + ProceduralEngine",
        "student": "tiny_text",
    }
    cost = {"cost": {"usd": 0.0, "tokens": 0, "calls": 0}}
    return summarise(lines, dict(enumerate(scores)), facts, status, cost)


def _episode(
    steps: int, seed: int, status: str, tree: bool
) -> tuple[list[dict[str, Any]], list[dict[str, list[float]]]]:
    lines: list[dict[str, Any]] = []
    scores = []
    for step in range(steps if status == "running" else steps + 1):
        scores.append(_scores(step, random.Random(f"{seed}/{step}")))
        lines.append(_line(step, scores[-1], tree))
        lines[-1]["pool"] = sum(line["records"] for line in lines)
    return lines, scores
