"""Bags whose truth is known, for the tests of heads."""

import numpy as np

from whence.prospectors import Bag, Graph, Grid, Prospector, Sequence


def letters(seed, count=60, window=1):
    """Bags of letters and labels: positives hold "ab", negatives "a" and "b" apart."""
    rng = np.random.default_rng(seed)
    y, bags = np.tile([0, 1], count // 2), []
    for c in y:
        names = rng.choice(list("cdef"), int(rng.integers(9, 16)))
        at = int(rng.integers(0, len(names) - 5))
        names[at], names[at + (1 if c else 4)] = "a", "b"
        bags.append(Bag(names, Sequence(window)))
    return bags, y


def clouds(seed, count=60, d=4, classes=2):
    """Bags of embeddings and labels: some tokens of a bag lie at its class's own place."""
    rng = np.random.default_rng(seed)
    places = 6 * rng.normal(size=(classes + 2, d))
    y, bags = np.arange(count) % classes, []
    for c in y:
        where = rng.integers(classes, classes + 2, int(rng.integers(8, 14)))
        where[:3] = c
        rng.shuffle(where)
        bags.append(Bag(places[where] + rng.normal(size=(len(where), d))))
    return bags, y


def noise(seed, count=60):
    """Bags of letters, and labels that have nothing to do with them."""
    rng = np.random.default_rng(seed)
    return [Bag(rng.choice(list("abcd"), 8)) for _ in range(count)], np.tile([0, 1], count // 2)


def mixed(seed, d=3):
    """Embeddings on every layout, a few of each, and labels."""
    rng = np.random.default_rng(seed)
    present = rng.random((3, 4)) < 0.8
    present[0, 0] = True
    edges = np.array([[0, 1], [1, 2], [2, 3], [3, 0], [4, 4]])
    weights = rng.uniform(0.2, 1, len(edges))
    layouts = [
        (Sequence(1), 6),
        (Sequence(2), 5),
        (Grid(3, 3), 9),
        (Grid(2, 4, neighbours=4), 8),
        (Grid(3, 4, present), int(present.sum())),
        (Graph(edges, 5), 5),
        (Graph(edges, 6, weights), 6),
        (Graph(edges, 5, directed=True), 5),
    ]
    bags = [Bag(rng.normal(size=(n, d)), layout) for layout, n in layouts * 2]
    return bags, np.tile([0, 1], len(bags) // 2)


def quick(**options):
    """A head without folds, for facts that do not need them."""
    return Prospector(**{"k": 4, "cv": 0, **options})
