"""Holds the reading of tokens: arrays, memory maps and batches, checked, in chunks, and sampled.

It does not know what is learned from them.
"""

from __future__ import annotations

import mmap
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from numbers import Integral
from typing import Any, Protocol, cast, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse

from whence.errors import InputError

#: Called with (tokens read, tokens in all, or None where that is not known beforehand).
Progress = Callable[[int, int | None], None]

#: Numbers of one chunk: its float64 copy takes 8 MB, whatever the tokens' dimension.
CHUNK = 1 << 20

#: Squares of larger numbers come near the end of float64.
_LARGEST = 1e100
#: The same for float32.
_LARGEST_SINGLE = 1e15


@runtime_checkable
class _Array(Protocol):
    """What numpy makes an array of without going through it: a tensor, a data frame."""

    def __array__(self) -> NDArray[Any]: ...


def whole_number(name: str, value: object, least: int) -> int:
    """The value as an int, or an InputError that names it."""
    if isinstance(value, bool) or not isinstance(value, Integral) or int(value) < least:
        raise InputError(f"{name}={value!r} came; a whole number of at least {least} is needed.")
    return int(value)


def chunks(X: Any, d: int | None = None, *, nonneg: bool = False) -> Iterator[NDArray[Any]]:
    """Checked parts `(b, d)` of the tokens, in order, each small enough to be copied as float64.

    Args:
        X: `(N, d)` numbers, a memory map, or an iterable of such batches.
        d: the dimension that is needed; None takes that of the first token.
        nonneg: whether negative numbers are refused.

    Raises:
        InputError: what came is no table of real numbers, its dimension differs, or it holds nan,
            inf, numbers above 1e100 or negative ones; the message counts rows from 0.
    """
    row = 0
    for batch in _batches(X):
        width = int(batch.shape[1])
        if width != (d := width if d is None else d):
            raise InputError(
                f"Tokens of dimension {width} came (row {row}), and {d} is needed. Encode all "
                "tokens with the encoder that the first ones came from."
            )
        step = max(1, CHUNK // width)
        for start in range(0, len(batch), step):
            chunk = batch[start : start + step]
            _refuse(chunk, row, 0.0 if nonneg else -_LARGEST)
            row += len(chunk)
            yield chunk
            _let_go(batch)


def rows_of(X: Any) -> int | None:
    """The number of tokens where it is known without reading them."""
    return len(cast(Any, X)) if isinstance(X, np.ndarray) else None


def sampled(
    X: Any,
    size: int,
    rng: np.random.Generator,
    progress: Progress | None,
    *,
    nonneg: bool = False,
) -> tuple[NDArray[Any], int]:
    """At most `size` tokens, each set of them equally likely, in their order; and how many came.

    One pass; the sample does not depend on how the tokens were cut into batches. float32 and
    float16 give float32, everything else float64.

    Raises:
        InputError: see `chunks`; or no tokens.

    Source:
        Vitter (1985); by random keys, of which the smallest are kept.
    """
    total = rows_of(X)
    kept = np.empty((0, 0))
    keys = np.empty(0)
    where = np.empty(0, dtype=np.int64)
    parts: list[NDArray[Any]] = []
    seen = 0
    for chunk in _merged(chunks(X, nonneg=nonneg)):
        fresh = rng.random(len(chunk))
        room = max(0, min(size - seen, len(chunk)))
        if room:
            parts.append(_as_floats(chunk[:room]))
            keys = np.concatenate([keys, fresh[:room]])
            where = np.concatenate([where, seen + np.arange(room)])
        if room < len(chunk):
            kept = np.concatenate(parts) if parts else kept
            parts = []
            _replace(kept, keys, where, chunk[room:], fresh[room:], seen + room)
        seen += len(chunk)
        if progress is not None:
            progress(seen, total)
    if not seen:
        raise InputError("No tokens came; at least one is needed.")
    kept = np.concatenate(parts) if parts else kept[np.argsort(where)]
    single = kept.dtype == np.float32 and np.abs(kept).max() > _LARGEST_SINGLE
    return (kept.astype(np.float64) if single else kept), seen


def gathered(X: Any, d: int | None, *, nonneg: bool = False) -> NDArray[np.float64]:
    """All tokens of one batch that fits in memory, checked; see `chunks`."""
    parts = list(chunks(X, d, nonneg=nonneg))
    if not parts:
        raise InputError("No tokens came; at least one is needed.")
    return np.concatenate(parts).astype(np.float64)


def require_distinct(tokens: NDArray[Any], k: int, seen: int) -> None:
    """Refuse more concepts than the sample has distinct tokens."""
    found = distinct(tokens, k)
    if found >= k:
        return
    among = "" if len(tokens) == seen else f" among the {len(tokens)} sampled of {seen}"
    raise InputError(
        f"k={k} came and there are {found} distinct tokens{among}; lower k to at most "
        f"{found}{' or raise sample' if among else ''}."
    )


def distinct(tokens: NDArray[Any], enough: int) -> int:
    """How many distinct tokens there are; counted no further than what is enough."""
    found: set[bytes] = set()
    for token in tokens:
        found.add((token + 0.0).tobytes())  # so that -0.0 is 0.0
        if len(found) >= enough:
            break
    return len(found)


def _merged(parts: Iterable[NDArray[Any]]) -> Iterator[NDArray[Any]]:
    """The same tokens in chunks of about CHUNK numbers: batches may hold a few tokens each."""
    held: list[NDArray[Any]] = []
    numbers = 0
    for part in parts:
        if not held and part.size >= CHUNK // 2:
            yield part
            continue
        held.append(np.array(part))
        numbers += part.size
        if numbers >= CHUNK // 2:
            yield np.concatenate(held)
            held, numbers = [], 0
    if held:
        yield np.concatenate(held)


def _replace(
    kept: NDArray[Any],
    keys: NDArray[np.float64],
    where: NDArray[np.int64],
    chunk: NDArray[Any],
    fresh: NDArray[np.float64],
    start: int,
) -> None:
    """Let the tokens of the chunk with smaller keys take the places of those with the largest."""
    rivals = np.flatnonzero(fresh < keys.max())
    both = np.concatenate([keys, fresh[rivals]])
    winners = np.zeros(len(both), dtype=np.bool_)
    winners[np.argpartition(both, len(keys) - 1)[: len(keys)]] = True
    out = np.flatnonzero(~winners[: len(keys)])
    into = rivals[winners[len(keys) :]]
    kept[out] = chunk[into]
    keys[out] = fresh[into]
    where[out] = start + into


def _batches(X: Any) -> Iterator[NDArray[Any]]:
    if isinstance(X, np.ndarray | _Array):
        yield _table(X)
        return
    if issparse(X):
        raise InputError(
            "A sparse matrix came; dense tokens are needed. Reduce it first (TruncatedSVD), or "
            "give an iterable of dense batches."
        )
    if isinstance(X, str | bytes) or not isinstance(X, Iterable):
        raise InputError(
            f"{type(X).__name__} came; tokens (N, d), a memory map or batches of them are needed."
        )
    parts = iter(cast(Iterable[Any], X))
    first = next(parts, None)
    if first is None:
        return
    if _is_row(first):
        # Rows one by one: a list of lists.
        yield _table([first, *parts])
        return
    for part in chain([first], parts):
        yield _table(part)


def _is_row(first: Any) -> bool:
    """Whether this is one token, or one number, and no batch: of a list of lists."""
    if isinstance(first, Sequence):
        return not any(isinstance(v, Sequence | np.ndarray) for v in cast(Sequence[Any], first))
    return np.ndim(first) < 2


def _let_go(batch: NDArray[Any]) -> None:
    """Let the system have back the pages of a memory map that were read; the file keeps them."""
    # Not from private copies ("c"), which would lose what was written to them.
    if sys.platform != "linux" or not isinstance(batch, np.memmap) or batch.mode == "c":
        return
    owner: Any = batch
    while isinstance(owner, np.ndarray):
        owner = owner.base
    if isinstance(owner, mmap.mmap):
        owner.madvise(mmap.MADV_DONTNEED)


def _table(X: Any) -> NDArray[Any]:
    """The batch as a table of real numbers."""
    try:
        table = np.asanyarray(X)
    except ValueError as error:
        raise InputError("Rows of different lengths came; tokens (N, d) are needed.") from error
    if table.ndim != 2 or table.shape[1] == 0:
        raise InputError(f"An array of shape {table.shape} came; tokens (N, d) are needed.")
    if table.dtype.kind not in "fiub":
        raise InputError(
            f"Tokens of type {table.dtype} came; real numbers are needed. Names of tokens are for "
            "Categories."
        )
    return table


def _refuse(chunk: NDArray[Any], row: int, least: float) -> None:
    """Refuse nan, inf, what is above 1e100, and what is below `least`."""
    low, high = float(chunk.min()), float(chunk.max())  # nan passes through both
    if least <= low and high <= _LARGEST:
        return
    numbers = chunk.astype(np.float64)
    extreme = ~(np.abs(numbers) <= _LARGEST)
    bad = extreme if extreme.any() else numbers < least
    at = int(np.flatnonzero(bad.any(axis=1))[0])
    column = int(np.flatnonzero(bad[at])[0])
    needed = (
        "tokens must be finite and below 1e100. Drop such tokens, or mend the encoder."
        if extreme.any()
        else "NMF needs numbers of at least 0; SemiNMF takes both signs."
    )
    raise InputError(f"Row {row + at} holds {numbers[at, column]} in column {column}; {needed}")


def _as_floats(chunk: NDArray[Any]) -> NDArray[Any]:
    single = chunk.dtype.kind == "f" and chunk.dtype.itemsize <= 4
    return np.array(chunk, dtype=np.float32 if single else np.float64, subok=False)
