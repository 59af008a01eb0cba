"""Finished runs of the toy task with the real shapes of every file, whose teachers are as good as a test wants them."""

import pickle
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from dataenvgym.reading import Run
from environments.results import Evaluation
from environments.run.provenance import fingerprint_instances
from environments.run.summary import summarise
from environments.statistics.clusters import clusters_by_split
from tasks.images import Image
from tasks.records import write_json, write_json_lines
from tasks.types import Prediction, TaskInstance, TrainingRecord
from tests.environments.toy import ToyTask


class GroupedToyTask(ToyTask):
    def cluster_of(self, instance: TaskInstance) -> str | None:
        return str(int(instance.instance_id.split("-")[1]) // 4)


TASK, GROUPED = ToyTask(), GroupedToyTask()
SIZES = {split: len(TASK.instances(split)) for split in ("val", "test")}

_SUMMARIES: dict[bytes, dict[str, Any]] = {}  # many tests make the same runs, and intervals take long


def judged_run(
    folder: Path,
    policy: str | dict[str, Any] = "teachers.policies.RewardHistoryPolicy",
    seed: int = 0,
    gain: float = 0.2,
    epochs: int = 4,
    steps: int = 3,
    settings: dict[str, Any] | None = None,
    extra: list[TrainingRecord] | None = None,
    image: Image | None = None,
    chat: str | None = None,
    grouped: bool = False,
) -> Path:
    """Writes a run whose student starts at 30 % and gains ``gain`` (a fraction) over all steps, which are the budget's.

    ``settings`` are further blocks of the configuration, ``extra`` records of the last step besides the teacher's own;
    ``image`` is that of all records. If ``grouped``, instances come in groups that are all right or all wrong.
    """
    task = GROUPED if grouped else TASK
    spec = {"class_path": policy} if isinstance(policy, str) else policy
    teacher = {"policy": spec, "engine": {"class_path": "teachers.engines.ProceduralEngine"}, "journal_path": None}
    if chat:
        teacher["chat"] = {"class_path": "teachers.chat.OpenAIChat", "init_args": {"model": chat}}
    config = {
        "seed_everything": seed,
        "task": {"class_path": f"{type(task).__module__}.{type(task).__name__}", "init_args": {"val_size": 48}},
        "model": {"class_path": "lightning_modules.CausalLMStudent", "init_args": {"model_name_or_path": "tiny"}},
        "data": {"class_path": "datamodules.StudentDataModule", "init_args": {"batch_size": 4}},
        "trainer": {"max_epochs": epochs, "devices": 1},
        "environment": {
            "class_path": "environments.SkillListEnvironment",
            "init_args": {"budget": {"max_records": 10 * steps, "max_steps": steps}},
        },
        "teacher": {"class_path": "teachers.Teacher", "init_args": teacher},
        **(settings or {}),
    }
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    lines, scores = [], {}
    for step in range(steps + 1):
        scores[step] = {split: _scores(split, seed, 0.3 + gain * step / steps, task) for split in SIZES}
        records = _records(step, seed, image) + (extra or [] if step == steps else [])
        lines.append(_line(step, scores[step], records))
        _write_step(folder, step, scores[step], records, task)
    write_json_lines(folder / "episode.jsonl", lines)
    name = str(spec["class_path"]).rsplit(".", 1)[-1]
    facts = {"seed": seed, "task": "ToyTask", "environment": "SkillListEnvironment", "teacher": name, "student": "tiny"}
    cost = {"cost": {"usd": 0.5, "tokens": 1200, "calls": 3}}
    answered = Evaluation(*(tuple(Prediction(i.instance_id, "", 0.0) for i in task.instances(s)) for s in SIZES))
    clusters = clusters_by_split(task, answered)
    key = pickle.dumps((lines, scores, facts, clusters))
    if key not in _SUMMARIES:
        likely = {at: {split: [0.1 + 0.5 * one for one in of[split]] for split in of} for at, of in scores.items()}
        _SUMMARIES[key] = summarise(lines, scores, facts, "finished", cost, clusters=clusters, likelihoods=likely)
    write_json(folder / "summary.json", _SUMMARIES[key])
    data = {split: fingerprint_instances(TASK.instances(split)) for split in SIZES}
    origin = {"git_commit": "0123abc", "seed": seed, "model": {"name": "tiny", "fingerprint": "ab"}, "data": data}
    write_json(folder / "provenance.json", origin)
    return folder


def _scores(split: str, seed: int, level: float, task: ToyTask) -> list[float]:
    """0/1 scores whose mean is the level, but for a little luck: the same instances are easy in every run."""
    if task is GROUPED:
        return [score for score in _scores(split, seed, level, TASK)[::4] for _ in range(4)]
    rng = random.Random(f"{split}/{seed}")
    hardness = [(i + 0.5) / SIZES[split] + rng.uniform(-0.05, 0.05) for i in range(SIZES[split])]
    random.Random(split).shuffle(hardness)
    return [float(hard < level) for hard in hardness]


def _records(step: int, seed: int, image: Image | None) -> list[TrainingRecord]:
    return [
        TrainingRecord(f"skill0 sub{i}: say {step}-{seed}-{i}", f"said {i}", str(i), "skill0", f"sub{i}", "made", image)
        for i in range(10 if step else 0)
    ]


def _line(step: int, scores: dict[str, list[float]], records: list[TrainingRecord]) -> dict[str, Any]:
    report = {
        split: {"overall": {"value": sum(values) / len(values), "n": len(values)}, "skills": {}}
        for split, values in scores.items()
    }
    counts = {"records": len(records), "pool": 10 * step, "trained": bool(step), "truncated_records": 0}
    return {"step": step, **counts, "rejected": {}, **report, "allocation": {}, "seconds": {"fit": 1.0}}


def _write_step(
    folder: Path, step: int, scores: dict[str, list[float]], records: list[TrainingRecord], task: ToyTask
) -> None:
    own = folder / f"step_{step:02d}"
    own.mkdir()
    rows = [
        {
            **{"split": split, "instance_id": instance.instance_id, "skill": None, "text": "", "score": score},
            **{"truncated": False, "cluster": task.cluster_of(instance)},
        }
        for split, values in scores.items()
        for instance, score in zip(task.instances(split), values, strict=True)
    ]
    write_json_lines(own / "predictions.jsonl", rows)
    if step:
        write_json_lines(own / "records.jsonl", records, folder / "images")


def a_run(
    seed: int = 0,
    val: Sequence[Sequence[float]] = ((0, 0, 1, 1), (0, 1, 1, 1)),
    test: Sequence[Sequence[float]] = ((0, 0, 1, 1), (1, 1, 1, 1)),
    clusters: dict[str, list[str]] | None = None,
    config: dict[str, Any] | None = None,
    **summary: Any,
) -> Run:
    """A run of as many steps as there are scores that is nowhere on disk: what teachers are compared by.

    The first two instances of a split are of the skill "one", all others of "two".
    """

    def report(scores: Sequence[float]) -> dict[str, Any]:
        parts = {"one": scores[:2], "two": scores[2:]}
        skills = {name: {"value": sum(part) / len(part), "n": len(part)} for name, part in parts.items()}
        return {"overall": {"value": sum(scores) / len(scores), "n": len(scores)}, "skills": skills}

    lines = [
        {
            **{"step": step, "trained": True, "pool": 10 * step, "cost": {"usd": 0.5 * step}},
            "allocation": {"one": 6, "two": 4} if step else {},
            **{"val": report(val[step]), "test": report(test[step])},
        }
        for step in range(len(test))
    ]
    run = Run(Path("a-run"))
    run._episode, run.clusters = (lines, None), clusters or {}
    run.scores = {step: {"val": list(val[step]), "test": list(test[step])} for step in range(len(test))}
    run.config, run.summary = config or {}, {"seed": seed, **summary}
    return run
