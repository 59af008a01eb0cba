"""A sheet of images with a caption under each, as one picture: how TensorBoard shows records and errors with images."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.images import Image

if TYPE_CHECKING:
    from PIL.Image import Image as PILImage
    from PIL.ImageFont import FreeTypeFont

COLUMNS = 5
SIDE = 192  # pixels of the square that an image is fitted into
_GAP, _LINE, _LINES, _CAPTION_WIDTH, _FONT_SIZE = 12, 14, 6, 30, 11


def contact_sheet(pictures: Sequence[tuple[Image, str]]) -> PILImage:
    """The images, five in a row; lines of a caption are kept and long ones folded."""
    from PIL import Image as pillow
    from PIL import ImageDraw

    columns = min(COLUMNS, len(pictures))
    _, height = corner(-(-len(pictures) // columns) * COLUMNS)  # where a further row would begin
    sheet = pillow.new("RGB", (columns * (SIDE + _GAP) + _GAP, height), "white")
    draw = ImageDraw.Draw(sheet)
    for index, (image, caption) in enumerate(pictures):
        left, top = corner(index)
        sheet.paste(fitted(image), (left, top))
        lines = [line for part in caption.splitlines() for line in textwrap.wrap(part, _CAPTION_WIDTH)]
        for number, line in enumerate(lines[:_LINES]):
            draw.text((left, top + SIDE + 4 + number * _LINE), line, fill="black", font=_font())
    return sheet


def corner(index: int) -> tuple[int, int]:
    """Left and top of the image of this number on a sheet, in pixels."""
    row, column = divmod(index, COLUMNS)
    return _GAP + column * (SIDE + _GAP), _GAP + row * (SIDE + _LINES * _LINE + 2 * _GAP)


def fitted(image: Image) -> PILImage:
    """The image within the square: small ones enlarged by whole numbers, so that every pixel stays what it is."""
    from PIL.Image import Resampling

    picture = image.picture()
    longest = max(picture.size)
    if longest <= SIDE:
        times = SIDE // longest
        return picture.resize((picture.width * times, picture.height * times), Resampling.NEAREST)
    picture.thumbnail((SIDE, SIDE), Resampling.LANCZOS)
    return picture


@cache
def _font() -> FreeTypeFont:
    """The font that matplotlib brings: Pillow's own has neither arrows nor ticks."""
    import matplotlib
    from PIL import ImageFont

    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts/ttf/DejaVuSans.ttf"), _FONT_SIZE)
