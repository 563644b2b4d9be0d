"""Explanation: reading, checking, keeping, and files that are none."""

import dataclasses
import io
import re
import warnings
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whence import Explanation, Game, Units, errors, explain, masks
from whence.errors import InputError, MissingExtra
from whence.explanation import register_renderer
from whence.testing import planted


def same(a, b):
    """Every field equal, arrays by content."""
    for field in dataclasses.fields(a):
        x, y = getattr(a, field.name), getattr(b, field.name)
        if dataclasses.is_dataclass(x):
            same(x, y)
        elif isinstance(x, np.ndarray):
            np.testing.assert_array_equal(x, y)
        else:
            assert x == y or (x != x and y != y), field.name


@settings(max_examples=25)
@given(
    st.integers(0, 10**6),
    st.sampled_from([(), (1,), (3,), (2, 2)]),
    st.sampled_from([("banzhaf", 60), ("lasso", 60), ("exact", 64)]),
    st.booleans(),
)
def test_files_hold_everything(tmp_path_factory, seed, out, run, flat):
    """Loading what was saved gives the explanation, field by field, for any outputs."""
    maker = planted.constant if flat else planted.sparse
    text = "a b c a b ü"
    spans = tuple((2 * i, 2 * i + 1) for i in range(6))
    count = int(np.prod(out, dtype=int))
    game = Game(
        maker(6, seed, out=out).game.value,
        Units(tuple(text.split()), spans, text, "word"),
        outputs=[f"o{i}" for i in range(count)],
        unit="log-odds",
        identity="m:1",
        description="a game",
        tokens=lambda rows: rows.sum(axis=1),
    )
    e = explain(game, run[0], budget=run[1], rng=seed)
    path = e.save(tmp_path_factory.mktemp("e") / "one")
    assert path.suffix == ".npz"
    same(Explanation.load(path), e)


@pytest.fixture
def saved(tmp_path):
    """An explanation and its file."""
    e = explain(planted.sparse(6, 0).game, "banzhaf", budget=40)
    return e, e.save(tmp_path / "e.npz")


def test_damaged_files_are_refused(saved, tmp_path):
    """A file cut short or with flipped bytes is refused, or still holds the explanation."""
    e, path = saved
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    other = tmp_path / "other.npz"
    for trial in range(120):
        data = bytearray(whole)
        if trial % 2:
            data = data[: rng.integers(0, len(data))]
        else:
            for place in rng.integers(0, len(data), 3):
                data[place] ^= 1 << rng.integers(0, 8)
        other.write_bytes(bytes(data))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            try:
                loaded = Explanation.load(other)
            except InputError:
                continue
        np.testing.assert_array_equal(loaded.f.values, e.f.values)


def test_other_files_are_refused(tmp_path):
    """Missing files, texts, empty files, bare arrays and foreign archives are refused."""
    (tmp_path / "text.npz").write_text("hello")
    (tmp_path / "empty.npz").write_bytes(b"")
    np.save(tmp_path / "array.npy", np.zeros(3))
    np.savez(tmp_path / "foreign.npz", a=np.zeros(3))
    np.savez(tmp_path / "list.npz", meta=np.frombuffer(b"[1]", dtype=np.uint8))
    for name in ("absent.npz", "text.npz", "empty.npz", "array.npy", "foreign.npz", "list.npz"):
        with pytest.raises(InputError, match=re.escape(name)):
            Explanation.load(tmp_path / name)


def test_nothing_is_unpickled(saved, tmp_path):
    """An archive with a pickled array is refused, and its code is not run."""
    _, path = saved
    ran = []

    class Bomb:
        def __reduce__(self):
            return (ran.append, (1,))

    buffer = io.BytesIO()
    np.save(buffer, np.array([Bomb()], dtype=object), allow_pickle=True)
    bad = tmp_path / "bad.npz"
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(bad, "w") as new:
        for name in old.namelist():
            new.writestr(name, buffer.getvalue() if name == "f_values.npy" else old.read(name))
    with pytest.raises(InputError, match=r"bad\.npz"):
        Explanation.load(bad)
    assert ran == []


def test_a_newer_version_is_told_from_a_foreign_file(saved, tmp_path):
    """A file of a later format is refused with the advice to upgrade."""
    _, path = saved
    new = tmp_path / "new.npz"
    with np.load(path) as file:
        arrays = dict(file)
    meta = arrays["meta"].tobytes().replace(b'"version": 1,', b'"version": 99,')
    arrays["meta"] = np.frombuffer(meta, dtype=np.uint8)
    np.savez(new, **arrays)
    with pytest.raises(InputError, match=r"version 99.* Upgrade whence"):
        Explanation.load(new)


def test_a_folder_that_is_not_there_is_refused(saved, tmp_path):
    """Saving where no folder is says so."""
    with pytest.raises(InputError, match="folder that exists"):
        saved[0].save(tmp_path / "no" / "e.npz")


def test_one_output_of_several():
    """`output` by name or place is the explanation that output would have had."""
    p = planted.sparse(6, 0, out=(2, 2))
    game = Game(p.game.value, 6, outputs=["a", "b", "c", "d"])
    e = explain(game, "faith", budget=50)
    for place, name in enumerate("abcd"):
        one = e.output(name)
        at = np.unravel_index(place, (2, 2))
        np.testing.assert_array_equal(one.f.values, e.f.values[(slice(None), *at)])
        assert one.fidelity.r2 == e.fidelity.r2[at]
        assert one.outputs == (name,)
        assert (one.full, one.empty) == (e.full[at], e.empty[at])
        np.testing.assert_allclose(one.f.errors, e.f.errors[(slice(None), *at)])
        assert e.output(place).fidelity == one.fidelity
    for bad in ("e", 4, -1, 1.5):
        with pytest.raises(InputError, match="there are a, b, c, d"):
            e.output(bad)


def test_the_fit_comes_before_the_finding():
    """In print the fit, its interval, the masks and the calls stand before any attribution."""
    e = explain(planted.sparse(8, 0).game, "banzhaf", budget=60)
    lines = repr(e).splitlines()
    assert "60 calls" in lines[0]
    assert re.search(r"R2 -?\d\.\d+ \[.*\] on 12 held-out masks \(uniform", lines[1])
    assert "faith_banzhaf" in lines[2]
    assert "exact, all 64 masks" in repr(explain(planted.sparse(6, 0).game))
    assert repr(e) == repr(e)


def test_several_outputs_each_have_their_line():
    """Each output's fit is printed with its name, constant ones in words."""

    def value(rows):
        return np.stack([rows @ np.arange(1.0, 6.0), np.ones(len(rows))], axis=1)

    text = repr(explain(Game(value, 5, outputs=["up", "flat"]), budget=32))
    assert "up: R2 1.000" in text
    assert "flat: constant: no unit changes it" in text


def test_predictions_are_the_functions():
    """`predict` is the fitted function, and refuses masks of another game."""
    e = explain(planted.sparse(6, 0).game)
    rows = masks.every(6)
    np.testing.assert_array_equal(e.predict(rows), e.f(rows))
    with pytest.raises(InputError, match="6 units"):
        e.predict([[True]])


def test_repeated_labels_stay_apart():
    """Two units of one label have two names, in indices and in tables."""
    game = Game(planted.additive(3, 0).truth, ["not", "good", "not"])
    e = explain(game)
    assert e.attributions().names == ("not [1]", "good", "not [2]")
    assert e.table()["units"][:3] == ["not [1]", "good", "not [2]"]


def test_a_good_fit_passes_its_check_and_a_poor_one_fails():
    """The check beats its controls on planted games, and fails on parities with a small budget."""
    for name in ("sparse", "and_or", "near_linear"):
        found = explain(getattr(planted, name)(12, 0).game, budget=200).check()
        assert found.passed, name
    assert not explain(planted.peak(12, 0).game, budget=80).check().passed


def test_exact_runs_are_complete():
    """An exact function misses nothing of f(all) - f(none)."""
    found = explain(planted.hierarchical(7, 0, degree=7).game, "exact", budget=128).check()
    assert found.completeness == pytest.approx(0, abs=1e-12)
    assert found.spread is None


def test_checks_repeat():
    """The same seed shuffles alike."""
    e = explain(planted.sparse(7, 0).game, budget=60)
    assert e.check(3) == e.check(3)
    assert e.check(3).random != e.check(4).random


def test_tables_have_one_row_per_set_and_output():
    """The table holds attributions, then interactions, each with its error and fit."""
    game = Game(planted.sparse(5, 0, out=(2,)).game.value, list("abcde"), outputs=["x", "y"])
    e = explain(game, "faith", budget=30)
    table = e.table("faith_banzhaf", 2)
    found = e.interactions("faith_banzhaf", 2)
    assert {len(column) for column in table.values()} == {2 * (5 + len(found))}
    assert table["output"][:2] == ["x", "y"]
    assert table["r2"][:2] == e.fidelity.r2.tolist()
    assert table["value"][:2] == e.attributions().values[0].tolist()


def test_tables_go_to_pandas_and_arrow():
    """Both hold the table's columns."""
    pandas, pyarrow = pytest.importorskip("pandas"), pytest.importorskip("pyarrow")
    e = explain(planted.sparse(5, 0).game)
    frame, arrow = e.to_pandas(), e.to_arrow()
    assert isinstance(frame, pandas.DataFrame)
    assert isinstance(arrow, pyarrow.Table)
    assert frame["value"].tolist() == arrow.to_pydict()["value"] == e.table()["value"]


@pytest.mark.parametrize("name", ["pandas", "pyarrow"])
def test_a_missing_extra_says_what_to_install(name, monkeypatch):
    """Without the package, the message names the extra."""
    monkeypatch.setitem(__import__("sys").modules, name, None)
    e = explain(planted.sparse(5, 0).game)
    with pytest.raises(MissingExtra, match=r"pip install \"whence\[(pandas|arrow)\]\""):
        e.to_pandas() if name == "pandas" else e.to_arrow()


def test_unknown_indices_are_refused():
    """An index that does not exist is refused with those that do."""
    e = explain(planted.sparse(5, 0).game)
    with pytest.raises(InputError, match="shapley"):
        e.attributions("owen")
    with pytest.raises(InputError, match="faith_banzhaf"):
        e.interactions("owen")
    assert issubclass(InputError, errors.WhenceError)


def test_views_register_themselves(monkeypatch, capsys):
    """Without a view an explanation prints itself and escapes its HTML; a view takes over."""
    from whence import explanation

    monkeypatch.setattr(explanation, "_renderers", {})
    e = explain(Game(planted.additive(2, 0).truth, ["<b>", "c"]))
    e.show()
    assert capsys.readouterr().out.strip() == repr(e)
    assert "&lt;b&gt;" in e._repr_html_()
    register_renderer("text", lambda _: "drawn")
    register_renderer("html", lambda _: "<p>drawn</p>")
    e.show()
    assert capsys.readouterr().out == "drawn\n"
    assert e._repr_html_() == "<p>drawn</p>"
