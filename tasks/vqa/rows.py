"""What the benchmarks about images share: images out of rows, and records whose image is described first."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from tasks.base import SplitTask
from tasks.errors import MissingFileError, RecordError
from tasks.images import Image
from tasks.records import record_from_mapping
from tasks.types import TrainingRecord

_SUFFIXES = (".jpg", ".png", ".jpeg", ".webp")


class DescribedRecord(BaseModel):
    """The fields of a record about an image that is described first and drawn later."""

    model_config = ConfigDict(extra="forbid")

    instruction: str
    image_description: str
    response: str


def described_record(reply: Mapping[str, Any]) -> tuple[TrainingRecord, str]:
    """A record from ``instruction``, ``image_description`` and ``response``, and the description of its image."""
    record = record_from_mapping(reply)
    description = reply.get("image_description")
    if not isinstance(description, str) or not description.strip():
        raise RecordError(f"a record needs a non-empty text 'image_description', found {description!r:.60}")
    return record, description


class DescribedTask(SplitTask):
    """A benchmark about photographs, for which a teacher writes a description and an illustrator makes the image."""

    schemas = (DescribedRecord,)

    def parse_record(self, reply: Mapping[str, Any]) -> TrainingRecord:
        """A record without its image, for an illustrator to make after ``image_description``."""
        return described_record(reply)[0]


def image_of(value: Any, folder: Path | None, where: str) -> Image:
    """The image in a row's field: a path in the rows' folder, a hub's bytes, or a picture of Pillow.

    Raises:
        MissingFileError: The path names no file.
        RecordError: The field is none of these, or the image cannot be used.
    """
    if isinstance(value, str) and value and folder is not None:
        try:
            return Image.within(folder, value)
        except (RecordError, MissingFileError) as error:
            raise type(error)(f"{where}: {error}") from error
    if isinstance(value, Mapping):
        if isinstance(value.get("bytes"), bytes):
            return Image(value["bytes"])
        return image_of(value.get("path"), folder, where)
    if hasattr(value, "convert"):
        return Image.drawn(value.convert("RGB"))
    raise RecordError(f"{where}: an image must be the path of a file, found {value!r:.60}; mend or delete that row.")


def image_by_id(folder: Path, image_id: str) -> Image:
    """The image ``images/<id>`` of a folder, whatever its format.

    Raises:
        MissingFileError: There is no such image.
        RecordError: It lies outside the folder, or cannot be used.
    """
    for suffix in _SUFFIXES:
        name = f"images/{image_id}{suffix}"
        if (folder / name).is_file():
            return Image.within(folder, name)
    raise MissingFileError(f"{folder / 'images'} has no image {image_id}.jpg: copy the benchmark's images there.")


def plain_fields(fields: Mapping[str, Any], *images: str) -> dict[str, Any]:
    """A row's fields without its images, as an instance's metadata."""
    return {key: value for key, value in fields.items() if key not in images}
