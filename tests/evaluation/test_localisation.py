"""How well a map finds the tokens that matter, with ties taken as they are."""

from itertools import pairwise, permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import auc, average_precision_score, precision_recall_curve

from whence.errors import InputError
from whence.evaluation.localisation import (
    average_precision,
    compare,
    localisation,
    mean_interval,
    trapezoidal_auprc,
)

#: Small values make many ties; at least one token is true and one is not.
BAGS = st.integers(2, 6).flatmap(
    lambda n: st.tuples(
        st.lists(st.integers(0, 2), min_size=n, max_size=n),
        st.lists(st.booleans(), min_size=n, max_size=n).filter(lambda t: 0 < sum(t) < len(t)),
    )
)


def by_enumeration(values, truth):
    """Average precision over all orders that agree with the values, by its definition."""
    found = []
    for order in permutations(range(len(values))):
        if any(values[a] < values[b] for a, b in pairwise(order)):
            continue
        hits = np.array([truth[i] for i in order])
        found.append((hits * hits.cumsum() / np.arange(1, len(hits) + 1)).sum() / hits.sum())
    return np.mean(found)


@given(BAGS)
def test_precision_is_the_mean_over_all_orders_of_ties(bag):
    """The closed form equals average precision averaged over every order of tied tokens."""
    assert average_precision(*bag) == pytest.approx(by_enumeration(*bag), abs=1e-12)


@given(BAGS)
def test_chance_is_the_mean_over_all_orders(bag):
    """The chance level is average precision averaged over every order of all tokens."""
    values, truth = bag
    found = localisation([values], [truth])
    assert found.chance[0] == pytest.approx(by_enumeration([0] * len(values), truth), abs=1e-12)


@given(BAGS)
def test_grouped_precision_is_scikit_learns(bag):
    """With tied tokens as one threshold it is scikit-learn's average precision."""
    values, truth = bag
    found = localisation([values], [truth])
    assert found.grouped[0] == pytest.approx(average_precision_score(truth, values), abs=1e-12)


@given(BAGS)
def test_without_ties_both_precisions_agree(bag):
    """Where no two tokens tie, the expectation is scikit-learn's average precision."""
    truth = bag[1]
    values = np.random.default_rng(0).permutation(len(truth))
    found = localisation([values], [truth])
    assert found.precision[0] == pytest.approx(found.grouped[0], abs=1e-12)


@given(BAGS)
def test_order_of_tokens_is_nothing(bag):
    """Shuffling tokens with their truths changes no number, not even among ties."""
    values, truth = np.array(bag[0]), np.array(bag[1])
    order = np.random.default_rng(1).permutation(len(truth))
    one, other = localisation([values], [truth]), localisation([values[order]], [truth[order]])
    for name in ("precision", "grouped", "chance", "ties", "pointing"):
        assert getattr(one, name) == pytest.approx(getattr(other, name), abs=1e-12)


@given(BAGS)
def test_only_the_ranking_counts(bag):
    """An increasing transformation of the map changes no number."""
    values, truth = np.array(bag[0]), bag[1]
    assert average_precision(np.exp(values) - 7, truth) == average_precision(values, truth)


@pytest.mark.parametrize("share", [0.009, 0.204])
def test_constant_map_has_the_prevalence_and_ties_everywhere(share):
    """A constant map has the prevalence as grouped precision, exactly, and tie fraction 1."""
    truth = np.arange(1000) < 1000 * share
    found = localisation([np.full(1000, 0.3)], [truth])
    assert found.grouped[0] == found.prevalence[0] == share
    assert found.ties[0] == 1
    assert found.precision[0] == found.chance[0]
    assert found.adjusted[0] == 0
    assert found.pointing[0] == share


def test_trapezoid_rewards_a_constant_map():
    """By trapezoids a constant map scores (1 + prevalence) / 2, as in the publications."""
    truth = np.arange(1000) < 204
    assert trapezoidal_auprc(np.zeros(1000), truth, as_published=True) == pytest.approx(0.602)


@given(BAGS)
def test_trapezoid_is_the_published_one(bag):
    """It is the area by trapezoids under scikit-learn's precision-recall points."""
    values, truth = bag
    precision, recall, _ = precision_recall_curve(truth, values)
    assert trapezoidal_auprc(values, truth, as_published=True) == pytest.approx(
        auc(recall, precision), abs=1e-12
    )


def test_trapezoid_is_refused_with_its_reason():
    """Without as_published the trapezoid is refused, and the message says what it rewards."""
    with pytest.raises(InputError, match=r"constant map scores \(1 \+ prevalence\) / 2.*as_pub"):
        trapezoidal_auprc([1, 2], [True, False])


def test_pointing_shares_the_largest_value_among_its_ties():
    """Pointing is the share of true tokens among those with the largest value."""
    found = localisation([[3, 3, 3, 1]], [[True, False, False, True]])
    assert found.pointing[0] == pytest.approx(1 / 3)


def test_bags_without_both_kinds_are_left_out():
    """Bags with no true token, or true ones only, are counted and not judged."""
    found = localisation([[1, 2], [1, 2], [1, 2]], [[0, 0], [0, 1], [1, 1]])
    assert found.skipped == 2
    assert found.bags.tolist() == [1]
    assert found.precision.tolist() == [1.0]
    assert "2 bags left out" in found.summary()


def test_generators_are_read_once():
    """Maps and truths may come one at a time."""
    found = localisation((np.arange(3) for _ in range(4)), ([0, 0, 1] for _ in range(4)))
    assert found.precision.tolist() == [1.0] * 4


@pytest.mark.parametrize(
    ("maps", "truths", "said"),
    [
        ([[1, 2], [1, 2]], [[0, 1]], "truths end after 1 bags"),
        ([[1, 2]], [[0, 1], [0, 1]], "maps end after 1 bags"),
        ([[1, 2, 3]], [[0, 1]], "bag 0"),
        ([[1, float("nan")]], [[0, 1]], "bag 0: token 1 of the map is nan"),
        ([[1, 2]], [[0.5, 1]], "True or False"),
        ([[1, 2]], [[0, 0]], "none of 1 bags"),
        ([], [], "none of 0 bags"),
    ],
)
def test_what_cannot_be_judged_is_refused(maps, truths, said):
    """Lengths that differ, nan and truths of one kind only are refused by name."""
    with pytest.raises(InputError, match=said):
        localisation(maps, truths)


def test_no_true_token_is_refused():
    """A single map without a true token has no average precision."""
    with pytest.raises(InputError, match="no token is true"):
        average_precision([1, 2], [False, False])


def test_interval_covers():
    """Student's t interval of a mean covers it about 95 times in 100."""
    rng = np.random.default_rng(0)
    drawn = [mean_interval(rng.uniform(size=30)) for _ in range(1000)]
    assert 0.93 < np.mean([low <= 0.5 <= high for _, low, high in drawn]) < 0.97


def test_interval_over_groups_covers_where_bags_depend():
    """Over groups it covers where the bags of a group are alike, and over bags it does not."""
    rng = np.random.default_rng(0)
    member = np.repeat(np.arange(20), 10)
    alike = [rng.normal(size=20)[member] + 0.3 * rng.normal(size=200) for _ in range(500)]
    covers = [
        [low <= 0 <= high for _, low, high in (mean_interval(v), mean_interval(v, member))]
        for v in alike
    ]
    alone, together = np.mean(covers, axis=0)
    assert alone < 0.6
    assert 0.92 < together < 0.98


def test_one_bag_has_no_interval():
    """The interval of a single bag is nan."""
    assert np.isnan(localisation([[1, 2]], [[0, 1]]).interval()[1:]).all()


def test_groups_belong_to_bags():
    """Groups of left-out bags are left out too, and groups of another length are refused."""
    found = localisation([[1, 2]] * 3, [[0, 1], [0, 0], [1, 0]], groups=["a", "b", "a"])
    assert found.groups.tolist() == ["a", "a"]
    with pytest.raises(InputError, match="groups of shape"):
        localisation([[1, 2]], [[0, 1]], groups=["a", "b"])


def test_compare_pairs_the_bags():
    """The interval of a difference is over the differences bag by bag, not over two means."""
    rng = np.random.default_rng(0)
    truths = [rng.random(20) < 0.3 for _ in range(60)]
    noise = [rng.normal(size=20) for _ in truths]
    better = [n + 0.6 * t for n, t in zip(noise, truths, strict=True)]
    found = compare({"noise": noise, "better": better}, truths)
    row = found["better"]
    want = mean_interval(found.found["better"].precision - found.found["noise"].precision)
    assert (row.difference, row.difference_low, row.difference_high) == want
    assert row.difference_low > 0
    assert row.difference_high - row.difference_low < row.high - row.low


def test_compare_prints_a_table():
    """Its text has a row per kind of map, and chance at the foot."""
    text = str(compare({"head": [[1, 2, 3]], "constant": [[0, 0, 0]]}, [[0, 0, 1]]))
    assert [line.split()[0] for line in text.splitlines()[1:3]] == ["head", "constant"]
    assert "random order" in text.splitlines()[-1]


def test_compare_names_the_maps_at_fault():
    """A map that cannot be judged is named in the message."""
    with pytest.raises(InputError, match="bad: bag 0"):
        compare({"good": [[1, 2]], "bad": [[1, 2, 3]]}, [[0, 1]])
    with pytest.raises(InputError, match="no maps"):
        compare({}, [[0, 1]])
