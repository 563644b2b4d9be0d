"""Holds tests of where words, lines, paragraphs and sentences end."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whence.lenses.inputs.rules import lines, paragraphs, sentences, words

RULES = (words, lines, paragraphs, sentences)
MIXED = st.text(
    alphabet=st.sampled_from(
        'ab1 \t\n\r\u2028.!\u3002"(\u300c\u6211\u4f60\u304b\u30fc'
        "\u0e40\u0e01\u0e34\u0e32\u1780\u17d2\u0301\u200b\U0001f600"
    )
)


def pieces(rule, text):
    """The texts of the spans that a rule gives."""
    return [text[start:end] for start, end in rule(text)]


@pytest.mark.parametrize("rule", RULES)
@given(text=st.text() | MIXED)
def test_every_visible_character_is_in_exactly_one_span(rule, text):
    """Spans are in order, do not overlap, have no whitespace at an edge, and leave only that."""
    at = 0
    for start, end in rule(text):
        assert at <= start < end
        assert not text[at:start].strip()
        assert text[start:end] == text[start:end].strip()
        at = end
    assert not text[at:].strip()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It didn't impress. No!", ["It", "didn't", "impress.", "No!"]),
        ("a\u00a0b\u3000c\td\r\ne", ["a", "b", "c", "d", "e"]),
        ("cafe\u0301 e\u0301", ["cafe\u0301", "e\u0301"]),
        ("\ud55c\uad6d\uc5b4 \ubb38\uc7a5", ["\ud55c\uad6d\uc5b4", "\ubb38\uc7a5"]),
        ("\u6211\u7231\u4f60", ["\u6211", "\u7231", "\u4f60"]),
        ("\u4f60\u597d\uff0cworld!", ["\u4f60", "\u597d\uff0c", "world!"]),
        ("2024\u5e74OK", ["2024", "\u5e74", "OK"]),
        ("x\u300a\u4e66\u300b", ["x", "\u300a\u4e66\u300b"]),
        ("((((\u4e66", ["(", "(((\u4e66"]),
        ("\u30e9\u30fc\u30e1\u30f3", ["\u30e9\u30fc", "\u30e1", "\u30f3"]),
        ("\u304b\u3099\u304b", ["\u304b\u3099", "\u304b"]),
        ("\u0e17\u0e35\u0e48\u0e19\u0e35\u0e48", ["\u0e17\u0e35\u0e48", "\u0e19\u0e35\u0e48"]),
        ("\u0e40\u0e01\u0e32\u0e01", ["\u0e40\u0e01\u0e32", "\u0e01"]),
        ("\u0e81\u0eb2\u0e81", ["\u0e81\u0eb2", "\u0e81"]),
        ("\u1781\u17d2\u1798\u17c2\u179a", ["\u1781\u17d2\u1798\u17c2", "\u179a"]),
        ("\u1019\u103c\u1014\u103a\u1019\u102c", ["\u1019\u103c", "\u1014\u103a", "\u1019\u102c"]),
    ],
)
def test_words(text, expected):
    """A word is a run of non-space; scripts without spaces are cut by character cluster."""
    assert pieces(words, text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Good. Bad! Why? End", ["Good.", "Bad!", "Why?", "End"]),
        ("great film . i loved it .", ["great film .", "i loved it ."]),
        ('He said "hi." Then left.', ['He said "hi."', "Then left."]),
        ("Dr. No costs 3.14 e.g. today. Yes.", ["Dr. No costs 3.14 e.g. today.", "Yes."]),
        ("By J. R. Tolkien etc. and more.", ["By J. R. Tolkien etc. and more."]),
        ("Apples etc. Then pears.", ["Apples etc.", "Then pears."]),
        ("Born in 1999. Dead.", ["Born in 1999.", "Dead."]),
        ("So am I. Plan B. is off.", ["So am I.", "Plan B. is off."]),
        ("1. Wash it. 2. Dry it.", ["1. Wash it.", "2. Dry it."]),
        ("Well... maybe. Well... Maybe.", ["Well... maybe.", "Well...", "Maybe."]),
        ("wait . . . what", ["wait . . .", "what"]),
        ("Title\n\nText one. Two\nlines.", ["Title", "Text one.", "Two\nlines."]),
        (
            "\u597d\u3002\u4e0d\u597d\uff01\u201c\u55ef\u3002\u201d\u5bf9",
            ["\u597d\u3002", "\u4e0d\u597d\uff01", "\u201c\u55ef\u3002\u201d", "\u5bf9"],
        ),
    ],
)
def test_sentences(text, expected):
    """A sentence ends at a stop and a space, or a wide stop, and not after an abbreviation."""
    assert pieces(sentences, text) == expected


def test_lines_and_paragraphs():
    """Blank lines part paragraphs, with any line ending; blank lines are no lines."""
    text = "a\r\n  b \n \t\nc\r\n\r\n\r\nd\n"
    assert pieces(lines, text) == ["a", "b", "c", "d"]
    assert pieces(paragraphs, text) == ["a\r\n  b", "c", "d"]


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("text", ["ab cd. ", ".", "(", '."', "\u6211\u3002", "\u300c", "a\n\n"])
def test_cutting_is_linear_in_the_text(rule, text):
    """Four times the text takes nowhere near sixteen times as long, whatever repeats in it."""

    def seconds(times):
        began = time.process_time()
        rule(text * times + "x")
        return time.process_time() - began

    assert min(seconds(80_000) for _ in range(2)) < 9 * min(seconds(20_000) for _ in range(3)) + 0.1
