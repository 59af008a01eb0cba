"""Small local folders in the benchmarks' own rows, with drawn images, for tests of their loaders."""

import json
import random
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from tasks.vqa import ProceduralVQATask
from tasks.vqa.nlvr_scenes import drawn

TYPES = ("existAttrC", "categoryRelS", "directOf", "verifyColor")


def write_rows(file: Path, rows: Sequence[dict[str, Any]]) -> None:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def write_images(folder: Path, names: Sequence[str]) -> None:
    (folder / "images").mkdir(exist_ok=True)
    task, rng = ProceduralVQATask(), random.Random(str(folder.name))
    for name in names:
        image = task.record("counting", "all_shapes", rng).image
        assert image is not None
        (folder / "images" / name).write_bytes(image.content)


def gqa_row(number: int, kind: str, image_id: str, equivalent: Any = ()) -> dict[str, Any]:
    return {
        "id": f"{number:08d}",
        "imageId": image_id,
        "question": f"What is to the left of thing {number}?",
        "answer": f"thing{number % 7}",
        "types": {"structural": "query", "semantic": "rel", "detailed": kind},
        "equivalent": equivalent,
    }


def make_gqa(folder: Path, per_type: int = 8) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for place, split in enumerate(("val", "testdev", "train")):
        rows = []
        for number in range(per_type * len(TYPES)):
            own = 1000 * place + number
            rows.append(gqa_row(own, TYPES[number % len(TYPES)], f"n{place}{number % 5}", [f"{own:08d}"]))
        write_rows(folder / f"{split}.jsonl", rows)
        write_images(folder, [f"n{place}{number}.jpg" for number in range(5)])
    return folder


def naturalbench_row(index: int, kind: str) -> dict[str, Any]:
    right, wrong = ("Yes", "No") if kind == "yes_no" else ("A", "B")
    options = "" if kind == "yes_no" else " Option: A: red; B: blue;"
    return {
        "Index": index,
        "Question_Type": kind,
        "Source": "Flickr",
        "Question_0": f"Is thing {index} first?{options}",
        "Question_1": f"Is thing {index} second?{options}",
        "Image_0": f"images/{index}_0.png",
        "Image_1": f"images/{index}_1.png",
        "Image_0_Question_0": right,
        "Image_1_Question_0": wrong,
        "Image_0_Question_1": wrong,
        "Image_1_Question_1": right,
    }


def make_naturalbench(folder: Path, groups: int = 12) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    kinds = ("yes_no", "multiple_choice")
    write_rows(folder / "train.jsonl", [naturalbench_row(index, kinds[index % 2]) for index in range(groups)])
    write_images(folder, [f"{index}_{side}.png" for index in range(groups) for side in (0, 1)])
    return folder


def nlvr_item(kind: str = "square", colour: str = "Black", x: int = 40, y: int = 80, size: int = 20) -> dict[str, Any]:
    return {"type": kind, "color": colour, "x_loc": x, "y_loc": y, "size": size}


def make_nlvr(folder: Path, sentences: int = 9) -> Path:
    (folder / "images").mkdir(parents=True, exist_ok=True)
    rows = []
    for number in range(2 * sentences):
        item = nlvr_item() if number % 3 else nlvr_item("circle", "Yellow", number, 10, 30)
        scene = [[item], [], [nlvr_item(colour="#0099ff", y=80 - number % 5)]]
        file = f"images/{number}.png"
        (folder / file).write_bytes(drawn(scene).content)
        sentence = f"There are {number // 2} black items."
        label = ("true", "false")[number % 2]
        rows.append({"id": f"{number}-0", "image": file, "sentence": sentence, "label": label, "scene": scene})
    write_rows(folder / "dev.jsonl", rows)
    return folder


@cache
def made(name: str) -> Path:
    make = {"gqa": make_gqa, "naturalbench": make_naturalbench, "nlvr": make_nlvr}[name]
    return make(Path(tempfile.mkdtemp(prefix=f"{name}-")) / name)
