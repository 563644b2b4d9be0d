"""The peeling solver: the design is recognised from the masks, and decoded whatever lies beside."""

import numpy as np
import pytest

from whence import Samples, masks
from whence._kernels.peeling_design import Design
from whence.errors import InputError
from whence.samplers.coded import Coded
from whence.solvers.peeling import Peeling, recognise
from whence.testing import planted


def coded(n, b, t=5, groups=3, seed=0):
    """A coded design's masks, after the ends."""
    ends = Samples(masks.ends(n), np.zeros(2))
    asked = Coded(b, t, groups)(n, 10**7, np.random.default_rng(seed), ends)
    return np.concatenate([masks.ends(n), asked])


def valued(rows, game):
    """Samples of a game at the given masks."""
    return Samples(rows, game(rows))


@pytest.mark.parametrize(
    ("n", "b", "t", "groups"),
    [(9, 3, 1, 3), (30, 3, 1, 1), (64, 5, 5, 3), (65, 4, 3, 2), (300, 3, 2, 4), (1000, 3, 5, 3)],
)
def test_design_is_recognised(n, b, t, groups):
    """The design that was asked is recognised from its masks, in any order."""
    number = int(np.random.default_rng(5).integers(1024))
    rows = coded(n, b, t, groups, seed=5)
    rows = np.random.default_rng(1).permutation(rows)
    assert recognise(Samples(rows, np.zeros(len(rows)))) == Design(number, n, b, t, groups)


@pytest.mark.parametrize("n", [1, 2, 8, 12, 64, 1000])
def test_uniform_masks_hold_no_design(n):
    """Uniform masks, be they half of all masks, are recognised as no design."""
    rows = masks.uniform(n, min(300, 2**n // 2), np.random.default_rng(0))
    assert recognise(Samples(rows, np.zeros(len(rows)))) is None
    with pytest.raises(InputError, match="hold no complete coded design"):
        Peeling().fit(Samples(rows, np.zeros(len(rows))))


def test_a_design_with_a_hole_is_a_smaller_design():
    """One mask short, the largest design that is still whole is decoded; without any, none."""
    rows = coded(40, 4, 2)
    assert recognise(Samples(rows[2:-1], np.zeros(len(rows) - 3))).groups == 2
    assert recognise(Samples(rows[3:], np.zeros(len(rows) - 3))) is None


@pytest.mark.parametrize("n", [1, 2, 3, 6])
def test_every_mask_holds_a_design(n):
    """All masks of a few units hold a design, and its decoding is fed."""
    rows = masks.every(n)
    f = Peeling().fit(Samples(rows, rows.sum(axis=1).astype(float)))
    np.testing.assert_allclose(f(rows), rows.sum(axis=1), atol=1e-6)


def test_other_samples_do_not_disturb():
    """Uniform masks, the ends and repeats beside the design leave a sparse function exact."""
    game = planted.sparse(50, 3, degree=4)
    rng = np.random.default_rng(0)
    rows = np.concatenate([coded(50, 4), rng.random((500, 50)) < 0.5])
    rows = rng.permutation(np.concatenate([rows, rows[:100]]))
    f = Peeling().fit(valued(rows, game.game))
    assert set(f.sets) - {()} == set(game.truth.sets)
    fresh = rng.random((500, 50)) < 0.5
    np.testing.assert_allclose(f(fresh), game.truth(fresh), atol=1e-6)


def test_other_samples_enter_the_refit():
    """Where the design is small and noisy, more uniform masks beside it make the refit better."""
    game = planted.additive(40, 1)
    rng = np.random.default_rng(2)
    rows, more = coded(40, 3, 2), masks.uniform(40, 3000, rng)
    fresh = rng.random((2000, 40)) < 0.5
    truth = game.truth(fresh)
    wrong = []
    for table in (rows, np.concatenate([rows, more])):
        noise = 0.5 * truth.std() * np.random.default_rng(3).normal(size=len(table))
        f = Peeling().fit(Samples(table, game.game(table) + noise))
        wrong.append(((f(fresh) - truth) ** 2).mean() / truth.var())
    assert wrong[1] < wrong[0] / 3


def test_refit_helps_dense_functions():
    """On a noisy function with more terms than bins the refit is kept, and predicts better."""
    game = planted.hierarchical(64, 2, terms=30)
    rows = coded(64, 5)
    clean = game.game(rows)
    values = clean + 0.3 * clean.std() * np.random.default_rng(0).normal(size=len(rows))
    fresh = np.random.default_rng(1).random((2000, 64)) < 0.5
    truth = game.truth(fresh)
    wrong = []
    for refine in (False, True):
        f = Peeling(refine=refine).fit(Samples(rows, values))
        assert ("not refined" in f.fitted_by) is not refine
        wrong.append(((f(fresh) - truth) ** 2).mean() / truth.var())
    assert wrong[1] < wrong[0]


def test_outputs_share_the_design_and_nothing_else():
    """Several outputs of any shape are decoded as each alone."""
    game = planted.sparse(40, 2, terms=8, out=(2, 2))
    rows = coded(40, 4, 3)
    values = game.game(rows)
    values[:, 1, 1] = 0.25
    f = Peeling().fit(Samples(rows, values))
    assert f.out == (2, 2)
    for i, j in np.ndindex(2, 2):
        alone = Peeling().fit(Samples(rows, values[:, i, j]))
        assert {s: v for s, v in f.output((i, j)).terms.items() if v != 0 or s == ()} == (
            pytest.approx(alone.terms, abs=1e-12)
        )
    assert f.output((1, 1))(rows[:1]) == 0.25


def test_an_outlying_empty_mask_does_no_harm():
    """With the empty mask worth 50 standard deviations more, the sparse function is still found."""
    game = planted.sparse(64, 1, terms=20)
    rows = coded(64, 5)
    values = game.game(rows)
    values[rows.sum(axis=1) == 0] += 50 * values.std()
    f = Peeling().fit(Samples(rows, values))
    fresh = np.random.default_rng(1).random((1000, 64)) < 0.5
    np.testing.assert_allclose(f(fresh), game.truth(fresh), atol=1e-3)


def test_unit_and_zero_of_the_game_do_not_matter():
    """A function of size a billion, or a billionth, far from zero, is found as well as any."""
    game = planted.sparse(40, 6, terms=10)
    rows = coded(40, 4, 3)
    for factor, shift in ((1e9, -3e9), (1e-9, 1e-8)):
        f = Peeling().fit(Samples(rows, factor * game.game(rows) + shift))
        assert set(f.sets) - {()} == set(game.truth.sets)
        assert f.terms[()] == pytest.approx(shift, rel=1e-3)


def test_decoding_has_two_kinds():
    """Another decoding than soft or hard is refused by name."""
    with pytest.raises(InputError, match="'medium' came; it is 'soft' or 'hard'"):
        Peeling("medium")
