"""Holds tests of how pieces are joined: wrappers, separators, and text that is hidden."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from whence.errors import InputError
from whence.lenses.inputs.joining import hider
from whence.lenses.inputs.layout import Layout, Wrapper
from whence.lenses.inputs.render import Drop, Hide, Replace, as_absent, rendering
from whence.lenses.inputs.segment import KINDS, Segmented, segment
from whence.masks import every
from whence.scoring import HiddenText
from whence.units import Units

MARKUP = st.text(alphabet="ab {}[]():;,.\"\n<>doc1#='def")


def wrapped(text, spans, *wrappers, **layout):
    """A text cut at spans, with text around some of them."""
    units = Units(tuple(text[a:b] for a, b in spans), spans, text)
    return Segmented(units, spans, None, Layout(wrappers=wrappers, **layout))


def dropped(cut):
    """The texts of all masks with the absent units left out."""
    return rendering(cut, "drop").render(every(len(cut.units)))


@given(text=MARKUP, kind=st.sampled_from([kind for kind in KINDS if kind != "token"]))
def test_any_text_of_any_kind_comes_back_whole(text, kind):
    """Cut by any rule, all units together are the text that is sent; or the text is refused."""
    try:
        cut = segment(text, kind)
    except InputError:
        return
    full = np.ones((1, len(cut.units)), dtype=bool)
    for absent in (Drop(), Replace("[UNK]")):
        assert rendering(cut, absent).render(full) == [cut.units.text]
    assert rendering(cut, "hide").render(full) == [HiddenText(cut.units.text)]
    at = 0
    for start, end in cut.units.spans:
        assert at <= start < end
        assert cut.units.text[start:end] == cut.units.text[start:end].strip()
        at = end


# --- wrappers


def test_a_wrapper_goes_with_the_last_of_its_units():
    """Tags are there as long as one unit between them is."""
    cut = wrapped("x <a> b c </a> y", ((6, 7), (8, 9)), Wrapper(2, 5, 10, 14))
    assert dropped(cut) == ["x y", "x <a> b </a> y", "x <a> c </a> y", "x <a> b c </a> y"]


def test_what_replaces_a_unit_keeps_its_wrapper():
    """A mask in a unit's place is something between the tags."""
    cut = wrapped("x <a> b c </a> y", ((6, 7), (8, 9)), Wrapper(2, 5, 10, 14))
    assert rendering(cut, "mask:_").render(every(2))[0] == "x <a> _ _ </a> y"


def test_a_wrapper_that_stays_closes_up():
    """Without anything inside, the whitespace inside goes."""
    cut = wrapped("{ a, b }", ((2, 3), (5, 6)), Wrapper(0, 1, 7, 8, stays=True), joined=True)
    assert dropped(cut) == ["{}", "{ a }", "{ b }", "{ a, b }"]


def test_pinned_text_in_a_wrapper_goes_with_it():
    """What is no unit has no reason of its own to be there."""
    cut = wrapped("x (a: b) y", ((6, 7),), Wrapper(2, 3, 7, 8))
    assert dropped(cut) == ["x y", "x (a: b) y"]


def test_layouts_have_identities_of_their_own():
    """The same spans joined another way are another game; plain text keeps its old identity."""
    text, spans = "a, b", ((0, 1), (3, 4))
    layouts = ({}, {"joined": True}, {"lines": True})
    cuts = [wrapped(text, spans, **layout) for layout in layouts]
    cuts.append(wrapped(text, spans, Wrapper(0, 0, 4, 4)))
    made = [rendering(cut, "drop").identity("m") for cut in cuts]
    assert len(set(made)) == 4
    assert "layout" not in made[0]


def test_glue_parts_an_opening_from_what_follows():
    """Without the unit that touches it, an opening does not run into the next."""
    cut = wrapped("x <a>b c", ((5, 6), (7, 8)), Wrapper(2, 5, 8, 8))
    assert dropped(cut) == ["x", "x <a>b", "x <a> c", "x <a>b c"]


# --- hidden


@pytest.mark.parametrize(
    ("present", "hidden"),
    [
        ([1, 1, 1, 1], ()),
        ([0, 1, 1, 1], ((1, 4),)),
        ([0, 0, 1, 1], ((1, 7),)),
        ([1, 0, 0, 0], ((5, 16),)),
        ([0, 1, 0, 1], ((1, 4), (9, 12))),
        ([0, 0, 0, 0], ((1, 16),)),
    ],
)
def test_hidden_units_merge_with_the_whitespace_between(present, hidden):
    """Absent neighbours are one hidden span; the text itself stays as it is."""
    render = hider(segment(" not so  bad \nok"))
    assert render(np.array([present], dtype=bool)) == [HiddenText(" not so  bad \nok", hidden)]


def test_pinned_text_is_never_hidden():
    """Neither what stands between units, nor what a pin holds."""
    cut = segment("a b c d", pin=["b"])
    assert rendering(cut, "hide").render(np.zeros((1, 3), dtype=bool))[0].hidden == ((0, 1), (4, 7))
    marked = segment("{a}, {b}", "marked")
    assert rendering(marked, "hide").render(np.zeros((1, 2), dtype=bool))[0].hidden == (
        (0, 1),
        (3, 4),
    )


def test_wrappers_hide_with_the_last_of_their_units():
    """The tags of a document are hidden once nothing between them is left."""
    cut = wrapped("x <a> b c </a> y", ((6, 7), (8, 9)), Wrapper(2, 5, 10, 14))
    hidden = [item.hidden for item in rendering(cut, Hide()).render(every(2))]
    assert hidden == [((2, 14),), ((8, 9),), ((6, 7),), ()]


@given(text=st.text(alphabet="ab \n").filter(str.strip), data=st.data())
def test_what_is_hidden_is_what_is_absent(text, data):
    """Each visible character of an absent unit is hidden, and none of a present one."""
    cut = segment(text)
    n = len(cut.units)
    kept = data.draw(st.lists(st.booleans(), min_size=n, max_size=n))
    item = rendering(cut, "hide").render(np.array([kept]))[0]
    covered = {at for start, end in item.hidden for at in range(start, end)}
    for here, (start, end) in zip(kept, cut.units.spans, strict=True):
        assert covered.isdisjoint(range(start, end)) if here else covered >= set(range(start, end))


def test_text_is_never_sent_in_place_of_hidden_text():
    """A lens that knows of no hidden items is refused, and does not send everything."""
    with pytest.raises(InputError, match="absent='hide' came for words that are sent as text"):
        Hide().fill(segment("a b"))


def test_hide_is_a_policy_by_name():
    """The command line writes it in one word; its items are of the kind "hidden"."""
    assert as_absent("hide") == Hide()
    made = rendering(segment("a b"), "hide")
    assert (made.kind, made.absent.describe()) == ("hidden", "hide")
    assert made.identity("m") != rendering(segment("a b"), "drop").identity("m")
