"""Facts about reading bags with coarse labels, and about what is refused."""

import numpy as np
import pytest

from cli import prospects
from whence.cli.prospect_data import Columns, labelled, read
from whence.errors import InputError
from whence.prospectors import Graph, Grid, Sequence


def test_sub_folders_are_classes(tmp_path):
    """A file's label is the folder it lies in; deeper folders are part of its name."""
    prospects.folder(tmp_path / "d", 8)
    (tmp_path / "d" / "yes" / "more").mkdir()
    (tmp_path / "d" / "yes" / "more" / "x.txt").write_text("A text.")
    data = labelled(tmp_path / "d", Columns())
    assert data.kind == "text"
    assert dict(zip(data.names, data.labels.tolist(), strict=True))["yes/more/x.txt"] == "yes"
    assert sorted(set(data.labels.tolist())) == ["no", "yes"]


def test_labels_come_from_a_table(tmp_path):
    """A .csv names each file by its path, its name or its stem, with a group if it has one."""
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.txt").write_text("A text.")
    table = tmp_path / "labels.csv"
    table.write_text("name,label,group\na.txt,x,p1\nb,y,p1\nc.txt,x,p2\n")
    data = labelled(tmp_path, Columns(labels=table))
    assert data.labels.tolist() == ["x", "y", "x"]
    assert data.groups.tolist() == ["p1", "p1", "p2"]


def test_tables_hold_texts_labels_and_groups(tmp_path):
    """Columns are named by the user."""
    path = prospects.lines(tmp_path / "t.jsonl", 6)
    data = labelled(path, Columns(text="body", label="outcome", group="court"))
    assert data.labels.tolist() == ["no", "yes"] * 3
    assert data.groups.tolist() == ["c0", "c0", "c1", "c1", "c2", "c2"]


@pytest.mark.parametrize("cell", ['["a", "b"]', "a b"])
def test_a_cell_of_a_csv_holds_names(tmp_path, cell):
    """A list in a .csv is JSON, or names with spaces between them."""
    path = tmp_path / "t.csv"
    quoted = '"' + cell.replace('"', '""') + '"'
    path.write_text(f"seq,y\n{quoted},1\n{quoted},0\n")
    data = labelled(path, Columns(tokens="seq", label="y", window=2))
    assert data.things[0].tokens.tolist() == ["a", "b"]
    assert data.things[0].layout == Sequence(2)
    assert data.labels.tolist() == ["1", "0"]


def test_arrays_become_graphs(tmp_path):
    """Edges are cut by their offsets and count within their bag."""
    data = labelled(prospects.molecules(tmp_path / "m.npz", 6), Columns())
    layout = data.things[1].layout
    assert isinstance(layout, Graph)
    assert len(layout.edges) == 8
    assert len(data.things[1]) == 8


def test_arrays_become_grids(tmp_path):
    """Height and width of each bag make grids."""
    path = tmp_path / "g.npz"
    shape = np.array([[2, 3], [1, 4]])
    np.savez(path, embeddings=np.eye(10), offsets=[0, 6, 10], shape=shape, labels=["a", "b"])
    layouts = [bag.layout for bag in labelled(path, Columns()).things]
    assert all(isinstance(layout, Grid) for layout in layouts)
    assert [(one.height, one.width) for one in layouts] == [(2, 3), (1, 4)]


def test_a_folder_of_arrays_stays_on_disk(tmp_path):
    """Bags of a folder of .npy files are views of its memory map."""
    np.save(tmp_path / "embeddings.npy", np.eye(6))
    np.save(tmp_path / "offsets.npy", np.array([0, 3, 6]))
    np.save(tmp_path / "labels.npy", np.array(["a", "b"]))
    bag = labelled(tmp_path, Columns()).things[1]
    assert isinstance(bag.tokens, np.memmap)
    assert np.array_equal(bag.tokens, np.eye(6)[3:])


def test_pictures_are_read_when_asked_for(tmp_path):
    """A folder of pictures holds paths until a picture is used."""
    pytest.importorskip("PIL")
    data = labelled(prospects.pictures(tmp_path / "p", 4), Columns())
    assert data.kind == "picture"
    assert data.things[0].shape == (48, 48, 3)


def test_numbers_stay_numbers(tmp_path):
    """With --numbers labels are floats."""
    path = prospects.embeddings(tmp_path / "e.npz", numbers=True)
    assert labelled(path, Columns(numbers=True)).labels.dtype == np.float64


def test_labels_are_not_needed_to_map(tmp_path):
    """A flat folder, a file, or a table without a label is read without labels."""
    (tmp_path / "a.txt").write_text("A text.")
    assert read(tmp_path / "a.txt", Columns()).labels is None
    assert read(tmp_path, Columns()).labels is None


def _one_class(path):
    (path / "yes").mkdir()
    (path / "yes" / "a.txt").write_text("A text.")


def _empty_file(path):
    prospects.folder(path, 4)
    (path / "no" / "blank.txt").write_text(" \n")


def _mixed(path):
    prospects.folder(path, 4)
    (path / "no" / "x.png").write_bytes(b"x")


def _stray(path):
    prospects.folder(path, 4)
    (path / "lone.txt").write_text("A text.")


def _other(path):
    prospects.folder(path, 4)
    (path / "no" / "x.docx").write_bytes(b"x")


def _binary(path):
    prospects.folder(path, 4)
    (path / "no" / "x.txt").write_bytes(b"\xff\xfe\x00a")


@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        (_one_class, "one class only .'yes'"),
        (_empty_file, r"blank\.txt is empty"),
        (_mixed, "texts and pictures"),
        (_stray, r"lone\.txt lies in .* itself"),
        (_other, r"x\.docx in .* neither a text"),
        (_binary, r"x\.txt"),
        (lambda path: None, "is empty"),
    ],
)
def test_a_folder_that_cannot_be_used_is_refused(tmp_path, spoil, named):
    """One class, an empty file, two kinds, a file without a class: each is named."""
    spoil(tmp_path)
    with pytest.raises(InputError, match=named):
        labelled(tmp_path, Columns())


@pytest.mark.parametrize(
    ("table", "named"),
    [
        ("name,label\na.txt,x\n", r"no row for b\.txt"),
        ("name,label\na.txt,x\nb.txt,\n", r"b\.txt of .* has no label"),
        ("file,label\na.txt,x\n", "columns name and label"),
        ("", "columns name and label"),
    ],
)
def test_a_table_of_labels_must_be_whole(tmp_path, table, named):
    """A file without a row, a row without a label, and other columns are named."""
    for name in ("a", "b"):
        (tmp_path / f"{name}.txt").write_text("A text.")
    (tmp_path / "labels.csv").write_text(table)
    with pytest.raises(InputError, match=named):
        labelled(tmp_path, Columns(labels=tmp_path / "labels.csv"))


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"offsets": np.array([0, 5])}, "rise from 0 to"),
        ({"offsets": None}, "needs offsets"),
        ({"edge_offsets": np.array([0, 3])}, "edge_offsets"),
        ({"edges": np.zeros((3, 3), int)}, r"edges of shape \(3, 3\)"),
        ({"labels": np.array(["a"])}, r"labels of shape \(1,\)"),
        ({"tokens": None}, "exactly one of embeddings"),
        ({"shape": np.ones((24, 2), int)}, "bag 0 is 1 by 1"),
        ({"labels": np.linspace(0, 1, 24)}, "--numbers"),
        ({"labels": None}, "without labels"),
    ],
)
def test_arrays_must_go_together(tmp_path, given, named):
    """An array that is missing, or of another size, is named."""
    with pytest.raises(InputError, match=named):
        labelled(prospects.molecules(tmp_path / "m.npz", **given), Columns())


def test_numbers_must_be_numbers(tmp_path):
    """A label that is no number is named where numbers are wanted."""
    with pytest.raises(InputError, match=r"bag 0 of .* no number"):
        labelled(prospects.molecules(tmp_path / "m.npz"), Columns(numbers=True))


def test_a_table_needs_its_columns_named(tmp_path):
    """Without --text or --tokens there is nothing to read."""
    path = prospects.lines(tmp_path / "t.jsonl", 4)
    with pytest.raises(InputError, match="--text COLUMN"):
        labelled(path, Columns(label="outcome"))


def test_a_row_without_text_is_named(tmp_path):
    """An empty cell is named by its row."""
    (tmp_path / "t.csv").write_text("body,y\nhello,1\n,0\n")
    with pytest.raises(InputError, match="row 1 of"):
        labelled(tmp_path / "t.csv", Columns(text="body", label="y"))


def test_what_is_not_there_is_named(tmp_path):
    """A path to nowhere is refused by name."""
    with pytest.raises(InputError, match="nowhere"):
        read(tmp_path / "nowhere", Columns())


def test_contradicting_labels_are_refused(tmp_path):
    """Two rows for one file that differ, and one row for two files, are refused by name."""
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text("Some text.")
    table = tmp_path / "labels.csv"
    table.write_text("name,label\na.txt,x\nb.txt,y\na.txt,y\n")
    with pytest.raises(InputError, match=r"two rows for a\.txt"):
        labelled(tmp_path, Columns(labels=table))
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "c.txt").write_text("Some text.")
    table.write_text("name,label\na.txt,x\nb.txt,y\nc.txt,y\n")
    with pytest.raises(InputError, match="several files"):
        labelled(tmp_path, Columns(labels=table))
