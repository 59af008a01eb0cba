"""NaturalBench: groups of two questions and two images with opposite answers (Li et al., 2024)."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from tasks.benchmark_rows import BenchmarkRow, BenchmarkRows
from tasks.choices import LETTERS, YES_NO, choose
from tasks.errors import ConfigurationError, RecordError, check_range
from tasks.images import Image
from tasks.replies import clean_answer
from tasks.types import Prediction, Split, TaskInstance
from tasks.vqa.rows import DescribedTask, image_of, plain_fields
from tasks.vqa.scoring import same_answer

HUB_ID = "BaiqiL/NaturalBench"
REVISION = "21c415e3d60cdbabad4a02feaa2e4643789612f4"  # the one that the authors of DataEnvGym pin

_REQUESTS = {"yes_no": "Answer yes or no.", "multiple_choice": "Answer with the letter of the right option."}
_SIDES = (0, 1)

_OPTIONS = {"yes_no": YES_NO, "multiple_choice": LETTERS}


def group_scores(instances: Sequence[TaskInstance], scores: Sequence[float]) -> dict[str, float]:
    """The benchmark's own four scores, each a share in [0, 1].

    ``question``: questions answered rightly for both images; ``image``: images for which both questions are;
    ``binary``: single answers that are right; ``group``: groups of which all four are, the benchmark's headline.

    Raises:
        RecordError: There are none, or a group lacks one of its four instances.
    """
    groups: dict[int, dict[tuple[int, int], bool]] = {}
    for instance, score in zip(instances, scores, strict=True):
        place = (int(instance.metadata["question"]), int(instance.metadata["image"]))
        groups.setdefault(int(instance.metadata["Index"]), {})[place] = score == 1.0
    if not groups or any(len(group) != 4 for group in groups.values()):
        broken = [index for index, group in groups.items() if len(group) != 4]
        raise RecordError(f"NaturalBench scores need whole groups of 4 instances; incomplete: {broken[:5] or 'all'}.")
    values = list(groups.values())
    count = len(values)
    return {
        "question": sum(group[q, 0] and group[q, 1] for group in values for q in _SIDES) / (2 * count),
        "image": sum(group[0, i] and group[1, i] for group in values for i in _SIDES) / (2 * count),
        "binary": sum(right for group in values for right in group.values()) / (4 * count),
        "group": sum(all(group.values()) for group in values) / count,
    }


class NaturalBenchTask(DescribedTask):
    """The first groups of the benchmark as validation, the last as test, four instances each.

    The authors of DataEnvGym meant 50 and 50 groups and took 51 for validation; here it is 50.

    Args:
        path: Folder with the benchmark's rows in ``train.jsonl`` (its only split), image fields being paths from
            there. None takes ``naturalbench`` under DATAENVGYM_DATA_DIR, or else the hub.
        groups: Groups in each split.
        hub_id: The data set on the Hugging Face hub.
        revision: Its commit; None takes the newest.

    Raises:
        ConfigurationError: The number of groups is not positive.
        MissingFileError: The folder does not exist.
    """

    name: ClassVar[str] = "naturalbench"
    no_train = "NaturalBench is for evaluation only: records come from a teacher."

    def __init__(
        self, path: str | None = None, groups: int = 50, hub_id: str = HUB_ID, revision: str | None = REVISION
    ) -> None:
        check_range("task.init_args", groups=groups)
        self.groups = groups
        self._rows = BenchmarkRows(self.name, path, hub_id, revision)

    def score(self, instance: TaskInstance, text: str) -> float:
        """1.0 if the reply chooses the right one of yes and no, or of A and B, else 0.0.

        A question that the reply repeats first is passed over, since it names both answers. A record of a teacher
        may have an answer of another kind; then its very words are right.
        """
        text = text.strip().removeprefix(instance.instruction)
        answer = clean_answer(instance.answer)
        if answer in LETTERS.words:
            return float(choose(text, LETTERS) == answer)
        return float(same_answer(instance.answer, text))

    def slices_of(self, instance: TaskInstance) -> Mapping[str, str]:
        """The kind of question and the collection that the images are from."""
        names = {"question_type": "Question_Type", "source": "Source"}
        return {kind: str(instance.metadata[field]) for kind, field in names.items() if instance.metadata.get(field)}

    def reference(self, instance: TaskInstance) -> str | None:
        """The bare answer."""
        return instance.answer

    def cluster_of(self, instance: TaskInstance) -> str | None:
        """The group: two questions about the same two images, built so that no one answer suits both images."""
        index = instance.metadata.get("Index")
        return None if index is None else str(index)

    def extra_metrics(self, split: Split, predictions: Sequence[Prediction]) -> Mapping[str, float]:
        """The question, image, binary and group scores; none if the predictions are of a part of the split."""
        instances = self.instances(split)
        if len(predictions) != len(instances):
            return {}
        return group_scores(instances, [prediction.score for prediction in predictions])

    def make_split(self, split: Split) -> list[TaskInstance]:
        """The instances of a split, group by group: question 0 of image 0 and 1, then question 1."""
        if self._rows.folder is None:
            part = f"[:{self.groups}]" if split == "val" else f"[-{self.groups}:]"
            rows = self._rows.read(f"train{part}")  # the hub hands over a part and decodes no other images
        else:
            rows = self._rows.read("train")
            if len(rows) < 2 * self.groups:
                raise ConfigurationError(
                    f"{self._rows.source} has {len(rows)} groups, two splits of {self.groups} need {2 * self.groups}: "
                    "lower --task.init_args.groups."
                )
            rows = rows[: self.groups] if split == "val" else rows[-self.groups :]
        made = []
        for row in rows:
            kind, index = row.text("Question_Type"), row.fields.get("Index")
            if kind not in _REQUESTS or not isinstance(index, int):
                raise RecordError(
                    f"{row.where}: Question_Type {kind!r} must be one of {', '.join(_REQUESTS)} and Index {index!r} a "
                    "number; mend or delete that row."
                )
            images = [image_of(row.fields.get(f"Image_{side}"), self._rows.folder, row.where) for side in _SIDES]
            made += [self._instance(row, kind, question, side, images[side]) for question in _SIDES for side in _SIDES]
        return made

    def _instance(self, row: BenchmarkRow, kind: str, question: int, side: int, image: Image) -> TaskInstance:
        answer = row.text(f"Image_{side}_Question_{question}").strip()
        if choose(answer, _OPTIONS[kind]) is None:
            raise RecordError(f"{row.where}: {answer!r} is no answer to a {kind} question; mend or delete that row.")
        fields = plain_fields(row.fields, "Image_0", "Image_1")
        return TaskInstance(
            instance_id=f"naturalbench_{row.fields['Index']}_image_{side}_question_{question}",
            instruction=f"{row.text(f'Question_{question}').strip()} {_REQUESTS[kind]}",
            answer=answer,
            metadata={**fields, "question": question, "image": side},
            image=image,
        )
