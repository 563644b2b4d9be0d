"""Whether a head, its weights and its maps are better than with shuffled labels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.exceptions import NotFittedError

from whence.errors import InputError
from whence.evaluation.localisation import average_precision
from whence.prospectors import Bag, Prospector, ProspectorRegressor, Sequence
from whence.prospectors._fitting import counted
from whence.prospectors._shuffling import shuffles
from whence.prospectors.folds import folds, performance
from whence.prospectors.kernels import KERNELS
from whence.prospectors.null import permutation_null


def letters(seed, count=60, size=14, planted=True):
    """Bags of letters; positives hold "ab" somewhere, which is the truth, negatives hold "ba"."""
    rng = np.random.default_rng(seed)
    y, bags, truths = np.tile([0, 1], count // 2), [], []
    for c in y:
        names = rng.choice(list("cdef"), size)
        at = rng.integers(1, size - 2)
        names[at : at + 2] = ["a", "b"] if c and planted else ["a", "c"]
        if not c or not planted:
            names[(at + size // 2) % size] = "b"
        bags.append(Bag(names, Sequence(window=1)))
        truths.append(np.isin(np.arange(size), [at, at + 1]) & bool(c))
    return bags, y, truths


def fitted(bags, y, **options):
    """A head on letters, with pairs."""
    return Prospector(r=1, **options).fit(bags, y)


def test_what_is_planted_stands_out():
    """A planted pair beats every shuffle, and it is the pair that stands out first."""
    bags, y, truths = letters(0)
    found = permutation_null(
        fitted(bags, y), bags, y, np.random.default_rng(0), permutations=49, truths=truths
    )
    assert found.performance.p_value == pytest.approx(1 / 50)
    assert found.precision.p_value == pytest.approx(1 / 50)
    assert found.standing[0].names == ("a", "b")
    assert found.standing[0].weight > 0
    assert "better than with shuffled labels" in found.words


def test_the_observed_value_is_the_heads_own():
    """What is compared is the performance that the head itself shows."""
    bags, y, _ = letters(0)
    head = fitted(bags, y, kernel="ridge")
    found = permutation_null(head, bags, y, np.random.default_rng(0), permutations=19)
    assert found.performance.observed == pytest.approx(head.performance_.value)


@pytest.mark.parametrize("kernel", ["welch", "ridge"])
def test_shuffled_fits_are_fits_to_shuffled_labels(kernel):
    """Every shuffled performance is that of the kernel fitted, fold by fold, to those labels."""
    bags, y, _ = letters(0, count=30)
    head = fitted(bags, y, kernel=kernel, cv=3)
    found = permutation_null(head, bags, y, np.random.default_rng(5), permutations=19)
    x, parts = counted(bags, head.quantizer_, 1).frequencies, folds(y, None, 3, 0)
    orders = shuffles(y, parts, None, np.random.default_rng(5), 19)
    want = []
    for row in orders:
        margins = np.empty((30, 1))
        for train, test in parts:
            fit = KERNELS[kernel](x[train], y[row][train][:, None].astype(float))
            margins[test] = x[test] @ fit.values
        want.append(performance(margins, y[row], parts).value)
    assert found.performance.shuffled == pytest.approx(want)


def test_without_signal_p_values_are_uniform():
    """Where labels mean nothing, p-values are below a level about as often as the level says."""
    kept = []
    for seed in range(60):
        bags, y, _ = letters(seed, count=24, size=8, planted=False)
        y = np.random.default_rng([seed, 1]).permutation(y)
        head = fitted(bags, y, cv=2)
        kept.append(permutation_null(head, bags, y, np.random.default_rng(seed), permutations=19))
    p = np.array([found.performance.p_value for found in kept])
    assert 0.3 < (p <= 0.5).mean() < 0.7
    assert np.mean([len(found.standing) > 0 for found in kept]) < 0.15


def test_without_signal_the_words_warn():
    """Where the head is not surely better than shuffles, the words say not to trust its map."""
    bags, y, _ = letters(3, planted=False)
    y = np.random.default_rng(1).permutation(y)
    found = permutation_null(fitted(bags, y), bags, y, np.random.default_rng(0), permutations=19)
    assert found.performance.p_value > 0.05
    assert "must not be trusted" in found.words


def test_thresholds_are_what_p_values_say():
    """A weight is beyond its threshold exactly where its family-wise p-value is at most 0.05."""
    bags, y, _ = letters(0)
    head = fitted(bags, y)
    found = permutation_null(head, bags, y, np.random.default_rng(0), permutations=59)
    beyond = np.abs(head.weights_) > found.thresholds
    assert beyond.any()
    assert (beyond == (found.p_values <= 0.05)).all()
    assert len(found.standing) == beyond.sum()


@given(st.integers(0, 99))
def test_shuffles_stay_within_folds(seed):
    """Every shuffle keeps the positions of each fold within that fold."""
    y = np.tile([0, 1], 20)
    parts = folds(y, None, 4, seed)
    for row in shuffles(y, parts, None, np.random.default_rng(seed), 5):
        for _, test in parts:
            assert np.sort(row[test]).tolist() == test.tolist()


@given(st.integers(0, 99))
def test_groups_of_one_label_exchange_it(seed):
    """Where labels agree within groups, they do so after every shuffle."""
    groups = np.random.default_rng(seed).integers(0, 16, 80)
    y = groups % 2
    parts = folds(y, groups, 3, seed)
    rows = shuffles(y, parts, groups, np.random.default_rng(seed), 20)
    for row in rows:
        assert all(len(np.unique(y[row][groups == g])) == 1 for g in np.unique(groups))
    assert len(np.unique(y[rows], axis=0)) > 1


@given(st.integers(0, 99))
def test_groups_of_both_labels_keep_their_share(seed):
    """Where labels differ within groups, every group keeps as many of each."""
    rng = np.random.default_rng(seed)
    groups, y = np.repeat(np.arange(10), 6), rng.integers(0, 2, 60)
    y[:2] = 0, 1
    parts = folds(y, groups, 3, seed)
    rows = shuffles(y, parts, groups, rng, 10)
    own = np.bincount(groups, y)
    assert all((np.bincount(groups, y[row]) == own).all() for row in rows)
    assert len(np.unique(y[rows], axis=0)) > 1


def test_few_groups_are_said():
    """Where groups are so few that shuffles repeat, the words say what p-value means nothing."""
    bags, y, _ = letters(0, count=24)
    groups = np.arange(24) // 2 * 2 % 8 + y
    head = Prospector(r=1, cv=2).fit(bags, y, groups)
    found = permutation_null(
        head, bags, y, np.random.default_rng(0), permutations=99, groups=groups
    )
    assert found.distinct < 50
    assert f"only {found.distinct} of 99 shuffles differ" in found.words


def test_more_classes_name_theirs():
    """Of three classes, what stands out says of which, and maps need an output."""
    bags, y, truths = letters(0, count=90)
    y = np.where(y, "motif", np.where(np.arange(90) % 4, "none", "other"))
    head = fitted(bags, y)
    rng = np.random.default_rng(0)
    found = permutation_null(head, bags, y, rng, permutations=39, truths=truths, output="motif")
    assert (found.standing[0].names, found.standing[0].output) == (("a", "b"), "motif")
    assert found.precision.p_value == pytest.approx(1 / 40)
    with pytest.raises(InputError, match="say which one is mapped"):
        permutation_null(head, bags, y, rng, permutations=19, truths=truths)


def test_the_other_output_turns_the_map():
    """Of two classes the first one's maps are the negative of the second's."""
    bags, y, truths = letters(0)
    head = fitted(bags, y)
    one, other = (
        permutation_null(
            head, bags, y, np.random.default_rng(0), permutations=19, truths=truths, output=c
        ).precision.observed
        for c in (1, 0)
    )
    assert one > 0.9
    assert other < 0.3


def test_numbers_have_a_null_too():
    """Continuous labels are compared by rank correlation."""
    bags, y, _ = letters(0)
    y = y + np.random.default_rng(0).normal(size=len(y)) * 0.2
    head = ProspectorRegressor(r=1).fit(bags, y)
    found = permutation_null(head, bags, y, np.random.default_rng(0), permutations=19)
    assert found.performance.name == "bag rank correlation"
    assert found.performance.p_value == pytest.approx(1 / 20)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"permutations": 18}, "below 19"),
        ({"mapped": []}, "without truths"),
        ({"truths": [[True]]}, "one truth per token"),
        ({"output": 7, "truths": [[True]]}, "classes are"),
    ],
)
def test_what_cannot_be_tested_is_refused(options, said):
    """Too few shuffles, maps without truths and truths without maps are refused by name."""
    bags, y, _ = letters(0, count=20)
    head = fitted(bags, y, cv=2)
    options = {"permutations": 19, **options}
    with pytest.raises(InputError, match=said):
        permutation_null(head, bags, y, np.random.default_rng(0), **options)


def test_heads_must_be_fitted_with_folds():
    """A head that is not fitted, or has no folds, has no null."""
    bags, y, _ = letters(0, count=20)
    rng = np.random.default_rng(0)
    with pytest.raises(NotFittedError):
        permutation_null(Prospector(), bags, y, rng)
    with pytest.raises(InputError, match="cv=0"):
        permutation_null(fitted(bags, y, cv=0), bags, y, rng)


@pytest.mark.parametrize("linear", ["bag", "auto"])
def test_linear_terms_are_fitted_anew(linear):
    """With a linear term every shuffle is a whole fit, and its maps have the linear part too."""
    rng = np.random.default_rng(0)
    y, truths = np.tile([0, 1], 12), []
    bags = []
    for c in y:
        truths.append((np.arange(6) == 2) & bool(c))
        bags.append(Bag(rng.normal(size=(6, 3)) + 4.0 * truths[-1][:, None]))
    head = Prospector(3, 0, linear=linear, cv=2).fit(bags, y)
    done = []
    found = permutation_null(
        head,
        bags,
        y,
        np.random.default_rng(0),
        permutations=19,
        truths=truths,
        progress=lambda *at: done.append(at),
    )
    assert found.performance.observed == pytest.approx(head.performance_.value)
    assert found.performance.p_value == pytest.approx(1 / 20)
    own = [
        average_precision(head.attribute(b).values, t)
        for b, t in zip(bags, truths, strict=True)
        if t.any()
    ]
    assert found.precision.observed == pytest.approx(np.mean(own))
    assert done[-1] == (20, 20)
