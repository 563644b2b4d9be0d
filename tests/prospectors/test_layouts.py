"""Layouts: neighbourhoods against the definition, whatever way they are summed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prospectors import oracle
from whence.errors import InputError
from whence.prospectors import _neighbours
from whence.prospectors.layouts import Graph, Grid, Layout, Sequence


@st.composite
def sequences(draw):
    """A sequence and its number of tokens."""
    return Sequence(draw(st.integers(1, 4))), draw(st.integers(1, 14))


@st.composite
def grids(draw):
    """A grid, full or with holes (at least one token), and its number of tokens."""
    height, width = draw(st.integers(1, 6)), draw(st.integers(1, 6))
    present = None
    if draw(st.booleans()):
        present = np.array(
            draw(st.lists(st.booleans(), min_size=height * width, max_size=height * width))
        ).reshape(height, width)
        present[draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))] = True
    grid = Grid(height, width, present, draw(st.sampled_from([4, 8])))
    return grid, grid.size


@st.composite
def graphs(draw):
    """A graph with loops and repeats, weighted or not, directed or not; and its nodes."""
    nodes = draw(st.integers(1, 8))
    node = st.integers(0, nodes - 1)
    edges = np.array(draw(st.lists(st.tuples(node, node), max_size=16)), dtype=np.int64)
    weights = None
    if draw(st.booleans()):
        number = st.floats(0.01, 1.0)
        weights = np.array(draw(st.lists(number, min_size=len(edges), max_size=len(edges))))
    return Graph(edges.reshape(-1, 2), nodes, weights, draw(st.booleans())), nodes


layouts = st.one_of(sequences(), grids(), graphs())


@given(layouts, st.integers(0, 5))
def test_reach_equals_the_definition(laid, r):
    """N_r has the entries of a walk over tokens and edges, on every layout."""
    layout, size = laid
    got = layout.reach(size, r)
    assert got.dtype == np.float64
    assert got.has_canonical_format
    np.testing.assert_allclose(got.toarray(), oracle.reach(layout, size, r), rtol=1e-13)


@given(layouts, st.integers(0, 5), st.integers(0, 2**32 - 1))
def test_neighbourhood_equals_the_definition(laid, r, seed):
    """Sums over ego sets equal N_r C, exactly for whole codes without weights."""
    layout, size = laid
    rng = np.random.default_rng(seed)
    ego = oracle.reach(layout, size, r)
    soft = rng.random((size, 3))
    np.testing.assert_allclose(layout.neighbourhood(soft, r), ego @ soft, atol=1e-12)
    if getattr(layout, "weights", None) is None:
        hard = np.eye(3)[rng.integers(0, 3, size)]
        np.testing.assert_array_equal(layout.neighbourhood(hard, r), ego @ hard)


@given(layouts, st.integers(0, 4), st.integers(1, 12), st.integers(1, 40))
@settings(max_examples=50)
def test_small_blocks_and_chunks_change_nothing(laid, r, block, entries):
    """Neighbourhoods in blocks of few rows and parts of few entries are the same."""
    layout, size = laid
    codes = np.eye(3)[np.arange(size) % 3]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_neighbours, "BLOCK", block)
        patch.setattr(_neighbours, "ENTRIES", entries)
        got = layout.neighbourhood(codes, r)
        rows = layout.reach(size, r).toarray()
    np.testing.assert_allclose(got, rows @ codes, atol=1e-12)
    np.testing.assert_allclose(rows, oracle.reach(layout, size, r), rtol=1e-13)


@given(layouts)
def test_edges_come_once(laid):
    """`edges_of` lists every edge of the definition once, without loops."""
    layout, size = laid
    got = [tuple(edge) for edge in layout.edges_of(size).tolist()]
    wanted = {edge for edge in oracle.steps(layout, size) if edge[0] != edge[1]}
    if not getattr(layout, "directed", False):
        wanted = {tuple(sorted(edge)) for edge in wanted}
    assert len(got) == len(set(got))
    assert set(got) == wanted


@given(layouts, st.integers(0, 4))
def test_layouts_leave_the_codes_alone(laid, r):
    """A neighbourhood is a new array; the codes that came are as they were."""
    layout, size = laid
    codes = np.ones((size, 2))
    layout.neighbourhood(codes, r)[:] = -1
    np.testing.assert_array_equal(codes, 1)


def test_paths_go_round_holes():
    """Two tokens on either side of a wall are not neighbours within the straight distance."""
    present = np.ones((3, 3), bool)
    present[:2, 1] = False
    grid = Grid(3, 3, present)
    np.testing.assert_array_equal(grid.reach(7, 2).toarray()[0], [1, 0, 1, 0, 1, 1, 0])
    assert grid.reach(7, 4).toarray()[0, 1] == 1


def test_far_from_holes_a_grid_is_summed_as_if_full():
    """A large grid with one hole equals its own sparse product."""
    present = np.ones((20, 23), bool)
    present[4, 4] = False
    for neighbours in (4, 8):
        grid = Grid(20, 23, present, neighbours)
        codes = np.random.default_rng(0).random((grid.size, 4))
        wanted = grid.reach(grid.size, 3) @ codes
        np.testing.assert_allclose(grid.neighbourhood(codes, 3), wanted, atol=1e-12)


@pytest.mark.parametrize("neighbours", [4, 8])
def test_large_grids_equal_their_sparse_product(neighbours):
    """A grid of more rows than a block equals its sparse product, for a reach past its width."""
    grid = Grid(2500, 3, neighbours=neighbours)
    codes = np.random.default_rng(1).random((grid.size, 2))
    for r in (1, 5):
        wanted = grid.reach(grid.size, r) @ codes
        np.testing.assert_allclose(grid.neighbourhood(codes, r), wanted, atol=1e-11)


def test_long_sequences_lose_no_digits():
    """Windows at the end of a million soft tokens are as exact as at the start."""
    codes = np.tile(np.random.default_rng(0).random((1000, 2)), (1000, 1))
    got = Sequence(3).neighbourhood(codes, 2)
    np.testing.assert_allclose(got[5000:6000], got[-6000:-5000], rtol=0, atol=1e-12)
    wanted = codes[-13:].sum(0)
    np.testing.assert_allclose(got[-7], wanted, rtol=1e-13)


def test_neighbourhoods_of_everything_keep_memory_bounded(monkeypatch):
    """No part of N_r is larger than what may be held, even where all nodes reach all."""
    monkeypatch.setattr(_neighbours, "ENTRIES", 5000)
    hub = Graph(np.stack([np.zeros(999, int), np.arange(1, 1000)], 1), 1000)
    sizes = []
    chunks = _neighbours._chunks

    def watched(*given):
        for places, part in chunks(*given):
            sizes.append(part.nnz)
            yield places, part

    monkeypatch.setattr(_neighbours, "_chunks", watched)
    np.testing.assert_array_equal(hub.neighbourhood(np.ones((1000, 1)), 2), 1000)
    assert sum(sizes) == 1000 * 1000
    assert max(sizes) <= 5000


def test_the_best_path_weighs():
    """Of two paths the larger product of weights counts, and one edge too many is no path."""
    edges = np.array([[0, 1], [1, 2], [0, 2]])
    graph = Graph(edges, 3, np.array([0.9, 0.9, 0.5]))
    assert graph.reach(3, 1).toarray()[0, 2] == 0.5
    assert graph.reach(3, 2).toarray()[0, 2] == pytest.approx(0.81)


def test_layouts_keep_the_protocol():
    """Every layout is a Layout and says how many tokens it has places for."""
    holes = Grid(2, 2, np.array([[True, False], [True, True]]))
    every = (Sequence(), Grid(2, 3), holes, Graph(np.empty((0, 2), int), 5))
    assert all(isinstance(layout, Layout) for layout in every)
    assert [layout.size for layout in every] == [None, 6, 3, 5]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Sequence(0), "window=0"),
        (lambda: Sequence(1.5), "window=1.5"),
        (lambda: Sequence(True), "window=True"),
        (lambda: Grid(0, 3), "height=0"),
        (lambda: Grid(2, 3, neighbours=6), "neighbours=6"),
        (lambda: Grid(2, 3, np.ones((3, 2), bool)), r"shape \(3, 2\)"),
        (lambda: Grid(2, 3, np.ones((2, 3))), "float64"),
        (lambda: Graph(np.array([[0, 1], [1, 5]]), 5), "edge 1 joins nodes 1 and 5"),
        (lambda: Graph(np.array([[0, 1], [-1, 2]]), 5), "edge 1 joins nodes -1 and 2"),
        (lambda: Graph(np.array([[0.0, 1.0]]), 5), "float64"),
        (lambda: Graph(np.zeros((2, 7), int), 5), "transposed"),
        (lambda: Graph(np.array([[0, 1]]), 0), "nodes=0"),
        (lambda: Graph(np.array([[0, 1]]), 2, np.array([0.0])), "edge 0 has weight 0.0"),
        (lambda: Graph(np.array([[0, 1]]), 2, np.array([1.5])), "edge 0 has weight 1.5"),
        (lambda: Graph(np.array([[0, 1]]), 2, np.array([np.nan])), "weight nan"),
        (lambda: Graph(np.array([[0, 1]]), 2, np.ones(2)), "1 edges"),
        (lambda: Sequence().neighbourhood(np.ones((3, 2)), -1), "r=-1"),
        (lambda: Sequence().reach(3, 1.0), "r=1.0"),
        (lambda: Sequence().neighbourhood(np.ones(3), 1), r"shape \(3,\)"),
        (lambda: Grid(2, 3).neighbourhood(np.ones((5, 2)), 1), "5 tokens came for a Grid with 6"),
        (lambda: Grid(2, 3).reach(5, 1), "5 tokens"),
        (lambda: Graph(np.array([[0, 1]]), 4).edges_of(3), "3 tokens came for a Graph with 4"),
    ],
)
def test_what_cannot_be_laid_out_is_refused(make, said):
    """A layout that makes no sense, or codes that do not fit it, are refused by name."""
    with pytest.raises(InputError, match=said):
        make()
