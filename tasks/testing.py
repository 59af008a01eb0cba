"""The contract that every task passes: ``check_task(MyTask)`` is a new task's whole test."""

import json
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict

from tasks.base import ProceduralTask, Task, identity, split_of
from tasks.types import Split, TaskInstance

_SPLITS: tuple[Split, Split] = ("val", "test")

# Replies that break careless scorers: empty, no text, very long, deeply nested, code, numbers that are none.
HOSTILE_REPLIES = (
    "",
    " \n\t",
    "\x00",
    "\ud800",
    "I do not know.",
    "🦆" * 50,
    "9" * 10_000,
    "9**9**9**9",
    "1e999999999",
    "-" * 3_000,
    "(" * 3_000,
    "\\frac{" * 1_000,
    "\\boxed{" * 1_000 + "1",
    "1/0",
    "nan",
    "inf, -inf",
    "2 \u00d7 " * 1_000,
    "null",
    "[" * 2_000 + "]" * 2_000,
    "__import__('os').getcwd()",
    "```python\nraise SystemExit\n```",
    "<img src=x>",
    "a, b, " * 1_000,
)

# How many instances of a split the slower checks look at. Drawn, not every n-th: skills often take turns.
_SAMPLE = 150


def check_task(make: Callable[[], Task], distinct: int = 200) -> None:
    """Checks a task against its contract.

    ``make`` is called twice, since two tasks of the same settings must be equal. Each subskill of a procedural task
    must yield ``distinct`` training questions: with fewer, what looks like a skill is memory.
    """
    task, again = make(), make()
    assert isinstance(task, Task), f"{make} made {type(task).__name__}, which is no Task"
    assert isinstance(task.name, str) and task.name, f"{type(task).__name__} has no name"
    for split in _SPLITS:
        _check_instances(task, again, split)
    _check_disjoint(task)
    for split in _SPLITS:
        _check_scoring(task, _sample(task.instances(split)))
    _check_domain_text(task)
    if isinstance(task, ProceduralTask):
        assert isinstance(again, ProceduralTask)
        _check_skills(task)
        _check_seeds(task)
        _check_records(task, again, distinct)
        _check_similar(task)


def _sample(instances: Sequence[TaskInstance]) -> list[TaskInstance]:
    return random.Random(0).sample(list(instances), min(_SAMPLE, len(instances)))


def _check_instances(task: Task, again: Task, split: Split) -> None:
    instances = task.instances(split)
    assert len(instances) > 0, f"{task.name} has no {split} instances"
    assert list(instances) == list(again.instances(split)), f"{task.name}: two constructions differ on {split}"
    assert list(instances) == list(task.instances(split)), (
        f"{task.name}: asking twice for {split} gives other instances"
    )
    for instance in instances:
        where = f"{task.name}, {split} instance {instance.instance_id!r}"
        assert instance.instance_id, f"{task.name}: a {split} instance has no id"
        assert instance.instruction.strip(), f"{where} has an empty instruction"
        assert instance.answer.strip(), f"{where} has an empty answer"
        plain = {key: value for key, value in asdict(instance).items() if key != "image"}
        assert json.loads(json.dumps(plain)) == plain, f"{where} does not survive JSON: metadata must be plain values"
        cluster = task.cluster_of(instance)
        assert cluster is None or (isinstance(cluster, str) and cluster), f"{where} is in the group {cluster!r}"
        _check_no_label(task, instance)


def _check_no_label(task: Task, instance: TaskInstance) -> None:
    """An instruction must not carry the name of its skill as a label: the student would be told what is hidden."""
    text = instance.instruction.lower()
    for name in filter(None, (instance.skill, instance.subskill)):
        labels = [f"{name}:", f"{name}/", f"[{name}]", f"({name})", *([name] if "_" in name else [])]
        for label in labels:
            assert label.lower() not in text, f"{task.name}: {instance.instruction!r} names its skill ({label})"


def _check_disjoint(task: Task) -> None:
    ids = Counter(instance.instance_id for split in _SPLITS for instance in task.instances(split))
    assert not (twice := [key for key, n in ids.items() if n > 1]), f"{task.name} repeats the ids {twice[:5]}"
    asked = {split: {identity(instance) for instance in task.instances(split)} for split in _SPLITS}
    shared = asked["val"] & asked["test"]
    if isinstance(task, ProceduralTask):  # a benchmark may repeat itself, which is its authors' affair
        assert not shared, f"{task.name}: val and test share {sorted(shared)[:3]}"
        for split in _SPLITS:
            assert len(asked[split]) == len(task.instances(split)), f"{task.name} repeats a question within {split}"


def _check_scoring(task: Task, instances: Sequence[TaskInstance]) -> None:
    wrong = []
    for position, instance in enumerate(instances):
        where = f"{task.name}, {instance.instance_id}"
        gold = task.score(instance, instance.answer)
        assert gold == 1.0, f"{where}: the right answer {instance.answer!r} scores {gold}"
        if (reference := task.reference(instance)) is not None:
            gold = task.score(instance, reference)
            assert gold == 1.0, f"{where}: the reference reply {reference!r} scores {gold}"
        for reply in (*HOSTILE_REPLIES, instance.instruction):
            score = task.score(instance, reply)
            assert isinstance(score, float) and 0.0 <= score <= 1.0, f"{where}: {reply[:40]!r} scores {score!r}"
        assert task.score(instance, "") == 0.0, f"{where}: an empty reply scores {task.score(instance, '')}"
        echo = task.score(instance, instance.instruction)
        assert echo < 1.0, f"{where}: repeating the question {instance.instruction!r} scores {echo}"
        other = instances[position - 1].answer
        score = task.score(instance, other)
        assert isinstance(score, float) and 0.0 <= score <= 1.0, f"{where}: {other[:40]!r} scores {score!r}"
        if other != instance.answer:
            wrong.append(score)
    if wrong:
        mean = sum(wrong) / len(wrong)
        assert mean < 0.5, f"{task.name}: other instances' answers score {mean:.2f} on average"


def _check_domain_text(task: Task) -> None:
    """The worked example that a teacher is shown must be a record that the environment would accept."""
    if type(task).domain_text is Task.domain_text and not task.schemas:
        return
    text = task.domain_text
    assert text.persona and text.topic and text.stages, f"{task.name}: the domain text has an empty part"
    assert all(stage.guide for stage in text.stages), f"{task.name}: a stage of the domain text has no guide"
    record = task.parse_record(text.example)
    instance = task.as_instance(record)
    for reply in (record.response, record.answer):
        score = task.score(instance, reply)
        assert score == 1.0, f"{task.name}: the domain text's example scores its own {reply!r} {score}"


def _check_skills(task: ProceduralTask) -> None:
    skills = task.skills()
    assert skills and len(set(skills)) == len(skills), f"{task.name}: skills {skills} are empty or repeated"
    for skill in skills:
        subskills = task.subskills(skill)
        assert subskills and len(set(subskills)) == len(subskills), f"{task.name}: {skill} has subskills {subskills}"
    for split in _SPLITS:
        for instance in task.instances(split):
            pair = (instance.skill, instance.subskill)
            assert pair in task.subskill_pairs(), f"{task.name}, {instance.instance_id}: {pair} is not its subskill"
            assert split_of(instance) == split, f"{task.name}, {instance.instance_id} belongs elsewhere"


def _check_seeds(task: ProceduralTask) -> None:
    reseeded = type(task)(seed=task.seed + 1, val_size=task.val_size, test_size=task.test_size)
    for split in _SPLITS:
        ours, theirs = ({identity(instance) for instance in one.instances(split)} for one in (task, reseeded))
        assert ours != theirs, f"{task.name}: another seed gives the same {split} instances"


def _check_records(task: ProceduralTask, again: ProceduralTask, distinct: int) -> None:
    for skill, subskill in task.subskill_pairs():
        where = f"{task.name}, {skill}/{subskill}"
        rng, same = random.Random(f"check/{skill}/{subskill}"), random.Random(f"check/{skill}/{subskill}")
        asked: set[str] = set()
        # Four draws for each question wanted: more repetition than that is a small space.
        for draw in range(4 * distinct):
            record = task.record(skill, subskill, rng)
            asked.add(identity(record))
            if draw < 20:
                assert record == again.record(skill, subskill, same), f"{where}: the same generator state differs"
                assert (record.skill, record.subskill) == (skill, subskill), f"{where}: a record of {record.skill}"
                assert split_of(record) == "train", f"{where}: {record.instruction!r} is no train question"
                instance = task.as_instance(record)
                for reply in (record.answer, record.response):
                    score = task.score(instance, reply)
                    assert score == 1.0, f"{where}: {record.instruction!r} scores its own {reply!r} {score}"
                _check_no_label(task, instance)
            if len(asked) >= distinct:
                break
        assert len(asked) >= distinct, f"{where} has about {len(asked)} distinct train questions, needs {distinct}"
        other = random.Random("another")
        assert any(
            task.record(skill, subskill, other) != task.record(skill, subskill, random.Random(i)) for i in range(5)
        ), f"{where}: every generator gives the same record"


def _check_similar(task: ProceduralTask) -> None:
    for instance in _sample(task.instances("val")):
        record = task.similar_record(instance.instance_id, random.Random(instance.instance_id))
        pair = (record.skill, record.subskill)
        assert pair == (instance.skill, instance.subskill), f"{task.name}: a record like {instance.skill} is of {pair}"
        assert task.score(instance, task.solution(instance)) == 1.0, f"{task.name}: a solution does not score 1"
        assert split_of(record) == "train", f"{task.name}: a similar record is not of the train split"
