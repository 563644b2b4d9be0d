"""Facts about reading many bags from one file."""

import json

import numpy as np
import pytest

from whence.adapters.bag_files import read_arrays, read_columns
from whence.errors import InputError

ROWS = [('a, "b"\nc', "yes"), ("naïve", "no")]


def written(path, suffix):
    """The rows as a file of that kind."""
    file = path / f"rows{suffix}"
    if suffix == ".jsonl":
        file.write_text("\n".join(json.dumps({"t": t, "y": y, "z": 1}) for t, y in ROWS), "utf-8")
    elif suffix in (".csv", ".tsv"):
        sep = "," if suffix == ".csv" else "\t"
        quoted = (sep.join('"' + cell.replace('"', '""') + '"' for cell in row) for row in ROWS)
        file.write_text(f"t{sep}y\n" + "\n".join(quoted), "utf-8")
    else:
        pa = pytest.importorskip("pyarrow")
        table = pa.table({"t": [t for t, _ in ROWS], "y": [y for _, y in ROWS]})
        if suffix == ".parquet":
            pytest.importorskip("pyarrow.parquet").write_table(table, file)
        else:
            pytest.importorskip("pyarrow.feather").write_feather(table, str(file))
    return file


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".parquet", ".arrow", ".feather"])
def test_every_kind_gives_the_same_columns(tmp_path, suffix):
    """Texts with commas, quotes, line breaks and accents come back from each kind of table."""
    found = read_columns(written(tmp_path, suffix), ["t", "y"])
    assert list(zip(found["t"], found["y"], strict=True)) == ROWS


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet", ".arrow"])
def test_a_missing_column_is_named(tmp_path, suffix):
    """The refusal names the column and those that are there."""
    with pytest.raises(InputError, match=r"no column 'label'.*'t', 'y'"):
        read_columns(written(tmp_path, suffix), ["t", "label"])


@pytest.mark.parametrize("suffix", [".parquet", ".arrow", ".feather", ".xlsx"])
def test_a_damaged_file_is_named(tmp_path, suffix):
    """What is no table, or of an unknown kind, is refused by name."""
    pytest.importorskip("pyarrow")
    file = tmp_path / f"bad{suffix}"
    file.write_text("no table at all")
    with pytest.raises(InputError, match="bad"):
        read_columns(file, ["t"])


@pytest.mark.parametrize("line", ["{", "[1]", '{"t": 1}'])
def test_a_bad_line_of_json_is_named_by_its_number(tmp_path, line):
    """A line that is no JSON, no object, or lacks a column is named."""
    file = tmp_path / "rows.jsonl"
    file.write_text('{"t": "a", "y": 1}\n' + line)
    with pytest.raises(InputError, match="line 2"):
        read_columns(file, ["t", "y"])


def test_lists_of_vectors_come_as_arrays(tmp_path):
    """An Arrow column of lists of vectors comes as one array a row, of any length."""
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    rng = np.random.default_rng(0)
    bags = [rng.normal(size=(n, 3)) for n in (2, 5, 1)]
    column = pa.array([bag.tolist() for bag in bags], pa.list_(pa.list_(pa.float32(), 3)))
    parquet.write_table(pa.table({"x": column}), tmp_path / "x.parquet")
    found = read_columns(tmp_path / "x.parquet", ["x"])["x"]
    assert [type(one) for one in found] == [np.ndarray] * 3
    for one, bag in zip(found, bags, strict=True):
        assert np.allclose(one, bag, atol=1e-6)


def test_lists_of_names_come_as_lists(tmp_path):
    """An Arrow column of lists of texts comes as lists of texts; a missing one as None."""
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    parquet.write_table(pa.table({"x": [["a", "b"], None, ["c"]]}), tmp_path / "x.parquet")
    assert read_columns(tmp_path / "x.parquet", ["x"])["x"] == [["a", "b"], None, ["c"]]


def test_a_folder_of_arrays_is_memory_mapped(tmp_path):
    """Of a folder of .npy files nothing is read until it is used."""
    np.save(tmp_path / "embeddings.npy", np.eye(3))
    found = read_arrays(tmp_path)
    assert isinstance(found["embeddings"], np.memmap)


def test_objects_are_never_unpickled(tmp_path):
    """An array of Python objects would have to be unpickled, so it is refused."""
    np.savez(tmp_path / "x.npz", tokens=np.array([{"a": 1}], dtype=object))
    with pytest.raises(InputError, match=r"x\.npz cannot be read as arrays"):
        read_arrays(tmp_path / "x.npz")
