"""Fitting on more than memory holds: one bag at a time, in any batches, with progress."""

import tracemalloc

import numpy as np
import pytest

from prospectors.made import clouds, letters
from whence.dictionaries import KMeans
from whence.errors import InputError
from whence.prospectors import Bag, Grid, Prospector, _fitting
from whence.prospectors._fitting import batched


class Reader:
    """Bags that are made anew each time they are gone through; it counts how often."""

    def __init__(self, bags):
        self.bags, self.passes = bags, 0

    def __iter__(self):
        self.passes += 1
        return iter(self.bags)


@pytest.mark.parametrize("options", [{}, {"linear": "auto", "smoothing": "cv", "bootstrap": 3}])
def test_a_stream_gives_the_head_of_a_list(options):
    """Bags that come one at a time give exactly the head that a list of them gives."""
    bags, y = clouds(0)
    one = Prospector(k=4, **options).fit(bags, y)
    two = Prospector(k=4, **options).fit(Reader(bags), y)
    np.testing.assert_array_equal(one.weights_, two.weights_)
    np.testing.assert_array_equal(one.beta_, two.beta_)
    assert one.words == two.words
    np.testing.assert_array_equal(one.predict_proba(Reader(bags)), two.predict_proba(bags))


def test_batches_do_not_matter(monkeypatch):
    """How many bags are read together changes nothing but rounding."""
    bags, y = clouds(0)
    one = Prospector(k=4, linear="auto").fit(bags, y)
    monkeypatch.setattr(_fitting, "NUMBERS", 50)
    two = Prospector(k=4, linear="auto").fit(bags, y)
    assert len(list(batched(bags))) > 20
    np.testing.assert_allclose(one.weights_, two.weights_, rtol=1e-6)
    np.testing.assert_allclose(one.beta_, two.beta_, rtol=1e-6)


def test_two_passes_do():
    """A fit goes through the bags twice, once more for maps, beside looking at the first."""
    bags, y = letters(0)
    for options, passes in (({}, 2), ({"smoothing": "cv"}, 3)):
        reader = Reader(bags)
        Prospector(**options).fit(reader, y)
        assert reader.passes <= passes + 3


def test_memory_maps_are_read_in_parts(tmp_path):
    """A fit on memory maps keeps counts and a sample, and never the tokens."""
    rng = np.random.default_rng(0)
    tokens, d, count = 1500, 64, 40
    path = tmp_path / "tokens.npy"
    whole = np.lib.format.open_memmap(path, "w+", np.float32, (count * tokens, d))
    for i in range(count):
        whole[i * tokens : (i + 1) * tokens] = rng.normal(size=(tokens, d)) + (i % 2)
    whole.flush()

    class Parts:
        def __iter__(self):
            every = np.load(path, mmap_mode="r")
            for i in range(count):
                yield Bag(every[i * tokens : (i + 1) * tokens], Grid(30, 50))

    y = np.arange(count) % 2
    tracemalloc.start()
    quantizer = KMeans(5, sample=2000)
    head = Prospector(quantizer=quantizer, r=2, cv=4).fit(Parts(), y)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert head.performance_.value == 1
    assert peak < path.stat().st_size * 2
    found = head.attribute(next(iter(Parts())))
    assert len(found) == tokens


def test_progress_comes_to_its_end():
    """Progress never goes back, and ends at its total, whatever is learned."""
    bags, y = clouds(0)
    for options in ({}, {"linear": "auto"}, {"smoothing": "cv"}):
        done, totals = zip(*told_by(bags, y, options), strict=True)
        assert list(done) == sorted(done)
        assert set(totals) == {done[-1]}
        assert done[-1] % len(bags) == 0


def told_by(bags, y, options):
    """What progress is told in a fit."""
    told = []
    Prospector(k=4, **options).fit(bags, y, progress=lambda *at: told.append(at))
    return told


def test_labels_must_match_a_stream():
    """A stream of other length than the labels is refused with both numbers."""
    bags, y = letters(0)
    with pytest.raises(InputError, match="60 bags and 58 labels"):
        Prospector().fit(Reader(bags), y[:58])


def test_a_generator_is_refused():
    """Bags that can be gone through only once are refused before anything is read."""
    bags, y = letters(0)
    with pytest.raises(InputError, match="only once"):
        Prospector().fit((bag for bag in bags), y)


def test_an_empty_stream_is_refused():
    """A stream without bags is refused by name."""
    with pytest.raises(InputError, match="no bags came"):
        Prospector().fit(Reader([]), [0, 1] * 5)


def test_a_bad_bag_in_a_stream_is_named():
    """A bag with nan in the middle of a stream is refused with its position and name."""
    bags, y = clouds(0)
    bad = bags[7].tokens.copy()
    bad[2, 1] = np.nan
    bags[7] = Bag(bad, name="slide 7")
    with pytest.raises(InputError, match=r"bag 7 \(slide 7\): token 2"):
        Prospector(k=4).fit(Reader(bags), y)
