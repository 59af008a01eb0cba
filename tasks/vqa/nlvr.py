"""NLVR (Suhr et al., 2017): whether a sentence that a person wrote is true of a drawn scene."""

import random
from collections.abc import Mapping
from typing import ClassVar

from tasks.base import SplitTask, normalise_text
from tasks.benchmark_rows import DATA_DIR, BenchmarkRow, BenchmarkRows
from tasks.errors import MissingFileError, RecordError, check_range
from tasks.images import Image
from tasks.replies import stated_answer
from tasks.types import Split, TaskInstance
from tasks.vqa.nlvr_scenes import check_boxes, drawn, read_boxes
from tasks.vqa.rows import image_of, plain_fields
from tasks.vqa.scoring import same_answer

_QUESTION = "True or false?"


class NLVRTask(SplitTask):
    """Statements about three boxes of coloured shapes, true or false.

    The rows of the development set are dealt into validation and test by their sentences, since each sentence was
    written for several scenes and must not be seen on both sides. The benchmark is not on the Hugging Face hub.

    Args:
        path: Folder with ``dev.jsonl`` (``id``, ``image``, ``sentence``, ``label``, ``scene``) and its images. None
            takes ``nlvr`` under the directory that DATAENVGYM_DATA_DIR names.
        seed: Seed of the deal.
        val_share: Share of the sentences that are validation.

    Raises:
        MissingFileError: The folder does not exist.
        ConfigurationError: The share leaves a split empty.
    """

    name: ClassVar[str] = "nlvr"
    no_train = "NLVR has no train split here: records come from a teacher."

    def __init__(self, path: str | None = None, seed: int = 0, val_share: float = 1 / 3) -> None:
        check_range("task.init_args", 0, 1, open_ends=True, val_share=val_share)
        self.seed = seed
        self.val_share = val_share
        self._rows = BenchmarkRows(self.name, path, hub_id="")
        if self._rows.folder is None:
            raise MissingFileError(
                f"NLVR has no copy on the hub: pass --task.init_args.path, a folder with dev.jsonl and its images, or "
                f"set {DATA_DIR} to a directory that has {self.name}/dev.jsonl."
            )

    def score(self, instance: TaskInstance, text: str) -> float:
        """1.0 if the reply chooses the right one of ``true`` and ``false``, else 0.0; a bare "yes" means true."""
        said = {"yes": "true", "no": "false"}.get(stated_answer(text), text)
        return float(same_answer(instance.answer, said))

    def slices_of(self, instance: TaskInstance) -> Mapping[str, str]:
        """Whether the scene is of towers, or of items scattered over the boxes."""
        items = [item for box in instance.metadata.get("scene", ()) for item in box]
        # Towers are built of squares of one size that stand in the middle of their box.
        tower = all(item["type"] == "square" and (item["x_loc"], item["size"]) == (40, 20) for item in items)
        return {"scene": "tower" if tower else "scattered"} if items else {}

    def reference(self, instance: TaskInstance) -> str | None:
        """The bare answer."""
        return instance.answer

    def cluster_of(self, instance: TaskInstance) -> str | None:
        """The sentence, which was written for several scenes: a word that a student does not know fails it in all.

        The number before an id's dash stands for the sentence too, but a sentence that was written twice has two.
        """
        sentence = instance.metadata.get("sentence")
        return None if sentence is None else normalise_text(str(sentence))

    def draw(self, description: str) -> Image:
        """The picture of a scene in NLVR's own notation, a JSON list of three lists of items."""
        return drawn(read_boxes(description))

    def make_split(self, split: Split) -> list[TaskInstance]:
        """The statements of a split, in the order of the file."""
        rows = [(normalise_text(row.text("sentence")), self._instance(row)) for row in self._rows.read("dev")]
        sentences = sorted({sentence for sentence, _ in rows})
        random.Random(f"nlvr/{self.seed}").shuffle(sentences)
        val = set(sentences[: round(self.val_share * len(sentences))])
        return [instance for sentence, instance in rows if (sentence in val) == (split == "val")]

    def _instance(self, row: BenchmarkRow) -> TaskInstance:
        sentence = row.text("sentence").strip()
        label = row.text("label").lower()
        if label not in ("true", "false"):
            raise RecordError(f"{row.where}: the label is {label!r}, it must be true or false; mend that row.")
        if "scene" in row.fields:
            try:
                check_boxes(row.fields["scene"])
            except RecordError as error:
                raise RecordError(f"{row.where}: {error}; mend or delete that row.") from None
        return TaskInstance(
            instance_id=row.text("id"),
            instruction=f"{sentence}{'' if sentence.endswith('.') else '.'} {_QUESTION}",
            answer=label,
            metadata=plain_fields(row.fields, "image"),
            image=image_of(row.fields.get("image"), self._rows.folder, row.where),
        )
