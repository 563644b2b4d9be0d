"""Holds drawings of graphs as SVG: a bag's tokens and edges, and a head's concepts and pairs.

It does not know what the strengths mean. Signs are told by dashes as well as by colour.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray

from whence.views.cells import shortened

Floats = NDArray[np.float64]

#: The most nodes that are drawn; of larger graphs a reader sees the table only.
MOST = 250
#: Rounds of the layout, and the length of one edge in the drawing.
ROUNDS, EDGE = 150, 46.0
#: The radius of a link from a node to itself.
LOOP = 9


@dataclass(frozen=True)
class Node:
    """A circle.

    Attributes:
        x, y: its middle.
        size: its radius.
        strength: of its colour, -1 to 1.
        label: inside it, or beside it when `outside`.
        title: what is said where a reader points.
        outside: 1 or -1 puts the label right or left of it; 0 inside.
        looped: whether a link goes from it to itself, which the label must stay clear of.
    """

    x: float
    y: float
    size: float
    strength: float
    label: str
    title: str
    outside: int = 0
    looped: bool = False


@dataclass(frozen=True)
class Link:
    """A line between two nodes, by position; strength None draws it plain."""

    a: int
    b: int
    strength: float | None = None
    title: str = ""


def spread(nodes: int, edges: NDArray[np.int64]) -> Floats:
    """Places `(nodes, 2)` whose distances are close to the numbers of edges between nodes.

    Parts without an edge between them are set apart. The same graph has the same places.

    Source:
        Stress majorisation: Gansner, Koren and North (2004), Graph Drawing by Stress Majorization.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import shortest_path

    ones = np.ones(len(edges))
    graph = coo_array((ones, (edges[:, 0], edges[:, 1])), shape=(nodes, nodes)).tocsr()
    far = shortest_path(graph, directed=False, unweighted=True)
    joined = far[np.isfinite(far)].max(initial=1.0)
    far = np.where(np.isfinite(far), far, joined + 1)
    return _majorised(far, _scaled(far))


def _scaled(far: Floats) -> Floats:
    """Classical scaling: a start that depends on nothing but the distances."""
    n = len(far)
    centred = -0.5 * (far**2 - (far**2).mean(0) - (far**2).mean(1)[:, None] + (far**2).mean())
    values, vectors = np.linalg.eigh(centred)
    start = vectors[:, ::-1][:, :2] * np.sqrt(np.maximum(values[::-1][:2], 0.0))
    # The sign of an eigenvector is arbitrary, and two nodes may coincide.
    start *= np.where(start[np.abs(start).argmax(0), range(start.shape[1])] < 0, -1.0, 1.0)
    turn = np.arange(n) * 2.399963  # the golden angle
    places = np.zeros((n, 2))
    places[:, : start.shape[1]] = start
    return places + 0.05 * np.column_stack([np.cos(turn), np.sin(turn)])


def _majorised(far: Floats, places: Floats) -> Floats:
    n = len(far)
    if n < 2:
        return places
    weights = 1.0 / np.where(far > 0, far, 1.0) ** 2
    np.fill_diagonal(weights, 0.0)
    inverse = np.linalg.pinv(np.diag(weights.sum(1)) - weights)
    for _ in range(ROUNDS):
        apart = places[:, None] - places[None]
        length = np.sqrt((apart**2).sum(-1))
        ratio = weights * far / np.where(length > 1e-9, length, 1.0)
        np.fill_diagonal(ratio, 0.0)
        places = inverse @ (np.diag(ratio.sum(1)) - ratio) @ places
    return places


def bag_graph(
    edges: NDArray[np.int64],
    labels: Sequence[str],
    strength: Sequence[float],
    titles: Sequence[str],
) -> str:
    """A bag's tokens as circles coloured by strength; "" for too many to draw."""
    if not 1 <= len(labels) <= MOST:
        return ""
    places = spread(len(labels), edges.astype(np.int64)) * EDGE
    nodes = [
        Node(float(x), float(y), 15.0, share, shortened(label, 4), title)
        for (x, y), share, label, title in zip(places, strength, labels, titles, strict=True)
    ]
    return drawing(nodes, [Link(int(a), int(b)) for a, b in edges if a != b])


def concept_graph(
    names: Sequence[str],
    sizes: Sequence[float],
    strength: Sequence[float],
    links: Sequence[Link],
    titles: Sequence[str],
) -> str:
    """Concepts on a circle, sized by frequency; lines for pairs, as thick as they are strong.

    Args:
        names: of the concepts.
        sizes: of the concepts, 0 to 1.
        strength: of the concepts, -1 to 1.
        links: between positions in `names`.
        titles: of the concepts.
    """
    count = len(names)
    angle = 2 * np.pi * (np.arange(count) + 0.5) / max(count, 1) - np.pi / 2
    across = max(110.0, 13.0 * count)
    looped = {link.a for link in links if link.a == link.b}
    nodes = [
        Node(
            float(across * np.cos(a)),
            float(across * np.sin(a)),
            5 + 15 * float(np.sqrt(size)),
            share,
            shortened(name, 28),
            title,
            1 if np.cos(a) >= 0 else -1,
            i in looped,
        )
        for i, (a, name, size, share, title) in enumerate(
            zip(angle, names, sizes, strength, titles, strict=True)
        )
    ]
    return drawing(nodes, links)


def drawing(nodes: Sequence[Node], links: Sequence[Link]) -> str:
    """Nodes and links as one SVG, as large as they need."""
    left = min(n.x - n.size - _beside(n, -1) for n in nodes) - 4
    right = max(n.x + n.size + _beside(n, 1) for n in nodes) + 4
    room = 2 * LOOP + 4 if any(n.looped for n in nodes) else 4
    top, bottom = min(n.y - n.size for n in nodes) - room, max(n.y + n.size for n in nodes) + room
    # Thin links first, so that the strong ones lie above them.
    order = sorted(links, key=lambda link: abs(link.strength or 0.0))
    inner = "".join(_link(link, nodes) for link in order) + "".join(_node(n) for n in nodes)
    return (
        f'<div class="graph"><svg viewBox="{left:.1f} {top:.1f} {right - left:.1f} '
        f'{bottom - top:.1f}" width="{right - left:.0f}" role="img">{inner}</svg></div>\n'
    )


def _beside(node: Node, side: int) -> float:
    """Room for a label outside its node."""
    return 7.0 * len(node.label) + _clear(node) if node.outside == side else 0.0


def _clear(node: Node) -> float:
    """From the rim of a node to the label outside it."""
    return 5 + 2 * LOOP if node.looped else 5.0


def _link(link: Link, nodes: Sequence[Node]) -> str:
    a, b = nodes[link.a], nodes[link.b]
    share = link.strength
    kind = "edge" if share is None else "more" if share > 0 else "less"
    width = 2.0 if share is None else 1 + 6 * abs(share)
    style = f'class="link {kind}" stroke-width="{width:.1f}"'
    title = f"<title>{escape(link.title)}</title>" if link.title else ""
    if link.a == link.b:  # a loop, on the side away from the middle
        reach = np.hypot(a.x, a.y) or 1.0
        x, y = (place * (1 + (a.size + LOOP - 1) / reach) for place in (a.x, a.y))
        return f'<circle {style} cx="{x:.1f}" cy="{y:.1f}" r="{LOOP}">{title}</circle>'
    # Drawn towards the middle, so that lines between neighbours on the circle can be told apart.
    x, y = (a.x + b.x) / 2, (a.y + b.y) / 2
    bend = 1.0 if share is None else 0.6
    return (
        f'<path {style} d="M{a.x:.1f} {a.y:.1f}Q{x * bend:.1f} {y * bend:.1f} '
        f'{b.x:.1f} {b.y:.1f}">{title}</path>'
    )


def _node(node: Node) -> str:
    kind = "more" if node.strength > 0 else "less" if node.strength < 0 else "none"
    beside = node.size + _clear(node)
    side = {0: ("middle", 0.0), 1: ("start", beside), -1: ("end", -beside)}
    anchor, shift = side[node.outside]
    circle = f'cx="{node.x:.1f}" cy="{node.y:.1f}" r="{node.size:.1f}"'
    return (
        f'<g class="node {kind}"><title>{escape(node.title)}</title>'
        f'<circle class="ground" {circle}/>'
        f'<circle class="face" {circle} fill-opacity="{0.75 * abs(node.strength):.2f}"/>'
        f'<text x="{node.x + shift:.1f}" y="{node.y:.1f}" dy="0.35em" text-anchor="{anchor}">'
        f"{escape(node.label)}</text></g>"
    )
