"""Facts about the report of what a prospector head learned."""

import re

import numpy as np
import pytest

from views import maps
from whence.prospectors.tables import Entry
from whence.views.prospect_fit import fit_of_head
from whence.views.prospect_report import Example, Found, Learned, Report, report
from whence.views.prospect_summary import summary

EVIL = "<script>alert(1)</script>"


def made(outputs=("objective",), names=("a", "b", "c"), **given):
    """A report of three concepts and two pairs."""
    concepts = [
        Found(Entry((0,), names[0], 2.0, 0.5), 1.0),
        Found(Entry((1,), names[1], -1.0, 0.4), -0.2),
        Found(Entry((2,), names[2], 90.0, 80.0), 0.1),
    ]
    pairs = [
        Found(Entry((0, 1), f"{names[0]} + {names[1]}", 3.0, None, 0.01, 0.02), 0.9),
        Found(Entry((2, 2), f"{names[2]} + {names[2]}", -1.0, None, 0.5, 0.7), -0.3),
    ]
    learned = [Learned(name, concepts, pairs, [maps.sentences()]) for name in outputs]
    fit = fit_of_head(maps.good(), 0.005, 199)
    facts, notes = [("kernel", "welch")], ["Chosen: k=3"]
    shown = {"shares": (0.5, 0.3, 0.2), "examples": {0: [Example("We aim.", "a.txt")]}} | given
    return Report("What marks it", "Learned from 9 texts.", fit, learned, notes, facts, names,
                  made="whence, seed 0", **shown)  # fmt: skip


def test_a_report_tells_the_fit_first():
    """Performance and null stand before concepts, pairs and maps, in that order."""
    page = report(made())
    places = [page.index(word) for word in ("AUC 0.93", "Concepts", "near each other", "Maps")]
    assert places == sorted(places)
    assert page.index("p = 0.005") < page.index("Concepts")


def test_bars_show_what_moves_and_its_error():
    """A large weight of a rare concept gets a short bar; errors are drawn over the bars."""
    page = report(made())
    bars = [float(w) for w in re.findall(r'<i class="more" style="left:50.0%;width:(\S+)%"', page)]
    assert bars[0] > 5 * bars[1] > 0
    assert page.count('<u style="left:') == 3


def test_the_graph_has_nodes_and_both_signs():
    """Concepts are nodes; pairs are links, those below zero in a class that is dashed."""
    page = report(made())
    assert page.count('<g class="node') == 3
    assert page.count('class="link more"') == 1
    assert page.count('class="link less"') == 1


def test_a_pair_that_could_be_chance_says_so():
    """q-values become words: found, or could be chance."""
    page = report(made())
    assert '<td title="q = 0.02">no</td>' in page
    assert '<td title="q = 0.7">yes</td>' in page


def test_examples_are_words_or_pixels():
    """A concept of texts shows sentences, one of pictures their pixels."""
    assert "<li title=" in report(made())
    pixels = Example("patch 3", "cell.png", np.zeros((8, 8, 3), np.uint8))
    assert '<img src="data:image/png' in report(made(examples={0: [pixels]}))


def test_without_data_there_are_no_examples():
    """A head alone has no training data to show."""
    page = report(made(examples={}))
    assert "Examples" not in page


def test_several_classes_fold():
    """Each of several classes has a part of its own; the first is open."""
    page = report(made(outputs=("x", "y", "z")))
    assert page.count("<summary>What marks") == 3
    assert page.count("<details open>") == 1


def test_nothing_of_a_report_runs():
    """Names, examples and headings that are scripts stay text."""
    page = report(
        made(outputs=(EVIL,), names=(EVIL, "b", "c"), examples={0: [Example(EVIL, EVIL)]})
    )
    assert "<script" not in page
    assert not re.search(r'(src|href)="(?!data:image/png)', page)


@pytest.mark.parametrize("width", [50, 100])
def test_the_summary_is_the_report_in_lines(width):
    """In a terminal: the same fit first, then concepts by what they move, pairs, examples."""
    shown = summary(made(), width=width, colour=False)
    places = [shown.index(word) for word in ("AUC 0.93", "+2.00 ± 0.50", "a + b", "We aim.")]
    assert places == sorted(places)
    assert max(map(len, shown.splitlines())) <= width


def test_the_summary_orders_by_what_moves():
    """A large weight that moves nothing comes last, and could be zero."""
    shown = summary(made(), width=90, colour=False)
    assert shown.index("+2.00") < shown.index("-1.00") < shown.index("+90.00")
    assert "could be zero" in shown
