"""Units: labels with places, told apart when they repeat."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from whence import Units
from whence.errors import InputError
from whence.units import as_units


@given(st.lists(st.sampled_from(["not", "good", "a", ""]), max_size=12))
def test_repeated_labels_are_numbered(labels):
    """Names are different for different units, and a label that is alone stays as it is."""
    names = Units(tuple(labels)).names()
    assert len(set(names)) == len(labels)
    assert all(n == s for n, s in zip(names, labels, strict=True) if labels.count(s) == 1)


def test_units_from_labels_and_counts():
    """A sequence of labels, or a count, makes units."""
    assert tuple(as_units(["a", "b"])) == ("a", "b")
    assert as_units(3).labels == ("0", "1", "2")
    assert as_units(np.array([1.5, 2.5])).labels == ("1.5", "2.5")


def test_units_are_sequences():
    """Units have a length, and give labels by position."""
    units = Units(("x", "y"), spans=((0, 1), (2, 3)), text="x y", kind="word")
    assert (len(units), units[1], list(units)) == (2, "y", ["x", "y"])


def test_one_unit_is_refused():
    """Fewer than two units are refused with the knob that makes more of them."""
    with pytest.raises(InputError, match=r"1 unit came; at least 2 .* Cut the input finer"):
        as_units(["only"])


def test_a_bare_string_is_refused():
    """A string is not cut into letters: it is refused with the lens to use."""
    with pytest.raises(InputError, match=r"whence\.text_game"):
        as_units("a sentence")


def test_spans_must_match_labels():
    """As many spans as labels, or none."""
    with pytest.raises(InputError, match="2 labels and 1 spans"):
        Units(("a", "b"), spans=((0, 1),))
