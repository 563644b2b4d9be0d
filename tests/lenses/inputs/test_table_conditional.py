"""Facts about what stands in for absent columns: each policy against its definition."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whence import masks as mask
from whence.errors import InputError
from whence.lenses.inputs.background import Baseline, Marginal, Pool
from whence.lenses.inputs.conditional import Copula, Gaussian, Neighbours
from whence.lenses.inputs.frames import as_table
from whence.lenses.inputs.table import table_game

MEAN = np.array([1.0, -2.0, 0.5, 3.0])
MIX = np.array([[2.0, 0, 0, 0], [1.0, 1.5, 0, 0], [-0.5, 0.7, 1.0, 0], [0.3, -1.0, 0.4, 0.8]])
WEIGHTS = np.array([1.5, -1.0, 2.0, 0.5])
ROW = np.array([3.0, -3.0, 0.0, 4.0])


def normal_rows(count, seed=0):
    """Rows of a known normal distribution: mean MEAN, covariance MIX MIX^T."""
    return MEAN + np.random.default_rng(seed).standard_normal((count, 4)) @ MIX.T


def conditional(mean, covariance, present):
    """Mean and covariance of the absent columns given the row's present ones, in closed form."""
    absent = ~present
    gain = covariance[np.ix_(absent, present)] @ np.linalg.inv(covariance[np.ix_(present, present)])
    centre = mean[absent] + gain @ (ROW - mean)[present]
    return centre, covariance[np.ix_(absent, absent)] - gain @ covariance[np.ix_(present, absent)]


def linear(rows):
    """A score that is linear in the columns."""
    return np.asarray(rows) @ WEIGHTS


def expected_linear(mean, covariance, masks):
    """E[linear | present columns] for each mask."""
    values = []
    for present in masks:
        full = ROW.copy()
        if not present.all():
            full[~present] = conditional(mean, covariance, present)[0] if present.any() else mean
        values.append(full @ WEIGHTS)
    return np.array(values)


def pool_of(table, size=10, seed=0):
    """A row (the first) and its background, as a policy is given them."""
    columns = as_table(table).columns()
    total = len(columns[0].values) - 1
    return Pool(columns, np.arange(1, min(size, total) + 1), total, size, seed)


def test_gaussian_has_no_error_on_a_linear_score():
    """For a linear score the Gaussian value is the closed form of the background's own moments."""
    background = normal_rows(500)
    game = table_game(linear, ROW, background=background, absent="gaussian", size=10)
    masks = mask.every(4)
    moments = background.mean(axis=0), np.cov(background, rowvar=False, bias=True)
    assert game(masks) == pytest.approx(expected_linear(*moments, masks), abs=1e-4)


@pytest.mark.parametrize("absent", ["gaussian", "copula"])
def test_conditional_values_recover_a_planted_distribution(absent):
    """From 20,000 rows of a known normal distribution its conditional means are found."""
    game = table_game(linear, ROW, background=normal_rows(20000), absent=absent, size=2000)
    masks = mask.every(4)
    known = expected_linear(MEAN, MIX @ MIX.T, masks)
    assert game(masks) == pytest.approx(known, abs=0.12)
    plain = table_game(linear, ROW, background=normal_rows(20000), size=2000)(masks)
    assert np.abs(plain - known).max() > 1.0


def test_gaussian_draws_have_the_conditional_spread():
    """A product of two absent columns averages to its conditional second moment."""
    background = normal_rows(4000)
    game = table_game(
        lambda rows: rows[:, 1] * rows[:, 3], ROW, background=background, absent="gaussian",
        size=20000,
    )  # fmt: skip
    present = np.array([True, False, True, False])
    moments = background.mean(axis=0), np.cov(background, rowvar=False, bias=True)
    centre, covariance = conditional(*moments, present)
    wanted = centre[0] * centre[1] + covariance[0, 1]
    assert game(present[None])[0] == pytest.approx(wanted, rel=0.02)


def test_collinear_and_constant_columns_are_no_trouble():
    """Columns that repeat each other or never vary give finite values near the closed form."""
    rows = normal_rows(300)
    background = np.column_stack([rows[:, 0], rows[:, 0], np.ones(300), rows[:, 1]])
    row = [2.0, 2.0, 1.0, 0.0]
    game = table_game(
        lambda x: x[:, 1] + 5 * x[:, 2], row, background=background, absent="gaussian"
    )
    assert game([[True, False, False, False]])[0] == pytest.approx(7.0, abs=0.01)


def test_copula_is_blind_to_monotone_scales():
    """A copula game of exponentials, read by their logarithm, is the game of the numbers."""
    background = normal_rows(200)
    plain = table_game(linear, ROW, background=background, absent="copula", size=40)
    bent = table_game(
        lambda rows: linear(np.log(rows)), np.exp(ROW), background=np.exp(background),
        absent="copula", size=40,
    )  # fmt: skip
    assert bent(mask.every(4)) == pytest.approx(plain(mask.every(4)), abs=1e-9)


def test_copula_keeps_to_values_of_the_background():
    """Every absent cell of a copula's row is one that the background has in that column."""
    table = np.vstack([ROW, np.round(normal_rows(80))])
    places = Copula().bind(pool_of(table, size=50))(np.array([False, True, False, False]))
    assert places.shape == (50, 4)
    assert (places[:, 1] == 0).all()
    assert (places[:, [0, 2, 3]] > 0).all()


def test_copula_margins_are_the_backgrounds():
    """With nothing present each column's mean and spread are the background's."""
    table = np.vstack([ROW, np.exp(normal_rows(400) / 3)])
    places = Copula().bind(pool_of(table, size=20000))(np.zeros(4, dtype=bool))
    drawn = table[places, np.arange(4)]
    assert drawn.mean(axis=0) == pytest.approx(table[1:].mean(axis=0), rel=0.03)
    assert drawn.std(axis=0) == pytest.approx(table[1:].std(axis=0), rel=0.08)


def nearest_by_hand(table, present, k):
    """The k rows nearest to the first on the present columns, by sorting all distances."""
    distances = []
    for at, other in enumerate(table[1:], 1):
        total = 0.0
        for j in np.flatnonzero(present):
            column = [row[j] for row in table[1:] if row[j] is not None]
            own, its = table[0][j], other[j]
            if (own is None) != (its is None):
                total += 1.0
            elif own is None:
                total += 0.0
            elif isinstance(own, str):
                total += float(own != its)
            else:
                total += ((own - its) / (np.std(column) or 1.0)) ** 2
        distances.append((total, at))
    return sorted(at for _, at in sorted(distances)[:k])


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 12))
def test_neighbours_are_the_nearest_rows(seed, k):
    """The rows taken are those a sort of all distances gives, numbers, words and holes mixed."""
    rng = np.random.default_rng(seed)
    table = np.empty((25, 4), dtype=object)
    table[:, 0] = rng.normal(size=25).round(1).tolist()
    table[:, 1] = rng.integers(0, 3, 25).tolist()
    table[:, 2] = [str(w) for w in rng.choice(["a", "b", "c"], 25)]
    table[:, 3] = [None if u < 0.3 else float(u) for u in rng.random(25)]
    fill = Neighbours(k).bind(pool_of(table))
    for present in mask.every(4)[1:-1]:
        places = fill(present)
        assert sorted(places[:, ~present][:, 0].tolist()) == nearest_by_hand(table, present, k)
        assert (places[:, present] == 0).all()


def test_neighbours_with_nothing_present_are_the_sample():
    """Where no column is present the background's sample stands for all rows."""
    pool = pool_of(np.vstack([ROW, normal_rows(50)]), size=20)
    nothing = np.zeros(4, dtype=bool)
    assert (Neighbours(3).bind(pool)(nothing) == Marginal().bind(pool)(nothing)).all()


def test_the_middle_row_is_the_median_and_the_most_frequent():
    """A baseline without a row takes the lower median of numbers and the most frequent word."""
    table = [[9.0, "z"], [4.0, "b"], [1.0, "a"], [None, "b"], [3.0, "a"], [2.0, None]]
    game = table_game(
        lambda rows: [number * 10 + ord(word) for number, word in rows], 0, table=table,
        background=table[1:], absent="baseline",
    )  # fmt: skip
    assert game([[False, False], [True, False]]) == pytest.approx([20 + ord("b"), 90 + ord("b")])


def test_draws_come_from_the_seed_alone():
    """Equal seeds draw equal rows, another seed others."""
    pools = [pool_of(np.vstack([ROW, normal_rows(50)]), seed=seed) for seed in (1, 1, 2)]
    first, same, other = (Gaussian().bind(pool)(np.zeros(4, dtype=bool)) for pool in pools)
    assert (first == same).all()
    assert (first != other).any()


@pytest.mark.parametrize("absent", ["gaussian", "copula"])
def test_policies_of_numbers_refuse_words_and_holes(absent):
    """Columns of words, or with missing values, are refused by name for draws of numbers."""
    words = np.array([[1.0, "a", 2.0], [2.0, "b", 3.0]] * 3, dtype=object)
    with pytest.raises(InputError, match="'x1' holds no numbers"):
        table_game(len, 0, table=words, absent=absent)
    holes = normal_rows(9)
    holes[4, [1, 2]] = np.nan
    with pytest.raises(InputError, match="'x1', 'x2' hold missing values"):
        table_game(linear, ROW, background=holes, absent=absent)
    with pytest.raises(InputError, match="a background of 1 row;"):
        table_game(linear, ROW, background=normal_rows(1), absent=absent)


def test_notes_name_each_policy():
    """Each policy says in words what an absent column takes, with its size and seed."""
    background = normal_rows(300)
    for absent, told in (
        ("neighbours:9", "from the 9 background rows (of 300) nearest on"),
        ("gaussian", "100 draws of the normal distribution of 300 background rows"),
        ("copula", "100 draws of the normal copula of 300 background rows"),
        ("baseline", "the middle value of 300 background rows"),
        (Baseline(MEAN), "the baseline row's value"),
    ):
        game = table_game(linear, ROW, background=background, absent=absent)
        assert told in game.notes()[0]
