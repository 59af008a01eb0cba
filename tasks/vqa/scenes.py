"""Scenes of coloured shapes: a line of text that describes one, and the picture of it, each made from the other.

The line is for people and language models: ``red circle large at 12 40; blue square small at 45 20``, the centres in
pixels from the left and from the top. A picture of ours carries its line in a text chunk of the PNG. The PNG is written
here, without compression, because the split of a question depends on its image's digest: compressors differ between
machines.
"""

import re
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

from tasks.errors import RecordError
from tasks.images import Image

SIDE = 64  # pixels
MAX_FIGURES = 9

COLOURS = ("red", "green", "blue", "yellow", "purple", "black")
SHAPES = ("circle", "square", "triangle", "cross")
SIZES = ("small", "large")

_BACKGROUND = (245, 245, 245)
_PALETTE = {
    "red": (220, 40, 40),
    "green": (40, 165, 65),
    "blue": (40, 80, 220),
    "yellow": (245, 205, 30),
    "purple": (160, 60, 190),
    "black": (20, 20, 20),
}
# Pixels from the centre to the edge: 11 and 17 pixels wide, so that nine large ones fit into the picture.
_REACH = {"small": 5, "large": 8}
_FIGURE = re.compile(r"(\w+) (\w+) (\w+) at \(?(\d{1,2})[ ,]+(\d{1,2})\)?")
_KEYWORD = b"scene\0"
_SIGNATURE = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True, slots=True)
class Figure:
    """One shape of a scene; ``x`` and ``y`` are pixels of its centre from the left and from the top."""

    colour: str
    shape: str
    size: str
    x: int
    y: int

    @property
    def reach(self) -> int:
        """Pixels from its centre to its edge."""
        return _REACH[self.size]

    def __str__(self) -> str:
        return f"{self.colour} {self.shape} {self.size} at {self.x} {self.y}"


@dataclass(frozen=True, slots=True)
class Scene:
    """Shapes that lie in the picture and do not overlap, ordered from top to bottom, and so equal if drawn equal.

    Raises:
        RecordError: There is no shape or too many, or one leaves the picture or overlaps another.
    """

    figures: tuple[Figure, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.figures) <= MAX_FIGURES:
            raise RecordError(f"a scene has 1 to {MAX_FIGURES} shapes, found {len(self.figures)}")
        object.__setattr__(self, "figures", tuple(sorted(self.figures, key=lambda figure: (figure.y, figure.x))))
        for position, figure in enumerate(self.figures):
            x, y, reach = figure.x, figure.y, _REACH[figure.size]
            if not (reach <= x < SIDE - reach and reach <= y < SIDE - reach):
                raise RecordError(
                    f"{str(figure)!r} leaves the picture: both numbers must be {reach} to {SIDE - 1 - reach}"
                )
            for other in self.figures[:position]:
                near = reach + _REACH[other.size]
                if abs(x - other.x) <= near and abs(y - other.y) <= near:
                    raise RecordError(f"{str(figure)!r} overlaps {str(other)!r}: move one of them")

    def __str__(self) -> str:
        return "; ".join(map(str, self.figures))


def read_scene(description: str) -> Scene:
    """The scene that a line describes; the three words before ``at`` may stand in any order."""
    parts = [part.strip(" .\n") for part in description.lower().split(";")]
    return Scene(tuple(_read_figure(part) for part in parts if part))


def _read_figure(text: str) -> Figure:
    match = _FIGURE.fullmatch(text)
    words = set(match.groups()[:3]) if match else set()
    colour, shape, size = (words & set(known) for known in (COLOURS, SHAPES, SIZES))
    if not (match and colour and shape and size):
        raise RecordError(
            f"{text[:80]!r} is no shape of a scene: write colour, shape, size and centre like 'red circle large at "
            f"12 40', with {', '.join(COLOURS)}; {', '.join(SHAPES)}; {', '.join(SIZES)}"
        )
    return Figure(colour.pop(), shape.pop(), size.pop(), int(match.group(4)), int(match.group(5)))


def draw_scene(scene: Scene) -> Image:
    """The picture of a scene: 64 x 64 pixels, the same bytes on every machine."""
    rows = [bytearray(SIDE) for _ in range(SIDE)]
    for figure in scene.figures:
        index = 1 + COLOURS.index(figure.colour)
        for dy, left, right in _spans(figure.shape, figure.reach):
            rows[figure.y + dy][figure.x + left : figure.x + right + 1] = bytes([index]) * (right - left + 1)
    palette = bytes(value for colour in (_BACKGROUND, *_PALETTE.values()) for value in colour)
    pixels = b"".join(b"\0" + bytes(row) for row in rows)  # each row begins with its filter: none
    # A zlib stream of one stored block (RFC 1950 and 1951), which holds up to 65,535 bytes as they are.
    length = struct.pack("<HH", len(pixels), len(pixels) ^ 0xFFFF)
    stored = b"\x78\x01" + b"\x01" + length + pixels + struct.pack(">I", zlib.adler32(pixels))
    return Image(
        _SIGNATURE
        + _chunk(b"IHDR", struct.pack(">IIBBBBB", SIDE, SIDE, 8, 3, 0, 0, 0))
        + _chunk(b"PLTE", palette)
        + _chunk(b"tEXt", _KEYWORD + str(scene).encode("ascii"))
        + _chunk(b"IDAT", stored)
        + _chunk(b"IEND", b"")
    )


def scene_of(image: Image) -> Scene | None:
    """The scene that a picture was drawn from; None for an image that draw_scene() did not make."""
    try:
        for kind, data in _chunks(image.content):
            if kind == b"tEXt" and data.startswith(_KEYWORD):
                scene = read_scene(data.removeprefix(_KEYWORD).decode("ascii"))
                # A text chunk alone proves nothing: the pixels may be of another picture.
                return scene if draw_scene(scene) == image else None
    except (struct.error, UnicodeDecodeError, RecordError):
        pass  # a file of someone else's
    return None


@cache
def _spans(shape: str, reach: int) -> tuple[tuple[int, int, int], ...]:
    """The filled part of each row of a shape, as (row, first, last) from its centre."""
    inside = _INSIDE[shape]
    spans = []
    for dy in range(-reach, reach + 1):
        filled = [dx for dx in range(-reach, reach + 1) if inside(dx, dy, reach)]
        if filled:
            spans.append((dy, filled[0], filled[-1]))
    return tuple(spans)


_INSIDE: dict[str, Callable[[int, int, int], bool]] = {
    "circle": lambda dx, dy, reach: dx * dx + dy * dy <= reach * (reach + 1),
    "square": lambda dx, dy, reach: True,
    "triangle": lambda dx, dy, reach: 2 * abs(dx) <= dy + reach,
    "cross": lambda dx, dy, reach: min(abs(dx), abs(dy)) <= reach // 4,
}


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    place = len(_SIGNATURE)
    while content.startswith(_SIGNATURE) and place < len(content):
        (length,) = struct.unpack_from(">I", content, place)
        yield content[place + 4 : place + 8], content[place + 8 : place + 8 + length]
        place += 12 + length
