"""Folds of bags, and what margins of bags left out are worth."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from whence.errors import InputError
from whence.prospectors.folds import as_targets, checked_groups, folds, performance

#: Margins with many ties, and labels of both classes.
MARGINS = st.integers(4, 12).flatmap(
    lambda n: st.tuples(
        st.lists(st.integers(0, 3), min_size=n, max_size=n),
        st.lists(st.booleans(), min_size=n, max_size=n).filter(lambda t: 0 < sum(t) < len(t)),
    )
)


@given(MARGINS)
def test_area_is_scikit_learns(drawn):
    """Without folds the value for two classes is scikit-learn's ROC AUC, ties included."""
    margins, y = np.array(drawn[0], float), np.array(drawn[1])
    assert performance(margins, y).value == pytest.approx(roc_auc_score(y, margins))


def test_mean_area_is_scikit_learns():
    """For more classes it is the mean ROC AUC of one class against the rest."""
    rng = np.random.default_rng(0)
    y = rng.choice(["a", "b", "c"], 60)
    margins = rng.normal(size=(60, 3)) + (y[:, None] == ["a", "b", "c"])
    want = np.mean([roc_auc_score(y == c, m) for c, m in zip("abc", margins.T, strict=True)])
    found = performance(margins, y)
    assert (found.value, found.name) == (pytest.approx(want), "mean AUC")


def test_correlation_is_scipys():
    """For numbers it is Spearman's rank correlation."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 9, 50).astype(float)
    margins = y + rng.normal(size=50)
    found = performance(margins, y, numbers=True)
    assert found.value == pytest.approx(spearmanr(margins, y).statistic)
    assert found.better


@pytest.mark.parametrize("numbers", [False, True])
def test_folds_are_not_compared_with_each_other(numbers):
    """A constant added to one fold's margins, as another fit may add, changes nothing."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 40)
    margins, parts = rng.normal(size=40) + y, folds(y, None, 4, 0)
    moved = margins.copy()
    moved[parts[0][1]] += 100
    one = performance(margins, y, parts, numbers=numbers)
    assert performance(moved, y, parts, numbers=numbers) == one
    assert performance(moved, y, numbers=numbers).value != one.value


@pytest.mark.parametrize("parts", [1, 5])
def test_interval_of_the_area_covers(parts):
    """The interval holds the true area about 95 times in 100, with folds too."""
    rng = np.random.default_rng(parts)
    y = np.repeat([0, 1], [40, 60])
    member = [np.arange(p, 100, parts) for p in range(parts)]
    own = [(np.setdiff1d(np.arange(100), m), m) for m in member]
    drawn = [performance(rng.normal(size=100) + 1.0 * y, y, own) for _ in range(300)]
    true = 0.7602499389065233  # Φ(1 / √2)
    assert 0.92 < np.mean([p.low <= true <= p.high for p in drawn]) < 0.98


def test_interval_of_a_mean_area_covers():
    """The interval of the mean over classes holds the true mean about 95 times in 100."""
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1, 2], 40)
    drawn = [
        performance(rng.normal(size=(120, 3)) + (y[:, None] == [0, 1, 2]), y) for _ in range(250)
    ]
    true = 0.7602499389065233
    assert 0.92 < np.mean([p.low <= true <= p.high for p in drawn]) < 0.98


def test_perfect_order_is_not_certain():
    """All bags in the right order still have an interval: that of the smaller class's size."""
    found = performance(np.arange(20.0), np.arange(20) >= 15)
    assert (found.value, found.high) == (1, 1)
    assert found.low == pytest.approx(0.025 ** (1 / 5))
    turned = performance(-np.arange(20.0), np.arange(20) >= 15)
    assert (turned.low, turned.high) == (0, pytest.approx(1 - found.low))


def test_words_warn_of_chance():
    """Words carry value, interval, folds and bags, and warn when chance is not cleared."""
    rng = np.random.default_rng(0)
    y = np.tile([0, 1], 50)
    parts = folds(y, None, 5, 0)
    good, bad = (performance(rng.normal(size=100) + s * y, y, parts) for s in (2, 0))
    assert good.words.startswith("bag AUC 0.")
    assert good.words.endswith("5-fold, 100 bags")
    assert good.better
    assert "must not be trusted" in bad.words
    assert not bad.better


@given(st.integers(2, 5), st.integers(0, 99), st.booleans())
def test_every_bag_is_left_out_once(cv, seed, grouped):
    """The test parts hold every bag once, and no bag of their training part."""
    rng = np.random.default_rng(seed)
    y, groups = np.tile([0, 1, 1], 20), rng.integers(0, 30, 60) if grouped else None
    made = folds(y, groups, cv, seed)
    assert np.sort(np.concatenate([test for _, test in made])).tolist() == list(range(60))
    assert all(len(np.intersect1d(*fold)) == 0 for fold in made)


@pytest.mark.parametrize("numbers", [False, True])
def test_groups_stay_whole(numbers):
    """No group has bags on both sides of a fold."""
    groups = np.random.default_rng(0).integers(0, 12, 60)
    for train, test in folds(np.tile([0, 1], 30), groups, 4, 0, numbers=numbers):
        assert len(np.intersect1d(groups[train], groups[test])) == 0


def test_classes_are_in_every_fold_alike():
    """Without groups every fold has its share of every class."""
    y = np.repeat(["a", "b"], [80, 20])
    assert {int((y[test] == "b").sum()) for _, test in folds(y, None, 5, 3)} == {4}


def test_folds_repeat_with_their_seed():
    """The same seed gives the same folds, and another one others."""
    y = np.tile([0, 1], 30)
    one, same, other = (folds(y, None, 3, seed)[0][1].tolist() for seed in (1, 1, 2))
    assert one == same != other


def test_targets_of_two_classes_are_one_column():
    """Two classes make one column for the second, more one each, numbers themselves."""
    assert as_targets(["no", "yes"])[1].tolist() == [[0], [1]]
    classes, columns = as_targets([3, 1, 2])
    assert classes.tolist() == [1, 2, 3]
    assert columns.tolist() == [[0, 0, 1], [1, 0, 0], [0, 1, 0]]
    assert as_targets([3, 1], numbers=True)[1].tolist() == [[3], [1]]


@pytest.mark.parametrize(
    ("y", "numbers", "said"),
    [
        ([1, 1], False, "one value only came \\(1, 2 bags\\)"),
        ([], False, "none"),
        ([1.0, float("nan")], True, "label of bag 1 is nan"),
        ([[1], [2]], False, "one label per bag"),
        (["a", "b"], True, "'a' came where numbers"),
        (np.array(["a", 1], object), False, "several types"),
    ],
)
def test_labels_that_cannot_be_learned_are_refused(y, numbers, said):
    """One class, nan, labels of two types or of another shape are refused by name."""
    with pytest.raises(InputError, match=said):
        as_targets(y, numbers=numbers)


@pytest.mark.parametrize(
    ("y", "groups", "cv", "said"),
    [
        ([0, 1, 1, 1], None, 1, "at least 2 folds"),
        ([0, 1, 1, 1], None, 2, "1 bags of class 0"),
        ([0, 1, 0, 1], [1, 1, 2, 2], 3, "2 groups came for cv=3"),
        ([0, 1, 0, 1], [1, 1], 2, "groups of shape"),
        ([0, 0, 1, 1, 1, 1], [1, 1, 2, 3, 4, 5], 3, "class 0 falls into one fold"),
    ],
)
def test_folds_that_cannot_be_made_are_refused(y, groups, cv, said):
    """Too few bags, groups or classes for the folds are refused, with what to lower."""
    with pytest.raises(InputError, match=said):
        folds(y, groups, cv, 0)


def test_folds_without_two_classes_cannot_compare():
    """Where every fold holds one class only, nothing can be said."""
    y = np.array([0, 0, 1, 1])
    parts = [(y, np.array([0, 1])), (y, np.array([2, 3]))]
    with pytest.raises(InputError, match="no fold holds bags of two classes"):
        performance(np.arange(4.0), y, parts)


def unrelated(seed, numbers):
    """Margins and labels of 20 groups of 20 bags that have nothing to do with each other."""
    rng = np.random.default_rng(seed)
    group = np.arange(400) // 20
    margins = rng.normal(size=20)[group] + 0.5 * rng.normal(size=400)
    label = rng.normal(size=20) if numbers else rng.permutation(np.arange(20) % 2)
    return margins, label[group], group


@pytest.mark.parametrize("numbers", [False, True])
def test_bags_of_a_group_are_not_taken_for_independent(numbers):
    """Without signal an interval over groups seldom clears chance; one over bags often does."""
    grouped, alone = [], []
    for seed in range(60):
        margins, y, group = unrelated(seed, numbers)
        parts = folds(y, group, 5, seed, numbers=numbers)
        grouped.append(performance(margins, y, parts, groups=group, numbers=numbers).better)
        alone.append(performance(margins, y, parts, numbers=numbers).better)
    assert np.mean(grouped) < 0.12
    assert np.mean(alone) > 0.25


@pytest.mark.parametrize("numbers", [False, True])
def test_groups_of_one_bag_change_nothing(numbers):
    """Where every group is one bag, all is as without groups."""
    rng = np.random.default_rng(0)
    margins, y = rng.normal(size=40), np.tile([0, 1], 20)
    names = rng.permutation(40)
    parts = folds(y, None, 4, 0, numbers=numbers)
    with_groups = performance(margins, y, parts, groups=names, numbers=numbers)
    without = performance(margins, y, parts, numbers=numbers)
    assert with_groups.words == without.words
    assert (with_groups.low, with_groups.high) == pytest.approx((without.low, without.high))


@pytest.mark.parametrize("numbers", [False, True])
def test_perfect_order_counts_groups(numbers):
    """All bags in the right order: a copied bag in its group adds nothing to what is known."""
    y = np.arange(12.0) if numbers else np.repeat([0, 1], 6)
    once = performance(y, y, numbers=numbers)
    many, group = np.repeat(y, 10), np.repeat(np.arange(12), 10)
    copied = performance(many, many, groups=group, numbers=numbers)
    assert copied.low == pytest.approx(once.low)
    assert performance(many, many, numbers=numbers).low > once.low


def test_an_interval_over_copies_is_that_over_groups():
    """Copies of a bag within its group widen the interval by the correction for few groups."""
    rng = np.random.default_rng(1)
    y, group = np.tile([0, 1], 10), np.repeat(np.arange(20), 5)
    margins = rng.normal(size=20) + y
    once, copied = performance(margins, y), performance(margins[group], y[group], groups=group)

    def width(p):
        return np.log(p.high / (1 - p.high)) - np.log(p.low / (1 - p.low))

    assert copied.value == pytest.approx(once.value)
    assert width(copied) == pytest.approx(width(once) * np.sqrt(20 / 19))


def test_words_tell_the_groups():
    """The words say in how many groups the bags are."""
    margins, y, group = unrelated(0, False)
    assert ", 400 bags in 20 groups" in performance(margins, y, groups=group).words
    assert "groups" not in performance(margins, y).words


def test_one_group_has_no_interval():
    """An interval over one group is refused."""
    with pytest.raises(InputError, match="one group only"):
        performance(np.arange(4.0), [0, 1, 0, 1], groups=["a"] * 4)


@pytest.mark.parametrize(
    "y",
    [
        np.array([0, 1] * 6, object),
        np.array([True, False] * 6, object),
        np.array([0.5, 1.5] * 6),
        np.array(["a", "b"] * 6, object),
    ],
)
@pytest.mark.parametrize("groups", [None, np.arange(12)])
def test_labels_of_any_type_are_classes(y, groups):
    """Labels that are objects or fractions are folded as their codes are."""
    codes = np.unique(y, return_inverse=True)[1]
    for (_, test), (_, same) in zip(
        folds(y, groups, 3, 0), folds(codes, groups, 3, 0), strict=True
    ):
        assert (test == same).all()


@pytest.mark.parametrize(
    ("groups", "said"),
    [
        (5, "groups of shape \\(\\) came for 40 bags"),
        ([None] * 20 + ["a"] * 20, "group of bag 0 is missing"),
        ([1.0] * 39 + [float("nan")], "group of bag 39 is missing"),
        (np.zeros((40, 2)), "groups of shape \\(40, 2\\)"),
        ([[1, 2], [3]], "unequal lengths"),
        (np.array(["a", 1] * 20, object), "groups of several types came \\(int, str\\)"),
    ],
)
def test_groups_that_name_no_bags_are_refused(groups, said):
    """Groups that are not one comparable name per bag are refused, by what is wrong with them."""
    with pytest.raises(InputError, match=said):
        checked_groups(groups, 40)
    with pytest.raises(InputError, match=said):
        folds(np.tile([0, 1], 20), groups, 4, 0)
