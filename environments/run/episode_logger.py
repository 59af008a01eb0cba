"""Episode-level TensorBoard curves: one point per step, per skill and overall, and samples to read.

TensorBoard sorts its charts by name and opens on the first: ``accuracy/…`` are the learning curves.
"""

import textwrap
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from tasks.images import Image
from tasks.markdown import markdown_table
from tasks.types import TrainingRecord

T = TypeVar("T")

# Samples are for reading; the files of the step hold all of them.
_MAX_SAMPLES = 10


def step_scalars(result: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """The scalars of a line of ``episode.jsonl`` as (tag, value); what it lacks or holds as None gives no point."""
    for split in ("val", "test"):
        report = result.get(split) or {}
        yield from _accuracy(f"accuracy/{split}", report.get("overall"))
        yield from _accuracy(f"{split}/accuracy", report.get("overall"))
        for kind in ("skill", "slice"):
            for name, accuracy in (report.get(f"{kind}s") or {}).items():
                yield from _accuracy(f"{split}/{kind}/{name}", accuracy)
        for name, value in (report.get("metrics") or {}).items():
            yield f"{split}/metric/{name}", float(value)
    totals = (("records/total", "pool"), ("records/accepted", "records"), ("records/truncated", "truncated_records"))
    for tag, key in totals:
        if result.get(key) is not None:
            yield tag, float(result[key])
    groups = (
        ("records/skill", "allocation"),
        *((key, key) for key in ("rejected", "seconds", "cost", "chat", "scoring")),
    )
    for tag, key in groups:
        for name, value in (result.get(key) or {}).items():
            if value is not None:
                yield f"{tag}/{name}", float(value)


class EpisodeLogger:
    """Writes the curves of an episode against the step number.

    On resume, ``purge_step`` is the first step that will be logged again: TensorBoard then forgets what an interrupted
    run wrote for it and later steps, so that no point is drawn twice. None or 0 for a new run.
    """

    def __init__(self, folder: str | Path, purge_step: int | None = None) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer: Any = SummaryWriter(log_dir=str(folder), purge_step=purge_step)

    def log_step(self, result: Mapping[str, Any]) -> None:
        """Adds the point of a finished step, a line of ``episode.jsonl``, to every curve."""
        for tag, value in step_scalars(result):
            self._writer.add_scalar(tag, value, global_step=result["step"])
        # A step takes minutes: flush, so that a browser sees it now and a kill cannot take it.
        self._writer.flush()

    def log_samples(
        self,
        step: int,
        records: Sequence[TrainingRecord],
        errors: Sequence[Mapping[str, Any]],
        folder: Path | None = None,
    ) -> None:
        """Adds some of a step's accepted records and of the ``errors`` of its feedback.json, as tables and images.

        ``folder`` is what the paths of the errors' images are relative to.
        """
        if records:
            shown = spread(records, _MAX_SAMPLES)
            rows = [(record.skill, record.instruction, record.response) for record in shown]
            self._text("samples/records", ("skill", "instruction", "response"), rows, len(records), step)
            pictures = [(one.image, f"{one.instruction}\n→ {one.response}") for one in shown if one.image is not None]
            self._images("samples/record_images", pictures, step)
        if errors:
            keys = ("skill", "instruction", "student_answer", "right_answer")
            sample = spread(errors, _MAX_SAMPLES)
            self._text("samples/errors", keys, [tuple(map(error.get, keys)) for error in sample], len(errors), step)
            pictures = [
                (
                    Image.within(folder or Path(), error["image"]),
                    f"{error['instruction']}\n✗ {error['student_answer']}   ✓ {error['right_answer']}",
                )
                for error in sample
                if error.get("image")
            ]
            self._images("samples/error_images", pictures, step)
        self._writer.flush()

    def close(self) -> None:
        """Closes the file."""
        self._writer.close()

    def _images(self, tag: str, pictures: Sequence[tuple[Image, str]], step: int) -> None:
        """Draws a sheet: five images in a row, under each its caption, whose long lines are folded."""
        if not pictures:
            return
        from matplotlib import style
        from matplotlib.figure import Figure

        rows, columns = -(-len(pictures) // 5), min(5, len(pictures))
        # No user's style, and no warnings of letters that the font lacks: they are drawn as boxes.
        with style.context("default"), warnings.catch_warnings(action="ignore"):
            # Each has 200 x 300 pixels of the sheet: an image of up to 192 x 192, and six lines of thirty letters.
            figure = Figure(figsize=(2 * columns, 3 * rows), dpi=100)
            figure.subplots_adjust(left=0, bottom=0.36 / rows, right=1 - 0.04 / columns, top=1)
            figure.subplots_adjust(wspace=8 / 192, hspace=108 / 192)
            for number, (image, caption) in enumerate(pictures, start=1):
                picture = image.picture()
                picture.thumbnail((192, 192))  # a large one is made smaller smoothly; a small one stays sharp
                axes = figure.add_subplot(rows, columns, number, anchor="NW")
                axes.imshow(picture, interpolation="nearest")
                axes.axis("off")
                lines = [line for part in caption.splitlines() for line in textwrap.wrap(part, 30)]
                font = {"family": "DejaVu Sans Mono", "size": 7.5, "va": "top"}  # matplotlib brings it
                axes.set_title("\n".join(lines[:6]), font, loc="left", y=0, pad=-4, parse_math=False)
            self._writer.add_figure(tag, figure, global_step=step)

    def _text(self, tag: str, header: Sequence[str], rows: Sequence[Sequence[Any]], of: int, step: int) -> None:
        table = "\n".join(markdown_table(header, [["" if value is None else value for value in row] for row in rows]))
        self._writer.add_text(tag, f"{len(rows)} of {of}\n\n{table}", global_step=step)


def spread(items: Sequence[T], count: int) -> list[T]:
    """At most ``count`` items, evenly spread over the sequence, so that a sample is not all of one kind."""
    if len(items) <= count:
        return list(items)
    return [items[i * len(items) // count] for i in range(count)]


def _accuracy(tag: str, accuracy: Mapping[str, Any] | None) -> Iterator[tuple[str, float]]:
    if accuracy and accuracy.get("value") is not None:
        yield tag, float(accuracy["value"])
