"""Holds maps made by hand, as a head would give them, for the tests of their views."""

from __future__ import annotations

import numpy as np

from whence.prospectors import Graph, Grid, Map, Sequence
from whence.prospectors.folds import Performance
from whence.units import Units
from whence.views.prospect_map import Mapped

TEXT = "Planning is hard. We aim to plan faster. Robots move. Our aim is met."
SPANS = ((0, 17), (18, 40), (41, 53), (54, 69))
NAMES = ("concept 0", "concept 1 (aim, plan)", "concept 2")
WORDS = "bag AUC 0.93 [0.90, 0.96], 5-fold, 600 bags"


def good():
    """A head that tells bags apart well."""
    return Performance(0.93, 0.90, 0.96, 0.5, "AUC", WORDS)


def poor():
    """A head at chance."""
    return Performance(0.52, 0.41, 0.63, 0.5, "AUC", "bag AUC 0.52 [0.41, 0.63], 5-fold, 60 bags")


def made(units, values, *, errors=None, pairs=None, smoothing=0, output="objective", words=WORDS):
    """A map of these values, the rest of each made up so that the account is complete."""
    values = np.asarray(values, dtype=float)
    held = np.zeros((len(values), 3))
    for (token, concept), value in (pairs or {}).items():
        held[token, concept] = value
    return Map(
        values=values,
        errors=None if errors is None else np.asarray(errors, dtype=float),
        monograms=values - held.sum(1),
        pairs=held,
        linear=np.zeros(len(values)),
        concepts=np.arange(len(values)) % 3,
        names=NAMES,
        units=units,
        margin=float(values.sum() / 10),
        output=output,
        smoothed=values,
        smoothing=smoothing,
        performance=words,
        total=10.0,
        probability=0.871,
    )


def sentences(**given):
    """Four sentences; the second marks the class, mostly because of its neighbours."""
    units = Units(tuple(TEXT[a:b] for a, b in SPANS), SPANS, TEXT, "sentence")
    found = made(
        units,
        [0.1, 2.0, -0.5, 0.6],
        errors=[0.2, 0.3, 0.1, 0.1],
        pairs={(1, 0): 1.5, (1, 2): 0.2, (3, 0): 0.1},
        **given,
    )
    return Mapped(found, Sequence(), "letter.txt", found.output)


def picture(height=48, width=64, size=16, **given):
    """A picture in patches; the middle ones mark the class, a corner speaks against it."""
    rows, columns = height // size, width // size
    grid = np.arange(rows * columns, dtype=np.int32).reshape(rows, columns)
    grid = grid.repeat(size, 0).repeat(size, 1)
    labels = tuple(f"patch {i}" for i in range(rows * columns))
    values = np.zeros(rows * columns)
    values[[columns + 1, columns + 2, 0]] = 1.0, 0.5, -0.8
    found = made(Units(labels, None, None, "patch", grid), values, **given)
    y, x = np.mgrid[:height, :width]
    pixels = np.stack([x * 3 % 256, y * 4 % 256, x + y], axis=-1).astype(np.uint8)
    return Mapped(found, Grid(rows, columns), "cell.png", found.output, pixels)


def molecule(**given):
    """Toluene: a ring of six atoms and one beside it."""
    edges = np.array([(i, (i + 1) % 6) for i in range(6)] + [(0, 6)])
    found = made(
        Units(("C",) * 6 + ("<b>N",), None, None, "atom"),
        [0.4, 0.5, 0.5, 0.5, 0.5, 0.5, -0.2],
        pairs={(0, 0): 0.2, (1, 1): 0.3},
        **given,
    )
    return Mapped(found, Graph(edges, 7), "toluene", found.output)
