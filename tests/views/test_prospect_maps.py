"""Facts about what is shown of a prospector's map, as text, page and JSON."""

import json
import re

import numpy as np
import pytest

from views import maps
from views.test_page_browser import BROWSER, browse
from whence.prospectors import Sequence
from whence.units import Units
from whence.views.cells import width_of
from whence.views.prospect_document import SCHEMA, document
from whence.views.prospect_fit import fit_of_head, short
from whence.views.prospect_html import page
from whence.views.prospect_map import Mapped, concept_pairs, headline, section, strength
from whence.views.prospect_text import text

FIT = fit_of_head(maps.good(), 0.005, 199, kind="text")
ALL = [maps.sentences(), maps.picture(), maps.molecule()]


def test_the_fit_stands_before_the_findings():
    """Performance with its interval, and the null, come before the first word of the map."""
    shown = text(ALL[:1], FIT, width=90, colour=False)
    assert shown.index("AUC 0.93") < shown.index("0.90 to 0.96") < shown.index("Planning is")
    assert shown.index("p = 0.005 (199 shuffles") < shown.index("Planning is")


def test_every_map_has_the_performance_beside_it():
    """The second and third map of a view show the head's performance again, in a line."""
    assert text(ALL, FIT, width=90, colour=False).count("UC 0.93") == 3
    assert page(ALL, FIT, heading="x").count("UC 0.93") == 3


@pytest.mark.parametrize(
    ("found", "level"), [(maps.good(), "good"), (maps.poor(), "poor"), (None, "constant")]
)
def test_the_level_follows_the_interval(found, level):
    """The lower end of the interval makes the traffic light; what was not measured has none."""
    assert fit_of_head(found).level == level


def test_a_head_at_chance_is_not_to_be_read():
    """At chance the words say so; so they do when shuffled labels do as well."""
    assert "means nothing" in " ".join(fit_of_head(maps.poor()).warnings)
    assert "may be chance" in " ".join(fit_of_head(maps.good(), 0.3, 99).warnings)
    assert short(fit_of_head(maps.poor()), maps.WORDS).warnings


def test_the_headline_says_class_probability_and_margin():
    """Name, class, probability and margin; what the head says instead, and the label if known."""
    assert headline(maps.sentences()) == "letter.txt: objective 87 % (margin +0.220)"


def test_each_token_says_why():
    """A token's row names the neighbours' concept where that says most, or itself."""
    rows = {row.label: row for row in section(maps.sentences(), FIT).alone.rows}
    assert rows["We aim to plan faster."].said == "beside concept 0"
    assert rows["Our aim is met."].said == "by itself"


def test_what_could_be_zero_is_not_coloured():
    """A value within two standard errors of zero gets no colour, and its row says so."""
    shown = maps.sentences()
    assert strength(shown.map)[0] == 0
    rows = {row.label: row for row in section(shown, FIT).alone.rows}
    assert rows["Planning is hard."].said == "could be zero"
    assert not rows["Planning is hard."].sure


def test_pairs_add_up_to_the_pair_terms():
    """The table of pairs of concepts holds all that neighbours say, each pair once."""
    found = maps.sentences().map
    pairs = concept_pairs(found)
    assert sum(value for _, _, value in pairs) == pytest.approx(found.pairs.sum())
    assert len({(a, b) for a, b, _ in pairs}) == len(pairs)
    assert all(a <= b for a, b, _ in pairs)


@pytest.mark.parametrize(
    ("labels", "line"), [(("G", "A", "T"), "  GAT"), (("bad", "A", "T"), "  bad A T")]
)
def test_tokens_in_a_row_are_written_out(labels, line):
    """A sequence of no text is shown as one: letters side by side, names with spaces."""
    found = maps.made(Units(labels), [1.0, 0.0, -1.0])
    shown = text([Mapped(found, Sequence())], FIT, width=80, colour=False).splitlines()
    at = shown.index(line)
    assert "+" in shown[at + 1]
    assert "-" in shown[at + 1]


@pytest.mark.parametrize("width", [40, 60, 100])
def test_lines_fit_the_width(width):
    """No line is longer than the terminal, whatever is mapped."""
    lines = text(ALL, FIT, width=width, colour=False).splitlines()
    assert max(width_of(line) for line in lines) <= width


def test_a_grid_is_drawn_with_characters():
    """In a terminal without colours the sign and the strength of a patch are told by characters."""
    shown = text([maps.picture()], FIT, width=80, colour=False)
    assert "  · ##xx· \n" in shown.replace("·\n", "· \n")
    assert "  %%·" in shown


def test_large_grids_are_made_to_fit():
    """A grid of 200 by 300 tokens is drawn by its strongest places, within the width."""
    shown = text([maps.picture(200 * 2, 300 * 2, 2)], FIT, width=80, colour=False)
    rows = [line for line in shown.splitlines() if line.startswith("  ·") or line.startswith("  #")]
    assert 20 <= len(rows) <= 40
    assert rows[0].startswith("  #·")


def test_colours_stand_for_marks():
    """With colours there are no marks below the words."""
    shown = text([maps.sentences()], FIT, width=80, colour=True)
    assert "\x1b[" in shown
    assert "+++" not in shown


def test_a_page_draws_each_kind():
    """Text is highlighted with its pairs where one points; pictures and graphs are drawn."""
    drawn = page(ALL, FIT, heading="What marks it")
    assert re.search(r'<b class="m8" title="We aim[^"]*beside concept 0 \+1.50', drawn)
    assert drawn.count("data:image/png;base64") == 3
    assert drawn.count('<g class="node') == 7


def test_a_page_is_whole_and_runs_nothing():
    """One file: nothing is loaded from elsewhere, and there is no script."""
    drawn = page(ALL, FIT, heading="What marks it")
    assert drawn.startswith("<!doctype html>")
    assert not re.search(r'(src|href)="(?!data:image/png)', drawn)
    assert "<script" not in drawn


def test_every_label_is_escaped():
    """A class, a name and a label that are scripts stay text."""
    evil = "<script>alert(1)</script>"
    shown = maps.sentences(output=evil)
    named = type(shown)(shown.map, shown.layout, evil, evil, None, evil)
    assert "<script" not in page([named, maps.molecule()], FIT, heading=evil, footer=[evil])


def test_the_document_is_complete():
    """In JSON a token's own, linear and pair terms add up to its value, and all to the margin."""
    found = document([maps.sentences()], maps.good(), head={"classes": ["a", "b"]})
    assert found["schema"] == SCHEMA
    one = json.loads(json.dumps(found, allow_nan=False))["maps"][0]
    for token in one["tokens"]:
        parts = token["alone"] + token["linear"] + token["together"]
        assert parts == pytest.approx(token["value"])
    total = sum(token["value"] for token in one["tokens"])
    assert total / one["total"] == pytest.approx(one["margin"])
    assert found["performance"]["low"] == 0.90


def test_the_document_knows_the_layout():
    """Grids come with their sides, graphs with their edges."""
    layouts = [one["layout"] for one in document(ALL, None, head={})["maps"]]
    assert layouts[0] == {"kind": "sequence"}
    assert layouts[1] == {"kind": "grid", "height": 3, "width": 4}
    assert len(layouts[2]["edges"]) == 7


def test_smoothed_values_are_what_is_read():
    """Where a map is smoothed, its smoothed values are coloured, and the note says so."""
    shown = maps.sentences(smoothing=1)
    object.__setattr__(shown.map, "smoothed", np.array([0.0, 0.0, 0.0, 3.0]))
    assert strength(shown.map) == (0.0, 0.0, 0.0, 1.0)
    assert "averaged over 1 hop" in section(shown, FIT).alone.note


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="neither chromium nor google-chrome is installed")
def test_a_browser_shows_it_and_runs_nothing(tmp_path):
    """In a real browser a hostile class stays a label, and pictures and graphs are there."""
    evil = "<script>document.title='owned'</script><img src=x onerror=document.title='owned'>"
    drawn = page([maps.sentences(output=evil), *ALL], FIT, heading="What marks it")
    dom = browse(drawn, tmp_path, "--dump-dom").decode()
    assert "<title>whence: What marks it</title>" in dom
    assert dom.count("<image ") == 3
    assert 'src="x"' not in dom
