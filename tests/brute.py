"""Holds the definitions, by enumeration: slow, plain, and written without whence's own formulas."""

from __future__ import annotations

from itertools import chain, combinations
from math import comb, factorial

import numpy as np


def subsets(units):
    """Every subset of the given units, as tuples."""
    units = tuple(units)
    return chain.from_iterable(combinations(units, k) for k in range(len(units) + 1))


def table(f, n):
    """Every subset -> value of a function of masks."""
    sets = list(subsets(range(n)))
    masks = np.array([[i in s for i in range(n)] for s in sets])
    return dict(zip(sets, f(masks), strict=True))


def delta(v, t, s):
    """Discrete derivative of v towards T at S (disjoint from T)."""
    return sum((-1) ** (len(t) - len(u)) * v[tuple(sorted(s + u))] for u in subsets(t))


def fourier(v, n):
    """Fourier coefficients by the defining average."""
    return {
        t: sum((-1) ** len(set(s) & set(t)) * v[s] for s in v) / 2**n for t in subsets(range(n))
    }


def mobius(v, n):
    """Möbius coefficients by inclusion and exclusion."""
    return {t: delta(v, t, ()) for t in subsets(range(n))}


def co_mobius(v, n):
    """The coefficients of f(S) = O(none) + sum over T meeting S of O(T), by inversion."""
    everyone = set(range(n))
    g = {s: v[tuple(sorted(everyone - set(s)))] for s in v}
    m = mobius(g, n)
    return {t: (v[()] if not t else -m[t]) for t in m}


def sii(v, n, t):
    """Shapley interaction index: weighted mean of discrete derivatives."""
    rest = [i for i in range(n) if i not in t]
    return sum(
        factorial(n - len(s) - len(t))
        * factorial(len(s))
        / factorial(n - len(t) + 1)
        * delta(v, t, s)
        for s in subsets(rest)
    )


def bii(v, n, t):
    """Banzhaf interaction index: plain mean of discrete derivatives."""
    rest = [i for i in range(n) if i not in t]
    return sum(delta(v, t, s) for s in subsets(rest)) / 2 ** len(rest)


def stii(v, n, t, order):
    """Shapley-Taylor index: derivative at the empty set, or the mean over orders at the top."""
    if len(t) < order:
        return delta(v, t, ())
    rest = [i for i in range(n) if i not in t]
    return order / n * sum(delta(v, t, s) / comb(n - 1, len(s)) for s in subsets(rest))


def k_sii(v, n, order):
    """n-Shapley values by their published recursion over orders (Bordt and von Luxburg)."""
    bernoulli = [1.0, -0.5, 1 / 6, 0.0, -1 / 30]
    value = {(i,): sii(v, n, (i,)) for i in range(n)}
    for k in range(2, order + 1):
        for t in [s for s in value if len(s) < k]:
            rest = [i for i in range(n) if i not in t]
            value[t] = value[t] + bernoulli[k - len(t)] * sum(
                sii(v, n, tuple(sorted(t + s))) for s in combinations(rest, k - len(t))
            )
        for t in combinations(range(n), k):
            value[t] = sii(v, n, t)
    return value


def regression(v, n, order, weight, constrained):
    """Möbius polynomial of a degree fitted by weighted least squares over every subset."""
    sets = [t for t in subsets(range(n)) if len(t) <= order]
    rows = list(v)
    x = np.array([[float(set(t) <= set(s)) for t in sets] for s in rows])
    y = np.array([v[s] for s in rows]).reshape(len(rows), -1)
    w = np.array([weight(len(s)) for s in rows])
    if constrained:
        ends = [rows.index(()), rows.index(tuple(range(n)))]
        a, b = x[ends], y[ends]
        gram = np.block([[x.T @ (w[:, None] * x), a.T], [a, np.zeros((2, 2))]])
        right = np.concatenate([x.T @ (w[:, None] * y), b])
        beta = np.linalg.lstsq(gram, right, rcond=None)[0][: len(sets)]
    else:
        beta = np.linalg.lstsq(x * np.sqrt(w)[:, None], y * np.sqrt(w)[:, None], rcond=None)[0]
    shape = np.shape(v[()])
    return {t: b.reshape(shape) for t, b in zip(sets, beta, strict=True)}


def faith_shap(v, n, order):
    """Faith-Shap: the best polynomial under Shapley kernel weights, exact at both ends."""
    return regression(
        v,
        n,
        order,
        lambda s: 0.0 if s in (0, n) else (n - 1) / (comb(n, s) * s * (n - s)),
        constrained=True,
    )


def faith_banzhaf(v, n, order):
    """Faith-Banzhaf: the best polynomial under uniform weights."""
    return regression(v, n, order, lambda s: 1.0, constrained=False)
