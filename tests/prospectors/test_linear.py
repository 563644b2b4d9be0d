"""Linear terms against scikit-learn, and how far one more bag moves them."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge

from prospectors.made import clouds
from whence.errors import InputError
from whence.prospectors import Prospector, ProspectorRegressor, linear
from whence.prospectors.linear import Embedded


def embedded(seed=0, classes=2):
    """Tokens of bags, whole, and targets of one column."""
    bags, y = clouds(seed, classes=classes)
    tokens = np.concatenate([bag.tokens for bag in bags])
    member = np.repeat(np.arange(len(bags)), [len(bag) for bag in bags])
    means = np.array([bag.tokens.mean(axis=0) for bag in bags])
    y = (y[:, None] == np.unique(y)[1:]).astype(float)
    return Embedded(tokens, member, means, tokens.mean(axis=0)), y


def logistic(x, labels, C):
    """scikit-learn's coefficients per unit of x, standardised for the fit."""
    model = LogisticRegression(C=C, class_weight="balanced", tol=1e-10, max_iter=10_000)
    return model.fit((x - x.mean(0)) / x.std(0), labels).coef_[0] / x.std(0)


def test_tokens_and_bags_equal_scikit_learn():
    """The token and bag terms are balanced L2 logistic regressions, at their stated penalties."""
    data, y = embedded()
    by_token = linear.fitted("token", data, y).beta[:, 0]
    by_bag = linear.fitted("bag", data, y).beta[:, 0]
    wanted = logistic(data.tokens, y[data.member, 0], linear.TOKEN_C)
    np.testing.assert_allclose(by_token, wanted, rtol=2e-3, atol=1e-5)
    np.testing.assert_allclose(by_bag, logistic(data.means, y[:, 0], linear.BAG_C), rtol=2e-3)


def test_numbers_equal_ridge_regression():
    """For numbers the bag term is a ridge regression on standardised means."""
    data, _ = embedded()
    y = np.random.default_rng(0).normal(size=(len(data.means), 1)) * 7 + 3
    scale = data.means.std(axis=0)
    model = Ridge(alpha=4 / linear.BAG_C).fit((data.means - data.means.mean(0)) / scale, y[:, 0])
    np.testing.assert_allclose(linear.fitted("bag", data, y).beta[:, 0], model.coef_ / scale)


def test_instances_minimise_their_loss():
    """Nothing near the multiple-instance term has a smaller loss, computed bag by bag."""
    data, y = embedded(3)
    scale = data.means.std(axis=0)
    weight = linear.balanced(y[:, 0])

    def loss(theta, b0):
        score = np.array(
            [
                np.log(np.exp((data.tokens[data.member == b] - data.centre) / scale @ theta).mean())
                for b in range(len(y))
            ]
        )
        odds = score + b0
        return weight @ (np.logaddexp(0, odds) - y[:, 0] * odds) + 500 * theta @ theta

    theta = linear.fitted("instance", data, y).beta[:, 0] * scale
    rng = np.random.default_rng(0)
    best = min(loss(theta, b0) for b0 in np.linspace(-0.5, 0.5, 101))
    assert best < loss(np.zeros_like(theta), 0.0)
    for _ in range(20):
        other = theta + 1e-2 * rng.normal(size=theta.shape)
        assert min(loss(other, b0) for b0 in np.linspace(-0.5, 0.5, 101)) > best - 1e-6


@pytest.mark.parametrize(("kind", "close"), [("token", 0.15), ("bag", 0.15), ("instance", 0.3)])
def test_influence_is_what_one_bag_moves(kind, close):
    """Leaving one bag out moves the term by about minus its influence, bag by bag."""
    rng = np.random.default_rng(0)
    data, y = embedded(1)
    y = np.where(rng.random(y.shape) < 0.3, 1 - y, y)
    term = linear.fitted(kind, data, y, moves=True)
    moved, said = [], []
    for b in range(0, len(y), 5):
        rest = np.delete(np.arange(len(y)), b)
        moved.append(linear.fitted(kind, data.take(rest), y[rest]).beta[:, 0] - term.beta[:, 0])
        said.append(-term.influence[b, :, 0])
    moved, said = np.concatenate(moved), np.concatenate(said)
    assert np.corrcoef(moved, said)[0, 1] > 1 - close
    assert 1 - 2 * close < said.std() / moved.std() < 1 + 2 * close


def test_a_constant_dimension_says_nothing():
    """A dimension that never varies gets coefficient 0 from every term."""
    data, y = embedded()
    tokens = np.column_stack([data.tokens, np.full(len(data.tokens), 3.0)])
    means = np.column_stack([data.means, np.full(len(data.means), 3.0)])
    wide = Embedded(tokens, data.member, means, tokens.mean(axis=0))
    for kind in linear.TERMS:
        assert linear.fitted(kind, wide, y).beta[-1, 0] == 0


def test_linear_terms_that_cannot_be_used_are_refused():
    """Unknown terms, terms on names, terms without folds, and for numbers others than "bag"."""
    bags, y = clouds(0)
    with pytest.raises(InputError, match="one of 'token', 'bag', 'instance', 'auto'"):
        Prospector(k=4, linear="deep").fit(bags, y)
    with pytest.raises(InputError, match="needs embeddings"):
        Prospector(linear="bag").fit(["ab", "bb"] * 5, [0, 1] * 5)
    with pytest.raises(InputError, match="needs folds"):
        Prospector(k=4, linear="bag", cv=0).fit(bags, y)
    with pytest.raises(InputError, match="one of 'bag', 'auto'"):
        ProspectorRegressor(k=4, linear="token").fit(bags, y * 1.0)


def test_auto_is_nothing_for_names():
    """With names there is no embedding, and "auto" leaves the linear term out."""
    head = Prospector(linear="auto", cv=2).fit(["ab", "bb"] * 5, [0, 1] * 5)
    assert head.beta_.shape == (0, 1)
    assert head.shares_ == {}
