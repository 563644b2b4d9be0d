"""Kernels: each equals its definition, or the library whose answer it must be."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.linear_model import LogisticRegression
from sklearn.linear_model import Ridge as LeastSquares

from whence.errors import InputError
from whence.prospectors._resampling import drawn_times
from whence.prospectors._weights import benjamini_hochberg
from whence.prospectors.kernels import (
    KERNELS,
    Dirichlet,
    ElasticNet,
    FoldChange,
    Paper,
    PaperElasticNet,
    Ridge,
    Weights,
    Welch,
    bootstrapped,
    named,
)

CLOSED = ["welch", "dirichlet", "fold-change"]


def bags(b=60, p=12, seed=0, classes=2):
    """Frequencies with one feature never seen, one in every bag alike; targets."""
    rng = np.random.default_rng(seed)
    counts = rng.poisson(rng.uniform(0.2, 6, size=p), size=(b, p)).astype(float)
    label = rng.permutation(np.arange(b) % classes)
    counts[:, 0] += 4 * (label == 1)
    counts[:, 2] = 0
    counts[:, 1] += 1
    frequencies = counts / counts.sum(axis=1, keepdims=True)
    frequencies[:, 3] = 0.05
    columns = [1] if classes == 2 else range(classes)
    return frequencies, np.stack([label == c for c in columns], axis=1).astype(float)


def halves(frequencies, targets, column=0):
    """The bags of the ones, and of the zeros."""
    one = targets[:, column] == 1
    return frequencies[one], frequencies[~one]


def numbers(frequencies, seed=0):
    """A number per bag that grows with the first feature."""
    rng = np.random.default_rng(seed)
    return (frequencies[:, :1] + 0.05 * rng.normal(size=(len(frequencies), 1))) * 7 + 3


@pytest.fixture(scope="module")
def two():
    """Bags of two classes."""
    return bags()


@pytest.mark.parametrize("classes", [2, 3])
def test_welch_is_the_t_of_scipy(classes):
    """The Welch kernel is scipy's t statistic and p-value, where a feature varies."""
    x, y = bags(classes=classes)
    found = Welch(floor=1e-30)(x, y)
    varies = np.ptp(x, axis=0) > 0
    for c in range(y.shape[1]):
        t = stats.ttest_ind(*halves(x[:, varies], y, c), equal_var=False)
        np.testing.assert_allclose(found.values[varies, c], t.statistic, rtol=1e-9)
        np.testing.assert_allclose(found.p_values[varies, c], t.pvalue, rtol=1e-8, atol=1e-300)


def test_welch_has_a_floor_under_its_error(two):
    """By default 1e-12 is added to the squared standard error."""
    x, y = two
    a, b = halves(x, y)
    error = a.var(axis=0, ddof=1) / len(a) + b.var(axis=0, ddof=1) / len(b) + 1e-12
    expected = (a.mean(axis=0) - b.mean(axis=0)) / np.sqrt(error)
    np.testing.assert_allclose(Welch()(x, y).values[:, 0], expected, rtol=1e-9, atol=1e-9)


def test_welch_of_a_lone_bag_is_students_t(two):
    """A class of one bag is compared as by the t-test with equal variances."""
    x, _ = two
    y = np.zeros((len(x), 1))
    y[7] = 1
    varies = np.ptp(np.delete(x, 7, axis=0), axis=0) > 0
    t = stats.ttest_ind(*halves(x[:, varies], y), equal_var=True)
    np.testing.assert_allclose(Welch(floor=1e-30)(x, y).values[varies, 0], t.statistic, rtol=1e-9)


def test_welch_of_numbers_is_the_t_of_the_slope(two):
    """For numbers the Welch kernel is the t statistic of the simple regression's slope."""
    x, _ = two
    y = numbers(x)
    found = Welch()(x, y)
    for j in (0, 1, 4, 11):
        line = stats.linregress(x[:, j], y[:, 0])
        np.testing.assert_allclose(found.values[j, 0], line.slope / line.stderr, rtol=1e-9)
        np.testing.assert_allclose(found.p_values[j, 0], line.pvalue, rtol=1e-8)


@pytest.mark.parametrize("shape", [(90, 12), (30, 80)])
@pytest.mark.parametrize("balanced", [True, False])
def test_ridge_is_the_logistic_regression_of_scikit_learn(shape, balanced):
    """Ridge equals scikit-learn's L2 logistic fit, with fewer features than bags and with more."""
    x, y = bags(*shape, seed=3)
    y[:5] = 0
    y[5:12] = 1
    scale = np.where(np.ptp(x, axis=0) > 0, x.std(axis=0), 1.0)
    standard = (x - x.mean(axis=0)) / scale
    weight = "balanced" if balanced else None
    peer = LogisticRegression(C=0.1, class_weight=weight, tol=1e-10, max_iter=10000)
    expected = peer.fit(standard, y[:, 0]).coef_[0]
    found = Ridge(0.1, balanced, "standardized")(x, y).values[:, 0]
    np.testing.assert_allclose(found, expected, atol=1e-6 * abs(expected).max())
    counts = Ridge(0.1, balanced)(x, y).values[:, 0]
    np.testing.assert_allclose(counts * scale, found, rtol=1e-12)


def test_ridge_of_many_features_costs_the_space_of_the_bags():
    """With 1,830 features and 60 bags the fit solves the stationarity of the whole problem."""
    x, y = bags(60, 1830, seed=5)
    beta = Ridge(C=10.0, units="standardized")(x, y).values
    scale = np.where(np.ptp(x, axis=0) > 0, x.std(axis=0), 1.0)
    standard = (x - x.mean(axis=0)) / scale
    peer = LogisticRegression(C=10.0, class_weight="balanced", tol=1e-10, max_iter=10000)
    expected = peer.fit(standard, y[:, 0]).coef_[0]
    np.testing.assert_allclose(beta[:, 0], expected, atol=1e-5 * abs(expected).max())


@pytest.mark.parametrize("targets", ["classes", "numbers"])
def test_ridge_shrinks_the_more_the_more_features_vary(targets):
    """By default C is 4 over the number of features that are not the same in every bag."""
    x, y = bags(60, 30)
    y = y if targets == "classes" else numbers(x)
    expected = Ridge(C=4 / (np.ptp(x, axis=0) > 0).sum())(x, y)
    np.testing.assert_allclose(Ridge()(x, y).values, expected.values, rtol=1e-10)


@pytest.mark.parametrize("shape", [(90, 12), (30, 80)])
def test_ridge_of_numbers_is_ridge_regression(shape):
    """For numbers ridge equals scikit-learn's ridge regression with penalty 4 / C."""
    x, _ = bags(*shape)
    y = numbers(x)
    scale = np.where(np.ptp(x, axis=0) > 0, x.std(axis=0), 1.0)
    peer = LeastSquares(alpha=40.0).fit((x - x.mean(axis=0)) / scale, y[:, 0])
    found = Ridge(C=0.1)(x, y).values[:, 0]
    np.testing.assert_allclose(found, peer.coef_ / scale, atol=1e-9 * abs(found).max())


@pytest.mark.parametrize("imbalance", [2, 97])
def test_ridge_columns_do_not_depend_on_each_other(imbalance):
    """A column's weights are the same alone and among others, balanced or rare."""
    x, _ = bags(99, 30)
    rng = np.random.default_rng(0)
    y = np.zeros((99, 6))
    for c in range(6):
        y[rng.permutation(99)[: 99 - imbalance], c] = 1
    together = Ridge()(x, y).values
    for c in range(6):
        alone = Ridge()(x, y[:, [c]]).values[:, 0]
        np.testing.assert_allclose(together[:, c], alone, atol=1e-8 * abs(alone).max())


def test_ridge_of_separable_bags_is_finite():
    """Bags that a feature separates, with little shrinkage, still give a minimum."""
    x = np.column_stack((np.repeat([0.0, 1.0], 20), np.linspace(0, 1, 40)))
    y = np.repeat([0.0, 1.0], 20)[:, None]
    peer = LogisticRegression(C=1e3, class_weight="balanced", tol=1e-12, max_iter=100000)
    expected = peer.fit((x - x.mean(axis=0)) / x.std(axis=0), y[:, 0]).coef_[0]
    found = Ridge(C=1e3, units="standardized")(x, y).values[:, 0]
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_dirichlet_is_its_definition(two):
    """Dirichlet log-odds, feature by feature from the formula."""
    x, y = two
    c1, c0 = (side.sum(axis=0) for side in halves(x, y))
    found = Dirichlet(prior=50.0)(x, y).values[:, 0]
    for j in np.flatnonzero(np.ptp(x, axis=0) > 0):
        a = 50 * (c1[j] + c0[j]) / (c1.sum() + c0.sum())
        logs = [np.log((c[j] + a) / (c.sum() + 50 - c[j] - a)) for c in (c1, c0)]
        z = (logs[0] - logs[1]) / np.sqrt(1 / (c1[j] + a) + 1 / (c0[j] + a))
        np.testing.assert_allclose(found[j], z, rtol=1e-10)


def test_dirichlet_of_a_single_feature_is_finite():
    """One feature that is all there is has no odds to compare, and still a finite weight."""
    x = np.linspace(0.4, 1.0, 10)[:, None]
    y = (np.arange(10) % 2)[:, None].astype(float)
    assert np.isfinite(Dirichlet()(x, y).values).all()


def test_fold_change_is_its_definition(two):
    """Fold change in bits, with pseudo-counts in proportion to the feature."""
    x, y = two
    m1, m0 = (side.mean(axis=0) for side in halves(x, y))
    found = FoldChange(pseudo=0.3)(x, y).values[:, 0]
    for j in np.flatnonzero(np.ptp(x, axis=0) > 0):
        a = 0.3 * (m1[j] + m0[j]) / 2
        np.testing.assert_allclose(found[j], np.log2((m1[j] + a) / (m0[j] + a)), rtol=1e-9)


def test_fold_change_of_what_one_class_lacks_is_bounded():
    """A feature seen in one bag only weighs log2(1 + 2 / pseudo), and not 20 bits and more."""
    x, y = bags()
    x[:, 5] = 0
    x[np.flatnonzero(y[:, 0])[0], 5] = 1e-3
    np.testing.assert_allclose(FoldChange(pseudo=0.1)(x, y).values[5, 0], np.log2(21), rtol=1e-9)
    assert Paper()(x, y).values[5, 0] > 18


def test_errors_of_fold_change_are_those_of_the_bootstrap():
    """The delta method's standard errors agree with the bootstrap's to about a tenth."""
    x, y = bags(400, 6)
    kernel = FoldChange()
    draws = bootstrapped(kernel, x, y, np.random.default_rng(0), 600)
    found = kernel(x, y).errors[:, 0]
    seen = found > 0
    np.testing.assert_allclose(draws.std(axis=0)[seen, 0], found[seen], rtol=0.12)


def test_elastic_net_is_that_of_scikit_learn_in_count_units(two):
    """Elastic net minimises the penalised balanced loss, and is divided by the deviations."""
    x, y = two
    counts = ElasticNet(iterations=5000)(x, y).values[:, 0]
    standard = ElasticNet(iterations=5000, units="standardized")(x, y).values[:, 0]
    varies = np.ptp(x, axis=0) > 0
    np.testing.assert_allclose((counts * x.std(axis=0))[varies], standard[varies], rtol=1e-12)
    z = (x - x.mean(axis=0)) / np.where(varies, x.std(axis=0), 1.0)
    weight = np.where(y[:, 0] == 1, len(y) / 2 / y.sum(), len(y) / 2 / (1 - y).sum())
    intercept = _intercept(z @ standard, y[:, 0], weight)
    loss = weight * (y[:, 0] - 1 / (1 + np.exp(-(z @ standard + intercept))))
    pull = z.T @ loss - standard / 0.1 * 0.5
    active = standard != 0
    assert 0 < active.sum() < varies.sum()
    np.testing.assert_allclose(pull[active], 5 * np.sign(standard[active]), atol=0.05)
    assert (abs(pull[~active]) <= 5.05).all()


def _intercept(f, y, weight):
    """The intercept at which the weighted residuals sum to 0."""
    low, high = -20.0, 20.0
    for _ in range(80):
        middle = (low + high) / 2
        left = (weight * (y - 1 / (1 + np.exp(-(f + middle))))).sum()
        low, high = (middle, high) if left > 0 else (low, middle)
    return middle


def test_benjamini_hochberg_is_that_of_scipy():
    """Adjusted p-values of the tested features are scipy's; the others' are 1."""
    rng = np.random.default_rng(0)
    p_values, tested = rng.random((40, 2)) ** 3, rng.random(40) < 0.7
    found = benjamini_hochberg(p_values, tested)
    for c in range(2):
        expected = stats.false_discovery_control(p_values[tested, c])
        np.testing.assert_array_equal(found[tested, c], expected)
    assert (found[~tested] == 1).all()


@pytest.mark.parametrize("kernel", [Welch, Dirichlet, FoldChange])
def test_what_is_not_discovered_weighs_nothing(kernel):
    """With `fdr` exactly the features whose adjusted p-value is above it lose their weight."""
    x, y = bags(200)
    free, held = kernel()(x, y), kernel(fdr=0.05)(x, y)
    kept = free.adjusted <= 0.05
    assert kept[0, 0]
    assert not kept.all()
    np.testing.assert_array_equal(held.values, np.where(kept, free.values, 0.0))


@pytest.mark.parametrize("kernel", ["welch", "dirichlet", "fold-change"])
def test_few_are_discovered_where_there_is_nothing(kernel):
    """With labels that mean nothing, discoveries at rate .05 are made in few data sets."""
    x, _ = bags(60, 30)
    rng = np.random.default_rng(1)
    y = np.stack([rng.permutation(np.arange(60) % 2) for _ in range(200)], axis=1)
    adjusted = KERNELS[kernel](x, y.astype(float)).adjusted
    assert (adjusted <= 0.05).any(axis=0).mean() <= 0.1


@pytest.mark.parametrize("name", sorted(KERNELS))
def test_kernels_ignore_the_order_of_bags(name):
    """Bags in another order give the same weights, up to rounding and the solver's tolerance."""
    x, y = bags(40)
    order = np.random.default_rng(4).permutation(len(x))
    net = {"elastic-net": ElasticNet(iterations=5000)}
    net["paper-elastic-net"] = PaperElasticNet(iterations=5000)
    kernel = net.get(name, KERNELS[name])
    a, b = kernel(x, y).values, kernel(x[order], y[order]).values
    np.testing.assert_allclose(a, b, atol=1e-3 * abs(a).max() if name in net else 1e-8)


@pytest.mark.parametrize("name", sorted(KERNELS))
def test_kernels_find_what_was_planted(name):
    """The feature that marks the class has the largest weight, with the class's sign."""
    x, y = bags(200)
    values = KERNELS[name](x, y).values[:, 0]
    assert values.argmax() == 0


@pytest.mark.parametrize("name", sorted(KERNELS))
def test_kernels_give_nothing_for_what_is_the_same_everywhere(name):
    """A feature that no bag has, or that all have alike, weighs 0, and its p-value is 1."""
    x, y = bags()
    found = KERNELS[name](x, y)
    assert (found.values[[2]] == 0).all()
    if name != "paper":
        assert (found.values[[3]] == 0).all()
    if found.p_values is not None:
        assert (found.p_values[[2]] == 1).all()
        assert (found.adjusted[[2]] == 1).all()


@pytest.mark.parametrize("name", sorted(KERNELS))
def test_kernels_swap_signs_with_the_classes(name):
    """Exchanging the two classes exchanges the sign of every weight."""
    x, y = bags(80)
    a, b = KERNELS[name](x, y).values, KERNELS[name](x, 1 - y).values
    tolerance = 2e-2 if "net" in name else 1e-7
    np.testing.assert_allclose(a, -b, atol=tolerance * abs(a).max())


@pytest.mark.parametrize("name", sorted(KERNELS))
@given(seed=st.integers(0, 10**6))
@settings(max_examples=15, deadline=None)
def test_weights_are_finite_of_whatever_is_counted(name, seed):
    """Sparse, tiny, constant and repeated features all give finite weights."""
    rng = np.random.default_rng(seed)
    b, p = int(rng.integers(2, 12)), int(rng.integers(1, 9))
    x = rng.integers(0, 2, size=(b, p)) * 10.0 ** rng.integers(-12, 1, size=p)
    x[:, rng.random(p) < 0.2] = 0.1
    y = np.zeros((b, 1))
    y[rng.permutation(b)[: int(rng.integers(1, b))]] = 1
    found = KERNELS[name](x, y)
    assert found.values.shape == (p, 1)
    assert np.isfinite(found.values).all()
    for array in (found.errors, found.p_values, found.adjusted):
        assert array is None or np.isfinite(array).all()


@pytest.mark.parametrize("name", CLOSED)
@pytest.mark.parametrize("classes", [2, 3])
def test_a_bag_drawn_twice_counts_twice(name, classes):
    """Telling a kernel how often bags came gives what repeating their rows gives."""
    x, y = bags(40, classes=classes)
    kernel = KERNELS[name]
    rng = np.random.default_rng(2)
    times = rng.integers(0, 4, size=(3, len(x))).astype(float)
    found = kernel.resampled(x, y, times)
    assert found.shape == (3, x.shape[1], y.shape[1])
    for one, m in zip(found, times, strict=True):
        rows = np.repeat(np.arange(len(x)), m.astype(int))
        expected = kernel(x[rows], y[rows]).values
        np.testing.assert_allclose(one, expected, atol=1e-7 * abs(expected).max())


def test_a_bag_with_a_number_drawn_twice_counts_twice():
    """The same holds for the slopes of numbers."""
    x, _ = bags(40)
    y = numbers(x)
    times = np.random.default_rng(2).integers(0, 4, size=(2, len(x))).astype(float)
    found = Welch().resampled(x, y, times)
    for one, m in zip(found, times, strict=True):
        rows = np.repeat(np.arange(len(x)), m.astype(int))
        expected = Welch()(x[rows], y[rows]).values
        np.testing.assert_allclose(one, expected, atol=1e-7 * abs(expected).max())


@pytest.mark.parametrize("balanced", [True, False])
@pytest.mark.parametrize("p", [12, 80])
def test_ridge_drawings_are_weighted_fits(p, balanced):
    """A drawing is scikit-learn's fit to repeated rows, on features scaled as in all bags."""
    x, y = bags(40, p, classes=3)
    times = np.random.default_rng(2).integers(0, 4, size=(3, len(x))).astype(float)
    found = Ridge(0.1, balanced, "standardized").resampled(x, y, times)
    scale = np.where(np.ptp(x, axis=0) > 0, x.std(axis=0), 1.0)
    weight = "balanced" if balanced else None
    peer = LogisticRegression(C=0.1, class_weight=weight, tol=1e-10, max_iter=10000)
    for r, c in [(0, 0), (2, 1)]:
        rows = np.repeat(np.arange(len(x)), times[r].astype(int))
        expected = peer.fit(((x - x.mean(axis=0)) / scale)[rows], y[rows, c]).coef_[0]
        np.testing.assert_allclose(found[r, :, c], expected, atol=1e-5 * abs(expected).max())


@pytest.mark.parametrize("p", [12, 80])
def test_ridge_drawings_of_numbers_are_weighted_fits(p):
    """For numbers a drawing is ridge regression on repeated rows, scaled as in all bags."""
    x, _ = bags(40, p)
    y = numbers(x)
    times = np.random.default_rng(2).integers(0, 4, size=(2, len(x))).astype(float)
    found = Ridge(0.1, units="standardized").resampled(x, y, times)
    scale = np.where(np.ptp(x, axis=0) > 0, x.std(axis=0), 1.0)
    for one, m in zip(found, times, strict=True):
        rows = np.repeat(np.arange(len(x)), m.astype(int))
        peer = LeastSquares(alpha=40.0).fit(((x - x.mean(axis=0)) / scale)[rows], y[rows, 0])
        np.testing.assert_allclose(one[:, 0], peer.coef_, atol=1e-9 * abs(peer.coef_).max())


def test_ridge_draws_the_same_alone_and_together(monkeypatch):
    """How many fits are made together changes nothing."""
    x, y = bags(40, classes=3)
    times = np.random.default_rng(2).integers(0, 4, size=(9, len(x))).astype(float)
    found = Ridge().resampled(x, y, times)
    monkeypatch.setattr("whence.prospectors._ridge.COLUMNS", 6)
    alone = Ridge().resampled(x, y, times)
    np.testing.assert_allclose(alone, found, atol=1e-7 * abs(found).max())


def test_bootstrap_draws_within_classes_and_whole_groups():
    """Every drawing has every class as often as the data, and a group's bags come together."""
    y = np.eye(3)[np.arange(30) % 3]
    times = []

    def spy(x, targets, /):
        times.append((x[:, 0], targets.sum(axis=0)))
        return Weights(np.zeros((1, 3)))

    x = np.arange(30.0)[:, None]
    assert bootstrapped(spy, x, y, np.random.default_rng(0), 5).shape == (5, 1, 3)
    assert all((held == 10).all() for _, held in times)
    times.clear()
    bootstrapped(spy, x, y, np.random.default_rng(0), 5, groups=np.arange(30) // 6)
    for drawn, held in times:
        counts = np.bincount(drawn.astype(int), minlength=30).reshape(5, 6)
        assert (counts == counts[:, :1]).all()
        assert (held == 10).all()


def test_bootstrap_of_groups_of_one_class_keeps_both_classes():
    """Patients that are all of one class are drawn within their class."""
    x, _ = bags(40)
    y = (np.arange(40) >= 32).astype(float)[:, None]
    draws = bootstrapped(Welch(), x, y, np.random.default_rng(0), 50, groups=np.arange(40) // 4)
    assert np.isfinite(draws).all()
    assert (draws[:, 0] != draws[0, 0]).any()


@pytest.mark.parametrize("name", ["welch", "ridge"])
def test_bootstrap_of_numbers_is_about_its_estimate(name):
    """Drawings of the weights of numbers centre near the weights."""
    x, _ = bags(200, 5)
    y = numbers(x)
    draws = bootstrapped(KERNELS[name], x, y, np.random.default_rng(0), 60)
    found = KERNELS[name](x, y).values[0, 0]
    assert abs(draws[:, 0, 0].mean() - found) < draws[:, 0, 0].std()


def test_kernels_that_need_classes_refuse_numbers_by_name():
    """Only "welch" and "ridge" take numbers; the others say so."""
    x, _ = bags()
    for name in set(KERNELS) - {"welch", "ridge"}:
        with pytest.raises(InputError, match=f"'{name}' kernel needs classes"):
            KERNELS[name](x, numbers(x))


@pytest.mark.parametrize("name", sorted(KERNELS))
@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda x, y: (x, y * 0), "one label only"),
        (lambda x, y: (x[1:], y), "one row per bag"),
        (lambda x, y: (x, y[:, 0]), "one row per bag"),
        (lambda x, y: (np.where(x > 0.3, np.nan, x), y), "nan or inf"),
        (lambda x, y: (x, np.where(y == 1, np.nan, y)), "nan or inf"),
    ],
)
def test_kernels_refuse_what_they_cannot_use(name, spoil, message):
    """One class, lengths that differ and nan are refused by name, by every kernel."""
    with pytest.raises(InputError, match=message):
        KERNELS[name](*spoil(*bags()))


@pytest.mark.parametrize(
    ("kernel", "message"),
    [
        (Welch(fdr=0.0), "fdr=0.0"),
        (Welch(floor=0.0), "floor=0.0"),
        (Ridge(C=-1), "C=-1"),
        (Ridge(units="bits"), "units='bits'"),
        (Dirichlet(prior=0), "prior=0"),
        (FoldChange(pseudo=0), "pseudo=0"),
        (ElasticNet(l1_ratio=2), "l1_ratio=2"),
        (PaperElasticNet(iterations=0), "iterations=0"),
        (Paper(tau=-1), "tau=-1"),
        (Paper(alpha=0), "alpha=0"),
    ],
)
def test_kernels_refuse_options_out_of_range(kernel, message):
    """An option that makes no sense is refused by name when the kernel is used."""
    with pytest.raises(InputError, match=message):
        kernel(*bags())


def test_bootstrap_refuses_groups_of_another_length():
    """Groups must be one per bag, and resamples two at least."""
    x, y = bags()
    with pytest.raises(InputError, match="\\(3,\\) came for 60 bags"):
        bootstrapped(Welch(), x, y, np.random.default_rng(0), 5, groups=["a", "b", "c"])
    with pytest.raises(InputError, match="resamples=1"):
        bootstrapped(Welch(), x, y, np.random.default_rng(0), 1)


SETS = ([0], [1], [2], [0, 1], [1, 2], [0, 2], [0, 1, 2])


def drawn_from(sets, resamples=200):
    """Drawings `(R, groups)` of groups that have these classes, and whether they have each."""
    y = np.concatenate(sets)
    group = np.repeat(np.arange(len(sets)), [len(s) for s in sets])
    times = drawn_times(np.eye(y.max() + 1)[y], np.random.default_rng(0), resamples, group)
    first = np.unique(group, return_index=True)[1]
    assert (times == times[:, first][:, group]).all()
    has = np.array([[c in s for c in range(y.max() + 1)] for s in sets])
    return times[:, first], has


@pytest.mark.parametrize(
    "sets",
    [SETS, ([0], *[[1]] * 5), ([0, 1], *[[0]] * 3, *[[1]] * 4), ([0, 1], [1, 2], [1], [1])],
)
def test_groups_alone_with_their_classes_are_drawn_together(sets):
    """Groups whose set of classes is theirs alone are drawn again too, and no class vanishes."""
    times, has = drawn_from(sets)
    assert (times.std(axis=0) > 0).all()
    assert ((times @ has) > 0).all()
    assert (times.sum(axis=1) == len(sets)).all()


def test_many_classes_of_one_group_each_are_kept():
    """Where chance would nearly always lose a class, its groups are kept and the rest varies."""
    times, has = drawn_from([[c] for c in range(30)] + [[0, 1]], 50)
    assert ((times @ has) > 0).all()
    assert (times.std(axis=0) > 0).any()


def test_standard_errors_of_single_groups_are_not_zero():
    """With seven groups of seven sets of classes the drawings of weights differ."""
    y, group = np.concatenate(SETS), np.repeat(np.arange(7), [len(s) for s in SETS])
    x, _ = bags(len(y))
    draws = bootstrapped(Welch(), x, np.eye(3)[y], np.random.default_rng(0), 50, groups=group)
    assert (draws[:, 0].std(axis=0) > 0).all()


@pytest.mark.parametrize("sets", [([0], [1]), ([0], [1], [2]), ([0, 1], [1, 2]), ([0, 1],)])
def test_groups_that_cannot_be_drawn_again_are_refused(sets):
    """Where every group is the only one of some class, there are no standard errors."""
    with pytest.raises(InputError, match="set bootstrap=0"):
        drawn_from(sets)


def test_a_kernel_is_named_or_given():
    """A name gives the kernel of the table, a callable is itself, anything else is refused."""
    assert named("ridge") == Ridge()
    given_one = Welch(fdr=0.1)
    assert named(given_one) is given_one
    with pytest.raises(InputError, match="'welch', 'ridge'"):
        named("svm")
    with pytest.raises(InputError, match="kernel=3"):
        named(3)


def test_kernels_warn_of_nothing():
    """A fit that has not converged, or a feature without variance, makes no noise."""
    x, y = bags()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for kernel in KERNELS.values():
            kernel(x, y)
        ElasticNet(iterations=1)(x, y)


@pytest.mark.parametrize("name", sorted(KERNELS))
def test_traces_of_soft_codes_move_no_margin(name):
    """What soft codes leave of far concepts, any power of ten below a count, weighs little."""
    rng = np.random.default_rng(3)
    x = rng.dirichlet(np.ones(6), 80)
    x[:, 5] *= 10.0 ** rng.uniform(-200, -90, 80)
    y = (x[:, [0]] > x[:, [1]]).astype(float)
    found = KERNELS[name](x, y).values
    assert np.isfinite(found).all()
    assert abs(found[5, 0]) * 1e-6 <= abs(found[:5]).max()
