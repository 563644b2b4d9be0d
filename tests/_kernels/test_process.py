"""Facts about the Walsh-kernel process, checked against its definition by enumeration."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from whence._kernels import cube, process
from whence._kernels.terms import all_sets
from whence._kernels.walsh import walsh
from whence.masks import every

N, ROWS, OUTPUTS = 6, 25, 2


@pytest.fixture(name="post")
def _post() -> process.Posterior:
    rng = np.random.default_rng(3)
    x = 1.0 - 2.0 * every(N)[rng.permutation(2**N)[:ROWS]]
    prior = process.Prior(rng.uniform(0.05, 0.7, N), 1.3, 0.2)
    return process.condition(x, rng.normal(size=(ROWS, OUTPUTS)), prior)


def _terms() -> tuple[np.ndarray, np.ndarray]:
    return all_sets(N, N)


def _design(x: np.ndarray) -> np.ndarray:
    """All terms at the rows, in the canonical order, by the definition."""
    indptr, indices = _terms()
    return np.stack([x[:, indices[a:b]].prod(axis=1) for a, b in itertools.pairwise(indptr)], 1)


def _prior_variances(prior: process.Prior) -> np.ndarray:
    indptr, indices = _terms()
    c = prior.scale / np.prod(1 + prior.rho)
    return np.array([c * np.prod(prior.rho[indices[a:b]]) for a, b in itertools.pairwise(indptr)])


def _exact(post: process.Posterior) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of all coefficients by Bayesian linear regression."""
    design, v = _design(post.x), _prior_variances(post.prior)
    k = (design * v) @ design.T + (post.prior.noise + process.JITTER) * np.eye(len(design))
    y = k @ post.a
    gain = (v[:, None] * design.T) @ np.linalg.inv(k)
    return gain @ y, np.diag(v) - gain @ (design * v)


def test_the_kernel_is_the_prior_summed_over_all_sets(post: process.Posterior) -> None:
    """The product formula equals the sum over all 2^n terms of variance times term times term."""
    design = _design(post.x)
    truth = (design * _prior_variances(post.prior)) @ design.T
    assert np.allclose(process.kernel(post.x, post.x, post.prior), truth, rtol=0, atol=1e-12)


def test_the_gradient_of_the_evidence_is_its_derivative() -> None:
    """Every entry of the analytic gradient equals a central difference."""
    rng = np.random.default_rng(0)
    x, y = rng.choice([-1.0, 1.0], (30, 5)), rng.normal(size=(30, 2))
    theta = rng.normal(size=8) * 0.4

    def value(t: np.ndarray) -> float:
        return process.evidence(t, x, y, 1.3, 2.0, 1.5)[0]

    numeric = [(value(theta + 1e-5 * e) - value(theta - 1e-5 * e)) / 2e-5 for e in np.eye(8)]
    assert np.allclose(process.evidence(theta, x, y, 1.3, 2.0, 1.5)[1], numeric, atol=1e-7)


def test_the_evidence_is_the_log_likelihood_of_a_normal() -> None:
    """Up to the prior of the hyper-parameters it is the density of the values, by definition."""
    rng = np.random.default_rng(1)
    x, y = rng.choice([-1.0, 1.0], (12, 4)), rng.normal(size=(12, 1))
    theta = process.start(4, 2.0)
    prior = process.prior_of(theta)
    k = process.kernel(x, x, prior) + (prior.noise + process.JITTER) * np.eye(12)
    truth = 0.5 * float(y[:, 0] @ np.linalg.solve(k, y[:, 0])) + 0.5 * np.linalg.slogdet(k)[1]
    assert process.evidence(theta, x, y, 1.0, 2.0, 1.0)[0] == pytest.approx(truth, abs=1e-10)


def test_coefficients_are_those_of_bayesian_regression(post: process.Posterior) -> None:
    """The closed form of every coefficient's mean equals the regression on all 2^n terms."""
    assert np.allclose(cube.coefficients(post, *_terms()), _exact(post)[0], atol=1e-12)


def test_covariance_is_that_of_bayesian_regression(post: process.Posterior) -> None:
    """The closed form of the coefficients' covariance equals the regression on all 2^n terms."""
    assert np.allclose(cube.covariance(post, *_terms()), _exact(post)[1], atol=1e-12)


def test_draws_have_the_posterior_covariance(post: process.Posterior) -> None:
    """The covariance of many draws approaches the closed form, within four standard errors."""
    indptr, indices = all_sets(N, 2)
    truth = cube.covariance(post, indptr, indices)
    drawn = cube.draws(post, indptr, indices, 40_000, np.random.default_rng(0))
    spread = np.sqrt(np.outer(truth.diagonal(), truth.diagonal()) + truth**2)
    assert (np.abs(drawn.T @ drawn / len(drawn) - truth) < 5 * spread / np.sqrt(len(drawn))).all()


def test_the_mean_at_every_mask_is_the_mean(post: process.Posterior) -> None:
    """The factorised table over all masks equals the mean asked mask by mask."""
    signs = 1.0 - 2.0 * every(N)
    assert np.allclose(process.every_mean(post), process.mean(post, signs), atol=1e-12)


def test_the_spectrum_of_the_mean_is_the_coefficients(post: process.Posterior) -> None:
    """The Walsh transform of the mean at all masks gives the closed-form coefficients."""
    spectrum = walsh(process.every_mean(post)) / 2**N
    indptr, indices = _terms()
    rows = [int((1 << indices[a:b]).sum()) for a, b in itertools.pairwise(indptr)]
    assert np.allclose(spectrum[rows], cube.coefficients(post, indptr, indices), atol=1e-12)


def test_variance_at_a_mask_is_that_of_its_terms(post: process.Posterior) -> None:
    """The variance of a prediction equals the quadratic form in the coefficients' covariance."""
    signs = 1.0 - 2.0 * every(N)
    design = _design(signs)
    truth = np.einsum("bk,kl,bl->b", design, _exact(post)[1], design)
    assert np.allclose(process.variance(post, signs), truth, atol=1e-10)


@pytest.mark.parametrize("folds", [None, 5])
def test_left_out_residuals_are_those_of_refits(post: process.Posterior, folds: int | None) -> None:
    """Closed-form residuals equal those of the process conditioned without the fold."""
    group = np.arange(ROWS) % (folds or ROWS)
    k = process.kernel(post.x, post.x, post.prior)
    y = (k + (post.prior.noise + process.JITTER) * np.eye(ROWS)) @ post.a
    shown = process.left_out(post, None if folds is None else group)
    for g in range(int(group.max()) + 1):
        refit = process.condition(post.x[group != g], y[group != g], post.prior)
        truth = y[group == g] - process.mean(refit, post.x[group == g])
        assert np.allclose(shown[group == g], truth, atol=1e-9)


def test_shapley_values_are_of_the_whole_posterior_mean(post: process.Posterior) -> None:
    """The quadrature equals the Fourier form of the Shapley values over all 2^n terms."""
    indptr, indices = _terms()
    coefficient = cube.coefficients(post, indptr, indices)
    truth = np.zeros((N, OUTPUTS))
    for a, b, value in zip(indptr[:-1], indptr[1:], coefficient, strict=True):
        if (b - a) % 2:
            truth[indices[a:b]] -= 2 * value / (b - a)
    assert np.allclose(cube.shapley(post), truth, atol=1e-12)


def test_search_finds_the_largest_coefficients(post: process.Posterior) -> None:
    """With a beam that holds everything the search returns the top of the whole spectrum."""
    size = np.linalg.norm(cube.coefficients(post, *_terms()), axis=1)
    sets, means = cube.search(post, 20, beam=100)
    assert np.allclose(
        np.sort(np.linalg.norm(means, axis=1))[-19:], np.sort(size)[-19:], atol=1e-12
    )
    assert np.allclose(means, cube.coefficients(post, *cube.family(sets)), atol=1e-12)


def test_search_names_no_set_twice(post: process.Posterior) -> None:
    """A set reached from several parents is returned once."""
    sets, _ = cube.search(post, 2**N, beam=100)
    assert len(np.unique(sets, axis=0)) == len(sets) == 2**N


@pytest.mark.parametrize("aim", ["fit", "shapley"])
def test_the_first_choice_lowers_the_variance_most(post: process.Posterior, aim: str) -> None:
    """Of a pool, the mask chosen first leaves the least variance, by trying every one."""
    pool = 1.0 - 2.0 * every(N)[::5]
    indptr, indices = _terms()
    readout = np.zeros((N, len(indptr) - 1))
    for j, (a, b) in enumerate(itertools.pairwise(indptr)):
        if (b - a) % 2:
            readout[indices[a:b], j] = -2 / (b - a)
    target = _design(pool) if aim == "fit" else readout
    left = []
    for row in pool:
        x = np.concatenate([post.x, row[None]])
        grown = process.condition(x, np.zeros((len(x), 1)), post.prior)
        left.append(np.einsum("ij,jk,ik->", target, _exact(grown)[1], target))
    assert cube.informative(post, pool, 3, aim)[0] == int(np.argmin(left))  # type: ignore[arg-type]


def test_shapley_rows_are_covariances(post: process.Posterior) -> None:
    """The covariance of a Shapley value with a value is that of its terms with that mask's."""
    indptr, indices = _terms()
    truth = np.zeros((N, len(post.x)))
    design, v = _design(post.x), _prior_variances(post.prior)
    for j, (a, b) in enumerate(itertools.pairwise(indptr)):
        if (b - a) % 2:
            truth[indices[a:b]] -= 2 / (b - a) * v[j] * design[:, j]
    assert np.allclose(cube.shapley_rows(post.x, post.prior), truth, atol=1e-12)
