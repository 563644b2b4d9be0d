"""Facts about how tokens are read: samples are fair, and distances come from products."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whence.dictionaries import _tokens
from whence.dictionaries._products import blockwise
from whence.dictionaries._tokens import chunks, sampled


def test_samples_are_fair():
    """Every token is in the sample equally often, also when it comes late."""
    X = np.arange(40.0)[:, None]
    rng = np.random.default_rng(0)
    seen = np.zeros(40)
    for _ in range(4000):
        sample, n = sampled(np.split(X, [7, 30]), 10, rng, None)
        assert n == 40
        seen[sample[:, 0].astype(int)] += 1
    # 4,000 draws at a quarter: a standard deviation is 27.
    assert np.abs(seen - 1000).max() < 5 * 27.4


@settings(deadline=None)
@given(st.lists(st.integers(0, 50), max_size=6), st.integers(1, 60))
def test_samples_do_not_depend_on_the_cuts(cuts, size):
    """The sample is the same, in the tokens' order, however they are cut into batches."""
    X = np.arange(50.0)[:, None]
    whole, _ = sampled(X, size, np.random.default_rng(1), None)
    parts, _ = sampled(np.split(X, sorted(cuts)), size, np.random.default_rng(1), None)
    assert np.array_equal(whole, parts)
    assert len(set(whole[:, 0])) == min(size, 50)
    assert (np.diff(whole[:, 0]) > 0).all()


def test_chunks_are_small(monkeypatch):
    """Chunks are the tokens in order, cut so that a copy of one is small."""
    monkeypatch.setattr(_tokens, "CHUNK", 30)
    X = np.arange(70.0).reshape(7, 10)
    parts = list(chunks(X))
    assert [len(p) for p in parts] == [3, 3, 1]
    assert np.array_equal(np.concatenate(parts), X)


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64, np.int64, np.uint8, bool])
def test_samples_keep_their_precision(kind):
    """Floats of up to 32 bits stay single, everything else becomes double."""
    sample, _ = sampled(np.eye(4, dtype=kind), 9, np.random.default_rng(0), None)
    single = kind in (np.float16, np.float32)
    assert sample.dtype == (np.float32 if single else np.float64)


def test_large_single_numbers_become_double():
    """Single numbers whose squares would be inf become double."""
    X = np.eye(4, dtype=np.float32) * np.float32(1e30)
    assert sampled(X, 9, np.random.default_rng(0), None)[0].dtype == np.float64


def test_data_frames_are_tables():
    """What numpy makes an array of, such as a data frame, is a table of tokens."""
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.0]})
    assert np.array_equal(next(chunks(frame)), [[1.0, 3.0], [2.0, 4.0]])


def test_tensors_are_tables():
    """A tensor is a table of tokens."""
    torch = pytest.importorskip("torch")
    assert np.array_equal(next(chunks(torch.ones(3, 2))), np.ones((3, 2)))


@given(st.integers(0, 200), st.integers(1, 9), st.integers(1, 5))
def test_blockwise_is_the_product(b, d, k):
    """A product by blocks is the product."""
    rng = np.random.default_rng(b)
    X, V, shift = rng.normal(size=(b, d)), rng.normal(size=(k, d)), rng.normal(size=d)
    np.testing.assert_allclose(blockwise(X, V, shift), (X - shift) @ V.T, atol=1e-12)
