"""Maps that a head must beat: what they learn from, and the table that shows them."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression

from whence.errors import InputError
from whence.prospectors import Bag, Sequence
from whence.prospectors.baselines import (
    ClassActivation,
    CoarseClassifier,
    Smoothed,
    TokenSupervised,
    beside,
    constant,
    random,
)
from whence.prospectors.smoothing import smoothed


def planted(seed, count=80, size=20, d=5):
    """Bags whose positives hold a run of tokens that are shifted; the runs are the truth."""
    rng = np.random.default_rng(seed)
    y = np.tile([0, 1], count // 2)
    truths = [np.isin(np.arange(size), np.arange(4)) & bool(c) for c in y]
    tokens = [rng.normal(size=(size, d)) + 1.5 * t[:, None] * (np.arange(d) < 2) for t in truths]
    return [Bag(t) for t in tokens], y, truths


def raised(baseline, seed=1):
    """Mean map over true tokens less that over others, over unseen bags."""
    bags, _, truths = planted(seed)
    maps = np.concatenate([baseline.attribute(b) for b in bags])
    truth = np.concatenate(truths)
    return maps[truth].mean() - maps[~truth].mean()


@pytest.mark.parametrize("kind", [CoarseClassifier, ClassActivation])
def test_coarse_labels_raise_true_tokens(kind):
    """From bag labels alone, the maps of unseen bags are larger on planted tokens."""
    bags, y, _ = planted(0)
    assert raised(kind().fit(bags, y)) > 0.2


def test_token_labels_raise_true_tokens():
    """With token labels, the maps of unseen bags are larger on planted tokens."""
    bags, _, truths = planted(0)
    assert raised(TokenSupervised().fit(bags, truths)) > 2


def test_coarse_classifier_is_a_logistic_regression_of_inherited_labels():
    """Its map is the log-odds of scikit-learn's classifier of tokens with their bag's label."""
    bags, y, _ = planted(0)
    rows, labels = np.concatenate([b.tokens for b in bags]), np.repeat(y, 20)
    mean, scale = rows.mean(axis=0), rows.std(axis=0)
    model = LogisticRegression(class_weight="balanced", max_iter=2000)
    model.fit((rows - mean) / scale, labels)
    want = model.decision_function((bags[1].tokens - mean) / scale)
    assert CoarseClassifier().fit(bags, y).attribute(bags[1]) == pytest.approx(want)


def test_class_activation_means_are_the_bags_log_odds():
    """The mean of its map is its classifier's log-odds of the bag."""
    bags, y, _ = planted(0)
    means = np.stack([b.tokens.mean(axis=0) for b in bags])
    centre, scale = means.mean(axis=0), means.std(axis=0)
    model = LogisticRegression(class_weight="balanced").fit((means - centre) / scale, y)
    want = model.decision_function((means - centre) / scale)
    fitted = ClassActivation().fit(bags, y)
    assert [fitted.attribute(b).mean() for b in bags] == pytest.approx(want.tolist())


def test_names_are_one_hot():
    """Tokens without an encoder are told apart by their names, and an unknown one says nothing."""
    bags = [Bag(np.array(list(text))) for text in ("abab", "abba", "abcb", "acba")]
    fitted = CoarseClassifier().fit(bags, [0, 0, 1, 1])
    a, c, unknown = fitted.attribute(Bag(np.array(["a", "c", "z"])))
    assert c > a
    assert unknown == pytest.approx(fitted.scorer_.offsets[0])


def test_outputs_are_classes():
    """Of two classes one map is the other's negative; of three each has its own."""
    bags, y, _ = planted(0)
    two = CoarseClassifier().fit(bags, np.where(y, "yes", "no"))
    assert two.attribute(bags[0], "no") == pytest.approx(-two.attribute(bags[0]))
    three = ClassActivation().fit(bags, np.arange(80) % 3)
    assert len({tuple(three.attribute(bags[0], c)) for c in range(3)}) == 3
    with pytest.raises(InputError, match="say which class to map: 0, 1, 2"):
        three.attribute(bags[0])


def test_many_tokens_are_drawn_evenly():
    """Above `most`, every bag gives as many tokens, the same ones for the same seed."""
    bags, y, _ = planted(0)
    few = [CoarseClassifier(most=400, seed=s).fit(bags, y).scorer_.slopes for s in (0, 0, 1)]
    assert (few[0] == few[1]).all()
    assert (few[0] != few[2]).any()
    assert raised(CoarseClassifier(most=400).fit(bags, y)) > 0.1


def test_smoothed_averages_the_map():
    """The smoothed form is the map averaged over the bag's own layout."""
    bags, y, _ = planted(0)
    fitted = CoarseClassifier().fit(bags, y)
    bag = Bag(bags[0].tokens, Sequence(window=2))
    want = smoothed(fitted.attribute(bag), bag.layout, 3)
    assert (fitted.smoothed(3).attribute(bag) == want).all()


def test_random_and_constant_fit_every_bag():
    """Both have one number per token; noise comes from the generator alone."""
    bags = [Bag(np.zeros((n, 2))) for n in (3, 5)]
    one, same = (random(bags, np.random.default_rng(7)) for _ in range(2))
    assert [m.tolist() for m in one] == [m.tolist() for m in same]
    assert [len(m) for m in constant(bags)] == [3, 5]


def test_baselines_are_estimators():
    """They clone, and refuse to map before they are fitted."""
    for kind in (CoarseClassifier, ClassActivation, TokenSupervised):
        with pytest.raises(NotFittedError):
            clone(kind(C=2.0)).attribute(Bag(np.zeros((2, 2))))


@pytest.mark.parametrize("kind", [CoarseClassifier, ClassActivation])
def test_bags_without_labels_are_refused(kind):
    """Lengths that differ, and a single class, are refused by name."""
    bags, y, _ = planted(0)
    with pytest.raises(InputError, match="80 bags came with 79 labels"):
        kind().fit(bags, y[1:])
    with pytest.raises(InputError, match="one value only"):
        kind().fit(bags, np.ones(80))


def test_token_labels_must_match():
    """Truths of other lengths than the bags are refused."""
    bags, _, truths = planted(0)
    with pytest.raises(InputError, match="lengths differ"):
        TokenSupervised().fit(bags, truths[1:])


def table(**options):
    """A head that knows nothing, beside the baselines."""
    bags, y, truths = planted(0)
    test_bags, _, test_truths = planted(1)
    head = Smoothed(ClassActivation().fit(bags, 1 - y))
    rng = np.random.default_rng(0)
    if "token_labels" in options:
        options["token_labels"] = truths
    return beside(head, bags, y, test_bags, test_truths, rng, **options)


def test_the_table_holds_every_baseline_smoothed_too():
    """Head and baselines are there, plain and smoothed, and truths are used only when given."""
    rows = [row.name for row in table().rows]
    assert rows == [
        "head",
        "head, smoothed",
        "coarse classifier",
        "coarse classifier, smoothed",
        "class activation",
        "class activation, smoothed",
        "random",
        "constant",
    ]
    told = [row.name for row in table(token_labels=True).rows]
    assert set(told) - set(rows) == {
        "token-supervised (was told)",
        "token-supervised (was told), smoothed",
    }


def test_the_table_tells_good_from_bad():
    """Baselines that learned the right labels lie surely above a head that learned the wrong."""
    found = table()
    assert found["coarse classifier"].difference_low > 0.3
    assert found["constant"].ties == 1
    assert "random order" in str(found)


def test_smoothed_forms_need_a_hop():
    """Zero hops are refused."""
    with pytest.raises(InputError, match="hops=0"):
        table(hops=0)


def test_what_is_the_same_in_every_bag_says_nothing():
    """A name as frequent in every bag of either class gets no weight from rounding."""
    rng = np.random.default_rng(0)
    bags = [Bag(np.array(["a", *rng.choice(list("bcd"), 9)])) for _ in range(30)]
    slopes = ClassActivation().fit(bags, np.tile([0, 1], 15)).scorer_.slopes
    assert slopes[0] == 0
    assert (slopes[1:] != 0).all()
