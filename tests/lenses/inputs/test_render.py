"""Holds tests of the texts that masks make under each absent policy."""

from __future__ import annotations

import itertools
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from whence.errors import InputError
from whence.lenses.inputs.render import Baseline, Drop, Replace, as_absent, renderer
from whence.lenses.inputs.segment import segment
from whence.masks import every

TEXTS = st.text(alphabet=st.characters(exclude_categories=["Cs"])).filter(str.strip)
KINDS = st.sampled_from(["word", "sentence", "line", "paragraph"])
POLICIES = st.sampled_from([Drop(), Replace("[UNK]"), Replace("_")])


def cut_and_render(text, absent, units="word", **options):
    """A cut text and its renderer."""
    cut = segment(text, units, **options)
    return cut, renderer(cut, absent.fill(cut))


def rendered(text, absent, present, units="word", **options):
    """The text with only the units present whose numbers are given."""
    cut, render = cut_and_render(text, absent, units, **options)
    return render(np.isin(np.arange(len(cut.units)), present)[None, :])[0]


@given(text=TEXTS, kind=KINDS, absent=POLICIES, pin=st.booleans())
def test_all_units_present_is_the_exact_text(text, kind, absent, pin):
    """Putting every unit back gives the text, character for character, pins or none."""
    cut, render = cut_and_render(text, absent, kind, pin=[text.split()[-1]] if pin else [])
    assert render(np.ones((1, len(cut.units)), dtype=bool)) == [text]


@given(text=TEXTS, data=st.data())
def test_any_parts_put_back_give_the_exact_text(text, data):
    """The same for parts at any spans: what lies between them is glue or pinned text."""
    edges = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8, unique=True)))
    spans = [s for s in zip(edges[::2], edges[1::2], strict=False) if text[s[0] : s[1]].strip()]
    cut, render = cut_and_render(text, Drop(), parts=spans)
    assert render(np.ones((1, len(cut.units)), dtype=bool)) == [text]


@given(text=st.text(alphabet="ab \t\n\u6211").filter(str.strip), data=st.data())
def test_dropping_never_doubles_or_loses_the_space_between_neighbours(text, data):
    """What is kept stands in order, parted by one piece of glue where any parted it before."""
    cut, render = cut_and_render(text, Drop())
    keep = data.draw(st.lists(st.booleans(), min_size=len(cut.units), max_size=len(cut.units)))
    spans = cut.units.spans
    glue = [text[a[1] : b[0]] for a, b in itertools.pairwise(spans)]
    kept = np.flatnonzero(keep)
    expected = text[: len(text) - len(text.lstrip())]
    for last, here in zip([None, *kept], kept, strict=False):
        if last is not None:
            expected += next(filter(None, glue[last:here]), "")
        expected += text[slice(*spans[here])]
    assert render(np.array([keep])) == [expected + text[len(text.rstrip()) :]]


@pytest.mark.parametrize(
    ("present", "expected"),
    [
        ([0, 1, 2], "  not\nso  bad \n"),
        ([0, 2], "  not\nbad \n"),
        ([1, 2], "  so  bad \n"),
        ([0, 1], "  not\nso \n"),
        ([1], "  so \n"),
        ([], "   \n"),
    ],
)
def test_drop_takes_the_glue_after_a_unit_along(present, expected):
    """The whitespace at the ends of the text stays."""
    assert rendered("  not\nso  bad \n", Drop(), present) == expected


def test_a_dropped_unit_that_touches_its_neighbour_leaves_the_space_behind_it():
    """Dropping a token without glue never runs two words together."""
    tokens = [(0, 5), (5, 6), (7, 10)]
    options = {"units": "token", "tokenizer": lambda text: tokens}
    assert rendered("great, but", Drop(), [0, 2], **options) == "great but"
    assert rendered("\u6211\u4eec go", Drop(), [0, 2]) == "\u6211 go"
    assert rendered("\u6211\u4eec\u597d", Drop(), [0, 2]) == "\u6211\u597d"


def test_pinned_text_is_always_there():
    """Text outside the units stays, with one piece of glue between it and what is kept."""
    text = "The film was not {very} {good}, was it?"
    assert rendered(text, Drop(), [0, 1], "marked") == "The film was not very good, was it?"
    assert rendered(text, Drop(), [1], "marked") == "The film was not good, was it?"
    assert rendered(text, Drop(), [], "marked") == "The film was not , was it?"
    assert rendered("a b c d", Drop(), [1], pin=["b c"]) == "b c d"


def test_replace_keeps_the_glue():
    """A mask stands in each absent unit's place and nothing else moves."""
    assert rendered(" a\tb  c ", Replace("[UNK]"), [1]) == " [UNK]\tb  [UNK] "


@given(text=TEXTS)
def test_replacing_every_unit_leaves_the_whitespace_as_it_is(text):
    """With all words masked, splitting at the masks gives the glue and nothing more."""
    cut, render = cut_and_render(text, Replace("\u00a4\u00a4\u00a4"))
    none = render(np.zeros((1, len(cut.units)), dtype=bool))[0]
    glue = none.split("\u00a4\u00a4\u00a4")
    ends = [0, *(end for _, end in cut.units.spans)]
    starts = [*(start for start, _ in cut.units.spans), len(text)]
    assert glue == [text[end:start] for end, start in zip(ends, starts, strict=True)]


def test_baseline_puts_its_unit_in_place():
    """A replacement per unit, or a text that cuts alike; an empty replacement drops the unit."""
    assert rendered("a good film", Baseline("one plain thing"), [1]) == "one good thing"
    assert rendered("a good film", Baseline(("one", "", "thing")), [0]) == "a thing"
    assert rendered("{a} b {c}", Baseline("{x} y {z}"), [0], "marked") == "a b z"


def test_a_baseline_is_aligned_with_pins_too():
    """A whole baseline text counts pinned units; a replacement per unit does not."""
    assert rendered("a good film", Baseline("one plain thing"), [0], pin=["good"]) == "a good thing"
    assert rendered("a good film", Baseline(["x", "y"]), [0], pin=["good"]) == "a good y"


@pytest.mark.parametrize(
    ("absent", "options", "message"),
    [
        (Baseline("one thing"), {}, "the baseline cuts into 2 and the text into 3 words"),
        (Baseline(("x", "y")), {}, "a baseline of 2 replacements came for 3 units"),
        (Baseline("x y z"), {"parts": ["a", "film"]}, "named by parts=.*one replacement per unit"),
    ],
)
def test_a_baseline_that_does_not_fit_is_refused(absent, options, message):
    """The message says both counts."""
    with pytest.raises(InputError, match=message):
        absent.fill(segment("a good film", **options))


@pytest.mark.parametrize("policy", ["drop", "mask:[UNK]", "mask: a:b", "baseline:some: text"])
def test_as_absent_undoes_describe(policy):
    """What the command line writes and what a policy calls itself are the same string."""
    assert as_absent(policy).describe() == policy


def test_as_absent_leaves_a_policy_alone():
    """A policy passes through, and each kind describes itself differently."""
    baselines = (Baseline('["a"]'), Baseline(["a"]), Baseline(["a", ""]), Baseline(["a,"]))
    for absent in baselines:
        assert as_absent(absent) is absent
    assert len({absent.describe() for absent in baselines}) == 4


@pytest.mark.parametrize("policy", ["delete", "mask", "baseline", "baseline: ", "drop:", ""])
def test_an_unknown_policy_is_refused(policy):
    """The message shows how each is written."""
    with pytest.raises(InputError, match=r"must be 'drop', 'mask:'.*'baseline:'"):
        as_absent(policy)


@pytest.mark.parametrize("mask", ["", "  "])
def test_a_mask_that_shows_nothing_is_refused(mask):
    """An empty mask would leave double spaces; the message points to drop."""
    with pytest.raises(InputError, match="leave units out with 'drop'"):
        Replace(mask)


@pytest.mark.parametrize("absent", [Drop(), Replace("[UNK]"), Baseline("x y z")])
def test_masks_are_rendered_in_order(absent):
    """One text per mask, the same alone as among others."""
    _, render = cut_and_render("a good film", absent)
    masks = every(3)
    assert render(masks) == [render(mask[None, :])[0] for mask in masks]
    assert len(set(render(masks))) == 8


def test_a_thousand_masks_of_a_thousand_units():
    """Rendering keeps up: a million units in about a second of work."""
    cut, render = cut_and_render("word " * 1000, Drop())
    masks = np.random.default_rng(0).random((1000, len(cut.units))) < 0.5
    began = time.process_time()
    texts = render(masks)
    assert time.process_time() - began < 1.5
    assert len(texts[0].split()) == masks[0].sum()
