"""Holds what the Walsh-kernel process knows of single terms: coefficients, search, Shapley values.

Sign convention as everywhere: `chi_T(S) = (-1)^#(S ∩ T)`, rows of signs with -1 for present.
It does not know where the posterior came from.

Source:
    With c = s / prod(1 + rho) and v_T = c * prod of rho over T: the posterior mean of F(T) is
    `v_T * sum_j a_j chi_T(x_j)`, its covariance with F(U) is
    `v_T [T = U] - v_T v_U chi_T^T K^-1 chi_U`. Checked by enumeration in
    tests/_kernels/test_process.py.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from whence._kernels.least_squares import parities
from whence._kernels.process import JITTER, Posterior, Prior, kernel
from whence._kernels.terms import Ints

Floats = NDArray[np.float64]


def variances(post: Posterior, indptr: Ints, indices: Ints) -> Floats:
    """Prior variance of every term's coefficient, `(k,)`."""
    logs = np.concatenate([[0.0], np.cumsum(np.log(post.prior.rho)[indices])])
    return post.prior.peak * np.exp(logs[indptr[1:]] - logs[indptr[:-1]])


def columns(post: Posterior, indptr: Ints, indices: Ints) -> Floats:
    """The terms at the posterior's rows, `(m, k)`."""
    return parities(post.x < 0, indptr, indices)


def coefficients(post: Posterior, indptr: Ints, indices: Ints) -> Floats:
    """Posterior mean of every term's coefficient, `(k, q)`."""
    v = variances(post, indptr, indices)
    return v[:, None] * (columns(post, indptr, indices).T @ post.a)


def covariance(post: Posterior, indptr: Ints, indices: Ints) -> Floats:
    """Posterior covariance of the coefficients, `(k, k)`, in units of the standardised values."""
    from scipy.linalg import solve_triangular

    v = variances(post, indptr, indices)
    half = solve_triangular(
        post.root, columns(post, indptr, indices) * v, lower=True, check_finite=False
    )
    return np.diag(v) - half.T @ half


def draws(
    post: Posterior, indptr: Ints, indices: Ints, count: int, rng: np.random.Generator
) -> Floats:
    """Posterior draws of the coefficients about their mean, `(count, k)`.

    Each is a draw from the prior, less what the process makes of values drawn along with it:
    the terms' own part, and the rest of the kernel and the noise. No `(k, k)` matrix is formed.

    Source:
        Matheron's rule; Wilson et al. (2020).
    """
    from scipy.linalg import cho_solve, cholesky

    v = variances(post, indptr, indices)
    x = columns(post, indptr, indices)
    m = len(x)
    terms = rng.standard_normal((len(v), count)) * np.sqrt(v)[:, None]
    rest = kernel(post.x, post.x, post.prior) - (x * v) @ x.T
    # Rounding may leave the rest of the kernel a shade below zero.
    rest[np.diag_indices(m)] += post.prior.noise + 1e-6 * post.prior.scale
    values = x @ terms + cholesky(rest, lower=True, overwrite_a=True) @ rng.standard_normal(
        (m, count)
    )
    solved = cho_solve((post.root, True), values, check_finite=False)
    return (terms - v[:, None] * (x.T @ solved)).T


def search(
    post: Posterior, most: int, *, degree: int = 6, beam: int = 150
) -> tuple[NDArray[np.bool_], Floats]:
    """Best-first search for the largest coefficients of the posterior mean.

    All extensions by one unit of the `beam` largest sets of each size are scored with one matrix
    product; what is returned are the largest of everything scored. A set is missed only if every
    set it extends fell off the beam.

    Returns:
        `(k, p)` membership of the sets, largest first, k at most `most`, and `(k, q)` posterior
        means. The empty set is always among them.
    """
    m, p = post.x.shape
    odd = np.random.default_rng(0).integers(1, 2**63, p, dtype=np.int64)
    parents = np.zeros((1, p), dtype=np.bool_)
    chi, v = np.ones((1, m)), np.array([post.prior.peak])
    found, values = [parents], [post.prior.peak * post.a.sum(axis=0)[None]]
    for _ in range(min(degree, p)):
        score = _extensions(post, chi, v)
        fresh = ~parents
        keys = (parents @ odd)[:, None] + odd
        row, unit = np.nonzero(fresh)
        first = np.unique(keys[row, unit], return_index=True)[1]
        row, unit = row[first], unit[first]
        mean = score[row, unit]
        order = np.argsort(-np.sqrt((mean**2).sum(axis=1)), kind="stable")[: max(most, beam)]
        row, unit, mean = row[order], unit[order], mean[order]
        members = parents[row]
        members[np.arange(len(row)), unit] = True
        found.append(members)
        values.append(mean)
        kept = slice(0, beam)
        chi = chi[row[kept]] * post.x.T[unit[kept]]
        v = v[row[kept]] * post.prior.rho[unit[kept]]
        parents = members[kept]
    sets, means = np.concatenate(found), np.concatenate(values)
    size = np.sqrt((means**2).sum(axis=1))
    size[0] = np.inf
    order = np.argsort(-size, kind="stable")[:most]
    return sets[order], means[order]


def _extensions(post: Posterior, chi: Floats, v: Floats) -> Floats:
    """Posterior means of every parent set with every unit added, `(parents, p, q)`."""
    q = post.a.shape[1]
    out = np.empty((len(chi), post.x.shape[1], q))
    for j in range(q):
        out[:, :, j] = (chi * post.a[:, j]) @ post.x
    return out * v[:, None, None] * post.prior.rho[:, None]


def shapley(post: Posterior) -> Floats:
    """Shapley values of the whole posterior mean, without truncation, `(p, q)`."""
    return shapley_rows(post.x, post.prior) @ post.a


def shapley_rows(x: Floats, prior: Prior) -> Floats:
    """Prior covariance of every Shapley value with the function at rows `(m, p)`: `(p, m)`.

    Source:
        `phi_i = -2 sum over odd T with i of F(T) / #T`; with 1/t as the integral of u^(t-1) and
        the sum over T as a product over units, Gauss-Legendre with ceil(p/2) nodes is exact.
    """
    rho, p = prior.rho, x.shape[1]
    nodes, weights = np.polynomial.legendre.leggauss((p + 1) // 2)
    total = np.zeros_like(x)
    for u, w in zip((nodes + 1) / 2, weights / 2, strict=True):
        for sign in (1.0, -1.0):
            logs = np.log1p(sign * u * rho * x)
            total += 0.5 * w * np.exp(logs.sum(axis=1, keepdims=True) - logs)
    return -2.0 * prior.peak * rho[:, None] * (x * total).T


def informative(post: Posterior, z: Floats, count: int, aim: Literal["fit", "shapley"]) -> Ints:
    """Rows of a pool `(b, p)` whose values would tell most, chosen one after the other.

    "fit" lowers the posterior variance summed over the pool, "shapley" that summed over the
    Shapley values; each choice takes those before it into account, as if they were valued.

    Returns:
        `(count,)` row numbers in the order chosen.

    Source:
        Cohn, Ghahramani and Jordan (1996), expected variance reduction; for a Gaussian process it
        needs no values.
    """
    from scipy.linalg import solve_triangular

    noise = post.prior.noise + JITTER
    half = solve_triangular(
        post.root, kernel(post.x, z, post.prior), lower=True, check_finite=False
    )
    left = kernel(z, z, post.prior) - half.T @ half
    target = left
    if aim == "shapley":
        known = solve_triangular(post.root, shapley_rows(post.x, post.prior).T, lower=True)
        target = shapley_rows(z, post.prior) - known.T @ half
    free = np.ones(len(z), dtype=np.bool_)
    chosen = np.empty(min(count, len(z)), dtype=np.int64)
    for step in range(len(chosen)):
        variance = np.maximum(left.diagonal(), 0.0) + noise
        gain = np.where(free, (target**2).sum(axis=0) / variance, -1.0)
        j = int(gain.argmax())
        chosen[step], free[j] = j, False
        along = left[j] / variance[j]
        if aim == "shapley":
            target = target - np.outer(target[:, j], along)
        left = left - np.outer(left[:, j], along)
        target = left if aim == "fit" else target
    return chosen


def family(sets: NDArray[np.bool_]) -> tuple[Ints, Ints]:
    """CSR arrays of sets given by membership `(k, p)`, in the given order."""
    indptr = np.concatenate([[0], np.cumsum(sets.sum(axis=1))]).astype(np.int64)
    return indptr, np.nonzero(sets)[1].astype(np.int64)
