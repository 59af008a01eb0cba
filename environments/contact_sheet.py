"""A sheet of images with a caption under each, as one figure: how TensorBoard shows records and errors with images."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tasks.images import Image

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLUMNS = 5
_CAPTION_WIDTH = 28


def contact_sheet(pictures: Sequence[tuple[Image, str]]) -> Figure:
    """The images, five in a row.

    Args:
        pictures: Images with their captions; lines of a caption are kept and long ones folded.
    """
    from matplotlib.figure import Figure

    columns = min(_COLUMNS, len(pictures))
    rows = -(-len(pictures) // columns)
    figure = Figure(figsize=(2.4 * columns, 3.0 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).flat
    for place in axes:
        place.axis("off")
    for place, (image, caption) in zip(axes, pictures, strict=False):
        place.imshow(image.picture(), interpolation="nearest")
        # Dollars would be read as formulas, and half of one is an error.
        lines = [
            line for part in caption.splitlines() for line in textwrap.wrap(part.replace("$", r"\$"), _CAPTION_WIDTH)
        ]
        place.set_title("\n".join(lines[:6]), fontsize=7, y=-0.02, va="top")
    return figure
