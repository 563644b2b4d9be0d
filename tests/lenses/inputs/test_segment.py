"""Holds tests of how a text becomes units: kinds, marks, tokens, parts and pins."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whence.errors import InputError
from whence.lenses.inputs.segment import KINDS, segment

WRITTEN = st.text(alphabet="ab {}\n")


def by_letters(text):
    """A tokenizer: letters in twos, each token with the space before it."""
    return [found.span() for found in re.finditer(r"\s?\S{1,2}", text)]


def labels(text, units="word", **options):
    """The labels of a text's units."""
    return segment(text, units, **options).units.labels


def test_units_keep_labels_spans_text_and_kind():
    """Each unit has its own place, so repeated words stay distinct."""
    units = segment(" not bad,\nnot good").units
    assert units.labels == ("not", "bad,", "not", "good")
    assert units.spans == ((1, 4), (5, 9), (10, 13), (14, 18))
    assert units.text == " not bad,\nnot good"
    assert units.kind == "word"
    assert units.names()[2] == "not [2]"


@pytest.mark.parametrize("kind", ["line", "paragraph", "sentence", "word"])
def test_kinds_have_their_names(kind):
    """The kind asked for is what the units are called."""
    assert segment("One. Two\n\nthree", kind).units.kind == kind


def test_a_unit_that_cannot_be_seen_is_named():
    """A label names the characters of a unit that would show as nothing."""
    assert labels("a \u200b b") == ("a", "U+200B", "b")


# --- tokens


def test_tokens_lose_the_space_at_their_edge():
    """Whitespace that a token carries belongs to the glue; tokens of whitespace are no units."""
    assert labels("good  film", "token", tokenizer=by_letters) == ("go", "od", "fi", "lm")
    assert segment("a b", "token", tokenizer=lambda t: [(0, 1), (1, 2), (1, 3)]).units.spans == (
        (0, 1),
        (2, 3),
    )


def test_special_tokens_are_no_units():
    """Tokens of width 0, as offsets mark BOS and EOS, are left out."""
    assert labels("ab", "token", tokenizer=lambda t: [(0, 0), (0, 1), (1, 2), (0, 0)]) == ("a", "b")


def test_tokens_that_share_a_character_are_one_unit():
    """Byte-level tokens of one emoji cannot be masked apart."""
    shared = [(0, 1), (1, 2), (1, 2), (1, 2), (2, 3)]
    assert labels("a\U0001f600b", "token", tokenizer=lambda t: shared) == ("a", "\U0001f600", "b")


def test_a_real_tokenizer_cuts_by_its_offsets():
    """The offsets of the tokenizers library serve as they are."""
    tokenizers = pytest.importorskip("tokenizers")
    vocabulary = {"[UNK]": 0, "un": 1, "##like": 2, "##ly": 3, "film": 4, "[CLS]": 5}
    wordpiece = tokenizers.Tokenizer(tokenizers.models.WordPiece(vocabulary, unk_token="[UNK]"))
    wordpiece.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    wordpiece.post_processor = tokenizers.processors.TemplateProcessing(
        single="[CLS] $A", special_tokens=[("[CLS]", 5)]
    )
    cut = segment("unlikely film", "token", tokenizer=lambda t: wordpiece.encode(t).offsets)
    assert cut.units.labels == ("un", "like", "ly", "film")


@pytest.mark.parametrize(
    ("offsets", "message"),
    [
        ([(0, 9)], r"the tokenizer gave the span \(0, 9\); the text has 5 characters"),
        ([(3, 4), (0, 1)], "a token at 0 after one at 3"),
        ([7], r"gave 7; a pair \(start, end\)"),
    ],
)
def test_a_tokenizer_that_gives_no_offsets_is_refused(offsets, message):
    """Offsets outside the text, out of order or not in pairs are refused by name."""
    with pytest.raises(InputError, match=message):
        segment("ab cd", "token", tokenizer=lambda t: offsets)


def test_tokens_need_a_tokenizer():
    """The message says which knob is missing."""
    with pytest.raises(InputError, match="units='token' came without a tokenizer; give tokenizer="):
        segment("ab cd", "token")


# --- marked


@pytest.mark.parametrize(
    ("written", "sent", "units"),
    [
        ("The {film} was {not good}.", "The film was not good.", ("film", "not good")),
        ("{{x}} {a}{b}", "{x} ab", ("a", "b")),
        ("{{{a}}} {b}", "{a} b", ("a", "b")),
        ("{ a } {b}", " a  b", ("a", "b")),
        ("{say {{x}} now} {b}", "say {x} now b", ("say {x} now", "b")),
    ],
)
def test_marked_units(written, sent, units):
    """Braces mark units and are not sent; doubled braces are literal."""
    cut = segment(written, "marked").units
    assert (cut.text, cut.labels, cut.kind) == (sent, units, "part")


@given(text=st.text(alphabet="ab{} "))
def test_doubling_braces_escapes_any_text(text):
    """A text with its braces doubled is sent as it was, with no units."""
    written = "x" + text.replace("{", "{{").replace("}", "}}")
    units = segment(written, "marked").units
    assert (units.text, len(units)) == ("x" + text, 0)


@given(written=WRITTEN)
def test_marked_text_is_cut_or_refused(written):
    """Any text with braces either gives units that lie in what is sent, or an InputError."""
    try:
        units = segment(written, "marked").units
    except InputError:
        return
    at = 0
    for start, end in units.spans:
        assert at <= start < end <= len(units.text)
        at = end


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("a {b", r"character 2 \('a \{b'\) is never closed"),
        ("a {b}}", "character 2 .* is never closed"),
        ("a} b", "character 1 .* closes nothing"),
        ("a {} b", "character 2 .* holds no text"),
        ("a { } b", "character 2 .* holds no text"),
        ("{a {b}}", "character 3 .* opens inside another unit"),
    ],
)
def test_malformed_braces_are_refused(written, message):
    """The message says where the brace is, what is wrong and how to write a literal one."""
    with pytest.raises(InputError, match=message + ".*Write {{ or }}"):
        segment(written, "marked")


# --- parts


def test_parts_take_their_next_occurrence():
    """Substrings and spans are claimed from left to right; the rest is pinned text."""
    cut = segment("not bad, not good", parts=["not", (4, 7), " not "])
    assert cut.units.spans == ((0, 3), (4, 7), (9, 12))
    assert cut.units.kind == "part"


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (["good", "bad"], r"part 2, 'bad', does not occur from character 17 .*only before that"),
        (["fine"], r"part 1, 'fine', .*nowhere in the text"),
        (["not", "not", "not"], "part 3, 'not'"),
        ([(0, 3), (2, 5)], r"part 2, \(2, 5\), begins before character 3"),
        ([(0, 99)], "part 1 gave the span .* the text has 17 characters"),
        ([(3, 1)], "part 1 gave the span"),
        ([(0, 1, 2)], r"part 1 gave \(0, 1, 2\); a pair"),
        (["not", " "], "part 2, ' ', holds no text"),
        ([""], "part 1, '', holds no text"),
    ],
)
def test_parts_that_cannot_be_placed_are_refused(parts, message):
    """The message names the part."""
    with pytest.raises(InputError, match=message):
        segment("not bad, not good", parts=parts)


def test_parts_and_a_kind_are_two_ways():
    """Naming the units and asking for a kind at once is refused."""
    with pytest.raises(InputError, match="units='sentence' came together with parts="):
        segment("a b", "sentence", parts=["a"])


# --- pins


@pytest.mark.parametrize(
    ("pin", "left"),
    [
        (["film"], ("The", "is", "a")),
        ("film", ("The", "is", "a")),
        ([(5, 6)], ("The", "is", "a", "film")),
        (["a"], ("The", "film", "is", "film")),
        (["m i", (12, 13)], ("The", "film")),
    ],
)
def test_a_pin_takes_units_out(pin, left):
    """Every unit that overlaps an occurrence or span of a pin is no unit of the game."""
    cut = segment("The film is a film", pin=pin)
    assert cut.units.labels == left
    assert len(cut.cut) == 5
    assert set(cut.pinned) | set(cut.units.spans) == set(cut.cut)


def test_occurrences_of_a_pin_may_overlap():
    """Every occurrence counts, also one that begins inside another."""
    assert segment("a b a b a c d", pin=["a b a"]).units.labels == ("c", "d")


@given(text=st.text(alphabet="ab \n", min_size=1), data=st.data())
def test_no_unit_that_is_left_overlaps_a_pin(text, data):
    """A span pin takes exactly the units that share a character with it."""
    text = "a" + text
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    if not text[start:end].strip():
        return
    cut = segment(text, pin=[(start, end)])
    assert cut.units.spans == tuple(s for s in cut.cut if s[1] <= start or s[0] >= end)


@pytest.mark.parametrize(
    ("pin", "message"),
    [
        (["movie"], "pin='movie' is nowhere in the text"),
        ([""], "pin='' holds no text"),
        ([" "], "pin=' ' holds no text"),
        ([(0, 99)], r"pin= gave the span \(0, 99\)"),
    ],
)
def test_a_pin_that_holds_nothing_is_refused(pin, message):
    """The message names the pin."""
    with pytest.raises(InputError, match=message):
        segment("The film", pin=pin)


# --- bad texts


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "text came empty"),
        (" \n\t", r"text came as whitespace only \(' \\n\\t'\)"),
        (b"a b", "text came as bytes; a str is needed"),
        (["a", "b"], "text came as list"),
        ("a \ud800 b", "lone surrogate.* at offset 2"),
    ],
)
@pytest.mark.parametrize("units", KINDS)
def test_a_text_that_no_model_can_read_is_refused(text, units, message):
    """Empty, blank, not a str, or not encodable: each is refused by name for every kind."""
    with pytest.raises(InputError, match=message):
        segment(text, units, tokenizer=by_letters)


def test_an_unknown_kind_is_refused():
    """The message lists the kinds there are."""
    with pytest.raises(InputError, match="units='clause' came; it must be one of word, sentence"):
        segment("a b", "clause")


@pytest.mark.parametrize("units", ["word", "sentence", "line", "paragraph", "token"])
def test_a_hundred_thousand_words_are_cut_at_once(units):
    """A long text takes a fraction of a second of work; how many units fit is for explain."""
    began = time.process_time()
    cut = segment("word then. \n\n" * 50_000, units, tokenizer=by_letters)
    assert time.process_time() - began < 2
    assert len(cut.units) >= 50_000
