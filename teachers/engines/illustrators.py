"""Illustrators: make the images that records describe, by the task's own drawing or by a text-to-image model."""

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tasks.base import Task
from tasks.errors import ConfigurationError, RecordError
from tasks.images import Image
from tasks.records import write_atomic


class Illustrator(ABC):
    """Makes images after descriptions. Subclasses take the task as their first argument."""

    @abstractmethod
    def illustrate(self, descriptions: Sequence[str]) -> list[Image | None]:
        """The image of each description, in order; None for one that cannot be drawn."""


class TaskIllustrator(Illustrator):
    """Draws with the task itself, if it can draw: exactly what a description says, always the same."""

    def __init__(self, task: Task) -> None:
        self._task = task

    def illustrate(self, descriptions: Sequence[str]) -> list[Image | None]:
        """The image of each description, in order; None for one that the task cannot read."""
        images: list[Image | None] = []
        for description in descriptions:
            try:
                images.append(self._task.draw(description))
            except RecordError:
                images.append(None)
        return images


class KeepingIllustrator(Illustrator):
    """What text-to-image models share: an image costs time or money, so each is made once and kept in a folder.

    That also makes an interrupted step resumable. Images are kept by description and ``settings`` (what else decides
    them); without a folder nothing is kept.
    """

    def __init__(self, folder: str | None, settings: Mapping[str, Any]) -> None:
        self._folder = None if folder is None else Path(folder)
        self._settings = dict(settings)

    def illustrate(self, descriptions: Sequence[str]) -> list[Image | None]:
        """The image of each description, in order; equal descriptions have one image. None for what is not drawn.

        Raises:
            ConfigurationError: The model cannot be used at all.
            StorageError: The folder cannot be written.
        """
        images: dict[str, Image | None] = {}
        for description in descriptions:
            file = self._file(description)
            images[description] = Image.read(file) if file is not None and file.is_file() else None
        missing = [description for description, image in images.items() if image is None]
        for description, image in self._made(missing) if missing else ():
            images[description] = image
            if image is not None:
                self._keep(description, image)
        return [images[description] for description in descriptions]

    @abstractmethod
    def _made(self, descriptions: Sequence[str]) -> Iterator[tuple[str, Image | None]]:
        """Each description with its image, as soon as it is there."""

    def _file(self, description: str) -> Path | None:
        if self._folder is None:
            return None
        name = json.dumps([type(self).__name__, self._settings, description], sort_keys=True)
        return self._folder / hashlib.sha256(name.encode()).hexdigest()[:32]

    def _keep(self, description: str, image: Image) -> None:
        file = self._file(description)
        if file is not None:
            try:
                file.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise ConfigurationError(
                    f"Cannot make {file.parent} ({error.strerror}): set another folder."
                ) from error
            write_atomic(file, image.content)
