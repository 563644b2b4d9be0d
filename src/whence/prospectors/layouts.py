"""Holds the layouts, Sequence, Grid and Graph: which tokens are neighbours of which.

A token's ego set within r hops contains the token itself. Neighbourhood counts are made by prefix
sums, integral images or sparse products, whichever the structure allows (`_neighbours`). It does
not know what the tokens are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, cast, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from whence.errors import InputError
from whence.prospectors import _neighbours as near

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Booleans = NDArray[np.bool_]


@runtime_checkable
class Layout(Protocol):
    """Where the tokens of one bag lie."""

    @property
    def size(self) -> int | None:
        """Number of tokens it has places for; None takes any number."""
        ...

    def neighbourhood(self, codes: Floats, r: int) -> Floats:
        """`H = N_r C`: codes `(N, k)` summed over each token's ego set, `(N, k)`.

        Raises:
            InputError: codes of another size, or r that is negative or not whole.
        """
        ...

    def reach(self, size: int, r: int) -> Any:
        """N_r as a sorted scipy `csr_array (N, N)` of float64, ones on the diagonal.

        All of it is in memory at once, which `neighbourhood` avoids.

        Raises:
            InputError: another size, or r that is negative or not whole.
        """
        ...

    def edges_of(self, size: int) -> Ints:
        """The edges `(m, 2)`, each once: for pictures and converters."""
        ...


@dataclass(frozen=True)
class Sequence:
    """Tokens in a row; i and j are neighbours when `|i - j| <= window`.

    r hops reach `r * window` places to both sides: prefix sums, O(N k) whatever r.
    """

    window: int = 1

    def __post_init__(self) -> None:
        _whole("window", self.window, 1)

    @property
    def size(self) -> int | None:
        """None: any number of tokens."""
        return None

    def neighbourhood(self, codes: Floats, r: int) -> Floats:
        """See `Layout`."""
        codes, r = _fitting(self, codes), radius(r)
        return near.window_sums(codes, self.window * r) if r else codes.copy()

    def reach(self, size: int, r: int) -> Any:
        """See `Layout`."""
        return near.band(size, self.window * radius(r))

    def edges_of(self, size: int) -> Ints:
        """See `Layout`."""
        starts = np.arange(size)
        every = [
            np.stack([starts[:-step], starts[step:]], 1)
            for step in range(1, min(self.window, size - 1) + 1)
        ]
        return np.concatenate([np.empty((0, 2), dtype=np.int64), *every])


@dataclass(frozen=True, eq=False)
class Grid:
    """Tokens on a grid, row by row; places where `present` is False hold no token.

    A full grid is summed by an integral image, O(N k) whatever r, or with four neighbours by
    rows of diamonds, O(N k r). With holes, paths go round them: tokens with a hole within r hops
    are followed edge by edge, the others are not.

    Attributes:
        height, width: of the grid.
        present: `(height, width)` booleans, True where there is a token; None has no holes.
        neighbours: 8 or 4.
    """

    height: int
    width: int
    present: Booleans | None = None
    neighbours: int = 8

    def __post_init__(self) -> None:
        _whole("height", self.height, 1)
        _whole("width", self.width, 1)
        if self.neighbours not in (4, 8):
            raise InputError(f"neighbours={self.neighbours!r} came; a grid has 4 or 8.")
        if self.present is None:
            return
        if self.present.shape != (self.height, self.width) or self.present.dtype != np.bool_:
            raise InputError(
                f"present of shape {self.present.shape} and dtype {self.present.dtype} came; a "
                f"grid of {self.height} rows and {self.width} columns needs booleans of shape "
                f"({self.height}, {self.width})."
            )

    @property
    def size(self) -> int | None:
        """Number of places that hold a token."""
        return self.height * self.width if self.present is None else int(self.present.sum())

    def neighbourhood(self, codes: Floats, r: int) -> Floats:
        """See `Layout`."""
        codes, r = _fitting(self, codes), radius(r)
        if r == 0:
            return codes.copy()
        if self.present is None:
            return self._sums(codes.reshape(self.height, self.width, -1), r).reshape(codes.shape)
        canvas = np.zeros((self.height, self.width, codes.shape[1]))
        canvas[self.present] = codes
        out = self._sums(canvas, r)[self.present]
        if r > 1:
            rows = self._near_holes(self.present, r)
            out[rows] = near.spread(self._adjacency(), codes, r, rows)
        return out

    def reach(self, size: int, r: int) -> Any:
        """See `Layout`."""
        _same(self, size)
        if self.present is None and self.neighbours == 8:
            bands = near.band(self.height, radius(r)), near.band(self.width, radius(r))
            return sparse.csr_array(sparse.kron(*bands, format="csr"))
        return near.reached(self._adjacency(), radius(r)).astype(np.float64)

    def edges_of(self, size: int) -> Ints:
        """See `Layout`."""
        _same(self, size)
        place = self.places()
        pairs = [(place[:, :-1], place[:, 1:]), (place[:-1], place[1:])]
        if self.neighbours == 8:
            pairs += [(place[:-1, :-1], place[1:, 1:]), (place[:-1, 1:], place[1:, :-1])]
        edges = np.concatenate([np.stack([a.ravel(), b.ravel()], 1) for a, b in pairs])
        return edges[(edges >= 0).all(1)]

    def places(self) -> Ints:
        """The token of every place `(height, width)`, -1 for a hole."""
        if self.present is None:
            return np.arange(self.height * self.width).reshape(self.height, self.width)
        order = np.cumsum(self.present).reshape(self.height, self.width) - 1
        return np.where(self.present, order, -1)

    def _sums(self, canvas: Floats, r: int) -> Floats:
        """Sums over the r hops of a grid without holes, codes `(height, width, k)`."""
        sums = near.box_sums if self.neighbours == 8 else near.diamond_sums
        return sums(canvas, r)

    def _near_holes(self, present: Booleans, r: int) -> Ints:
        """Tokens within r hops of a hole: the only ones whose paths may have to go round one."""
        holes = self._sums((~present).astype(np.float64)[:, :, None], r)[present][:, 0]
        return np.flatnonzero(holes)

    def _adjacency(self) -> Any:
        """A + I."""
        nodes = cast(int, self.size)
        return near.adjacency(self.edges_of(nodes), nodes, None, directed=False)


@dataclass(frozen=True, eq=False)
class Graph:
    """Tokens as nodes of a graph.

    Counts are sparse products, in parts where the entries of N_r would be too many for memory.

    Attributes:
        edges: `(m, 2)` node positions from 0; loops and repeats are harmless.
        nodes: number of nodes.
        weights: `(m,)` numbers in (0, 1], or None for 1. A neighbour within r hops counts with
            the largest product of weights along a path of at most r edges (1 without weights).
        directed: whether an edge is followed from its first node to its second only.

    Raises:
        InputError: an edge to a node that is not there, or weights outside (0, 1].
    """

    edges: Ints
    nodes: int
    weights: Floats | None = None
    directed: bool = False

    def __post_init__(self) -> None:
        _whole("nodes", self.nodes, 1)
        edges = _pairs(self.edges)
        object.__setattr__(self, "edges", edges)
        bad = np.flatnonzero(((edges < 0) | (edges >= self.nodes)).any(1))
        if bad.size:
            a, b = edges[bad[0]]
            raise InputError(
                f"edge {bad[0]} joins nodes {a} and {b}, but the graph's {self.nodes} nodes are "
                f"0 to {self.nodes - 1}; nodes are counted from 0."
            )
        _check_weights(self.weights, len(edges))

    @property
    def size(self) -> int | None:
        """Number of nodes."""
        return self.nodes

    def neighbourhood(self, codes: Floats, r: int) -> Floats:
        """See `Layout`."""
        codes, r = _fitting(self, codes), radius(r)
        return near.spread(self._adjacency(), codes, r) if r else codes.copy()

    def reach(self, size: int, r: int) -> Any:
        """See `Layout`."""
        _same(self, size)
        return near.reached(self._adjacency(), radius(r)).astype(np.float64)

    def edges_of(self, size: int) -> Ints:
        """See `Layout`; `(from, to)` where directed."""
        _same(self, size)
        edges = _pairs(self.edges)
        edges = edges[edges[:, 0] != edges[:, 1]]
        return np.unique(edges if self.directed else np.sort(edges, axis=1), axis=0)

    def _adjacency(self) -> Any:
        """A + I, or the weights with ones on the diagonal."""
        weights = None if self.weights is None else np.asarray(self.weights, dtype=np.float64)
        return near.adjacency(_pairs(self.edges), self.nodes, weights, self.directed)


def radius(r: int) -> int:
    """The radius as a whole number from 0 on.

    Raises:
        InputError: it is not.
    """
    return _whole("r", r, 0)


def _whole(what: str, value: Any, least: int) -> int:
    """A whole number that is at least `least`."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise InputError(f"{what}={value!r} came; it must be a whole number, {least} or more.")
    return int(value)


def _pairs(edges: Any) -> Ints:
    """Edges as whole numbers `(m, 2)`."""
    array = np.asarray(edges)
    if array.size == 0:
        return np.empty((0, 2), dtype=np.int64)
    if array.ndim != 2 or array.shape[1] != 2 or array.dtype.kind not in "iu":
        hint = " (it looks transposed: give edges.T)" if array.shape[:1] == (2,) else ""
        raise InputError(
            f"edges of shape {array.shape} and dtype {array.dtype} came; "
            f"they must be whole numbers of shape (m, 2){hint}."
        )
    return array.astype(np.int64, copy=False)


def _check_weights(weights: Any, edges: int) -> None:
    """One weight per edge, all in (0, 1]."""
    if weights is None:
        return
    array = np.asarray(weights)
    if array.shape != (edges,):
        raise InputError(f"weights of shape {array.shape} came for {edges} edges; give one each.")
    bad = np.flatnonzero(~((array > 0) & (array <= 1)))
    if bad.size:
        raise InputError(
            f"edge {bad[0]} has weight {array[bad[0]]}; weights must lie in (0, 1]. "
            "Divide them by their maximum, or leave out edges of weight 0."
        )


def _same(layout: Layout, size: int) -> None:
    """The layout has places for exactly `size` tokens, or for any number."""
    if layout.size not in (None, size):
        raise InputError(
            f"{size} tokens came for a {type(layout).__name__} with {layout.size} places; "
            "give one token per place."
        )


def _fitting(layout: Layout, codes: Any) -> Floats:
    """Codes `(N, k)` of float64 that fit the layout."""
    array = np.asarray(codes, dtype=np.float64)
    if array.ndim != 2:
        raise InputError(f"codes of shape {array.shape} came; they must be (tokens, concepts).")
    _same(layout, len(array))
    return array
