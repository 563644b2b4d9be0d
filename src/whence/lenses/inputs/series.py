"""Holds series_game: a model's callable and a time series -> a Game over its windows and channels.

It does not know how a mask becomes an array (array) nor what the series measures.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from whence.errors import InputError
from whence.game import Game
from whence.lenses.inputs.array import Told, as_seed, many_enough, masked_game
from whence.lenses.inputs.inpaint import generator
from whence.lenses.inputs.masked import Fill, Fixed, Masked, as_finite, as_type, present
from whence.masks import Masks
from whence.scoring import Score
from whence.units import Units

KINDS = (
    "'windows:10' (10 windows of every channel), 'channels' (each whole), 'windows:10 x channels' "
    "(10 windows of each channel apart), or whole numbers in the series' shape, the unit of each "
    "sample, -1 for what is always present"
)
POLICIES = "'mean', 'zero', 'noise', 'linear', or another series of the same shape"

Grid = NDArray[np.int32]


def series_game(
    score: Score,
    series: ArrayLike,
    *,
    units: str | ArrayLike = "windows:10",
    absent: str | ArrayLike = "mean",
    names: Sequence[str] = (),
    output: str | int | None = None,
    link: str | None = None,
    scores: str | None = None,
    labels: Sequence[str] = (),
    identity: str | None = None,
    batch: int | None = None,
    rng: int | np.random.Generator = 0,
) -> Game:
    """A game whose units are stretches of a time series, or channels, or both.

    The model is called here only to find the class that it predicts, once.

    Args:
        score: series -> raw scores `(b, classes)`, or plain numbers `(b,)`. A bare callable gets
            one array `(b, t)` or `(b, t, c)`; an adapter's gets a list of series.
        series: `(t,)` samples, or `(t, c)` samples of c channels.
        units: "windows:N" for N windows of every channel together, "channels" for each channel
            whole, "windows:N x channels" for N windows of each channel apart; or whole numbers in
            the series' shape, the unit of each sample: each different number is a unit, in
            increasing order, and -1 is always present.
        absent: what stands at absent samples. "mean": the channel's mean; "zero"; "noise": normal
            noise with the channel's mean and standard deviation; "linear": a straight line
            between the nearest present samples of the channel, level beyond the first and last of
            them, and the channel's mean where none is present; or another series.
        names: of the channels; () counts them from 0.
        output: a class by label or index, a contrast "a-b", or "all"; None for the class that
            the model predicts, and for plain numbers.
        link: "log-odds" (as None means), "log-probability", "probability" or "logit".
        scores: "logits", "probabilities" or "values" (plain numbers); None asks the adapter, and
            takes a bare callable's for logits.
        labels: the classes' names, in the order of the scores; () asks the adapter.
        identity: a string equal only for models that score alike; None asks the adapter.
        batch: series per call of a bare callable, and values kept at a time; None asks the adapter.
        rng: seed or generator of the noise of absent="noise". A mask's noise depends on the seed
            and the mask alone.

    Returns:
        A Game whose windows are labelled by their first and last sample, counted from 0.

    Raises:
        InputError: a series, units, policy or output that cannot be used as it came.
    """
    whole = as_finite(series, "the series")
    if whole.ndim not in (1, 2):
        raise InputError(
            f"a series of shape {whole.shape} came; (t,) samples or (t, c) samples of c channels "
            "are needed. Give one series of a batch: batch[0]."
        )
    channels = _channels(whole, names)
    kind, grid, labelled = _cut(whole, units, channels)
    many_enough(len(labelled), kind, f"Cut it finer: units= {KINDS}.")
    fill = stand_in(whole, grid, absent, as_seed(rng))
    named = Units(labelled, kind=kind, grid=grid)
    said = Told(scores, labels, identity, batch)
    render = Masked(whole, grid, fill)
    return masked_game(score, render, named, said, kind="array", output=output, link=link)


# --- units ------------------------------------------------------------------------------------


def _channels(whole: NDArray[Any], names: Sequence[str]) -> tuple[str, ...]:
    count = 1 if whole.ndim == 1 else whole.shape[1]
    if isinstance(names, str) or (names and len(names) != count):
        raise InputError(
            f"names={names!r} came for {count} channel{'s' if count > 1 else ''}; give one name "
            "each, in a sequence."
        )
    return tuple(map(str, names)) or tuple(f"channel {i}" for i in range(count))


def _cut(
    whole: NDArray[Any], units: str | ArrayLike, channels: tuple[str, ...]
) -> tuple[str, Grid, tuple[str, ...]]:
    """What a unit is called, the unit of each sample in the series' shape, and the labels."""
    if not isinstance(units, str):
        return _as_map(np.asarray(units), whole.shape)
    found = re.fullmatch(r"windows:([0-9]{1,9})( ?x ?channels)?|channels", units)
    if not found:
        raise InputError(f"units={units!r} came; it must be {KINDS}.")
    window, stretches = _windows(len(whole), int(found[1] or 1))
    channel = np.arange(len(channels))
    if units == "channels":
        return "channel", _laid(channel[None], whole), channels
    if not found[2]:
        return "window", _laid(window[:, None], whole), stretches
    both = tuple(f"{name}, {stretch}" for stretch in stretches for name in channels)
    return "channel window", _laid(window[:, None] * len(channels) + channel, whole), both


def _windows(t: int, count: int) -> tuple[NDArray[np.intp], tuple[str, ...]]:
    """The window of each sample, and how each is called; lengths differ by at most one."""
    if not 1 <= count <= t:
        raise InputError(f"units='windows:{count}' came for {t} samples; give 1 to {t} windows.")
    window = np.arange(t) * count // t
    starts = np.searchsorted(window, np.arange(count + 1))
    pairs = zip(starts[:-1].tolist(), (starts[1:] - 1).tolist(), strict=True)
    return window, tuple(f"samples {a} to {z}" if a < z else f"sample {a}" for a, z in pairs)


def _laid(grid: NDArray[np.intp], whole: NDArray[Any]) -> Grid:
    """A grid `(t or 1, c or 1)` in the shape of the series."""
    full = np.broadcast_to(grid, (len(whole), max(grid.shape[1], whole[:1].size)))
    return full.reshape(whole.shape).astype(np.int32)


def _as_map(given: NDArray[Any], shape: tuple[int, ...]) -> tuple[str, Grid, tuple[str, ...]]:
    if given.dtype.kind not in "iu" or given.shape != shape or given.min() < -1:
        raise InputError(
            f"units came with type {given.dtype} and shape {given.shape} for a series of shape "
            f"{shape}; it must be {KINDS}."
        )
    used = np.unique(given[given >= 0])
    grid = np.where(given < 0, -1, np.searchsorted(used, given)).astype(np.int32)
    return "segment", grid, tuple(f"segment {one}" for one in used.tolist())


# --- absent samples ---------------------------------------------------------------------------


def stand_in(series: NDArray[Any], grid: Grid, absent: str | ArrayLike, seed: int) -> Fill:
    """What stands at absent samples; see `series_game`.

    Raises:
        InputError: a policy that does not exist, or does not fit.
    """
    if not isinstance(absent, str):
        return Fixed(_other(as_finite(absent, "absent"), series))
    if absent == "noise":
        return Noise(series, seed)
    if absent == "linear":
        return Linear(series, grid)
    levels = {"mean": series.mean(axis=0), "zero": np.zeros(())}
    if absent not in levels:
        raise InputError(f"absent={absent!r} came; it must be {POLICIES}.")
    return Fixed(as_type(np.broadcast_to(levels[absent], series.shape), series.dtype))


def _other(given: NDArray[Any], series: NDArray[Any]) -> NDArray[Any]:
    if given.shape != series.shape:
        raise InputError(
            f"absent came with shape {given.shape} for a series of shape {series.shape}; it must "
            f"be {POLICIES}."
        )
    return as_type(given.astype(np.float64), series.dtype)


@dataclass(frozen=True)
class Noise:
    """Normal noise with each channel's mean and standard deviation; another for each mask.

    Attributes:
        series: `(t,)` or `(t, c)`.
        seed: the noise of a mask depends on this and the mask alone.
    """

    series: NDArray[Any]
    seed: int

    def __call__(self, masks: Masks) -> NDArray[Any]:
        """`(b, *shape)`."""
        mean, spread = self.series.mean(axis=0), self.series.std(axis=0)
        shape = self.series.shape
        drawn = [mean + spread * generator(self.seed, m).standard_normal(shape) for m in masks]
        return as_type(np.array(drawn).reshape(len(masks), *shape), self.series.dtype)

    def describe(self) -> str:
        """`noise:` and the seed."""
        return f"noise:{self.seed}"


@dataclass(frozen=True)
class Linear:
    """A straight line across each gap of a channel, level beyond its first and last sample.

    Attributes:
        series: `(t,)` or `(t, c)`.
        grid: the unit of each sample, in the same shape.
    """

    series: NDArray[Any]
    grid: Grid

    def __call__(self, masks: Masks) -> NDArray[Any]:
        """`(b, *shape)`; present samples stand as they are."""
        t = len(self.series)
        values = self.series.reshape(t, -1).astype(np.float64)
        there = present(self.grid.reshape(t, -1), masks)
        filled = np.empty(there.shape)
        for row, channel in np.ndindex(len(masks), values.shape[1]):
            filled[row, :, channel] = _bridged(values[:, channel], there[row, :, channel])
        return as_type(filled.reshape(len(masks), *self.series.shape), self.series.dtype)

    def describe(self) -> str:
        """`linear`."""
        return "linear"


def _bridged(values: NDArray[np.float64], there: NDArray[np.bool_]) -> NDArray[np.float64]:
    """One channel `(t,)` with its gaps bridged; its mean when nothing is present."""
    at = np.flatnonzero(there)
    if not len(at):
        return np.full_like(values, values.mean())
    return np.interp(np.arange(len(values)), at, values[at])
