"""Holds from_array, from_string, from_networkx and from_geometric: bags of what people have.

Graph libraries are known by their objects' attributes and never imported. It does not know
whether the bags fit each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from whence.errors import InputError
from whence.prospectors._bag import Bag
from whence.prospectors.layouts import Graph, Grid, Sequence
from whence.units import Units


@runtime_checkable
class NetworkxGraph(Protocol):
    """What is read of a networkx Graph, DiGraph or one of their multigraphs."""

    @property
    def nodes(self) -> Mapping[Any, Mapping[str, Any]]:
        """Node to its attributes."""
        ...

    def is_directed(self) -> bool:
        """Whether its edges have a direction."""
        ...

    def edges(self, *, data: Any) -> Iterable[tuple[Any, Any, Any]]:
        """Its edges, with one of their attributes."""
        ...


@runtime_checkable
class GeometricData(Protocol):
    """What is read of a PyTorch Geometric `Data`: nodes and edges, tensors or arrays."""

    x: Any
    edge_index: Any


@runtime_checkable
class _Weighted(Protocol):
    edge_weight: Any


@runtime_checkable
class _Tensor(Protocol):
    def detach(self) -> Any: ...

    def cpu(self) -> Any: ...


def from_any(item: Any) -> Bag:
    """A bag from an array, a str, a list of names, a networkx graph or a PyTorch Geometric Data.

    Raises:
        InputError: it is none of these, or the converter's own.
    """
    if isinstance(item, np.ndarray):
        return from_array(item)
    if isinstance(item, str):
        return from_string(item)
    if isinstance(item, GeometricData):
        return from_geometric(item)
    if isinstance(item, NetworkxGraph):
        return from_networkx(item)
    if isinstance(item, _Tensor):
        return from_array(_array(item))
    names = (str, int, np.integer)
    if isinstance(item, (list, tuple)) and all(isinstance(name, names) for name in item):
        return Bag(np.array(item, dtype=object if len({*map(type, item)}) > 1 else None))
    raise InputError(
        f"a {type(item).__name__} came; a bag is a Bag, an array of tokens, a str, a list of "
        "names, a networkx graph or a PyTorch Geometric Data."
    )


def from_array(array: NDArray[Any], *, window: int = 1, neighbours: int = 8, name: str = "") -> Bag:
    """A sequence from `(N, d)` or `(N,)`, a grid from `(h, w, d)`; all-nan places are holes.

    Nothing is copied, save the tokens of a grid with holes.

    Raises:
        InputError: another number of axes, or a grid of holes only.
    """
    if array.ndim != 3:
        return Bag(array, Sequence(window), name=name)
    height, width, _ = array.shape
    if 0 in array.shape:
        raise InputError(f"an array of shape {array.shape} came; a grid needs tokens.")
    flat = array.reshape(height * width, -1)
    if array.dtype.kind != "f":
        return Bag(flat, Grid(height, width, None, neighbours), name=name)
    present = np.stack([~np.isnan(row).all(-1) for row in array])
    if present.all():
        return Bag(flat, Grid(height, width, None, neighbours), name=name)
    layout = Grid(height, width, present, neighbours)
    return Bag(flat[present.ravel()], layout, name=name)


def from_string(text: str, *, window: int = 1, name: str = "") -> Bag:
    """A sequence of letters: residues, bases. Its units are the letters with their spans.

    Raises:
        InputError: an empty text.
    """
    letters = np.array(list(text), dtype=np.str_)
    spans = tuple((i, i + 1) for i in range(len(text)))
    units = Units(tuple(text), spans=spans, text=text, kind="letter")
    return Bag(letters, Sequence(window), units, name)


def from_networkx(
    graph: Any, *, tokens: str = "token", weight: str | None = None, name: str = ""
) -> Bag:
    """A graph from networkx; its units are its nodes, in its order.

    Args:
        graph: a Graph, DiGraph, MultiGraph or MultiDiGraph; ego sets follow directed edges
            forwards.
        tokens: the node attribute that holds a name or a vector.
        weight: the edge attribute that holds a number in (0, 1]; None weighs every edge 1.
        name: of the datum.

    Raises:
        InputError: a node without that attribute or with a vector of another length, or an edge
            without a weight.
    """
    place = {node: i for i, node in enumerate(graph.nodes)}
    values = [_attribute(graph.nodes, node, tokens) for node in place]
    # Weights come as (from, to, number); without one, networkx yields the attributes there.
    ends = list(graph.edges(data=True if weight is None else weight))
    edges = np.array([(place[a], place[b]) for a, b, _ in ends], dtype=np.int64).reshape(-1, 2)
    for a, b, value in ends:
        if value is None:
            raise InputError(f"the edge {a!r} - {b!r} has no {weight!r}; give every edge one.")
    weights = None if weight is None else np.array([value for *_, value in ends], dtype=np.float64)
    units = Units(tuple(map(str, place)), kind="node")
    array = _stacked(values, list(place), tokens)
    layout = Graph(edges, max(1, len(place)), weights, bool(graph.is_directed()))
    return Bag(array, layout, units, name)


def _attribute(nodes: Mapping[Any, Mapping[str, Any]], node: Any, tokens: str) -> Any:
    """What a node holds as its token."""
    if tokens not in nodes[node]:
        raise InputError(
            f"node {node!r} has no attribute {tokens!r}, only {sorted(map(str, nodes[node]))}; "
            "name the one that holds its token: from_networkx(graph, tokens=...)."
        )
    return nodes[node][tokens]


def _stacked(values: list[Any], nodes: list[Any], tokens: str) -> NDArray[Any]:
    """Tokens of all nodes as one array, of names or of vectors of one length."""
    arrays = [_array(value) for value in values]
    for node, array in zip(nodes, arrays, strict=True):
        if array.shape != arrays[0].shape:
            raise InputError(
                f"node {node!r} has {tokens!r} of shape {array.shape}, node {nodes[0]!r} of "
                f"shape {arrays[0].shape}; all must be names, or vectors of one length."
            )
    if len({array.dtype.kind for array in arrays}) > 1 and arrays[0].ndim == 0:
        return np.array(values, dtype=object)
    return np.stack(arrays) if arrays else np.empty(0)


def from_geometric(data: Any, *, categories: bool = False, name: str = "") -> Bag:
    """A graph from a PyTorch Geometric `Data`: `x`, `edge_index`, `edge_weight`.

    Edges that come in both directions, with equal weights, are undirected. In a directed graph
    ego sets follow edges forwards, from row 0 of `edge_index` to row 1.

    Args:
        data: its tensors may be on any device, or arrays.
        categories: x is one-hot; the tokens are the positions of the ones.
        name: of the datum.

    Raises:
        InputError: no `x` or `edge_index`, an edge to nowhere, or rows of `x` that are not
            one-hot where `categories` says so.
    """
    if data.x is None or data.edge_index is None:
        missing = "x" if data.x is None else "edge_index"
        raise InputError(f"a Data without {missing} came; a bag needs x and edge_index.")
    x = _array(data.x)
    weights = _edge_weights(data)
    edges = np.ascontiguousarray(_array(data.edge_index).T)
    layout = Graph(edges, max(1, len(x)), weights, directed=True)
    if _both_ways(edges, weights):
        layout = Graph(edges, layout.nodes, weights, directed=False)
    return Bag(_positions(x) if categories else x, layout, name=name)


def _edge_weights(data: Any) -> NDArray[np.float64] | None:
    """`edge_weight`, where it has one."""
    if not isinstance(data, _Weighted) or data.edge_weight is None:
        return None
    return _array(data.edge_weight).astype(np.float64).reshape(-1)


def _both_ways(edges: NDArray[Any], weights: NDArray[Any] | None) -> bool:
    """Whether every edge comes back with its own weight."""
    values = np.ones(len(edges)) if weights is None else weights
    there = np.column_stack([edges, values])
    return np.array_equal(np.unique(there, axis=0), np.unique(there[:, [1, 0, 2]], axis=0))


def _positions(x: NDArray[Any]) -> NDArray[np.int64]:
    """Positions of the ones in one-hot rows `(N, d)`."""
    bad = np.flatnonzero(((x != 0).sum(1) != 1) | (x.sum(1) != 1)) if x.ndim == 2 else [0]
    if len(bad):
        raise InputError(f"categories=True needs one-hot rows; row {bad[0]} of x is {x[bad[0]]}.")
    return x.argmax(1).astype(np.int64)


def _array(value: Any) -> NDArray[Any]:
    """An array from one, or from a tensor on any device."""
    return np.asarray(value.detach().cpu() if isinstance(value, _Tensor) else value)
