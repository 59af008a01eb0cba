"""NLVR's pictures: drawn from the coordinates that its rows give, as near to its own PNGs as their renderer is known.

A picture is 400 x 100 pixels: three light grey boxes of 100 x 100, with dark grey between them. An item has the top
left corner of its bounding box (``x_loc``, ``y_loc``), its width (``size``), a colour and a type. A pixel on an edge
is mixed in proportion to how much of it the item covers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from tasks.errors import RecordError
from tasks.images import Image

if TYPE_CHECKING:
    from PIL.Image import Image as PILImage

BOX, GAP = 100, 50  # pixels
_BOXES = 3
COLOURS: Mapping[str, tuple[int, int, int]] = {
    "Black": (0, 0, 0),
    "Yellow": (255, 255, 0),
    "#0099ff": (0, 153, 255),
    "background": (211, 211, 211),
    "between": (128, 128, 128),
}
_ITEM_COLOURS = ("Black", "Yellow", "#0099ff")
_TYPES = ("square", "circle", "triangle")
_FINE = 16  # sub-pixels in each direction by which coverage is measured


def read_boxes(description: str) -> list[list[dict[str, Any]]]:
    """The boxes of a scene in NLVR's own notation, a JSON list of three lists of items."""
    try:
        boxes = json.loads(description)
    except (ValueError, RecursionError) as error:
        raise RecordError(f"a scene must be JSON, three lists of items, found {description[:60]!r}") from error
    check_boxes(boxes)
    return list(boxes)


def check_boxes(boxes: Any) -> None:
    """Refuses what is not three lists of items that lie within their boxes."""
    if not (isinstance(boxes, list) and len(boxes) == _BOXES and all(isinstance(box, list) for box in boxes)):
        raise RecordError(f"a scene has {_BOXES} lists of items, found {str(boxes)[:60]!r}")
    for item in (item for box in boxes for item in box):
        if not isinstance(item, dict) or item.get("type") not in _TYPES or item.get("color") not in _ITEM_COLOURS:
            raise RecordError(
                f"an item has a type of {', '.join(_TYPES)} and a color of {', '.join(_ITEM_COLOURS)}, "
                f"found {str(item)[:60]!r}"
            )
        places: list[Any] = [item.get(key) for key in ("x_loc", "y_loc", "size")]
        if not all(type(number) is int for number in places):
            raise RecordError(f"an item's x_loc, y_loc and size are whole pixels, found {str(item)[:60]!r}")
        x, y, size = places
        if not (size >= 1 and 0 <= x <= BOX - size and 0 <= y <= BOX - size):
            raise RecordError(f"an item must lie in its box of {BOX} x {BOX} pixels, found {str(item)[:60]!r}")


def draw_boxes(boxes: Sequence[Sequence[Mapping[str, Any]]]) -> PILImage:
    """The picture of a scene that check_boxes() accepts."""
    from PIL import Image as pillow

    width = _BOXES * BOX + (_BOXES - 1) * GAP
    picture = pillow.new("RGB", (width, BOX), COLOURS["between"])
    for position, box in enumerate(boxes):
        left = position * (BOX + GAP)
        picture.paste(COLOURS["background"], (left, 0, left + BOX, BOX))
        for item in box:
            size = item["size"]
            place = (left + item["x_loc"], item["y_loc"])
            picture.paste(COLOURS[item["color"]], (*place, place[0] + size, place[1] + size), _mask(item["type"], size))
    return picture


def drawn(boxes: Sequence[Sequence[Mapping[str, Any]]]) -> Image:
    """The picture of a scene, as an image of a record."""
    return Image.drawn(draw_boxes(boxes))


@cache
def _mask(kind: str, size: int) -> PILImage:
    """How much of each pixel of its bounding box an item covers, 255 for all of it."""
    from PIL import Image as pillow
    from PIL import ImageDraw

    fine = size * _FINE
    mask = pillow.new("L", (fine, fine), 255 if kind == "square" else 0)
    pen = ImageDraw.Draw(mask)
    if kind == "circle":
        pen.ellipse((0, 0, fine - 1, fine - 1), fill=255)
    elif kind == "triangle":
        pen.polygon([((fine - 1) / 2, 0), (0, fine - 1), (fine - 1, fine - 1)], fill=255)
    return mask.resize((size, size), pillow.Resampling.BOX)


def agreement(ours: PILImage, theirs: PILImage, tolerance: int = 64) -> tuple[float, float]:
    """How alike two pictures of a scene are, as two shares of their pixels.

    Those whose three channels all differ by at most the tolerance, and those whose nearest colour is the same.
    """
    import numpy as np

    left, right = (np.asarray(picture.convert("RGB"), dtype=np.int32).reshape(-1, 3) for picture in (ours, theirs))
    near = float((abs(left - right).max(axis=1) <= tolerance).mean())
    # Most pixels are equal, and an equal pixel has an equal class: only the others are worth a look.
    differ = (left != right).any(axis=1)
    known = np.array(list(COLOURS.values()), dtype=np.int32)
    classes = [((pixels[differ][:, None] - known) ** 2).sum(axis=2).argmin(axis=1) for pixels in (left, right)]
    return near, 1.0 - float((classes[0] != classes[1]).sum()) / len(left)
