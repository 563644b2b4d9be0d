"""Holds the arrays of the Walsh-kernel Gaussian process: kernel, evidence, posterior.

Masks come as signs `(m, p)`: -1 present, 1 absent, so that a product of columns is the Fourier
term of their set. A column need not be a unit: products of two units serve as well. This file
does not know about set functions or samples.

Source:
    The prior `F(T) ~ N(0, s * prod of rho_i over T / prod of (1 + rho_i) over all)` gives the
    kernel `s * prod_i (1 + rho_i x_i x'_i) / (1 + rho_i)`, a diffusion kernel on the hypercube,
    Kondor and Lafferty (2002), with one rate for each unit. Evidence and its gradient:
    Rasmussen and Williams (2006), sections 2.2, 5.4.1 and 5.4.2.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: Added to the diagonal besides the noise, in shares of the values' variance.
JITTER = 1e-6


class Prior(NamedTuple):
    """Hyper-parameters: `rho` (p,) decay per column, `scale` total variance, `noise` variance."""

    rho: Floats
    scale: float
    noise: float

    @property
    def peak(self) -> float:
        """Variance of the constant term: `scale / prod(1 + rho)`."""
        return float(self.scale * np.exp(-np.log1p(self.rho).sum()))


class Posterior(NamedTuple):
    """The process given `m` rows: what every prediction needs.

    Attributes:
        x: `(m, p)` signs.
        prior: hyper-parameters.
        a: `(m, q)` the kernel matrix's inverse times the values.
        root: `(m, m)` lower Cholesky root of kernel plus noise.
    """

    x: Floats
    prior: Prior
    a: Floats
    root: Floats


def kernel(x: Floats, z: Floats, prior: Prior) -> Floats:
    """Prior covariance of the values at rows `(m, p)` and `(b, p)`: `(m, b)`, without noise."""
    rate = 2.0 * np.arctanh(prior.rho)
    k = (x * (0.5 * rate)) @ z.T
    k -= 0.5 * rate.sum() - np.log(prior.scale)
    return np.exp(k, out=k)


def start(p: int, degree: float) -> Floats:
    """Parameters `(3 + p,)` to start from, and the middle of their prior: a mean degree."""
    theta = np.zeros(3 + p)
    theta[0], theta[2] = np.log(degree / p), -3.0
    return theta


def prior_of(theta: Floats) -> Prior:
    """The hyper-parameters of `theta`: base and offsets of logit rho, log scale, log noise."""
    rho = 1.0 / (1.0 + np.exp(-(theta[0] + theta[3:])))
    return Prior(rho, float(np.exp(theta[1])), float(np.exp(theta[2])))


def evidence(
    theta: Floats, x: Floats, y: Floats, pooling: float, degree: float, weight: float
) -> tuple[float, Floats]:
    """Negative log posterior of the hyper-parameters and its gradient.

    Args:
        theta: `(3 + p,)`, see `start`.
        x: `(m, p)` signs.
        y: `(m, q)` standardised values; their mean log likelihood counts, so that outputs that
            say the same are not counted as so many witnesses.
        pooling: precision of the offsets; large makes all columns alike.
        degree: mean degree the base is drawn to.
        weight: rows that one of these rows stands for.
    """
    from scipy.linalg import get_lapack_funcs

    prior = prior_of(theta)
    m, p = x.shape
    k = kernel(x, x, prior)
    factor, substitute, invert = get_lapack_funcs(("potrf", "potrs", "potri"), (k,))
    lifted = k.copy()
    lifted[np.diag_indices(m)] += prior.noise + JITTER
    root, failed = factor(lifted.T, lower=1, clean=0, overwrite_a=1)
    if failed:
        return 1e10, np.zeros_like(theta)
    a, _ = substitute(root, y, lower=1)
    value = 0.5 * (y * a).sum() / y.shape[1] + np.log(root.diagonal()).sum()
    inverse, _ = invert(root, lower=1, overwrite_c=1)
    # Only the lower triangle is meant from here on.
    inverse -= a @ (a.T / y.shape[1])
    trace = inverse.trace()
    inverse *= k
    diagonal = inverse.trace()
    below = np.tril(inverse, -1)
    total = below.sum() * 2 + diagonal
    along = 2 * (x * (below @ x)).sum(axis=0) + diagonal
    slope = np.empty_like(theta)
    # d rate / d rho = 2 / (1 - rho^2), d rho / d theta = rho (1 - rho)
    slope[3:] = -0.25 * (total - along) * 2 * prior.rho / (1.0 + prior.rho)
    slope[0], slope[1], slope[2] = slope[3:].sum(), 0.5 * total, 0.5 * prior.noise * trace
    away = theta[0] - np.log(degree / p)
    value = weight * value + 0.5 * pooling * (theta[3:] @ theta[3:])
    value += away**2 / 8 + theta[1] ** 2 / 18 + (theta[2] + 3.0) ** 2 / 18
    slope *= weight
    slope[3:] += pooling * theta[3:]
    slope[:3] += (away / 4, theta[1] / 9, (theta[2] + 3.0) / 9)
    return float(value), slope


def learn(
    x: Floats,
    y: Floats,
    pooling: float,
    degree: float,
    steps: int,
    weight: float = 1.0,
    begin: Floats | None = None,
) -> Floats:
    """Hyper-parameters `(3 + p,)` by at most `steps` steps of L-BFGS on the evidence."""
    from scipy.optimize import minimize

    theta = start(x.shape[1], degree) if begin is None else begin
    limits = [(-12.0, 6.0), (-6.0, 6.0), (-16.0, 3.0)] + [(-8.0, 8.0)] * x.shape[1]
    found = minimize(
        evidence,
        theta,
        args=(x, y, pooling, degree, weight),
        jac=True,
        method="L-BFGS-B",
        bounds=limits,
        options={"maxiter": steps, "maxfun": steps + 8},
    )
    return np.asarray(found.x, dtype=np.float64)


def condition(x: Floats, y: Floats, prior: Prior) -> Posterior:
    """The process given values `(m, q)` at rows `(m, p)`: one Cholesky root for all outputs."""
    from scipy.linalg import cho_solve, cholesky

    k = kernel(x, x, prior)
    k[np.diag_indices(len(x))] += prior.noise + JITTER
    root = cholesky(k.T, lower=True, overwrite_a=True, check_finite=False)
    a = cho_solve((root, True), y, check_finite=False)
    return Posterior(x, prior, a, root)


def mean(post: Posterior, z: Floats, block: int = 4_000_000) -> Floats:
    """Posterior mean `(b, q)` at rows `(b, p)`, in blocks of bounded memory."""
    size = max(1, block // max(1, len(post.x)))
    parts = [kernel(z[i : i + size], post.x, post.prior) @ post.a for i in range(0, len(z), size)]
    return np.concatenate(parts) if parts else np.zeros((0, post.a.shape[1]))


def variance(post: Posterior, z: Floats) -> Floats:
    """Posterior variance of the function `(b,)` at rows `(b, p)`, without noise."""
    from scipy.linalg import solve_triangular

    half = solve_triangular(
        post.root, kernel(post.x, z, post.prior), lower=True, check_finite=False
    )
    return np.maximum(post.prior.scale - (half**2).sum(axis=0), 0.0)


def uncertainty(post: Posterior) -> Floats:
    """Variance `(m,)` of each row's value given all other rows, noise included.

    Source:
        Rasmussen and Williams (2006), equation 5.12: `1 / (K^-1)_jj`.
    """
    from scipy.linalg import get_lapack_funcs

    (invert,) = get_lapack_funcs(("potri",), (post.root,))
    inverse, _ = invert(post.root, lower=1)
    return 1.0 / inverse.diagonal()


def left_out(post: Posterior, group: NDArray[np.int64] | None = None) -> Floats:
    """Residuals `(m, q)` at every row of the mean without its fold, hyper-parameters kept.

    Args:
        post: the posterior.
        group: `(m,)` folds, rows of fold -1 nan; None leaves out one row at a time.

    Source:
        Rasmussen and Williams (2006), equation 5.12; for a fold f, `(K^-1)_ff^-1 a_f`.
    """
    from scipy.linalg import solve, solve_triangular

    if group is None:
        return post.a * uncertainty(post)[:, None]
    residuals = np.full_like(post.a, np.nan)
    for g in range(int(group.max(initial=-1)) + 1):
        rows = np.flatnonzero(group == g)
        unit = np.zeros((len(post.x), len(rows)))
        unit[rows, np.arange(len(rows))] = 1.0
        half = solve_triangular(post.root, unit, lower=True, check_finite=False)
        residuals[rows] = solve(half.T @ half, post.a[rows], assume_a="pos", check_finite=False)
    return residuals


def every_mean(post: Posterior) -> Floats:
    """Posterior mean at all 2^p masks, `(2^p, q)`, row r with column i present if bit i is set.

    The kernel is a product over columns, so the table of low bits and the table of high bits meet
    in one matrix product: `2^p * m` multiplications and only `2^(p/2) * m` exponentials.
    """
    p = post.x.shape[1]
    cut = p // 2
    low, high = _half(post, slice(0, cut)), _half(post, slice(cut, p))
    out = np.empty((2 ** (p - cut), 2**cut, post.a.shape[1]))
    for j in range(post.a.shape[1]):
        out[:, :, j] = (high * post.a[:, j]) @ low.T
    return out.reshape(2**p, post.a.shape[1]) * post.prior.scale


def _half(post: Posterior, columns: slice) -> Floats:
    x, rho = post.x[:, columns], post.prior.rho[columns]
    p = x.shape[1]
    signs = 1.0 - 2.0 * ((np.arange(2**p)[:, None] >> np.arange(p)) & 1)
    return kernel(signs, x, Prior(rho, 1.0, 0.0))
