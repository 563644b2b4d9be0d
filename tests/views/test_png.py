"""Facts about pictures that pages carry along."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from whence.views.png import data_uri, grey, png, smaller


@given(st.integers(1, 9), st.integers(1, 9), st.sampled_from([1, 3, 4]), st.integers(0, 99))
def test_any_reader_gives_the_pixels_back(height, width, channels, seed):
    """Grey, colour and half-clear pixels come out of another program's reader as they went in."""
    image = pytest.importorskip("PIL.Image")
    shape = (height, width) if channels == 1 else (height, width, channels)
    pixels = np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)
    assert np.array_equal(np.asarray(image.open(io.BytesIO(png(pixels)))), pixels)


def test_data_uri_holds_the_picture_itself():
    """The address needs no network: it is the picture, in base64."""
    assert data_uri(np.zeros((2, 2), np.uint8)).startswith("data:image/png;base64,iVBOR")


@given(st.integers(1, 70), st.integers(1, 70), st.integers(1, 20))
def test_smaller_is_small_and_keeps_one_colour(height, width, most):
    """A picture of one colour stays so, and no side is longer than asked for."""
    pixels = np.full((height, width, 3), 137, np.uint8)
    found = smaller(pixels, most)
    assert max(found.shape[:2]) <= most
    assert (found == 137).all()


def test_grey_is_lightness():
    """Green is lighter than red, and red lighter than blue; white is white."""
    pixels = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]]], np.uint8)
    red, green, blue, white = grey(pixels)[0]
    assert green > red > blue
    assert white == 255
