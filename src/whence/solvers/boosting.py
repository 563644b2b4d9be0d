"""Holds gradient-boosted trees on masks, grown by LightGBM, as forests and Fourier spectra.

The only file that knows LightGBM. It does not know what is made of the spectra.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from whence._kernels.tree_spectra import Forest, Spectra, count, outputs, tree_spectra
from whence.errors import InputError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: Contributions to a spectrum that are worth their time (about a second) and memory.
MAX_TERMS = 10_000_000


@dataclass(frozen=True)
class Boosting:
    """How to grow boosted trees; squared loss, each split on whether one unit is present.

    Attributes:
        trees: number of rounds.
        rate: learning rate.
        leaves: the most leaves of a tree.
        depth: the most splits on a path; None for no limit but `leaves`.
        smallest: the fewest samples in a leaf.

    Source:
        Friedman (2001), as in LightGBM, Ke et al. (2017).
    """

    trees: int = 200
    rate: float = 0.1
    leaves: int = 31
    depth: int | None = None
    smallest: int = 20

    def __post_init__(self) -> None:
        if min(self.trees, self.leaves - 1, self.smallest, self.depth or 1) < 1 or self.rate <= 0:
            raise InputError(
                f"{self!r} came; trees, depth and smallest are at least 1, leaves at least 2, and "
                "the rate is positive."
            )


class Grown(NamedTuple):
    """Boosted trees for several outputs.

    Attributes:
        forest: all trees; those of output 0 first, in rounds.
        output: `(t,)` the output of each tree.
        round: `(t,)` its round.
    """

    forest: Forest
    output: Ints
    round: Ints


def grow(masks: NDArray[np.bool_], y: Floats, weights: Floats, how: Boosting) -> Grown:
    """Boosted trees for every column of `y`, one forest each.

    Outputs are standardised before and scaled back after (LightGBM counts in 32 bits). With equal
    input the trees are equal, whatever the machine's number of cores: one thread grows them.

    Args:
        masks: `(m, n)`.
        y: `(m, q)`.
        weights: `(m,)` non-negative.
        how: the settings.
    """
    import lightgbm

    common = {
        "verbose": -1,
        "num_threads": 1,
        "deterministic": True,
        # Histograms row by row are two to three times faster on few, binary columns.
        "force_row_wise": True,
        "max_bin": 2,
        "min_data_in_bin": 1,
        "feature_pre_filter": False,
    }
    settings = common | {
        "objective": "regression",
        "learning_rate": how.rate,
        "num_leaves": how.leaves,
        "max_depth": how.depth or -1,
        "min_data_in_leaf": how.smallest,
        "min_sum_hessian_in_leaf": 0.0,
        "seed": 0,
    }
    used = weights > 0
    rows = lightgbm.Dataset(
        masks[used].astype(np.float32), label=y[used, 0], weight=weights[used], params=common
    )
    parts: list[Forest] = []
    for column in y.T:
        mean, spread = _moments(column[used], weights[used])
        rows.construct().set_label((column[used] - mean) / spread)
        # Without the last argument, train writes the model out and reads it in again.
        booster: Any = lightgbm.train(settings, rows, how.trees, keep_training_booster=True)
        parts.append(_scaled(read(booster.model_to_string()), mean, spread))
    lengths = [len(p.roots) for p in parts]
    return Grown(
        joined(parts),
        np.repeat(np.arange(len(parts)), lengths),
        np.concatenate([np.arange(k) for k in lengths]),
    )


def _moments(y: Floats, weights: Floats) -> tuple[float, float]:
    mean = float(weights @ y / weights.sum())
    spread = float(np.sqrt(weights @ (y - mean) ** 2 / weights.sum()))
    return mean, spread if spread > 0 else 1.0


def _scaled(forest: Forest, mean: float, spread: float) -> Forest:
    """Values times `spread`, and `mean` on top of the first tree."""
    value = forest.value * spread
    first = slice(0, int(forest.roots[1]) if len(forest.roots) > 1 else len(value))
    value[first] += mean
    return forest._replace(value=value)


def read(model: str) -> Forest:
    """The trees of a LightGBM model in its text format."""
    lines: dict[str, list[str]] = {}
    for line in model[: model.index("end of trees")].split("\n"):
        key, _, rest = line.partition("=")
        lines.setdefault(key, []).append(rest)

    def numbers(key: str) -> list[str]:
        return " ".join(lines[key]).split()

    leaves = np.array(numbers("num_leaves"), dtype=np.int64)
    inner = leaves - 1
    roots = np.concatenate([[0], np.cumsum(leaves + inner)])[:-1].astype(np.int64)
    total = int((leaves + inner).sum())
    offset = np.repeat(roots, inner)
    start_inner = np.cumsum(inner) - inner
    at = offset + np.arange(len(offset)) - np.repeat(start_inner, inner)
    leaf_offset = np.repeat(roots + inner, leaves)
    at_leaf = (
        leaf_offset + np.arange(len(leaf_offset)) - np.repeat(np.cumsum(leaves) - leaves, leaves)
    )
    unit = np.full(total, -1, dtype=np.int64)
    unit[at] = np.array(numbers("split_feature"), dtype=np.int64)
    value = np.zeros(total)
    value[at_leaf] = np.array(numbers("leaf_value"), dtype=np.float64)
    sides: list[Ints] = []
    for key in ("left_child", "right_child"):
        # A child is an inner node of the tree when not negative, else the leaf -1 - child.
        child = np.array(numbers(key), dtype=np.int64)
        side = np.zeros(total, dtype=np.int64)
        side[at] = offset + np.where(child >= 0, child, np.repeat(inner, inner) - 1 - child)
        sides.append(side)
    return Forest(roots, sides[0], sides[1], unit, value)


def joined(forests: Sequence[Forest]) -> Forest:
    """The trees of several forests, one after the other."""
    shift = np.cumsum([0, *(len(f.unit) for f in forests)])
    return Forest(
        np.concatenate([f.roots + s for f, s in zip(forests, shift, strict=False)]),
        np.concatenate([f.left + s for f, s in zip(forests, shift, strict=False)]),
        np.concatenate([f.right + s for f, s in zip(forests, shift, strict=False)]),
        np.concatenate([f.unit for f in forests]),
        np.concatenate([f.value for f in forests]),
    )


def staged(grown: Grown, masks: NDArray[np.bool_], checkpoints: Sequence[int], q: int) -> Floats:
    """Predictions of the first trees of every output: `(checkpoints, b, q)`.

    Scores every checkpoint of one fit, where refitting would pay for each anew.
    """
    found = np.zeros((len(checkpoints), len(masks), q))
    values = outputs(grown.forest, masks)
    for j in range(q):
        mine = values[grown.output == j]
        sums = np.cumsum(mine, axis=0)
        for c, trees in enumerate(checkpoints):
            found[c, :, j] = sums[min(trees, len(sums)) - 1]
    return found


def pruned(grown: Grown, trees: NDArray[np.int64]) -> Grown:
    """Only the first `trees[j]` rounds of each output j."""
    keep = grown.round < trees[grown.output]
    return Grown(
        grown.forest._replace(roots=grown.forest.roots[keep]),
        grown.output[keep],
        grown.round[keep],
    )


def spectra(parts: Sequence[Grown], n: int, q: int, degree: int | None = None) -> Spectra:
    """Fourier spectra of several fits at once: column `p q + j` is output j of part p.

    Exact, unless the trees are so deep that they would feed more than `MAX_TERMS` terms: then sets
    above the largest degree that fits are left out, which the caller sees in the sizes.

    Args:
        parts: fits on the same units, for instance one per fold.
        n: number of units.
        q: number of outputs.
        degree: leave out sets of more units than this.
    """
    forest = joined([p.forest for p in parts])
    group = np.concatenate([p.output + j * q for j, p in enumerate(parts)])
    cap = affordable(forest, degree)
    return tree_spectra(forest, n, group, len(parts) * q, cap)


def affordable(forest: Forest, degree: int | None = None) -> int | None:
    """The largest degree, up to the one wanted, that needs at most `MAX_TERMS` contributions."""
    if count(forest, degree) <= MAX_TERMS:
        return degree
    cap = 1
    while count(forest, cap + 1) <= MAX_TERMS:
        cap += 1
    return cap
