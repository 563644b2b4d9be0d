"""Facts about the HTML, as text; test_page_browser.py opens it."""

import re
from html.parser import HTMLParser

import pytest

from views import games
from whence.views import html

VOID = {"meta", "link", "br", "img", "hr"}


class Balance(HTMLParser):
    """Records tags that close out of turn, and every tag seen."""

    def __init__(self):
        super().__init__()
        self.open, self.wrong, self.seen = [], [], set()

    def handle_starttag(self, tag, attrs):
        self.seen.add(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)


@pytest.mark.parametrize(
    "make", [games.sentiment, games.constant, games.hard, games.classes, games.long]
)
def test_page_is_well_formed_and_alone(make):
    """Every tag is closed in turn; nothing is loaded from elsewhere and nothing runs."""
    page = html.page(make())
    parser = Balance()
    parser.feed(page)
    assert (parser.open, parser.wrong) == ([], [])
    assert not parser.seen & {"script", "link", "img", "iframe", "object"}
    assert not re.search(r"https?://|url\(|@import|\bon\w+=", page)


def test_page_says_what_it_is():
    """A page has a doctype, a language, a character set, a title, and headings in order."""
    page = html.page(games.sentiment())
    assert page.startswith('<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">')
    assert re.findall(r"<(h\d)", page) == ["h1", "h2", "h3", "h3"]
    assert "<title>whence: toy-model on 6 words" in page


def test_fit_comes_before_findings():
    """The measured fit and the calls stand before the coloured words and the values."""
    shown = html.fragment(games.sentiment())
    shown = shown[shown.index("</style>") :]
    assert shown.index("64 calls") < shown.index("R²") < shown.index('class="words"')


@pytest.mark.parametrize(
    ("level", "make"),
    [("exact", games.sentiment), ("poor", games.hard), ("constant", games.constant)],
)
def test_traffic_light_speaks(level, make):
    """The level is a class for the colour, a shape, and a word."""
    shown = html.fragment(make())
    said = {"exact": "Exact.", "poor": "Poor fit.", "constant": "Nothing to explain."}[level]
    assert f'class="fit {level}"' in shown
    assert f"<strong>{said}</strong>" in shown


def test_everything_is_escaped():
    """Labels, descriptions and text from a stranger are shown, not run."""
    evil = '<script>alert("1")</script>'
    labels = [evil, "a & b", "\x1b[31m\nred", "\u202eabc"]
    page = html.page(games.table(labels, lambda masks: 1.0 * masks.sum(axis=1)))
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "a &amp; b" in page
    assert r"\x1b[31m\nred" in page
    assert r"\u202eabc" in page


def test_words_carry_their_values():
    """Each word has its value in a title; what is no unit has none."""
    page = html.page(games.sentiment())
    assert re.search(r'<b class="m8" title="impress: \+1\.90">impress</b>', page)
    assert '<b title="Her: +0.00">Her</b>' in page


def test_thousand_units_stay_small():
    """A page of a thousand words is under 1 MB, also with four outputs."""
    assert len(html.page(games.long(1000, 5)).encode()) < 1_000_000


def test_notebook_draws_it():
    """`Explanation._repr_html_` is the fragment."""
    e = games.sentiment()
    assert e._repr_html_() == html.fragment(e)
