"""Facts about maps drawn over pictures."""

import numpy as np

from views import maps
from whence.prospectors import Grid, Sequence
from whence.units import Units
from whence.views.overlay import heat, overlay, places
from whence.views.prospect_map import strength, titles


def test_places_follow_the_holes():
    """Tokens of a grid with a hole are numbered row by row, and the hole is nobody's."""
    present = np.array([[True, False], [True, True]])
    at = places(Units(("a", "b", "c")), Grid(2, 2, present))
    assert at.tolist() == [[0, -1], [1, 2]]


def test_sequences_have_no_places():
    """Tokens on no grid are not drawn over a picture."""
    assert places(Units(("a", "b")), Sequence()) is None


def test_heat_tells_sign_by_colour_and_strength_by_opacity():
    """Above zero is blue, below orange, zero and holes are clear; the strongest is most opaque."""
    pixels = heat([1.0, -0.5, 0.0], np.array([[0, 1], [2, -1]]))
    assert pixels[0, 0, 2] > pixels[0, 0, 0]
    assert pixels[0, 1, 0] > pixels[0, 1, 2]
    assert pixels[..., 3].tolist() == [[204, 102], [0, 0]]


def test_overlay_shows_the_picture_and_titles():
    """The picture stands beside its heated form, and a place tells its value where one points."""
    shown = maps.picture()
    at = places(shown.map.units, shown.layout)
    drawn = overlay(strength(shown.map), titles(shown.map), at, shown.picture)
    assert drawn.count("<svg") == 2
    assert drawn.count("data:image/png") == 3
    assert "<title>patch 5: +1.00;" in drawn


def test_overlay_without_a_picture_draws_the_heat():
    """A grid of embeddings has no pixels of its own."""
    shown = maps.picture()
    at = places(shown.map.units, shown.layout)
    assert overlay(strength(shown.map), titles(shown.map), at, None).count("data:image/png") == 1
