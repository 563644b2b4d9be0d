"""The definition of neighbourhoods, counts and maps, in loops over tokens: what ours must equal."""

from itertools import combinations_with_replacement

import numpy as np


def steps(layout, size):
    """Edges `(from, to) -> weight` of a layout, both ways unless it is directed."""
    kind = type(layout).__name__
    if kind == "Sequence":
        pairs = [(i, j) for i in range(size) for j in range(size)]
        return {(i, j): 1.0 for i, j in pairs if 0 < abs(i - j) <= layout.window}
    if kind == "Graph":
        weights = np.ones(len(layout.edges)) if layout.weights is None else layout.weights
        found = {}
        for (a, b), w in zip(np.asarray(layout.edges).tolist(), weights, strict=True):
            for ends in [(a, b)] if layout.directed else [(a, b), (b, a)]:
                found[ends] = max(found.get(ends, 0.0), w)
        return found
    present = np.ones((layout.height, layout.width), bool)
    present = present if layout.present is None else layout.present
    places = [tuple(place) for place in np.argwhere(present)]
    found = {}
    for i, (a, b) in enumerate(places):
        for j, (c, d) in enumerate(places):
            apart = sorted((abs(a - c), abs(b - d)))
            if apart == [0, 1] or (apart == [1, 1] and layout.neighbours == 8):
                found[i, j] = 1.0
    return found


def reach(layout, size, r):
    """N_r: the largest product of weights over paths of at most r edges, 1 for the token itself."""
    edges = steps(layout, size)
    out = np.zeros((size, size))
    for v in range(size):
        best = {v: 1.0}
        for _ in range(r):
            before = dict(best)
            for (a, b), w in edges.items():
                if a in before:
                    best[b] = max(best.get(b, 0.0), before[a] * w)
        for u, value in best.items():
            out[v, u] = value
    return out


def counts(codes, layout, r):
    """Monograms, then pairs {a, b} over v and u in ego(v): a != b counts both orders."""
    size, k = codes.shape
    ego = reach(layout, size, r)
    features = [sum(codes[v, c] for v in range(size)) for c in range(k)]
    for a, b in combinations_with_replacement(range(k), 2) if r else []:
        total = 0.0
        for v in range(size):
            for u in range(size):
                total += ego[v, u] * codes[v, a] * codes[u, b]
                total += ego[v, u] * codes[v, b] * codes[u, a] if a != b else 0.0
        features.append(total)
    return np.array(features)


def token_map(codes, layout, r, flat):
    """P_v = w of v's concept + W of its concept with that of each u in ego(v), v included."""
    size, k = codes.shape
    ego = reach(layout, size, r)
    pair = dict(zip(combinations_with_replacement(range(k), 2), flat[k:], strict=False))
    out = np.zeros(size)
    for v in range(size):
        out[v] = sum(codes[v, a] * flat[a] for a in range(k))
        for u in np.flatnonzero(ego[v]):
            for a in range(k):
                for b in range(k):
                    weight = pair.get((min(a, b), max(a, b)), 0.0)
                    out[v] += ego[v, u] * codes[v, a] * codes[u, b] * weight
    return out
