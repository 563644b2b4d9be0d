"""Holds tests of mixed units: some opened into finer ones, the others whole."""

from __future__ import annotations

from functools import partial

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from whence.lenses.inputs.nesting import mixed, opened_by
from whence.lenses.inputs.render import rendering
from whence.lenses.inputs.segment import segment
from whence.masks import every

#: Ten documents of three sentences, two of which hold what the reader looks for.
DOCUMENTS = "Answer.\n\n" + "\n".join(
    f"Document [{i}](Title: T{i}) First of {i}. {'The key' if i in (3, 7) else 'Some word'} {i}. "
    f"Last of {i}."
    for i in range(10)
) + "\n\nQuestion: which key?"  # fmt: skip


@given(
    pieces=st.lists(st.text(alphabet="ab. \n").filter(str.strip), min_size=2, max_size=4),
    kinds=st.sampled_from(
        [("document", "sentence"), ("document", "word"), ("paragraph", "sentence"),
         ("paragraph", "word"), ("line", "word"), ("split:##", "sentence"), ("document", "line")]
    ),
    absent=st.sampled_from(["drop", "hide"]),
    data=st.data(),
)  # fmt: skip
def test_masks_of_whole_units_mean_the_same_in_both_games(pieces, kinds, absent, data):
    """With all or none of each opened unit's inside, the mixed units make the coarse text."""
    coarse, fine = kinds
    join = {"document": " ", "line": "\n", "split:##": "##"}.get(coarse, "\n\n")
    if coarse == "document":
        pieces = [f'<doc id="{i}">\n{piece}</doc>' for i, piece in enumerate(pieces)]
    text = "x" + join + join.join(pieces) + "\n\ny"
    whole = segment(text, coarse, pin=[(0, 1)] if coarse != "document" else ())
    insides = opened_by(whole, partial(segment, units=fine))
    able = [i for i, inner in enumerate(insides) if inner is not None]
    opened = data.draw(st.sets(st.sampled_from(able))) if able else set()
    both = mixed(whole, insides, opened)
    sizes = [len(inner.spans) if i in opened else 1 for i, inner in enumerate(insides)]
    masks = every(min(len(whole.units), 6))
    masks = np.pad(masks, [(0, 0), (0, len(whole.units) - masks.shape[1])])
    fine_masks = np.repeat(masks, sizes, axis=1)
    expected = rendering(whole, absent).render(masks)
    assert rendering(both, absent).render(fine_masks) == expected


def test_a_document_keeps_its_number_while_anything_inside_is_left():
    """It is there with one sentence, and gone with none; a title is a unit of its own."""
    whole = segment(DOCUMENTS, "document")
    both = mixed(whole, opened_by(whole, partial(segment, units="sentence")), [3])
    assert both.units.labels[3:7] == ("(Title: T3)", "First of 3.", "The key 3.", "Last of 3.")
    only = np.zeros((3, 13), dtype=bool)
    only[0, 3] = only[1, 5] = True
    assert rendering(both, "drop").render(only) == [
        "Answer.\n\nDocument [3](Title: T3)\n\nQuestion: which key?",
        "Answer.\n\nDocument [3] The key 3.\n\nQuestion: which key?",
        "Answer.\n\nQuestion: which key?",
    ]


def test_opened_units_leave_pins_alone():
    """What a pin holds is no unit in either game."""
    whole = segment("a b\n\nc d\n\ne f", "paragraph", pin=["c d"])
    both = mixed(whole, opened_by(whole, partial(segment, units="word")), [0, 1])
    assert both.units.labels == ("a", "b", "e", "f")
    assert both.pinned == ((5, 8),)
