"""Images of instances and records: file contents that are equal by content, stored once, drawn on demand."""

from __future__ import annotations

import hashlib
import io
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.errors import MissingFileError, RecordError

if TYPE_CHECKING:
    from PIL.Image import Image as PILImage

_SUFFIXES = {b"\x89PNG": ".png", b"\xff\xd8\xff": ".jpg", b"RIFF": ".webp", b"GIF8": ".gif"}


class Image:
    """One image, as the content of its file; immutable, and so equal, hashable and cheap to hand around.

    Args:
        content: A PNG, JPEG, WebP or GIF file's bytes.

    Raises:
        RecordError: The bytes are of no such file.
    """

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.suffix = next((suffix for head, suffix in _SUFFIXES.items() if content.startswith(head)), "")
        if not self.suffix:
            raise RecordError(f"an image must be a PNG, JPEG, WebP or GIF file; its first bytes are {content[:8]!r}")

    @classmethod
    def drawn(cls, picture: PILImage) -> Image:
        """The image of a picture in memory, as PNG: no pixel changes."""
        buffer = io.BytesIO()
        picture.save(buffer, format="PNG")
        return cls(buffer.getvalue())

    @classmethod
    def read(cls, path: str | Path) -> Image:
        """The image in a file.

        Raises:
            MissingFileError: There is no such file.
            RecordError: It is no image file.
        """
        path = Path(path)
        if not path.is_file():
            raise MissingFileError(f"the image {path} does not exist: copy the images folder along with its records.")
        return cls(path.read_bytes())

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the content: the image's name in a store."""
        return hashlib.sha256(self.content).hexdigest()

    @property
    def name(self) -> str:
        """File name in a store."""
        return self.digest[:32] + self.suffix

    def picture(self) -> PILImage:
        """The pixels, as an RGB picture of Pillow."""
        from PIL import Image as pillow

        return pillow.open(io.BytesIO(self.content)).convert("RGB")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Image) and self.content == other.content

    def __hash__(self) -> int:
        return hash(self.digest)

    def __deepcopy__(self, memo: dict[int, Any]) -> Image:
        return self  # immutable: dataclasses.asdict and students' copies share it

    def __repr__(self) -> str:
        return f"Image({self.name})"
