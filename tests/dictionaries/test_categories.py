"""Facts about Categories: names to codes and back, and what is refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone

from whence.dictionaries import Categories, Quantizer
from whence.errors import InputError

NAMES = st.one_of(
    st.lists(st.text(st.characters(exclude_characters="\0"), min_size=1), min_size=1),
    st.lists(st.integers(-(2**62), 2**62), min_size=1),
)


def test_categories_are_a_quantizer():
    """Fitted Categories keep the protocol of a Quantizer."""
    assert isinstance(Categories().fit(["a"]), Quantizer)


@given(NAMES)
def test_codes_give_back_the_names(names):
    """Every name's code is one-hot at the concept of that name; concepts are the sorted names."""
    q = Categories().fit(names)
    assert q.values_.tolist() == sorted(set(names))
    assert q.values_[q.transform(names).argmax(axis=1)].tolist() == names
    assert np.array_equal(q.transform(names).sum(axis=1), np.ones(len(names)))


@given(NAMES, st.integers(0, 9))
def test_how_names_come_does_not_matter(names, cut):
    """A list, an array and batches give the same concepts and codes."""
    whole = Categories().fit(names)
    parts = [p for p in (names[:cut], names[cut:]) if p]
    assert Categories().fit(parts).names == whole.names
    assert Categories().fit(np.array(names)).names == whole.names
    assert np.array_equal(whole.transform(parts), whole.transform(names))


def test_numbers_are_in_the_order_of_numbers():
    """Whole numbers are sorted as numbers, text as text."""
    assert Categories().fit([10, 9, 9]).names == ("9", "10")
    assert Categories().fit(["10", "9", "9"]).names == ("10", "9")


def test_unseen_names_have_no_code():
    """A name that fit did not see has zeros, and -1 for its concept."""
    q = Categories().fit(list("ACGT"))
    assert np.array_equal(q.transform(["N", "C"]), [[0, 0, 0, 0], [0, 1, 0, 0]])
    assert q.predict(["N", "C", "zzz", ""]).tolist() == [-1, 1, -1, -1]


def test_longer_unseen_names_are_not_cut():
    """A name that begins with a known one is not taken for it."""
    assert Categories().fit(np.array(["ab"])).predict(np.array(["abc"])).tolist() == [-1]


def test_known_names_are_the_concepts():
    """Known names are concepts also where no token has them."""
    q = Categories(("G", "A", "T", "C"))
    assert q.fit(["A", "A"]).names == ("A", "C", "G", "T")
    assert clone(q).fit().k == 4


def test_generators_will_do():
    """Batches are read once, so a generator will do."""
    assert Categories().fit(part for part in (["a"], np.array(["b", "c"]))).k == 3


def test_progress_counts_tokens():
    """Progress tells the tokens read, and their number where it is known."""
    told = []
    Categories().fit([["a"], ["b", "a"]], progress=lambda *now: told.append(now))
    Categories().fit(np.array(["a", "b"]), progress=lambda *now: told.append(now))
    assert told == [(1, None), (3, None), (2, 2)]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "No tokens"),
        ([1, "a"], "1 came as a name"),
        (["a", None], "None came as a name"),
        ([0.5], "0.5 came as a name"),
        (np.zeros((3, 2)), "KMeans"),
        (np.zeros(()), "shape"),
        ("ACGT", r"list\(text\)"),
        (5, "int came"),
        ([["a"], [1]], "Whole numbers came"),
    ],
)
def test_what_is_no_name_is_refused(names, message):
    """What is neither text nor a whole number, or both, is refused."""
    with pytest.raises(InputError, match=message):
        Categories().fit(names)


def test_the_other_kind_of_name_is_refused():
    """Numbers where text was fitted are refused, not taken as unseen."""
    with pytest.raises(InputError, match="Whole numbers came"):
        Categories().fit(["1", "2"]).transform([1])


@pytest.mark.parametrize("known", [(), ("a", "a"), (1, "a")])
def test_known_names_must_be_distinct_and_of_one_kind(known):
    """Known names come once each, are of one kind, and are at least one."""
    with pytest.raises(InputError, match=r"came|known"):
        Categories(known).fit()


@pytest.mark.parametrize("ask", [lambda q: q.k, lambda q: q.names, lambda q: q.transform(["a"])])
def test_not_fitted_is_said(ask):
    """Before `fit`, nothing is answered."""
    with pytest.raises(InputError, match="not fitted"):
        ask(Categories(("a",)))
