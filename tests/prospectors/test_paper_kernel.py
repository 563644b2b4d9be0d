"""The paper's kernels: equal to a brute-force oracle, feature by feature."""

import numpy as np
import pytest
from scipy.stats import mannwhitneyu
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from whence.prospectors._paper import mann_whitney, tf_idf
from whence.prospectors.kernels import Paper, PaperElasticNet


def counted(b, p, seed, ties=True):
    """Counts with one feature in all bags, one in all but one, one in none; labels."""
    rng = np.random.default_rng(seed)
    counts = rng.poisson(rng.uniform(0.1, 3, size=p), size=(b, p)).astype(float)
    if not ties:
        counts += rng.random((b, p))
    counts[:, 0] += 1
    counts[1:, 1] += 1
    counts[0, 1] = 0
    counts[:, 2] = 0
    label = rng.permutation(np.arange(b) % 3 == 0)
    return counts, label


def oracle_scores(counts):
    """TF-IDF by loops."""
    b, p = counts.shape
    scores = np.zeros((b, p))
    for j in range(p):
        df = sum(counts[i, j] > 0 for i in range(b))
        for i in range(b):
            scores[i, j] = counts[i, j] / counts[i].sum() * np.log(b / (1 + df))
    return scores


def oracle(counts, label, tau, alpha):
    """Fold change and test, one feature at a time, with scipy's defaults."""
    scores = oracle_scores(counts)
    weights, p_values = [], []
    for j in range(scores.shape[1]):
        a, b = scores[label, j], scores[~label, j]
        w = np.log2((sum(a) / len(a) + 1e-10) / (sum(b) / len(b) + 1e-10))
        p = mannwhitneyu(a, b, alternative="two-sided").pvalue
        keep = min(p * scores.shape[1], 1.0) <= alpha and abs(w) >= tau
        weights.append(w if keep else 0.0)
        p_values.append(p)
    return np.array(weights), np.array(p_values)


@pytest.mark.parametrize(("tau", "alpha"), [(0, 1.0), (1, 0.05), (2, 1e10), (0.5, 0.5)])
@pytest.mark.parametrize("b", [9, 24, 60])
def test_the_paper_kernel_equals_its_oracle(b, tau, alpha):
    """Weights and p-values are bit-equal to loops over features and bags, whatever is kept."""
    counts, label = counted(b, 14, seed=b)
    frequencies = counts / counts.sum(axis=1, keepdims=True)
    weights, p_values = oracle(counts, label, tau, alpha)
    found = Paper(tau=tau, alpha=alpha)(frequencies, label[:, None].astype(float))
    np.testing.assert_array_equal(found.values[:, 0], weights)
    np.testing.assert_array_equal(found.p_values[:, 0], p_values)


@pytest.mark.parametrize("ties", [True, False])
@pytest.mark.parametrize("b", [7, 20, 40])
def test_the_test_is_exact_where_scipy_is(b, ties):
    """The p-value is scipy's default for each feature: exact without ties in small classes."""
    counts, label = counted(b, 9, seed=1, ties=ties)
    a, c = counts[label], counts[~label]
    expected = [mannwhitneyu(a[:, j], c[:, j]).pvalue for j in range(9)]
    np.testing.assert_array_equal(mann_whitney(a, c), expected)


def test_idf_deletes_what_all_but_one_bag_have():
    """A feature in all bags but one has weight 0; in all, idf is negative and cancels."""
    counts, label = counted(30, 8, seed=2)
    frequencies = counts / counts.sum(axis=1, keepdims=True)
    scores = tf_idf(frequencies)
    assert (scores[:, 0] < 0).all()
    assert (scores[:, 1] == 0).all()
    values = Paper()(frequencies, label[:, None].astype(float)).values[:, 0]
    assert values[1] == 0
    means = [frequencies[side, 0].mean() for side in (label, ~label)]
    np.testing.assert_allclose(values[0], np.log2(means[0] / means[1]), atol=1e-5)


def test_bonferroni_prunes_everything_where_features_are_many():
    """With many features and few bags nothing is kept at .05: the map would be constant."""
    counts, label = counted(24, 300, seed=3)
    frequencies = counts / counts.sum(axis=1, keepdims=True)
    assert not Paper(alpha=0.05)(frequencies, label[:, None].astype(float)).values.any()


def test_the_papers_elastic_net_is_fitted_to_standardised_scores():
    """The published net is scikit-learn's on scaled TF-IDF, its coefficients as they come."""
    counts, label = counted(60, 10, seed=4)
    z = StandardScaler().fit_transform(oracle_scores(counts))
    settings = {"C": 1.0, "l1_ratio": 0.5, "solver": "saga", "max_iter": 5000, "random_state": 0}
    peer = LogisticRegression(**settings)
    if peer.get_params().get("penalty", "deprecated") != "deprecated":
        peer.set_params(penalty="elasticnet")
    expected = peer.fit(z, label).coef_[0]
    frequencies = counts / counts.sum(axis=1, keepdims=True)
    found = PaperElasticNet(iterations=5000)(frequencies, label[:, None].astype(float))
    np.testing.assert_allclose(found.values[:, 0], expected, atol=1e-3)


def test_the_papers_elastic_net_turns_the_sign_of_what_all_bags_have():
    """What every bag has gets a weight against its class, for its idf is negative."""
    counts, label = counted(200, 6, seed=5)
    counts[label, 0] += 6
    frequencies = counts / counts.sum(axis=1, keepdims=True)
    assert frequencies[label, 0].mean() > 1.5 * frequencies[~label, 0].mean()
    assert PaperElasticNet()(frequencies, label[:, None].astype(float)).values[0, 0] < 0
