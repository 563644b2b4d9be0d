"""Holds the facts about image_game: patches, segments and what stands at absent pixels."""

from __future__ import annotations

import builtins

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from whence import explain
from whence.errors import InputError, MissingExtra
from whence.lenses.inputs.image import BLUR, blurred, image_game, patches
from whence.masks import every
from whence.testing import check_game

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (12, 18)).astype(np.uint8)
COLOUR = RNG.random((12, 18, 3)).astype(np.float32)


def brightness(images):
    """A plain number per image: its mean."""
    return np.asarray(images, dtype=float).reshape(len(images), -1).mean(axis=1)


def drawn(image, mask, **options):
    """The image that a mask makes."""
    seen = []
    game = image_game(lambda x: seen.append(x) or brightness(x), image, scores="values", **options)
    game.value(np.broadcast_to(mask, (1, game.n)))
    return seen[0][0]


@given(st.integers(1, 40), st.integers(1, 40), st.data())
def test_patches_cover_the_image_in_even_rectangles(h, w, data):
    """Every patch is a rectangle, in order; heights and widths differ by at most one pixel."""
    rows, columns = data.draw(st.integers(1, h)), data.draw(st.integers(1, w))
    grid = patches((h, w), rows, columns)
    assert np.array_equal(np.unique(grid), np.arange(rows * columns))
    sides = []
    for one in range(rows * columns):
        y, x = np.nonzero(grid == one)
        assert len(y) == (np.ptp(y) + 1) * (np.ptp(x) + 1)
        sides.append((np.ptp(y), np.ptp(x)))
    assert (np.ptp(sides, axis=0) <= 1).all()


def test_patches_are_named_by_row_and_column():
    """`patches:2x3` is 2 rows of 3, counted from 1 at the top left; `patches:2` is 2 rows of 2."""
    units = image_game(brightness, GREY, units="patches:2x3", scores="values").units
    assert units.labels[:4] == (
        "row 1, column 1",
        "row 1, column 2",
        "row 1, column 3",
        "row 2, column 1",
    )
    assert (len(units), units.kind, units.grid.shape) == (6, "patch", (12, 18))
    assert units.grid[0, 17] == 2
    assert len(image_game(brightness, GREY, units="patches:2", scores="values").units) == 4


@pytest.mark.parametrize("image", [GREY, COLOUR], ids=["grey", "colour"])
@pytest.mark.parametrize("absent", ["blur", "blur:1.5", "mean", "constant:0", "noise"])
def test_present_patches_are_untouched_and_absent_ones_are_not(image, absent):
    """Under every policy a mask keeps the pixels of present patches and the image's type."""
    mask = np.array([True, False, False, True])
    made = drawn(image, mask, units="patches:2", absent=absent)
    there = mask[patches(image.shape[:2], 2, 2)]
    assert (made.dtype, made.shape) == (image.dtype, image.shape)
    np.testing.assert_array_equal(made[there], image[there])
    assert (made[~there] != image[~there]).mean() > 0.9


def test_a_game_of_an_image_keeps_the_contract():
    """The values, their order and their independence are those of a Game, noise or not."""
    for absent in ("blur", "noise"):
        check_game(
            image_game(brightness, COLOUR, units="patches:3", absent=absent, scores="values")
        )


@pytest.mark.parametrize(
    ("image", "absent", "colour"),
    [
        (GREY, "constant:7", 7),
        (GREY, "mean", round(GREY.mean())),
        (COLOUR, "constant:0.5", 0.5),
        (COLOUR, "constant:0.1,-2,1e3", np.float32([0.1, -2, 1e3])),
        (COLOUR, "mean", COLOUR.mean(axis=(0, 1))),
        (COLOUR, 1 - COLOUR, 1 - COLOUR),
    ],
)
def test_a_colour_stands_at_absent_pixels(image, absent, colour):
    """With every patch absent the image is the constant, its mean, or the other image."""
    made = drawn(image, False, units="patches:2", absent=absent)
    np.testing.assert_allclose(made, np.broadcast_to(colour, image.shape), rtol=1e-6)


def test_the_blur_is_as_wide_as_it_says():
    """A white pixel blurred by sigma has that standard deviation, and channels do not mix."""
    image = np.zeros((101, 101, 3))
    image[50, 50, 0] = 1.0
    made = blurred(image, 6.0)
    spread = (made[..., 0].sum(axis=0) * (np.arange(101) - 50.0) ** 2).sum()
    assert spread == pytest.approx(36.0, rel=0.01)
    assert not made[..., 1:].any()
    by_name = drawn(image, False, units="patches:2", absent="blur")
    np.testing.assert_array_equal(by_name, blurred(image, BLUR * 101))


def test_the_default_blur_does_not_leak():
    """Of stripes as wide as a patch less than a fiftieth of the contrast is left."""
    stripes = np.repeat(np.resize([0, 255], 9), 8)[None].repeat(72, axis=0).astype(np.uint8)
    made = drawn(stripes, False, units="patches:9")
    middles = made[36, 4::8].astype(float)
    assert np.abs(np.diff(stripes[36, 4::8].astype(float), 2)).min() == 510
    assert np.abs(np.diff(middles, 2)).max() <= 510 / 50


def test_pinned_pixels_are_always_present():
    """A unit loses the pixels of a box, and is no unit when it has no others."""
    game = image_game(
        brightness, GREY, units="patches:2x3", pin=[(0, 0, 6, 6), (6, 8, 12, 9)], scores="values"
    )
    assert game.n == 5
    assert "row 1, column 1" not in game.units.labels
    made = drawn(GREY, False, units="patches:2x3", pin=[(0, 0, 6, 6)], absent="constant:0")
    np.testing.assert_array_equal(made[:6, :6], GREY[:6, :6])
    assert not made[6:].any()


def test_a_map_of_ones_own_cuts_as_it_says():
    """Each different number is a segment, named with the middle of its pixels; -1 is pinned."""
    own = np.full((12, 18), -1)
    own[2:5, 3:6], own[8:11, 10:15] = 40, 7
    game = image_game(brightness, GREY, units=own, scores="values")
    assert game.units.labels == ("segment 7 (at 9, 12)", "segment 40 (at 3, 4)")
    assert np.array_equal(game.units.grid, np.select([own == 7, own == 40], [0, 1], -1))


@pytest.mark.parametrize("depth", [(), (3,)], ids=["grey", "colour"])
def test_superpixels_are_connected_segments(depth):
    """SLIC gives about as many segments as asked, each in one piece, the same every time."""
    pytest.importorskip("skimage")
    from scipy.ndimage import label

    image = blurred(np.random.default_rng(1).random((40, 60, *depth)), 4.0)
    game = image_game(brightness, image, units="slic:12", scores="values")
    assert 6 <= game.n <= 18
    for one in range(game.n):
        assert label(game.units.grid == one)[1] == 1
    again = image_game(brightness, image, units="slic:12", scores="values")
    assert np.array_equal(game.units.grid, again.units.grid)


def test_superpixels_follow_an_edge():
    """Of a picture in two colours no superpixel holds both."""
    pytest.importorskip("skimage")
    image = np.zeros((40, 40, 3), np.uint8)
    image[:, 17:] = (250, 120, 0)
    grid = image_game(brightness, image, units="slic:16", scores="values").units.grid
    assert not set(np.unique(grid[:, :17])) & set(np.unique(grid[:, 17:]))


def test_slic_without_scikit_image_names_the_extra(monkeypatch):
    """Without scikit-image superpixels are refused with what to install, and patches are not."""
    real = builtins.__import__

    def without(name, *rest):
        if name.startswith("skimage"):
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    image_game(brightness, GREY, scores="values")
    with pytest.raises(MissingExtra, match=r'pip install "whence\[image\]"'):
        image_game(brightness, GREY, units="slic:4", scores="values")


def test_the_identity_tells_policies_and_seeds_apart():
    """Another policy, blur, cut or pin is another game on disk; so is a seed, if it makes noise."""

    def named(**options):
        return image_game(brightness, GREY, scores="values", identity="m", **options).identity

    assert named() == named(rng=3)
    assert named(absent="noise", rng=3) == named(absent="noise", rng=3)
    some = [
        {},
        {"absent": "blur:2"},
        {"absent": "mean"},
        {"absent": "noise"},
        {"absent": "noise", "rng": 1},
        {"units": "patches:4"},
        {"pin": [(0, 0, 1, 1)]},
    ]
    assert len({named(**options) for options in some}) == len(some)


def test_the_map_finds_what_the_model_looks_at():
    """A model that reads two patches, together, has an exact map that is zero elsewhere."""
    image = np.full((9, 9), 100, np.uint8)

    def both(images):
        left, right = images[:, 1, 1] / 100.0, images[:, 7, 7] / 100.0
        return left * right

    game = image_game(both, image, units="patches:3", absent="constant:0", scores="values")
    values = explain(game, budget=512).attributions().values
    np.testing.assert_allclose(values, [0.5, 0, 0, 0, 0, 0, 0, 0, 0.5], atol=1e-12)


def test_a_generator_is_as_good_as_a_seed():
    """A generator gives the noise of the number that it draws, the same from equal generators."""
    made = [
        drawn(GREY, False, units="patches:2", absent="noise", rng=np.random.default_rng(5))
        for _ in "ab"
    ]
    np.testing.assert_array_equal(made[0], made[1])


@pytest.mark.parametrize(
    ("shape", "told"),
    [
        ((9, 9, 4), "alpha channel"),
        ((9, 9, 2), "alpha channel"),
        ((3, 9, 9), "channels come first"),
        ((1, 9, 9), "channels come first"),
        ((9, 9, 1), "no third axis"),
        ((9, 9, 5), "5 channels"),
        ((2, 9, 9, 3), "a batch"),
        ((9,), "two axes, or three"),
    ],
)
def test_an_image_of_the_wrong_mode_is_refused(shape, told):
    """What is neither grey nor colour is refused by what it seems to be."""
    with pytest.raises(InputError, match=told):
        image_game(brightness, np.zeros(shape, np.uint8), scores="values")


@pytest.mark.parametrize(
    ("image", "options", "told"),
    [
        (GREY.astype(np.int64), {}, "type int64 came"),
        (GREY > 3, {}, "type bool came"),
        (np.where(COLOUR > 0.5, np.nan, COLOUR), {}, "the image holds nan"),
        (np.zeros((0, 4)), {}, "at least one"),
        (GREY, {"units": "patches:1"}, "1 unit .patch. came; at least 2"),
        (GREY, {"units": "patches:1x1"}, "1 unit .patch. came"),
        (GREY, {"units": "patches:13"}, "image of 12 x 18"),
        (GREY, {"units": "patches:0"}, "must be 1 to 12"),
        (GREY, {"units": "squares:3"}, "units='squares:3' came"),
        (GREY, {"units": "slic:3x3"}, "units='slic:3x3' came"),
        (GREY, {"units": "patches:"}, "units='patches:' came"),
        (GREY, {"units": np.zeros((3, 3), int)}, r"shape \(3, 3\)"),
        (GREY, {"units": np.zeros((12, 18))}, "type float64"),
        (GREY, {"units": np.full((12, 18), -2)}, "-1 is always present"),
        (GREY, {"units": "patches:2", "pin": [(0, 0, 12, 18)]}, "0 units .patch. came"),
        (GREY, {"pin": [(0, 0, 13, 2)]}, "image of 12 x 18"),
        (GREY, {"pin": [(4, 0, 4, 2)]}, "top < bottom"),
        (GREY, {"pin": (0, 0, 4, 4)}, "boxes are needed"),
        (GREY, {"absent": "grey"}, "absent='grey' came"),
        (GREY, {"absent": "blur:0"}, "absent='blur:0' came"),
        (GREY, {"absent": "blur:nan"}, "absent='blur:nan' came"),
        (GREY, {"absent": "constant:1,2,3"}, "1 channel "),
        (GREY, {"absent": "constant:0.5"}, "bytes are whole"),
        (GREY, {"absent": "constant:256"}, "bytes are whole"),
        (COLOUR, {"absent": "constant:1,2"}, "3 channels"),
        (COLOUR, {"absent": "constant:"}, "absent='constant:' came"),
        (COLOUR, {"absent": COLOUR[:3]}, "an image like it"),
        (GREY, {"absent": GREY / 255}, "an image like it"),
        (GREY, {"absent": "noise", "rng": -1}, "rng=-1"),
        (GREY, {"absent": "noise", "rng": None}, "rng=None"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(image, options, told):
    """An image, cut, pin, policy or seed that cannot be used is refused, with what would do."""
    with pytest.raises(InputError, match=told):
        image_game(brightness, image, **{"scores": "values", **options})


def test_every_mask_of_a_small_image_by_hand():
    """Four patches of one pixel each: all sixteen images are as they should be."""
    image = np.array([[10, 20], [30, 40]], np.uint8)
    seen = []
    game = image_game(
        lambda x: seen.append(x) or brightness(x),
        image,
        units="patches:2",
        absent="constant:1",
        scores="values",
    )
    game.value(every(4))
    expected = np.where(every(4), image.ravel(), 1).reshape(-1, 2, 2)
    np.testing.assert_array_equal(np.concatenate(seen), expected)
