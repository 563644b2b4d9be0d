"""Facts about saved quantizers: they come back as they were, and damage is said by name."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whence.dictionaries import NMF, Categories, KMeans, SemiNMF, load, save
from whence.dictionaries.saving import kept, restored
from whence.errors import InputError

X = np.random.default_rng(0).gamma(1.0, size=(60, 5))

FITTED = st.one_of(
    st.builds(
        lambda k, softness, seed: KMeans(k, softness=softness, seed=seed, restarts=1).fit(X),
        st.integers(1, 9),
        st.floats(0, 10),
        st.integers(0, 2**31),
    ),
    st.builds(
        lambda kind, k, seed: kind(k, seed=seed, passes=2).fit(X),
        st.sampled_from([NMF, SemiNMF]),
        st.integers(1, 7),
        st.integers(0, 99),
    ),
)


@settings(max_examples=25, deadline=None)
@given(FITTED)
def test_state_goes_round(q):
    """Through its arrays and JSON a quantizer keeps settings, codes and later learning."""
    arrays, meta = q.state()
    again = restored(arrays, json.loads(json.dumps(meta)))
    assert type(again) is type(q)
    assert again.get_params() == q.get_params()
    assert np.array_equal(again.transform(X), q.transform(X))
    later = again.partial_fit(X[:20]).transform(X)
    assert np.array_equal(later, q.partial_fit(X[:20]).transform(X))


@given(
    st.one_of(st.sets(st.text(st.characters(exclude_characters="\0"))), st.sets(st.integers(-9, 9)))
    .filter(bool)
    .map(tuple),
    st.booleans(),
)
def test_names_go_round(names, known):
    """Categories keep their names, of either kind, and whether they were known."""
    q = Categories(names if known else None).fit(list(names))
    again = restored(q.state()[0], json.loads(json.dumps(q.state()[1])))
    assert again.names == q.names
    assert np.array_equal(again.transform(list(names)), q.transform(list(names)))
    assert (again.known is None) == (not known)


@pytest.mark.parametrize("q", [KMeans(3), NMF(3), SemiNMF(3)], ids=["kmeans", "nmf", "seminmf"])
def test_files_go_round(q, tmp_path):
    """A saved quantizer gives the same codes; a suffix is added where there is none."""
    q.fit(X)
    path = save(q, tmp_path / "concepts")
    assert path == tmp_path / "concepts.npz"
    assert [p.name for p in tmp_path.iterdir()] == ["concepts.npz"]
    assert np.array_equal(load(path).transform(X), q.transform(X))


def test_names_go_round_through_files(tmp_path):
    """Saved Categories keep their names."""
    q = Categories().fit(["é", "b"])
    assert load(save(q, str(tmp_path / "names.npz"))).names == ("b", "é")


def test_unfitted_quantizers_are_not_saved(tmp_path):
    """What is not fitted is refused, and no file is left."""
    with pytest.raises(InputError, match="not fitted"):
        save(KMeans(3), tmp_path / "concepts")
    assert list(tmp_path.iterdir()) == []


def test_other_classes_are_not_saved():
    """A quantizer of the user's own is refused, also under a name of ours."""

    class KMeans:
        def state(self):
            return {}, {}

    with pytest.raises(InputError, match="of class KMeans came"):
        kept(KMeans())


def damaged(arrays, meta, **changes):
    """The state with some of its arrays or numbers changed."""
    ours = {name: changes.pop(name) for name in list(changes) if name in arrays}
    return {**arrays, **ours}, {**meta, **changes}


@pytest.mark.parametrize(
    "changes",
    [
        {"class": "Popen"},
        {"params": {"k": 4}},
        {"params": {"k": -1}},
        {"params": {"shell": True}},
        {"params": None},
        {"centers": np.zeros(3)},
        {"centers": np.full((3, 5), np.nan)},
        {"counts": np.zeros(2)},
        {"gap": 0.0},
        {"gap": "x"},
    ],
)
def test_states_that_do_not_fit_together_are_refused(changes):
    """A state that is not whole, or not of one class, is refused."""
    arrays, meta = KMeans(3).fit(X).state()
    with pytest.raises(InputError, match="not the state of a quantizer"):
        restored(*damaged(arrays, meta, **changes))


@pytest.mark.parametrize("name", ["components", "gram", "cross"])
@pytest.mark.parametrize("bad", [np.zeros((2, 2)), np.zeros(3), "nan"])
def test_factors_that_do_not_fit_together_are_refused(name, bad):
    """Factors of another shape, or with nan, are refused."""
    arrays, meta = NMF(3).fit(X).state()
    arrays[name] = np.full(arrays[name].shape, np.nan) if isinstance(bad, str) else bad
    with pytest.raises(InputError, match="not the state of a quantizer"):
        restored(arrays, meta)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"no archive"])
def test_damaged_files_are_refused(content, tmp_path):
    """A file that is no such file, or cut short, is refused by its path."""
    path = tmp_path / "concepts.npz"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"concepts\.npz cannot be read"):
        load(path)


def test_absent_files_and_folders_are_refused(tmp_path):
    """A file that is not there is refused, and so is a folder that is not."""
    with pytest.raises(InputError, match="cannot be read"):
        load(tmp_path / "concepts.npz")
    with pytest.raises(InputError, match="cannot be written"):
        save(KMeans(3).fit(X), tmp_path / "absent" / "concepts")


def test_cut_files_are_refused(tmp_path):
    """Half a file is refused."""
    path = save(KMeans(3).fit(X), tmp_path / "concepts")
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(InputError, match="cannot be read"):
        load(path)


def test_newer_files_are_refused(tmp_path):
    """A file of a later version is refused, with what to do."""
    path = tmp_path / "concepts.npz"
    meta = json.dumps({"format": "whence-quantizer", "version": 99}).encode()
    np.savez(path, meta=np.frombuffer(meta, dtype=np.uint8))
    with pytest.raises(InputError, match="Upgrade whence"):
        load(path)


def test_pickled_arrays_are_refused(tmp_path):
    """An array of objects, which only unpickling could read, is refused."""
    arrays, meta = KMeans(3).fit(X).state()
    arrays["centers"] = np.array([{}], dtype=object)
    text = json.dumps({"format": "whence-quantizer", "version": 1, **meta}).encode()
    path = tmp_path / "concepts.npz"
    np.savez(path, meta=np.frombuffer(text, dtype=np.uint8), **arrays)
    with pytest.raises(InputError, match="cannot be read"):
        load(path)
