"""Holds the facts about series_game: windows and channels of a time series as units."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from whence.errors import InputError
from whence.lenses.inputs.series import series_game
from whence.masks import every
from whence.testing import check_game

RNG = np.random.default_rng(0)
ONE = RNG.normal(size=24).astype(np.float32)
THREE = RNG.normal(3.0, 2.0, size=(24, 3))


def energy(series):
    """A plain number per series: the sum of its squares."""
    return (np.asarray(series, dtype=float) ** 2).reshape(len(series), -1).sum(axis=1)


def game_of(series=THREE, **options):
    """A game of plain numbers."""
    return series_game(energy, series, **{"scores": "values", **options})


def drawn(series, mask, **options):
    """The series that a mask makes."""
    seen = []
    game = series_game(lambda x: seen.append(x) or energy(x), series, scores="values", **options)
    game.value(np.broadcast_to(mask, (1, game.n)))
    return seen[0][0]


@given(st.integers(2, 60), st.data())
def test_windows_are_even_stretches(t, data):
    """Windows follow each other, cover every sample, and differ by at most one in length."""
    count = data.draw(st.integers(2, t))
    grid = game_of(np.arange(float(t)), units=f"windows:{count}").units.grid
    assert (np.diff(grid) >= 0).all()
    assert np.array_equal(np.unique(grid), np.arange(count))
    assert np.ptp(np.bincount(grid)) <= 1


@pytest.mark.parametrize(
    ("units", "kind", "labels"),
    [
        ("windows:2", "window", ("samples 0 to 11", "samples 12 to 23")),
        ("channels", "channel", ("x", "y", "z")),
        (
            "windows:2 x channels",
            "channel window",
            tuple(f"{c}, samples {s}" for s in ("0 to 11", "12 to 23") for c in "xyz"),
        ),
    ],
)
def test_units_are_named_by_samples_and_channels(units, kind, labels):
    """A window is named by its first and last sample, from 0; a channel by its name."""
    found = game_of(units=units, names=["x", "y", "z"]).units
    assert (found.kind, found.labels, found.grid.shape) == (kind, labels, (24, 3))


def test_a_unit_switches_its_own_samples():
    """Each kind of unit switches those samples of those channels, and no others."""
    for units, place in (
        ("windows:4", np.s_[6:12]),
        ("channels", np.s_[:, 1]),
        ("windows:4 x channels", np.s_[:6, 1]),
    ):
        mask = np.ones(game_of(units=units).n, dtype=bool)
        mask[1] = False
        expected = THREE.copy()
        expected[place] = 0
        np.testing.assert_array_equal(drawn(THREE, mask, units=units, absent="zero"), expected)


def test_a_window_of_one_sample_and_unnamed_channels():
    """A lone sample is named alone, and channels are counted from 0."""
    assert game_of(np.arange(2.0), units="windows:2").units.labels == ("sample 0", "sample 1")
    assert game_of(units="channels").units.labels == ("channel 0", "channel 1", "channel 2")


def test_a_map_of_ones_own_cuts_as_it_says():
    """Each different number is a segment; -1 is always present."""
    own = np.full((24, 3), -1)
    own[:4, 0], own[9:, 2] = 5, 2
    found = game_of(units=own).units
    assert found.labels == ("segment 2", "segment 5")
    assert found.grid[0, 0] == 1
    assert found.grid[5, 0] == -1


def test_the_mean_is_the_channels_own():
    """With every window absent each channel is its mean."""
    made = drawn(THREE, False, absent="mean")
    np.testing.assert_allclose(made, np.broadcast_to(THREE.mean(axis=0), THREE.shape))


def test_another_series_stands_in():
    """A series of the same shape stands at absent samples."""
    np.testing.assert_array_equal(drawn(THREE, False, absent=-THREE), -THREE)


def test_a_gap_is_bridged_by_a_straight_line():
    """`linear` joins the nearest present samples of the channel, and is level beyond the ends."""
    series = np.array([5.0, 1.0, 9.0, 9.0, 4.0, 7.0])
    units = np.array([0, 1, 2, 2, 3, 4])
    mask = np.array([False, True, False, True, False])
    made = drawn(series, mask, units=units, absent="linear")
    np.testing.assert_allclose(made, [1.0, 1.0, 2.0, 3.0, 4.0, 4.0])


def test_a_channel_with_nothing_present_is_its_mean():
    """`linear` leaves other channels alone and gives an absent one its mean."""
    made = drawn(THREE, np.array([True, False, True]), units="channels", absent="linear")
    np.testing.assert_array_equal(made[:, [0, 2]], THREE[:, [0, 2]])
    np.testing.assert_allclose(made[:, 1], THREE[:, 1].mean())


def test_noise_has_the_channels_mean_and_spread():
    """Over many masks the noise of a channel has its mean and standard deviation."""
    seen = []
    game = series_game(
        lambda x: seen.append(x) or energy(x),
        THREE,
        units="windows:12",
        absent="noise",
        scores="values",
    )
    game.value(RNG.random((400, 12)) < 0.5)
    made = np.concatenate(seen)
    noise = [made[..., c][made[..., c] != THREE[:, c]] for c in range(3)]
    np.testing.assert_allclose([n.mean() for n in noise], THREE.mean(axis=0), atol=0.15)
    np.testing.assert_allclose([n.std() for n in noise], THREE.std(axis=0), rtol=0.05)


@pytest.mark.parametrize("series", [ONE, THREE], ids=["one", "three"])
@pytest.mark.parametrize("absent", ["mean", "zero", "noise", "linear"])
def test_a_game_of_a_series_keeps_the_contract(series, absent):
    """Under every policy values keep the contract: noise depends on the mask and seed alone."""
    check_game(game_of(series, units="windows:6", absent=absent))


def test_the_identity_tells_games_apart():
    """Series, cut, policy and seed count."""
    some = [
        {},
        {"series": -THREE},
        {"units": "channels"},
        {"absent": "zero"},
        {"absent": "linear"},
        {"absent": "noise"},
        {"absent": "noise", "rng": 1},
    ]
    assert len({game_of(identity="m", **options).identity for options in some}) == len(some)


def test_values_are_those_of_the_masked_series():
    """All masks of two channels, zeros in the place of the absent one."""
    game = game_of(THREE[:, :2], units="channels", absent="zero")
    each = (THREE[:, :2] ** 2).sum(axis=0)
    np.testing.assert_allclose(game(every(2)), every(2) @ each)


@pytest.mark.parametrize(
    ("series", "options", "told"),
    [
        (np.zeros((2, 3, 4)), {}, "shape"),
        (np.array([1.0, np.nan]), {}, "the series holds nan"),
        (ONE, {"units": "channels"}, "1 unit .channel. came; at least 2"),
        (ONE, {"units": "windows:1"}, "1 unit .window. came"),
        (ONE, {"units": "windows:25"}, "1 to 24 windows"),
        (ONE, {"units": "windows:0"}, "1 to 24 windows"),
        (ONE, {"units": "hours:2"}, "units='hours:2' came"),
        (THREE, {"units": np.zeros(24, int)}, "in the series' shape"),
        (THREE, {"units": np.full((24, 3), -3)}, "-1 for what is always present"),
        (THREE, {"absent": "median"}, "absent='median' came"),
        (THREE, {"absent": THREE[:4]}, "absent came with shape"),
        (THREE, {"names": ["a"]}, "3 channels; give one name"),
        (THREE, {"names": "abc"}, "in a sequence"),
        (THREE, {"absent": "noise", "rng": 1.5}, "rng=1.5"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(series, options, told):
    """A series, cut, policy or name that cannot be used is refused, with what would do."""
    with pytest.raises(InputError, match=told):
        game_of(series, **options)
