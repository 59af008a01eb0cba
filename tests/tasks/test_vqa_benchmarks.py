"""GQA, NaturalBench and NLVR out of local folders, and out of a hub's data set: samples, scores, one-line errors."""

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tasks.base import Task
from tasks.benchmark_rows import BenchmarkRow
from tasks.errors import ConfigurationError, DataEnvGymError, MissingFileError, RecordError
from tasks.images import Image
from tasks.types import Prediction, Split, TaskInstance, TrainingRecord
from tasks.vqa import GQATask, NaturalBenchTask, NLVRTask
from tasks.vqa.gqa import without_equivalents
from tasks.vqa.naturalbench import group_scores
from tests.tasks.vqa_folders import (
    TYPES,
    gqa_row,
    made,
    make_gqa,
    make_naturalbench,
    make_nlvr,
    nlvr_item,
    write_rows,
)

GOOD = {"instruction": "What is it?", "image_description": "A cat on a mat.", "response": "cat"}


def one_line(call: Any, error: type[DataEnvGymError], match: str) -> None:
    with pytest.raises(error, match=match) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_gqa_samples_each_type_and_reads_its_images() -> None:
    task = GQATask(str(made("gqa")))
    for split in ("val", "test"):
        instances = task.instances(split)
        assert Counter(instance.skill for instance in instances) == dict.fromkeys(TYPES, 5)
        assert all(instance.image is not None for instance in instances)
        assert all("image" not in instance.metadata and instance.metadata["imageId"] for instance in instances)
    other = GQATask(str(made("gqa")), seed=1)
    ids = [{instance.instance_id for instance in one.instances("val")} for one in (task, other)]
    assert ids[0] != ids[1]
    assert len(GQATask(str(made("gqa")), per_type=20).instances("val")) == 8 * len(TYPES)  # all that there are


def test_gqa_leaves_out_what_is_equivalent_to_an_earlier_question() -> None:
    lists: list[Any] = [["00000000", "00000001"], ["00000002"], "['00000004', '00000002']", None, []]
    rows = [BenchmarkRow(i, gqa_row(i, "x", "n", listed), "here") for i, listed in enumerate(lists)]
    # 1 is out by 0, and so does not speak for 2; 2 is kept and puts out 4.
    assert [row.index for row in without_equivalents(rows)] == [0, 2, 3]


def test_gqa_training_pool_is_the_train_split() -> None:
    pool = GQATask(str(made("gqa"))).training_pool()
    assert len(pool) == 32 and all(record.image is not None and record.skill in TYPES for record in pool)


def test_gqa_scores_words_and_not_their_dress() -> None:
    task = GQATask(str(made("gqa")))
    instance = TaskInstance("x", "?", "dining table")
    assert [task.score(instance, reply) for reply in ("dining table", " Dining  table.")] == [1.0, 1.0]
    assert [task.score(instance, reply) for reply in ("table", "a dining table", "")] == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("task", [GQATask(str(made("gqa"))), NaturalBenchTask(str(made("naturalbench")), groups=5)])
def test_records_come_without_their_image_yet(task: GQATask | NaturalBenchTask) -> None:
    record = task.parse_record(GOOD)
    assert record.image is None and record.answer == "cat" and task.fault_of(record) is None
    example = task.parse_record(task.domain_text.example)
    assert task.fault_of(example) is None
    one_line(lambda: task.parse_record({**GOOD, "image_description": " "}), RecordError, "image_description")
    one_line(lambda: task.draw("a cat"), ConfigurationError, "text-to-image")
    one_line(lambda: task.instances("train"), ConfigurationError, "records come from")


def test_gqa_says_in_one_line_what_is_wrong(tmp_path: Path) -> None:
    folder = make_gqa(tmp_path / "gqa")
    one_line(lambda: GQATask(str(folder), per_type=0), ConfigurationError, "per_type is 0")
    one_line(lambda: GQATask(str(tmp_path / "nowhere")), MissingFileError, "nowhere")
    for image in (folder / "images").iterdir():
        image.unlink()
    one_line(lambda: GQATask(str(folder)).instances("val"), MissingFileError, "has no image n0")
    rows = [json.loads(line) for line in (folder / "val.jsonl").read_text().splitlines()]
    write_rows(folder / "val.jsonl", [{**rows[0], "types": None}])
    one_line(lambda: GQATask(str(folder)).instances("val"), RecordError, r"line 1: the field types.detailed")
    (folder / "train.jsonl").unlink()
    one_line(lambda: GQATask(str(folder)).training_pool(), ConfigurationError, "train.jsonl")


def test_without_a_network_the_way_out_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("DATAENVGYM_DATA_DIR", raising=False)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    for task in (GQATask(), NaturalBenchTask()):
        one_line(lambda task=task: task.instances("val"), MissingFileError, "--task.init_args.path")
    one_line(NLVRTask, MissingFileError, "DATAENVGYM_DATA_DIR")


def test_the_data_directory_is_looked_into(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    make_naturalbench(tmp_path / "naturalbench")
    make_nlvr(tmp_path / "nlvr")
    monkeypatch.setenv("DATAENVGYM_DATA_DIR", str(tmp_path))
    assert len(NaturalBenchTask(groups=2).instances("val")) == 8
    assert NLVRTask().instances("test")


def test_rows_of_the_hub_are_read_as_those_of_a_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A data set in the hub's layout, images inside its files, through the same library that reads the hub."""
    import datasets

    monkeypatch.delenv("DATAENVGYM_DATA_DIR", raising=False)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    folder, hub = made("gqa"), tmp_path / "hub"
    configs = []
    for split in ("val", "testdev"):
        rows = [json.loads(line) for line in (folder / f"{split}.jsonl").read_text().splitlines()]
        images = [
            {"id": file.stem, "image": {"bytes": file.read_bytes(), "path": None}}
            for file in sorted((folder / "images").iterdir())
        ]
        features = datasets.Features({"id": datasets.Value("string"), "image": datasets.Image()})
        for kind, data in (
            (
                "instructions",
                datasets.Dataset.from_list([{**row, "equivalent": str(row["equivalent"])} for row in rows]),
            ),
            ("images", datasets.Dataset.from_list(images, features=features)),
        ):
            config = f"{split}_balanced_{kind}"
            data.to_parquet(hub / config / f"{split}-00000.parquet")
            configs.append({"config_name": config, "data_files": [{"split": split, "path": f"{config}/*.parquet"}]})
    (hub / "README.md").write_text(f"---\nconfigs: {json.dumps(configs)}\n---\n")
    local, remote = GQATask(str(folder)), GQATask(hub_id=str(hub))
    for split in ("val", "test"):
        ours, theirs = local.instances(split), remote.instances(split)
        assert [(i.instance_id, i.image, i.answer, i.skill) for i in ours] == [
            (i.instance_id, i.image, i.answer, i.skill) for i in theirs
        ]
    one_line(remote.training_pool, ConfigurationError, "train.jsonl")


def test_naturalbench_of_the_hub_is_read_in_part(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import datasets

    monkeypatch.delenv("DATAENVGYM_DATA_DIR", raising=False)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    folder = made("naturalbench")
    rows = [json.loads(line) for line in (folder / "train.jsonl").read_text().splitlines()]
    for row in rows:
        for field in ("Image_0", "Image_1"):
            row[field] = {"bytes": (folder / row[field]).read_bytes(), "path": None}
    data = datasets.Dataset.from_list(rows)
    for field in ("Image_0", "Image_1"):
        data = data.cast_column(field, datasets.Image())
    data.to_parquet(tmp_path / "hub" / "train.parquet")
    remote = NaturalBenchTask(groups=5, hub_id=str(tmp_path / "hub"), revision=None)
    local = NaturalBenchTask(str(folder), groups=5)
    for split in ("val", "test"):
        assert [(i.instance_id, i.image) for i in remote.instances(split)] == [
            (i.instance_id, i.image) for i in local.instances(split)
        ]


def test_naturalbench_takes_exactly_the_groups_it_says(tmp_path: Path) -> None:
    task = NaturalBenchTask(str(made("naturalbench")), groups=5)
    val, test = task.instances("val"), task.instances("test")
    assert [instance.metadata["Index"] for instance in val[::4]] == [0, 1, 2, 3, 4]
    assert [instance.metadata["Index"] for instance in test[::4]] == [7, 8, 9, 10, 11]
    assert [instance.instance_id for instance in val[:4]] == [
        f"naturalbench_0_image_{image}_question_{question}" for question in (0, 1) for image in (0, 1)
    ]
    assert val[0].instruction == "Is thing 0 first? Answer yes or no." and val[0].image != val[1].image
    assert val[0].image == val[2].image and [instance.answer for instance in val[:4]] == ["Yes", "No", "No", "Yes"]
    assert task.slices_of(val[4]) == {"question_type": "multiple_choice", "source": "Flickr"}
    assert len(make_naturalbench(tmp_path / "full", 101).joinpath("train.jsonl").read_text().splitlines()) == 101
    full = NaturalBenchTask(str(tmp_path / "full"))
    assert [len(full.instances(split)) for split in ("val", "test")] == [200, 200]  # 50 groups each
    one_line(
        lambda: NaturalBenchTask(str(made("naturalbench"))).instances("val"), ConfigurationError, "two splits of 50"
    )
    one_line(lambda: NaturalBenchTask(groups=0), ConfigurationError, "groups is 0")


def groups_of(*expected: tuple[int, int, int, int]) -> list[TaskInstance]:
    places = [(question, image) for question in (0, 1) for image in (0, 1)]
    return [
        TaskInstance(f"{group}-{q}-{i}", "?", "Yes", metadata={"Index": group, "question": q, "image": i})
        for group, _ in enumerate(expected)
        for q, i in places
    ]


def test_naturalbench_group_scores() -> None:
    """The two groups of which the replies' codes are (1,0,0,1) and (1,1,0,1), where (1,0,0,1) is all right."""
    codes = ((1, 0, 0, 1), (1, 1, 0, 1))
    right = (1, 0, 0, 1)
    scores = [float(code == want) for group in codes for code, want in zip(group, right, strict=True)]
    names = ("question", "image", "binary", "group")
    assert group_scores(groups_of(*codes), scores) == dict(zip(names, (0.75, 0.75, 0.875, 0.5), strict=True))
    assert group_scores(groups_of(*codes), [0.0] * 8) == dict.fromkeys(names, 0.0)
    one_line(lambda: group_scores(groups_of(*codes)[:-1], scores[:-1]), RecordError, r"incomplete: \[1\]")


def test_naturalbench_group_scores_reach_the_report() -> None:
    task = NaturalBenchTask(str(made("naturalbench")), groups=5)
    instances = task.instances("val")
    right = [Prediction(one.instance_id, one.answer, 1.0) for one in instances]
    assert task.extra_metrics("val", right) == {"question": 1.0, "image": 1.0, "binary": 1.0, "group": 1.0}
    assert task.extra_metrics("val", right[:3]) == {}
    one_line(lambda: group_scores([], []), RecordError, "whole groups")


def test_naturalbench_rows_must_be_sound(tmp_path: Path) -> None:
    folder = make_naturalbench(tmp_path / "nb", 4)
    rows = [json.loads(line) for line in (folder / "train.jsonl").read_text().splitlines()]
    for change, match in (
        ({"Question_Type": "essay"}, "line 1: Question_Type 'essay'"),
        ({"Image_1_Question_0": "maybe"}, "'maybe' is no answer"),
        ({"Image_0": 7}, "must be the path of a file"),
        ({"Question_0": ""}, "'Question_0'"),
    ):
        write_rows(folder / "train.jsonl", [{**rows[0], **change}, *rows[1:]])
        one_line(lambda: NaturalBenchTask(str(folder), groups=2).instances("val"), RecordError, match)


def test_nlvr_keeps_the_scenes_of_a_sentence_together(tmp_path: Path) -> None:
    task = NLVRTask(str(make_nlvr(tmp_path / "nlvr", 30)))
    sides = [{instance.metadata["sentence"] for instance in task.instances(split)} for split in ("val", "test")]
    assert not sides[0] & sides[1] and [len(side) for side in sides] == [10, 20]
    instance = task.instances("val")[0]
    assert instance.instruction.endswith("items. True or false?")
    assert task.score(instance, instance.answer.upper() + ".") == 1.0
    assert task.score(instance, "true or false") == 0.0
    assert {task.slices_of(i)["scene"] for i in task.instances("test")} == {"tower", "scattered"}


def sizes_of_groups(task: Task, split: Split) -> Counter[int]:
    groups = Counter(task.cluster_of(instance) for instance in task.instances(split))
    assert None not in groups
    return Counter(groups.values())


def test_instances_come_in_the_groups_of_their_benchmark(tmp_path: Path) -> None:
    naturalbench = NaturalBenchTask(str(made("naturalbench")), groups=5)
    assert sizes_of_groups(naturalbench, "val") == {4: 5}
    assert not {naturalbench.cluster_of(i) for i in naturalbench.instances("val")} & {
        naturalbench.cluster_of(i) for i in naturalbench.instances("test")
    }
    gqa = GQATask(str(made("gqa")))
    assert {gqa.cluster_of(i) for i in gqa.instances("test")} == {f"n1{number}" for number in range(5)}
    assert sizes_of_groups(NLVRTask(str(make_nlvr(tmp_path / "nlvr", 30))), "test") == {2: 20}


def test_a_sentence_that_was_written_twice_is_one_group() -> None:
    task = NLVRTask(str(made("nlvr")))
    twice = [
        TaskInstance(name, "?", "true", metadata={"sentence": said})
        for name, said in (("12-0", "There is a tower."), ("98-3", "there is a  tower."), ("98-1", "There is a box."))
    ]
    assert [task.cluster_of(instance) == task.cluster_of(twice[0]) for instance in twice] == [True, True, False]


@pytest.mark.parametrize("make", [lambda: GQATask(str(made("gqa"))), lambda: NLVRTask(str(made("nlvr")))])
def test_a_record_seen_as_an_instance_is_in_no_group(make: Any) -> None:
    task = make()
    assert task.cluster_of(task.as_instance(TrainingRecord("Is it?", "yes", "yes"))) is None


def test_nlvr_draws_its_own_notation() -> None:
    task = NLVRTask(str(made("nlvr")))
    instance = task.instances("val")[0]
    assert task.draw(json.dumps(instance.metadata["scene"])) == instance.image
    bad = [[nlvr_item(size=90)], [], []]
    for description in ("", "[]", "[" * 9999, "a cat", json.dumps(bad), json.dumps([[{"type": "cat"}], [], []])):
        one_line(lambda description=description: task.draw(description), RecordError, "a scene|an item")


def test_nlvr_rows_must_be_sound(tmp_path: Path) -> None:
    folder = make_nlvr(tmp_path / "nlvr")
    row = json.loads((folder / "dev.jsonl").read_text().splitlines()[0])
    for change, match in (({"label": "maybe"}, "label is 'maybe'"), ({"scene": [[], []]}, "line 1: a scene has 3")):
        write_rows(folder / "dev.jsonl", [{**row, **change}])
        one_line(lambda: NLVRTask(str(folder)).instances("val"), RecordError, match)
    one_line(lambda: NLVRTask(str(folder), val_share=1.0), ConfigurationError, "val_share")


NLVR = Path(os.environ.get("DATAENVGYM_DATA_DIR", "nowhere")) / "nlvr"


@pytest.mark.skipif(not NLVR.is_dir(), reason="set DATAENVGYM_DATA_DIR to a directory with NLVR's rows")
def test_real_nlvr_loads_is_scored_and_is_drawn_as_it_was() -> None:
    from tasks.vqa.nlvr_scenes import agreement, draw_boxes

    task = NLVRTask(str(NLVR))
    instances = [*task.instances("val"), *task.instances("test")]
    assert len(instances) == 300
    assert len({task.cluster_of(instance) for instance in instances}) < 190
    for instance in instances:
        assert isinstance(instance.image, Image)
        assert task.score(instance, instance.answer) == 1.0
        assert task.score(instance, {"true": "false", "false": "true"}[instance.answer]) == 0.0
        near, same = agreement(draw_boxes(instance.metadata["scene"]), instance.image.picture())
        assert near == 1.0 and same > 0.999, instance.instance_id
