"""Holds the facts about Inpainted, checked against the linear system that defines it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from whence.lenses.inputs import inpaint
from whence.lenses.inputs.inpaint import Inpainted, imputed


def definition(image, there):
    """The dense system: 6 or 12 parts of each neighbour that exists, solved for absent pixels."""
    h, w, _ = image.shape
    places = list(np.ndindex(h, w))
    system, right = np.eye(h * w), image.reshape(h * w, -1).copy()
    for row, (y, x) in enumerate(places):
        if there[y, x]:
            continue
        around = [
            (column, 2.0 if a == y or b == x else 1.0)
            for column, (a, b) in enumerate(places)
            if max(abs(a - y), abs(b - x)) == 1
        ]
        right[row] = 0
        for column, weight in around:
            system[row, column] -= weight / sum(weight for _, weight in around)
    return np.linalg.solve(system, right).reshape(image.shape)


@given(st.integers(2, 7), st.integers(2, 7), st.integers(1, 3), st.integers(0, 2**32))
def test_absent_pixels_solve_the_linear_system(h, w, c, seed):
    """Each absent pixel is the weighted mean of its neighbours, edges included; others stay."""
    rng = np.random.default_rng(seed)
    image, there = rng.random((h, w, c)), rng.random((h, w)) < rng.random()
    there[rng.integers(h), rng.integers(w)] = True
    filled = imputed(image, there)
    np.testing.assert_allclose(filled, definition(image, there), atol=1e-9)
    np.testing.assert_array_equal(filled[there], image[there])


def test_where_nothing_is_present_the_mean_colour_stands():
    """An image with every pixel absent is its mean colour."""
    image = np.random.default_rng(0).random((4, 5, 3))
    filled = imputed(image, np.zeros((4, 5), bool))
    np.testing.assert_allclose(filled, np.broadcast_to(image.mean(axis=(0, 1)), image.shape))


def test_a_slope_is_continued():
    """Across a gap inside a slope the imputed pixels lie on it, for it is its neighbours' mean."""
    slope = np.add.outer(np.arange(9.0), 2 * np.arange(9.0))[..., None]
    there = np.ones((9, 9), bool)
    there[2:7, 3:6] = False
    np.testing.assert_allclose(imputed(slope, there), slope, atol=1e-9)


def test_a_large_image_is_nearly_the_exact_solution(monkeypatch):
    """Halved, solved and doubled, the error is a fraction of that of the mean colour."""
    rng = np.random.default_rng(0)
    smooth = np.cumsum(np.cumsum(rng.normal(size=(97, 80, 3)), axis=0), axis=1)
    for density in (0.2, 0.5, 0.8):
        there = np.kron(rng.random((8, 8)) < density, np.ones((13, 10), bool))[:97, :80] > 0
        near = imputed(smooth, there)
        monkeypatch.setattr(inpaint, "EXACT", smooth.size)
        exact = imputed(smooth, there)
        monkeypatch.undo()
        np.testing.assert_array_equal(near[there], smooth[there])
        error = np.abs(near - exact)[~there].mean()
        assert 0 < error < 0.15 * np.abs(smooth.mean(axis=(0, 1)) - exact)[~there].mean()


@pytest.mark.parametrize("shape", [(6, 8), (6, 8, 3), (70, 66)])
def test_noise_depends_on_the_mask_and_the_seed_alone(shape):
    """A mask is filled alike in any batch and order, otherwise for other masks or seeds."""
    rng = np.random.default_rng(1)
    image = rng.random(shape)
    grid = (np.add.outer(np.arange(shape[0]) * 4 // shape[0], np.zeros(shape[1]))).astype(np.int32)
    masks = np.array([[1, 0, 1, 1], [0, 1, 0, 1], [1, 0, 1, 1], [0, 0, 0, 0]], dtype=bool)
    filled = Inpainted(image, grid, 7)(masks)
    np.testing.assert_array_equal(filled[0], filled[2])
    np.testing.assert_array_equal(filled[::-1], Inpainted(image, grid, 7)(masks[::-1]))
    np.testing.assert_array_equal(filled[1:2], Inpainted(image, grid, 7)(masks[1:2]))
    assert not np.array_equal(filled, Inpainted(image, grid, 8)(masks))
    assert Inpainted(image, grid, 7).describe() != Inpainted(image, grid, 8).describe()


def test_the_noise_is_a_hundredth_of_the_range():
    """Of a flat image with one bright pixel, imputed pixels scatter by 0.01 of its range."""
    image = np.zeros((60, 60), np.float32)
    image[0, 0] = 10.0
    grid = np.full((60, 60), 0, np.int32)
    grid[:10] = 1
    filled = Inpainted(image, grid, 0)(np.array([[False, True]]))[0]
    assert filled.dtype == np.float32
    assert filled[10:].std() == pytest.approx(0.1, rel=0.05)


def test_bytes_stay_bytes():
    """Imputed bytes are whole and within 0 to 255, noise and all."""
    image = np.where(np.random.default_rng(0).random((8, 8)) < 0.5, 0, 255).astype(np.uint8)
    grid = (np.arange(64).reshape(8, 8) % 3).astype(np.int32)
    filled = Inpainted(image, grid, 0)(np.eye(3, dtype=bool))
    assert filled.dtype == np.uint8
