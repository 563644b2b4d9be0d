"""Holds the making of bags from lists of tokens and from flat arrays with offsets.

It does not know which file they stood in, nor their labels.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from collections.abc import Sequence as Rows
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whence.errors import InputError
from whence.prospectors import Bag, Graph, Grid, Sequence


def of_lists(values: Rows[Any], names: Rows[str], path: Path, window: int) -> list[Bag]:
    """A sequence per row: of names, or of vectors.

    Raises:
        InputError: an entry that is neither, named by its row.
    """
    return [
        Bag(_tokens(value, name, path), Sequence(window), None, name)
        for value, name in zip(values, names, strict=True)
    ]


def _tokens(value: Any, name: str, path: Path) -> NDArray[Any]:
    held: Any = _parsed(value) if isinstance(value, str) else value
    try:
        array = np.asarray(held)
    except ValueError:
        array = np.empty(0, dtype=object)
    names = array.ndim == 1 and array.dtype.kind in "iuU"
    if len(array) == 0 or not (names or (array.ndim == 2 and array.dtype.kind in "fiu")):
        raise InputError(
            f"{name} of {path.name} holds {value!r:.60}; a list of names, or of vectors of one "
            "length, is needed. In a .csv write it as JSON, or names with spaces between them."
        )
    return array


def _parsed(text: str) -> Any:
    if not text.lstrip().startswith("["):
        return text.split()
    try:
        return json.loads(text)
    except ValueError:
        return []


@dataclass(frozen=True)
class Cut:
    """Bags cut out of flat arrays when they are asked for, so that a memory map stays one.

    Attributes:
        tokens: `(N, d)` or `(N,)`.
        offsets: `(b + 1,)`.
        edges: `(m, 2)` positions within their bag, or None.
        edge_offsets: `(b + 1,)`, or None.
        shape: `(b, 2)` height and width of grids, or None.
        names: of the bags.
        window: of sequences.
    """

    tokens: NDArray[Any]
    offsets: NDArray[np.int64]
    edges: NDArray[np.int64] | None
    edge_offsets: NDArray[np.int64] | None
    shape: NDArray[np.int64] | None
    names: tuple[str, ...]
    window: int

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[Bag]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, i: int) -> Bag:
        start, end = int(self.offsets[i]), int(self.offsets[i + 1])
        try:
            layout = self._layout(i, end - start)
        except InputError as error:
            raise InputError(f"{self.names[i]}: {error}") from error
        return Bag(self.tokens[start:end], layout, None, self.names[i])

    def _layout(self, i: int, size: int) -> Sequence | Grid | Graph:
        if self.shape is not None:
            return Grid(int(self.shape[i, 0]), int(self.shape[i, 1]))
        if self.edges is not None and self.edge_offsets is not None:
            return Graph(self.edges[self.edge_offsets[i] : self.edge_offsets[i + 1]], size)
        return Sequence(self.window)


def of_arrays(arrays: Mapping[str, NDArray[Any]], path: Path, window: int) -> Cut:
    """Bags from `embeddings (N, d)` or `tokens (N,)`, and `offsets (b + 1,)`.

    Beside them there may be `edges (m, 2)` with `edge_offsets (b + 1,)`, or `shape (b, 2)`, and
    `names (b,)`.

    Raises:
        InputError: an array that is missing, or that does not go with the others.
    """
    tokens = _either(arrays, path)
    offsets = _offsets(arrays, "offsets", len(tokens), path)
    count = len(offsets) - 1
    edges, edge_offsets = arrays.get("edges"), None
    if edges is not None:
        if edges.ndim != 2 or edges.shape[1] != 2 or edges.dtype.kind not in "iu":
            raise InputError(
                f"{path} has edges of shape {edges.shape}, {edges.dtype}; whole "
                "numbers (m, 2) are needed."
            )
        edge_offsets = _offsets(arrays, "edge_offsets", len(edges), path, count)
    shape = arrays.get("shape")
    if shape is not None:
        _check_shape(shape, offsets, path)
    names = arrays.get("names", np.array([f"bag {i}" for i in range(count)]))
    if names.shape != (count,):
        raise InputError(f"{path} has names of shape {names.shape} for {count} bags; one each.")
    return Cut(tokens, offsets, edges, edge_offsets, shape, tuple(map(str, names)), window)


def _either(arrays: Mapping[str, NDArray[Any]], path: Path) -> NDArray[Any]:
    came = [name for name in ("embeddings", "tokens") if name in arrays]
    if len(came) != 1:
        raise InputError(
            f"{path} holds the arrays {', '.join(arrays) or 'none'}; exactly one of embeddings "
            "(N, d) and tokens (N,) is needed, and offsets (bags + 1,)."
        )
    held = arrays[came[0]]
    if held.ndim != (2 if came[0] == "embeddings" else 1):
        wanted = "(N, d)" if came[0] == "embeddings" else "(N,)"
        raise InputError(f"{path} has {came[0]} of shape {held.shape}; {wanted} is needed.")
    return held


def _offsets(
    arrays: Mapping[str, NDArray[Any]], name: str, end: int, path: Path, bags: int | None = None
) -> NDArray[np.int64]:
    """Where each bag's part begins: rising from 0 to the end."""
    held = arrays.get(name)
    if held is None or held.ndim != 1 or len(held) < 2 or held.dtype.kind not in "iu":
        came = "none" if held is None else f"{held.dtype} of shape {held.shape}"
        raise InputError(f"{path} needs {name}, whole numbers (bags + 1,); {came} came.")
    found = np.asarray(held, dtype=np.int64)
    falls = np.flatnonzero(np.diff(found) < 0)
    if len(falls):
        raise InputError(
            f"{path} has {name} that fall after place {falls[0]}, from {found[falls[0]]} to "
            f"{found[falls[0] + 1]}; they must rise."
        )
    if found[0] != 0 or found[-1] != end:
        raise InputError(
            f"{path} has {name} from {found[0]} to {found[-1]}; they must rise from 0 to {end}."
        )
    if bags is not None and len(found) != bags + 1:
        raise InputError(f"{path} has {len(found)} {name} for {bags} bags; {bags + 1} are needed.")
    return found


def _check_shape(shape: NDArray[Any], offsets: NDArray[np.int64], path: Path) -> None:
    sizes = np.diff(offsets)
    if shape.shape != (len(sizes), 2):
        raise InputError(f"{path} has shape of shape {shape.shape}; ({len(sizes)}, 2) is needed.")
    wrong = np.flatnonzero(shape[:, 0].astype(np.int64) * shape[:, 1] != sizes)
    if len(wrong):
        i = int(wrong[0])
        raise InputError(
            f"{path} says that bag {i} is {shape[i, 0]} by {shape[i, 1]}, and it has {sizes[i]} "
            "tokens; height times width is needed."
        )
