"""Images of instances and records: file contents that are equal by content, stored once, drawn on demand."""

from __future__ import annotations

import hashlib
import io
import re
import warnings
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.errors import MissingFileError, RecordError, failing_as

if TYPE_CHECKING:
    from PIL.Image import Image as PILImage

_SUFFIXES = {b"\x89PNG": ".png", b"\xff\xd8\xff": ".jpg", b"RIFF": ".webp", b"GIF8": ".gif"}
_FORMATS = ("PNG", "JPEG", "WEBP", "GIF")  # the decoders of Pillow that content is given to

# A small file can unfold into gigabytes of pixels. Photographs of today's cameras have up to 60 million.
_MAX_PIXELS = 64_000_000
_MAX_BYTES = 64_000_000

# The tag that says how a camera was held, and its values for pictures that lie on their side.
_ORIENTATION, _SIDEWAYS = 0x0112, (5, 6, 7, 8)


class Image:
    """One image, as the bytes of a PNG, JPEG, WebP or GIF file; immutable, and so equal, hashable and cheap to copy."""

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
            RecordError: It is no image file, or too large.
        """
        path = Path(path)
        if not path.is_file():
            raise MissingFileError(f"the image {path} does not exist: copy the images folder along with its records.")
        if path.stat().st_size > _MAX_BYTES:
            raise RecordError(f"the image {path} has {path.stat().st_size:,} bytes, at most {_MAX_BYTES:,} are allowed")
        try:
            return cls(path.read_bytes())
        except RecordError as error:
            raise RecordError(f"{path}: {error}") from None

    @classmethod
    def within(cls, folder: Path, name: str) -> Image:
        """The image that a row of a file names, relative to the file's folder, or in ``images`` of the run around it.

        Rows come from elsewhere and are shown in reports, so they may name no other file of this machine.

        Raises:
            MissingFileError: There is no such file.
            RecordError: The path leads out of the folder (links are followed), or to no image, or one too large.
        """
        root = folder.resolve()
        roots = [root, *([root.parent / "images"] if re.fullmatch(r"step_\d+", root.name) else [])]
        with failing_as(RecordError, f"the image path {name[:200]!r} cannot be used"):
            place = (root / name).resolve()
            place.is_file()
        if Path(name).is_absolute() or not any(place.is_relative_to(allowed) for allowed in roots):
            raise RecordError(
                f"the image {name!r} lies outside {folder}: images must lie in the folder of the file that names them, "
                "under a relative path; copy it there"
            )
        image = cls.read(place)
        image.size  # noqa: B018
        return image

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the content: the image's name in a store."""
        return hashlib.sha256(self.content).hexdigest()

    @property
    def name(self) -> str:
        """File name in a store."""
        return self.digest[:32] + self.suffix

    @cached_property
    def size(self) -> tuple[int, int]:
        """Width and height as picture() has them, read off the head of the file."""
        from PIL import Image as pillow

        with failing_as(RecordError, f"the image {self.name} cannot be decoded", "replace it"), _quiet():
            with pillow.open(io.BytesIO(self.content), formats=_FORMATS) as opened:
                width, height = opened.size
                if not 0 < width * height <= _MAX_PIXELS:
                    raise RecordError(
                        f"the image {self.name} has {width} x {height} pixels, at most {_MAX_PIXELS:,} in all can be "
                        "used: make it smaller"
                    )
                sideways = _says_how_held(opened) and opened.getexif().get(_ORIENTATION) in _SIDEWAYS
        return (height, width) if sideways else (width, height)

    def picture(self) -> PILImage:
        """The pixels, upright, as an RGB picture of Pillow; of an animation, the first frame."""
        from PIL import Image as pillow
        from PIL import ImageOps

        size = self.size
        with failing_as(RecordError, f"the image {self.name} cannot be decoded", "replace it"), _quiet():
            with pillow.open(io.BytesIO(self.content), formats=_FORMATS) as opened:
                upright = ImageOps.exif_transpose(opened) if _says_how_held(opened) else opened.copy()
            if upright.mode.startswith("I;16"):  # Pillow would cut off what is over 255 instead of scaling it
                upright = upright.point(lambda value: value / 257).convert("L")
            assert upright.size == size, f"{upright.size} pixels where the head says {size}"
            return upright.convert("RGB")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Image) and self.content == other.content

    def __hash__(self) -> int:
        return hash(self.digest)

    def __deepcopy__(self, memo: dict[int, Any]) -> Image:
        return self  # immutable: dataclasses.asdict and students' copies share it

    def __repr__(self) -> str:
        return f"Image({self.name})"


def _says_how_held(opened: PILImage) -> bool:
    """Whether the head of a file has tags; to look for those at the end of a PNG file, Pillow would decode it all."""
    return opened.format != "PNG" or "exif" in opened.info


def _quiet() -> warnings.catch_warnings:
    """Without Pillow's warnings of damaged tags, which it can do without, and of size, which is limited here."""
    return warnings.catch_warnings(action="ignore")
