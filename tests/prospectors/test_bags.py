"""Bags: what becomes one, what is refused and by which name, and what is never copied."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from whence.errors import InputError
from whence.prospectors import bags as bags_module
from whence.prospectors.bags import (
    Bag,
    BagStream,
    as_bags,
    first_not_finite,
    from_array,
    from_geometric,
    from_networkx,
    from_string,
    units_of,
)
from whence.prospectors.layouts import Graph, Grid, Sequence
from whence.units import Units


class Files:
    """Arrays that are read anew in each pass, as from a folder of files."""

    def __init__(self, arrays):
        self.arrays = arrays
        self.passes = 0

    def __iter__(self):
        self.passes += 1
        return iter(self.arrays)


def molecule():
    """A PyTorch Geometric Data, as documented: edges both ways, one-hot atoms."""
    return SimpleNamespace(
        x=np.eye(3)[[0, 2, 2, 1]],
        edge_index=np.array([[0, 1, 1, 2, 2, 3], [1, 0, 2, 1, 3, 2]]),
        edge_weight=None,
    )


def test_arrays_become_sequences_and_grids():
    """Two axes are a sequence of embeddings, three a grid of them row by row."""
    rng = np.random.default_rng(0)
    flat, image = rng.random((5, 4)), rng.random((2, 3, 4))
    first, second = as_bags([flat, image])
    assert first.layout == Sequence(1)
    assert (second.layout.height, second.layout.width, second.layout.present) == (2, 3, None)
    np.testing.assert_array_equal(second.tokens[4], image[1, 1])


def test_all_nan_places_are_holes():
    """A place of a grid whose embedding is nan throughout holds no token."""
    image = np.ones((2, 3, 4))
    image[0, 1] = np.nan
    bag = from_array(image, neighbours=4)
    assert len(bag) == 5
    assert bag.layout.neighbours == 4
    np.testing.assert_array_equal(bag.layout.present, [[True, False, True], [True] * 3])


@given(st.text(min_size=1, max_size=30))
def test_strings_become_sequences_of_letters(text):
    """A str's tokens are its letters, and its units point back into it."""
    bag = from_string(text, window=2)
    assert bag.tokens.tolist() == [letter.rstrip("\0") for letter in text]
    assert [bag.units.text[a:b] for a, b in bag.units.spans] == list(text)
    assert bag.layout == Sequence(2)


def test_lists_of_names_become_sequences():
    """Names may be str or int, and a list of them keeps its order."""
    first, second = as_bags([["C", "N", "C"], ["O"]])
    assert (first.tokens.tolist(), second.tokens.tolist()) == (["C", "N", "C"], ["O"])
    assert as_bags([[3, 1], [2]])[0].kind == "names (int)"


def test_networkx_graphs_become_graphs():
    """Nodes keep networkx's order whatever they are called; weights are read by name."""
    networkx = pytest.importorskip("networkx")
    graph = networkx.Graph()
    for node, letter in (("b", "C"), ("a", "N"), ("c", "O")):
        graph.add_node(node, token=letter)
    graph.add_edge("a", "c", strength=0.5)
    graph.add_edge("b", "a", strength=1.0)
    (plain,) = as_bags([graph])
    assert plain.tokens.tolist() == ["C", "N", "O"]
    assert plain.units.labels == ("b", "a", "c")
    np.testing.assert_array_equal(plain.layout.edges_of(3), [[0, 1], [1, 2]])
    weighted = from_networkx(graph, weight="strength", name="m")
    np.testing.assert_array_equal(weighted.layout.reach(3, 1).toarray()[1], [1, 1, 0.5])
    assert (weighted.name, weighted.layout.directed) == ("m", False)


def test_networkx_multigraphs_and_directions_are_read():
    """A multigraph's parallel edges are one; a directed graph's ego sets follow its edges."""
    networkx = pytest.importorskip("networkx")
    graph = networkx.MultiDiGraph([(0, 1), (0, 1), (1, 2)])
    networkx.set_node_attributes(graph, {n: [float(n), 1.0] for n in graph}, "vector")
    bag = from_networkx(graph, tokens="vector")
    np.testing.assert_array_equal(bag.tokens, [[0, 1], [1, 1], [2, 1]])
    np.testing.assert_array_equal(bag.layout.reach(3, 2).toarray()[0], [1, 1, 1])
    np.testing.assert_array_equal(bag.layout.reach(3, 2).toarray()[2], [0, 0, 1])


def test_networkx_faults_name_the_node_or_edge():
    """A node without a token, or an edge without a weight, is named with the knob to turn."""
    networkx = pytest.importorskip("networkx")
    graph = networkx.path_graph(3)
    networkx.set_node_attributes(graph, {0: "C", 2: "N"}, "atom")
    with pytest.raises(InputError, match=r"bag 0: node 0 has no attribute 'token'.*atom"):
        as_bags([graph])
    with pytest.raises(InputError, match="node 1 has no attribute 'atom'"):
        from_networkx(graph, tokens="atom")
    graph.nodes[1]["atom"] = "O"
    with pytest.raises(InputError, match="the edge 0 - 1 has no 'bond'"):
        from_networkx(graph, tokens="atom", weight="bond")
    graph.nodes[1]["atom"] = np.ones(2)
    with pytest.raises(InputError, match=r"node 1 has 'atom' of shape \(2,\), node 0"):
        from_networkx(graph, tokens="atom")


def test_geometric_data_become_graphs():
    """Edges that come both ways are undirected; one-hot rows may be read as categories."""
    (bag,) = as_bags([molecule()])
    assert bag.tokens.shape == (4, 3)
    assert not bag.layout.directed
    np.testing.assert_array_equal(bag.layout.edges_of(4), [[0, 1], [1, 2], [2, 3]])
    assert from_geometric(molecule(), categories=True).tokens.tolist() == [0, 2, 2, 1]


def test_geometric_directions_and_weights_are_read():
    """Edges one way, or of unequal weights both ways, make a directed graph."""
    data = molecule()
    data.edge_weight = np.array([1, 1, 0.5, 0.25, 1, 1])
    bag = from_geometric(data)
    assert bag.layout.directed
    np.testing.assert_array_equal(bag.layout.reach(4, 1).toarray()[1:3, 1:3], [[1, 0.5], [0.25, 1]])
    data.edge_weight = np.array([[1], [1], [0.5], [0.5], [1], [1]])
    assert not from_geometric(data).layout.directed
    data.edge_weight, data.edge_index = None, data.edge_index[:, ::2]
    assert from_geometric(data).layout.directed


def test_geometric_tensors_are_read_from_where_they_are():
    """Tensors with gradients become arrays; a tensor alone is an array too."""
    torch = pytest.importorskip("torch")
    data = molecule()
    data.x = torch.from_numpy(data.x).requires_grad_()
    data.edge_index = torch.from_numpy(data.edge_index)
    np.testing.assert_array_equal(from_geometric(data).tokens, molecule().x)
    assert as_bags([torch.ones(2, 3, 4)])[0].layout.size == 6


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"edge_index": np.array([[0], [9]])}, "edge 0 joins nodes 0 and 9"),
        ({"x": None}, "without x"),
        ({"edge_index": None}, "without edge_index"),
        ({"x": np.ones((4, 3))}, "one-hot rows; row 0"),
        ({"edge_weight": np.ones(2)}, "6 edges"),
    ],
)
def test_geometric_faults_are_named(change, said):
    """A Data that lacks something, or leads to nowhere, is refused by name."""
    data = SimpleNamespace(**{**vars(molecule()), **change})
    with pytest.raises(InputError, match=said):
        from_geometric(data, categories=True)


def test_bags_are_not_copied(tmp_path):
    """Memory maps stay memory maps, on sequences and full grids, and Bags stay themselves."""
    path = tmp_path / "tokens.npy"
    np.save(path, np.ones((6, 2, 4), dtype=np.float32))
    flat = np.load(path, mmap_mode="r").reshape(12, 4)
    grid = np.load(path, mmap_mode="r")
    bag = Bag(flat)
    made = as_bags([bag, grid])
    assert made[0] is bag
    assert all(isinstance(each.tokens, np.memmap) for each in made)
    assert np.shares_memory(made[1].tokens, grid)


@given(st.integers(1, 40), st.integers(1, 5), st.data())
def test_the_first_bad_row_is_found_in_any_chunk(rows, d, data):
    """nan and inf are found wherever they are, however many rows are read at a time."""
    bad = data.draw(st.sets(st.integers(0, rows - 1)))
    tokens = np.zeros((rows, d), dtype=np.float32)
    for row in bad:
        column = data.draw(st.integers(0, d - 1))
        tokens[row, column] = data.draw(st.sampled_from([np.nan, np.inf, -np.inf]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bags_module, "CHUNK", data.draw(st.integers(1, 60)))
        assert first_not_finite(tokens) == min(bad, default=None)


def test_streams_are_gone_through_anew():
    """An object with __iter__ is not read until it is used, and is read in every pass."""
    files = Files([np.ones((2, 3)), np.zeros((4, 3))])
    stream = as_bags(files)
    assert isinstance(stream, BagStream)
    assert as_bags(stream) is stream
    assert files.passes == 0
    assert [len(bag) for bag in stream] == [len(bag) for bag in stream] == [2, 4]
    assert files.passes == 2


def test_streams_are_checked_as_they_pass():
    """A bad bag of a stream is named when it is reached, not before."""
    passing = iter(as_bags(Files([np.ones((2, 3)), np.full((1, 3), np.nan)])))
    assert len(next(passing)) == 2
    with pytest.raises(InputError, match="bag 1: token 0 of 1 has nan or inf"):
        next(passing)
    with pytest.raises(InputError, match="no bags"):
        list(as_bags(Files([])))


def test_units_are_made_where_there_are_none():
    """Names label themselves, positions the rest, and a grid's units know their place."""
    assert units_of(from_string("AC")).labels == ("A", "C")
    assert units_of(Bag(np.array([7, 8]))).labels == ("7", "8")
    own = Units(("x", "y"))
    assert units_of(Bag(np.ones((2, 1)), units=own)) is own
    image = np.ones((2, 2, 1))
    image[0, 0] = np.nan
    units = units_of(from_array(image))
    assert (units.labels, units.kind) == (("0", "1", "2"), "patch")
    np.testing.assert_array_equal(units.grid, [[-1, 0], [1, 2]])


def one_hot_row(value):
    """Three embeddings whose second holds a value."""
    return np.array([[0.0, 1.0], [value, 0.0], [value, value]])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("ABC", "one str came in place of several"),
        (Bag(np.ones((2, 2))), "one Bag came"),
        (7, "one int came"),
        ((array for array in [np.ones((2, 2))]), "generator came.*only once"),
        ([], "no bags"),
        ([np.ones((2, 2)), np.ones((0, 2))], "bag 1: no tokens"),
        ([[]], "bag 0: no tokens"),
        ([""], "bag 0: no tokens"),
        ([np.full((2, 2, 3), np.nan)], "bag 0: no tokens"),
        ([np.ones((2, 0, 3))], r"bag 0.*\(2, 0, 3\)"),
        ([np.ones((2, 2)), one_hot_row(np.nan)], "bag 1: token 1 of 3 has nan or inf"),
        ([Bag(one_hot_row(np.inf), name="x.png")], r"bag 0 \(x.png\): token 1 of 3"),
        ([np.ones((2, 2)), np.ones((2, 3))], "bag 1 has embeddings of 3 dim.*first bag.*of 2"),
        ([np.ones((2, 2)), "AB"], "bag 1 has names"),
        (["AB", [1, 2]], r"bag 1 has names \(int\), but the first bag names \(str\)"),
        ([["A", 1]], "bag 0: tokens of shape.*all str or all int"),
        ([np.ones(3)], r"tokens of shape \(3,\) and dtype float64"),
        ([np.ones((2, 2), dtype=complex)], "dtype complex128"),
        ([{"a": 1}], "bag 0: a dict came"),
        ([[[0.5, 1.0]]], "bag 0: a list came"),
    ],
)
def test_bags_that_cannot_be_used_are_refused(given, said):
    """The message says which bag it was, what came and what is needed."""
    with pytest.raises(InputError, match=said):
        as_bags(given)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Bag(np.ones((5, 2)), Grid(2, 3), name="s"), "5 tokens came for s.*for 6"),
        (lambda: Bag(np.ones((5, 2)), Graph(np.empty((0, 2), int), 4)), "5 tokens.*for 4"),
        (lambda: Bag(np.ones((3, 2)), units=Units(("a", "b"))), "3 tokens came.*units are 2"),
        (lambda: Bag([[1.0]]), "as list.*np.asarray"),
        (lambda: Bag(np.array([True, False])), "bool"),
        (lambda: Bag(np.array([1.5, 2.0], dtype=object)), "object"),
    ],
)
def test_a_bag_refuses_what_does_not_belong_together(make, said):
    """Tokens, layout and units of different sizes, or tokens of no use, make no Bag."""
    with pytest.raises(InputError, match=said):
        make()


def test_an_iterator_in_disguise_is_refused():
    """An object that goes on where it stopped, in place of beginning anew, is refused."""

    class Once:
        def __init__(self):
            self.left = iter(["ab", "ba"])

        def __iter__(self):
            return self.left

    stream = as_bags(Once())
    assert len(list(stream)) == 2
    with pytest.raises(InputError, match="only once"):
        list(stream)
