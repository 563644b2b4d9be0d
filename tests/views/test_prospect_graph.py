"""Facts about drawings of graphs."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from whence.views.prospect_graph import MOST, Link, bag_graph, concept_graph, spread


def ring(n):
    """The edges of a ring."""
    return np.array([(i, (i + 1) % n) for i in range(n)])


def test_a_ring_is_drawn_as_a_ring():
    """Neighbours on a ring of six are all equally far apart, and nearer than all others."""
    at = spread(6, ring(6))
    far = np.linalg.norm(at[:, None] - at[None], axis=-1)
    near = np.array([far[i, (i + 1) % 6] for i in range(6)])
    assert np.ptp(near) < 0.02 * near.mean()
    assert near.max() < 0.75 * far[0, 2]


@given(st.integers(1, 12), st.integers(0, 20), st.integers(0, 99))
def test_any_graph_has_places(nodes, count, seed):
    """Loops, repeats, lone nodes and parts apart all get finite places, no two of them the same."""
    edges = np.random.default_rng(seed).integers(0, nodes, (count, 2))
    at = spread(nodes, edges)
    assert at.shape == (nodes, 2)
    assert np.isfinite(at).all()
    far = np.linalg.norm(at[:, None] - at[None], axis=-1)[~np.eye(nodes, dtype=bool)]
    assert nodes == 1 or far.min() > 0.05


def test_the_same_graph_has_the_same_places():
    """A drawing depends on nothing but the graph."""
    assert np.array_equal(spread(7, ring(7)), spread(7, ring(7)))


def test_labels_are_escaped():
    """A label that is markup is shown as it is written."""
    drawn = bag_graph(ring(3), ["<b>", "C", "C"], [1.0, -1.0, 0.0], ['"><script>', "", ""])
    assert "<b>" not in drawn
    assert "<script" not in drawn
    assert "&lt;b&gt;" in drawn


def test_signs_are_told_by_more_than_colour():
    """Nodes and links above and below zero have classes of their own, which the style dashes."""
    drawn = concept_graph(
        ["a", "b"], [1.0, 0.2], [1.0, -1.0], [Link(0, 1, -0.5), Link(0, 0, 1.0)], ["", ""]
    )
    assert 'class="node more"' in drawn
    assert 'class="node less"' in drawn
    assert 'class="link less"' in drawn
    assert '<circle class="link more"' in drawn


def test_huge_graphs_are_not_drawn():
    """A drawing of thousands of nodes would show nothing."""
    n = MOST + 1
    assert bag_graph(ring(n), ["C"] * n, [0.0] * n, [""] * n) == ""
