"""Holds the facts about read_picture, on files written here and on photographs."""

from __future__ import annotations

import builtins
import struct
import zlib

import numpy as np
import pytest

from tools.tree import ROOT
from whence.adapters.pictures import read_picture
from whence.errors import InputError, MissingExtra
from whence.lenses.inputs.image import image_game

Image = pytest.importorskip("PIL.Image")

DATA = ROOT.parent / "shared" / "data"
PHOTOGRAPHS = sorted((DATA / "shap_imagenet50" / "imagenet50").glob("*.jpg"))[:2]
PHOTOGRAPHS += sorted((DATA / "bccd" / "JPEGImages").glob("*.jpg"))[:1]

RED, WHITE, BLACK = (255, 0, 0), (255, 255, 255), (0, 0, 0)


@pytest.fixture
def saved(tmp_path):
    """A function that saves a picture and gives its path."""

    def save(picture, suffix=".png", **options):
        path = tmp_path / f"picture{suffix}"
        picture.save(path, **options)
        return path

    return save


def test_pixels_are_rows_of_red_green_and_blue(saved):
    """A colour picture gives its bytes, (h, w, 3), the top row first."""
    pixels = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    read = read_picture(saved(Image.fromarray(pixels)))
    np.testing.assert_array_equal(read, pixels)
    assert read.dtype == np.uint8
    assert read.flags.writeable


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGBA", "RGB"])
def test_other_modes_become_colour(saved, mode):
    """Grey, black-and-white, palette and fully opaque pictures read as what one sees."""
    picture = Image.new("RGB", (3, 2), WHITE)
    picture.putpixel((1, 0), BLACK)
    read = read_picture(saved(picture.convert(mode)))
    np.testing.assert_array_equal(read, np.asarray(picture))


@pytest.mark.parametrize("suffix", [".bmp", ".gif", ".ppm", ".tiff", ".webp"])
def test_formats_are_read(saved, suffix):
    """Every lossless format gives back its bytes."""
    picture = Image.new("RGB", (4, 3), RED)
    options = {"lossless": True} if suffix == ".webp" else {}
    np.testing.assert_array_equal(read_picture(saved(picture, suffix, **options)), picture)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photograph_is_turned_upright(saved, orientation):
    """Whatever the EXIF orientation, the pixels are those of the picture as it is shown."""
    upright = Image.fromarray(np.random.default_rng(0).integers(0, 256, (4, 6, 3), np.uint8))
    undo = {
        2: "FLIP_LEFT_RIGHT",
        3: "ROTATE_180",
        4: "FLIP_TOP_BOTTOM",
        5: "TRANSPOSE",
        6: "ROTATE_90",
        7: "TRANSVERSE",
        8: "ROTATE_270",
    }
    stored = upright
    if orientation > 1:
        stored = upright.transpose(Image.Transpose[undo[orientation]])
    exif = Image.Exif()
    exif[0x0112] = orientation
    np.testing.assert_array_equal(read_picture(saved(stored, exif=exif)), upright)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparent_pixels_are_refused(saved, mode):
    """One pixel that shows what lies behind is enough to ask for a background."""
    picture = Image.new("RGBA", (2, 2), (*RED, 255))
    picture.putpixel((0, 0), (0, 0, 0, 254))
    with pytest.raises(InputError, match="transparent pixels"):
        read_picture(saved(picture.convert(mode)))


def test_a_palette_with_a_transparent_colour_is_refused(saved):
    """Transparency in a palette counts as any other."""
    with pytest.raises(InputError, match="transparent pixels"):
        read_picture(saved(Image.new("P", (2, 2)), ".gif", transparency=0))


@pytest.mark.parametrize(("mode", "suffix"), [("CMYK", ".jpg"), ("I;16", ".png"), ("F", ".tiff")])
def test_modes_without_one_meaning_are_refused(saved, mode, suffix):
    """CMYK, 16-bit and float pictures are refused by their mode."""
    with pytest.raises(InputError, match=f"mode {mode}"):
        read_picture(saved(Image.new(mode, (2, 2)), suffix))


def test_an_animation_is_refused(saved):
    """A picture with a second frame does not say which is meant."""
    frames = [Image.new("L", (2, 2), grey) for grey in (0, 255)]
    with pytest.raises(InputError, match="animation"):
        read_picture(saved(frames[0], ".gif", save_all=True, append_images=frames[1:]))


def test_a_cameras_preview_is_no_second_frame(saved):
    """Of a camera's JPEG with a preview behind it the photograph is read."""
    first, preview = (Image.new("RGB", (8, 8), colour) for colour in (WHITE, BLACK))
    path = saved(first, ".jpg", format="MPO", save_all=True, append_images=[preview])
    with Image.open(path) as opened:
        assert opened.n_frames == 2
    assert read_picture(str(path)).min() > 250


def header(width, height):
    """The beginning of a grey PNG of that size: its signature and header, and no pixels."""
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    crc = struct.pack(">I", zlib.crc32(body))
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + body + crc


@pytest.mark.parametrize("side", [7_072, 10_000, 30_000])
def test_a_picture_too_large_is_refused_by_its_header(tmp_path, side):
    """Size is judged before a pixel is decoded, also where Pillow itself would warn or refuse."""
    path = tmp_path / "bomb.png"
    path.write_bytes(header(side, side))
    with pytest.raises(InputError, match=f"{side:,} x {side:,} pixels|cannot be read.*bomb"):
        read_picture(path)


def test_the_largest_picture_is_a_choice(saved):
    """`most` is the number of pixels that are decoded, and no more."""
    path = saved(Image.new("L", (5, 4)))
    assert read_picture(path, most=20).shape == (4, 5, 3)
    with pytest.raises(InputError, match="5 x 4 pixels; at most 19"):
        read_picture(path, most=19)


def test_what_is_no_picture_is_refused(tmp_path, saved):
    """A missing file, another kind of file, and half a picture are refused by name."""
    with pytest.raises(InputError, match="no such file"):
        read_picture(tmp_path / "none.png")
    (tmp_path / "text.png").write_text("not a picture")
    with pytest.raises(InputError, match="cannot be read"):
        read_picture(tmp_path / "text.png")
    with pytest.raises(InputError, match="cannot be read"):
        read_picture(tmp_path)
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    whole = saved(Image.fromarray(noise), ".jpg")
    whole.write_bytes(whole.read_bytes()[:900])
    with pytest.raises(InputError, match="cannot be read"):
        read_picture(whole)


def test_without_pillow_the_extra_is_named(monkeypatch, saved):
    """Without Pillow the message says what to install."""
    path = saved(Image.new("L", (2, 2)))
    real = builtins.__import__

    def without(name, *rest):
        if name == "PIL":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtra, match=r'pip install "whence\[image\]"'):
        read_picture(path)


@pytest.mark.skipif(not PHOTOGRAPHS, reason="../shared/data is absent")
@pytest.mark.parametrize("path", PHOTOGRAPHS, ids=lambda path: path.name)
def test_a_photograph_becomes_a_game(path):
    """A real photograph is read, cut, and drawn under every policy."""
    photograph = read_picture(path)
    assert photograph.ndim == 3
    assert 3 <= photograph.mean() <= 252
    small = photograph[::4, ::4]
    red = lambda images: images[..., 0].mean(axis=(1, 2))  # noqa: E731
    for absent in ("blur", "mean", "constant:0", "noise"):
        game = image_game(red, small, units="patches:4x5", absent=absent, scores="values")
        ends = np.stack([np.ones(20, bool), np.zeros(20, bool)])
        whole, none = game(ends)
        assert whole == pytest.approx(small[..., 0].mean())
        assert none != whole
