"""Images: what a student sees of any file, and which files are read at all."""

import io

import numpy as np
import pytest
from bad_input_places import picture, png
from PIL import Image as pillow

from tasks.errors import MissingFileError, RecordError
from tasks.images import Image


def test_pictures_held_sideways_are_upright():
    exif = pillow.Exif()
    exif[0x0112] = 6  # the top of the scene is at the right of the file
    for kind in ("JPEG", "PNG", "WEBP"):
        image = Image(picture(kind, exif=exif))
        assert image.size == image.picture().size == (8, 12), kind


def test_sixteen_bits_are_scaled_and_not_cut_off():
    buffer = io.BytesIO()
    pillow.fromarray(np.array([[0, 257, 32_768, 65_535]], dtype="uint16")).save(buffer, "PNG")
    assert [pixel[0] for pixel in Image(buffer.getvalue()).picture().get_flattened_data()] == [0, 1, 127, 255]


def test_other_modes_and_animations_are_rgb():
    for mode in ("CMYK", "L", "1", "P"):
        buffer = io.BytesIO()
        pillow.new(mode, (5, 3)).save(buffer, "JPEG" if mode == "CMYK" else "PNG")
        assert Image(buffer.getvalue()).picture().mode == "RGB"
    buffer = io.BytesIO()
    frames = [pillow.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:])
    assert Image(buffer.getvalue()).picture().getpixel((0, 0)) == (255, 0, 0)


def test_a_size_is_read_without_decoding():
    assert Image(png(8_000, 8_000, rows=b"")).size == (8_000, 8_000)
    with pytest.raises(RecordError, match="8001 x 8000"):
        Image(png(8_001, 8_000, rows=b"")).picture()


def test_images_of_a_step_may_lie_beside_it_and_those_of_other_folders_may_not(tmp_path):
    for folder in ("images", "step_01", "other"):
        (tmp_path / folder).mkdir()
    (tmp_path / "images/one.png").write_bytes(png(2, 2))
    (tmp_path / "step_01/images.png").write_bytes(png(2, 2))
    assert Image.within(tmp_path / "step_01", "../images/one.png") == Image.within(tmp_path, "images/one.png")
    assert Image.within(tmp_path / "step_01", "./images.png").size == (2, 2)
    with pytest.raises(RecordError, match="outside"):
        Image.within(tmp_path / "other", "../images/one.png")
    with pytest.raises(RecordError, match="outside"):
        Image.within(tmp_path / "step_01", "../images/../other/one.png")
    with pytest.raises(MissingFileError, match=r"two\.png"):
        Image.within(tmp_path / "step_01", "../images/two.png")
