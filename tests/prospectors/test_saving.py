"""Saving a head: what is read back answers alike, and nothing is ever unpickled."""

import io
import json
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prospectors.made import clouds, letters, quick
from whence.dictionaries import NMF, KMeans
from whence.errors import InputError
from whence.prospectors import Prospector, ProspectorRegressor, load
from whence.prospectors.kernels import KERNELS, ElasticNet, Ridge, Weights, Welch


def same_maps(one, two, bag, output=None):
    """The two heads say exactly the same of a bag, in the same words."""
    a, b = one.attribute(bag, output), two.attribute(bag, output)
    for name in ("values", "monograms", "pairs", "linear", "smoothed", "concepts"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
    if a.errors is not None:
        np.testing.assert_array_equal(a.errors, b.errors)
    return repr(a) == repr(b) and a.probability == b.probability


@given(
    st.sampled_from(["welch", "ridge", Ridge(C=0.5), Welch(fdr=0.1), "dirichlet"]),
    st.sampled_from([0.0, 1.0]),
    st.integers(0, 2),
    st.sampled_from([0, 3]),
    st.sampled_from([None, "bag"]),
    st.sampled_from([2, 3]),
)
@settings(max_examples=15)
def test_what_is_loaded_answers_alike(kernel, softness, r, bootstrap, linear, classes):
    """A head that was saved and loaded gives the same maps, probabilities, words and arguments."""
    bags, y = clouds(0, count=24, classes=classes)
    head = Prospector(
        k=4, r=r, kernel=kernel, softness=softness, bootstrap=bootstrap, linear=linear, cv=2
    )
    head.fit(bags, np.array(["x", "y", "z"])[y])
    file = written(head)
    again = load(file)
    assert same_maps(head, again, bags[0], "x")
    np.testing.assert_array_equal(head.predict_proba(bags), again.predict_proba(bags))
    assert again.get_params() == head.get_params()
    assert again.concepts("x") == head.concepts("x")
    assert again.performance_ == head.performance_


def written(head, **options):
    """The path of a saved head, in a folder of its own."""
    import tempfile

    return head.save(f"{tempfile.mkdtemp()}/head", **options)


def test_a_regressor_comes_back_as_one(tmp_path):
    """A head for numbers predicts the same numbers, in their unit."""
    bags, _ = letters(0)
    head = ProspectorRegressor(r=0).fit(bags, np.array([(b.tokens == "c").sum() for b in bags]))
    again = load(head.save(tmp_path / "head.npz"))
    assert isinstance(again, ProspectorRegressor)
    np.testing.assert_array_equal(head.predict(bags), again.predict(bags))


@pytest.mark.parametrize("labels", [[0, 1], [False, True], ["no", "yes"], [0.5, 1.5]])
def test_labels_keep_their_type(tmp_path, labels):
    """Labels come back as what they were: numbers, truth values, text, also in object arrays."""
    bags, y = letters(0)
    for kind in (None, object):
        head = quick().fit(bags, np.array(labels, dtype=kind)[y])
        again = load(head.save(tmp_path / "head"))
        assert again.predict(bags[:2]).tolist() == head.predict(bags[:2]).tolist()
        assert again.classes_.dtype == head.classes_.dtype


def test_a_given_quantizer_comes_back_fitted(tmp_path):
    """A quantizer that was handed over is there again, fitted, and other ones are too."""
    bags, y = clouds(0)
    fitted = KMeans(3).fit(np.concatenate([bag.tokens for bag in bags]))
    again = load(quick(quantizer=fitted).fit(bags, y).save(tmp_path / "one"))
    np.testing.assert_array_equal(again.quantizer.centers_, fitted.centers_)
    positive = [np.abs(bag.tokens) for bag in bags]
    parts = quick(quantizer=NMF(3)).fit(positive, y)
    assert same_maps(parts, load(parts.save(tmp_path / "two")), positive[0])


def test_extras_travel_along(tmp_path):
    """Arrays and JSON that were given to `save` come back, and stay when it is saved again."""
    head = quick().fit(*letters(0))
    path = head.save(tmp_path / "head", extra=({"a/b": np.arange(3)}, {"encoder": "tfidf"}))
    again = load(load(path).save(tmp_path / "again"))
    assert again.extra[1] == {"encoder": "tfidf"}
    assert again.extra[0]["a/b"].tolist() == [0, 1, 2]


def test_the_file_holds_no_objects(tmp_path):
    """Every array of the file is read without pickle, and the rest is one JSON text."""
    path = quick(bootstrap=3).fit(*letters(0)).save(tmp_path / "head")
    with np.load(path, allow_pickle=False) as file:
        meta = json.loads({name: file[name] for name in file.files}["meta"].tobytes())
    assert (meta["format"], meta["version"]) == ("whence-head", 1)


class Custom(KMeans):
    """A quantizer of one's own."""


def custom(frequencies, targets):
    """A kernel of one's own."""
    return Weights(frequencies.T @ (targets - targets.mean(axis=0)))


@pytest.mark.parametrize(
    ("options", "extra", "said"),
    [
        ({"quantizer": Custom(3)}, None, "class Custom"),
        ({"kernel": custom}, None, "class function.*Ridge"),
        ({}, ({"a": np.array([{}])}, {}), "extra/a"),
        ({}, ({}, {"a": {1}}), "JSON cannot hold"),
    ],
)
def test_what_cannot_be_kept_is_refused_by_name(tmp_path, options, extra, said):
    """Quantizers and kernels of one's own, and objects among the extras, are refused by name."""
    head = quick(**options).fit(*clouds(0))
    with pytest.raises(InputError, match=said):
        head.save(tmp_path / "head", extra=extra)
    assert list(tmp_path.iterdir()) == []


def test_every_kernel_can_be_saved(tmp_path):
    """Each named kernel survives, also handed over as an object."""
    bags, y = letters(0)
    for name, kernel in KERNELS.items():
        for given_as in (name, kernel):
            again = load(quick(kernel=given_as).fit(bags, y).save(tmp_path / "head"))
            assert again.kernel == again.kernel_ == given_as


def test_files_that_are_no_heads_are_refused(tmp_path):
    """A missing, cut, foreign or newer file, and a pickle, are refused and never executed."""
    path = quick().fit(*letters(0)).save(tmp_path / "head")
    whole = path.read_bytes()
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    meta = json.loads(arrays["meta"].tobytes())
    cases = {
        "nothing": b"",
        "cut": whole[: len(whole) // 2],
        "pickle": pickle.dumps({"a": 1}),
        "newer": packed(arrays, meta | {"version": 2}),
        "foreign": packed(arrays, meta | {"format": "other"}),
        "short": packed(arrays | {"weights_": arrays["weights_"][:3]}, meta),
        "unknown": packed(arrays, meta | {"kernel": {"class": "os", "settings": {}}}),
    }
    for name, content in cases.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match="head"):
            load(tmp_path / name)
    with pytest.raises(InputError, match="no such file"):
        load(tmp_path / "missing.npz")
    with pytest.raises(InputError, match="version 2"):
        load(tmp_path / "newer")


def changed(tree, path, value):
    """The JSON with another value at one place."""
    if not path:
        return value
    return tree | {path[0]: changed(tree[path[0]], path[1:], value)}


def parts_of(path):
    """The arrays and the JSON of a file."""
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    return arrays, json.loads(arrays.pop("meta").tobytes())


def refused(folder, arrays, meta, said):
    """Such a file is refused by its name, and what is wrong with it is said."""
    path = folder / "odd.npz"
    path.write_bytes(packed(arrays, meta))
    with pytest.raises(InputError, match=rf"odd\.npz cannot be read as a head \(.*{said}"):
        load(path)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The arrays and the JSON of a head that has every part: of embeddings, with three classes."""
    bags, y = clouds(0, count=24, classes=3)
    head = Prospector(k=4, kernel="welch", bootstrap=3, linear="bag", cv=2).fit(bags, y)
    path = head.save(tmp_path_factory.mktemp("whole") / "head")
    load(path)
    return parts_of(path)


@pytest.mark.parametrize(
    ("at", "value", "said"),
    [
        (["hops"], -1, "hops=-1"),
        (["hops"], 1.5, "hops=1.5"),
        (["hops"], True, "hops=True"),
        (["bags"], "many", "bags='many'"),
        (["kernel"], "fourier", "kernel='fourier'"),
        (["kind"], "embeddings of 5 dimensions", "kind='embeddings of 5 .* 4 dimensions"),
        (["kind"], "names (str)", "kind=.names"),
        (["classes"], ["<i8", [1]], "two classes"),
        (["classes"], ["<i8", [1, 1, 2]], "two classes"),
        (["classes"], ["<i8", [1, 2]], "weights of shape"),
        (["classes"], ["<f8", [1.0, 2.0, float("nan")]], "two classes"),
        (["numbers"], True, "weights of shape"),
        (["shares"], {}, "shares"),
        (["shares", "bag"], [1.0], "the share of 'bag'"),
        (["performance", "value"], "high", "performance value='high'"),
        (["performance", "low"], float("nan"), "performance low=nan"),
        (["performance", "chance"], None, "performance chance=None"),
        (["performance", "words"], 3, "performance words=3"),
        (["performance", "name"], None, "performance name=None"),
        (["arguments", "k"], "four", "k='four'"),
        (["arguments", "k"], 4.5, "k=4.5"),
        (["arguments", "r"], 1.0, "r=1.0"),
        (["arguments", "r"], None, "r=None"),
        (["arguments", "r"], 0, "weights of shape"),
        (["arguments", "softness"], [1], r"softness=\[1\]"),
        (["arguments", "bootstrap"], "3", "bootstrap='3'"),
        (["arguments", "cv"], -2, "cv=-2"),
        (["arguments", "seed"], None, "seed=None"),
        (["arguments", "smoothing"], "many", "smoothing='many'"),
        (["arguments", "linear"], 7, "linear=7"),
        (["arguments"], {"k": 4}, "list of arguments"),
    ],
)
def test_words_and_numbers_that_do_not_fit_are_refused(tmp_path, whole, at, value, said):
    """A value of the JSON that no saved head could have is refused, and the file is named."""
    arrays, meta = whole
    refused(tmp_path, arrays, changed(meta, at, value), said)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("weights_", "weights"),
        ("spread_", "spread"),
        ("p_values_", "p_values"),
        ("q_values_", "q_values"),
        ("draws_", "draws"),
        ("beta_draws_", "beta_draws"),
        ("beta_", "beta"),
        ("centre_", "centre"),
        ("slope", "slope"),
        ("intercept", "intercept"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(tmp_path, whole, name, said):
    """Every array is refused when it is longer, turned, no float, or holds nan or inf."""
    arrays, meta = whole
    table = arrays[name]
    refused(tmp_path, arrays | {name: np.concatenate([table, table])}, meta, "of shape")
    refused(tmp_path, arrays | {name: table[..., None]}, meta, f"{said} of shape")
    refused(tmp_path, arrays | {name: table.astype(str)}, meta, f"{said} of dtype")
    for odd in (np.nan, np.inf):
        broken = table.copy()
        broken.flat[-1] = odd
        refused(tmp_path, arrays | {name: broken}, meta, f"{said} with nan or inf")


@pytest.mark.parametrize("name", ["draws_", "beta_draws_"])
def test_draws_come_both_or_neither(tmp_path, whole, name):
    """A file with the draws of one part only, or with a single draw, is refused."""
    arrays, meta = whole
    alone = {key: table for key, table in arrays.items() if key != name}
    refused(tmp_path, alone, meta, "both or neither")
    single = arrays | {key: arrays[key][:1] for key in ("draws_", "beta_draws_")}
    refused(tmp_path, single, meta, "draws of shape")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("p_values_", 1.5, "p_values is not within"),
        ("q_values_", -0.5, "q_values is not within"),
        ("slope", -1.0, "slope="),
        ("spread_", -1.0, "spread below 0"),
    ],
)
def test_values_out_of_their_range_are_refused(tmp_path, whole, name, value, said):
    """Probabilities beyond 0 and 1, and slopes and spreads below 0, are refused."""
    arrays, meta = whole
    table = arrays[name].copy()
    table.flat[0] = value
    refused(tmp_path, arrays | {name: table}, meta, said)


def test_concepts_of_another_dimension_are_refused(tmp_path, whole):
    """Centers that lie in other dimensions than the tokens are refused."""
    arrays, meta = whole
    fewer = arrays | {"quantizer/centers": arrays["quantizer/centers"][:, :3]}
    refused(tmp_path, fewer, meta, "the quantizer's, embeddings of 3 dimensions")


@pytest.mark.parametrize(
    "kernel",
    [Ridge(C=np.float32(0.3)), Welch(fdr=np.float64(0.1)), ElasticNet(iterations=np.int64(20))],
)
def test_options_of_numpy_types_are_saved(tmp_path, kernel):
    """A kernel whose options are numpy's numbers comes back equal, with plain ones."""
    again = load(quick(kernel=kernel).fit(*letters(0)).save(tmp_path / "head")).kernel_
    assert again == kernel
    assert not any(isinstance(value, np.generic) for value in vars(again).values())


def test_labels_of_numpy_types_are_saved(tmp_path):
    """Labels that are numpy's numbers in an object array come back equal."""
    bags, y = letters(0)
    labels = np.array([np.int64(3), np.int64(5)], dtype=object)
    again = load(quick().fit(bags, labels[y]).save(tmp_path / "head"))
    assert again.classes_.tolist() == [3, 5]


def test_the_radius_of_the_fit_is_saved(tmp_path):
    """A head whose r was changed after `fit` comes back with the one it was fitted with."""
    bags, y = letters(0)
    head = quick(r=1).fit(bags, y)
    again = load(head.set_params(r=0).save(tmp_path / "head"))
    assert (again.r, again.r_) == (1, 1)
    assert same_maps(head, again, bags[0])


def test_a_head_that_could_not_be_loaded_is_not_saved(tmp_path):
    """Parts that were changed so that they do not fit are refused before a file is written."""
    for part, value in (("hops_", -1), ("weights_", np.zeros((2, 1))), ("seed", "one")):
        head = quick().fit(*letters(0))
        setattr(head, part, value)
        with pytest.raises(InputError, match=part.strip("_")):
            head.save(tmp_path / "head")
    assert list(tmp_path.iterdir()) == []


def packed(arrays, meta):
    """The bytes of such a file."""
    file = io.BytesIO()
    text = np.frombuffer(json.dumps(meta).encode(), dtype=np.uint8)
    np.savez_compressed(file, **{**arrays, "meta": text})
    return file.getvalue()


def test_a_folder_that_is_not_there_is_named(tmp_path):
    """A path that cannot be written is refused by name, and leaves nothing."""
    with pytest.raises(InputError, match="cannot be written"):
        quick().fit(*letters(0)).save(tmp_path / "no" / "head")


def test_an_older_file_survives_a_failed_write(tmp_path, monkeypatch):
    """When writing fails half way, the file of before is still there, whole."""
    head = quick().fit(*letters(0))
    path = head.save(tmp_path / "head")
    before = path.read_bytes()

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez_compressed", full)
    with pytest.raises(InputError, match="No space"):
        head.save(path)
    assert path.read_bytes() == before
