"""Facts about what a picture holds, and its words."""

import unicodedata
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from views import games
from whence.evaluation.fidelity import Fidelity
from whence.units import Units
from whence.views import words
from whence.views.cells import paragraph, shortened, width_of
from whence.views.fit import fit_of
from whence.views.picture import picture
from whence.views.tiles import strengths, tiles


def judged(r2, low, high, **more):
    """The sentence's explanation, as if its fit had been measured so."""
    fit = Fidelity(r2, low, high, 200, "uniform, not used for fitting", **more)
    return replace(games.sentiment(), fidelity=fit)


@pytest.mark.parametrize(
    ("numbers", "level"),
    [
        ((0.93, 0.88, 0.96), "good"),
        ((0.93, 0.7, 0.96), "fair"),
        ((0.6, 0.3, 0.8), "poor"),
        ((-0.2, -0.4, 0.0), "poor"),
        ((np.nan, np.nan, np.nan), "poor"),
    ],
)
def test_level_follows_the_lower_end(numbers, level):
    """The traffic light goes by the lower end of the interval."""
    assert fit_of(judged(*numbers)).level == level


def test_fit_is_said_for_a_newcomer():
    """The sentence says the share explained, the interval, the masks, and the calls."""
    assert fit_of(judged(0.93, 0.88, 0.96)).sentence == (
        "This account explains 93 % of how the output changes when words are removed; 7 % (4 % to "
        "12 %) is unexplained (R² 0.93, 95 % interval 0.88 to 0.96, measured on 200 combinations "
        "it had not seen: uniform, not used for fitting; 64 calls)."
    )


@pytest.mark.parametrize(
    ("numbers", "exhaustive", "said"),
    [
        ((0.83, 0.8, 0.85), False, "explains 83 % of how the output changes"),
        ((0.83, 0.8, 0.85), False, "; 17 % (15 % to 20 %) is unexplained (R²"),
        ((0.999, 0.99, 1.0), False, "; under 1 % (0 % to 1 %) is unexplained (R²"),
        ((0.1, -0.4, 0.3), False, "; 90 % (70 % to 100 %) is unexplained (R²"),
        ((-0.2, -0.4, 0.0), False, "; all of it is unexplained (R²"),
        ((0.4, np.nan, np.nan), False, "; 60 % is unexplained (R²"),
        ((0.4, 0.4, 0.4), True, "; 60 % is unexplained (R²"),
    ],
)
def test_the_unexplained_share_is_said(numbers, exhaustive, said):
    """Beside the share explained stands the share that is not, with its interval."""
    assert said in fit_of(judged(*numbers, exhaustive=exhaustive)).sentence


def test_a_run_that_ended_early_says_why():
    """The line of the cost says of how many calls it used how many, and what was enough."""
    e = games.sentiment(budget=40)
    early = replace(e.provenance, stopped="the fit's interval cleared R² 0.9 at look 2 of 4")
    cost = picture(replace(e, provenance=replace(early, budget=1024))).cost
    assert cost.startswith("40 of 1,024 calls (")
    assert cost.endswith("Ended early: the fit's interval cleared R² 0.9 at look 2 of 4.")
    assert "Ended early" not in picture(e).cost


def test_simple_account_of_every_mask_is_not_called_exact():
    """When all masks were tried and the account is too simple, more calls are not advised."""
    fit = fit_of(judged(0.4, 0.4, 0.4, exhaustive=True))
    assert fit.level == "poor"
    assert "more calls will not help" in fit.warnings[0]


def test_constant_where_judged_but_not_at_the_ends_is_poor():
    """Held-out masks that all gave one value prove nothing if the full input gives another."""
    fit = fit_of(judged(np.nan, np.nan, np.nan, constant=True))
    assert fit.level == "poor"
    assert "no fit could be measured" in fit.sentence


def test_interrupted_run_says_so():
    """A run that was stopped says after how many calls."""
    e = games.sentiment()
    e = replace(e, provenance=replace(e.provenance, interrupted=True, budget=500))
    assert fit_of(e).warnings[-1] == "Stopped early, after 64 of 500 calls."


def test_values_that_could_be_zero_are_marked_and_not_coloured():
    """A value within two standard errors of zero says so, and its word is left plain."""
    e = games.sentiment(budget=40)
    assert e.f.deviations is not None
    spread = 5.0 * np.eye(len(e.f))
    shown = picture(replace(e, f=replace(e.f, deviations=spread))).sections[0]
    assert {row.said for row in shown.alone.rows} == {"could be zero"}
    assert {tile.strength for tile in shown.tiles} == {0.0}
    assert shown.together.rows == ()


def test_missed_change_is_remarked_on():
    """An account that misses the model's own change says what every share holds of it."""
    e = games.sentiment()
    off = replace(e, f=e.f * 0.5)
    assert picture(off).sections[0].notes == (
        "From no words to all the model changes by +3.70, and this account by +1.85. What it "
        "misses is shared out evenly: +0.308 of each word's value.",
    )
    assert picture(e).sections[0].notes == ()


@pytest.mark.parametrize(
    ("unit", "shown"),
    [
        ("log-odds", "says positive: 97.8 % (log-odds +3.81; +0.11 with no words)"),
        ("nats", "gives positive: +3.81 nats (+0.11 with no words)"),
        ("", "gives positive: +3.81 (+0.11 with no words)"),
        ("probability", "says positive: 381.0 % (11.0 % with no words)"),
        (
            "log-probability (nats)",
            "gives positive: +3.81 nats (log-probability; +0.11 with no words)",
        ),
    ],
)
def test_value_is_said_in_its_unit(unit, shown):
    """Log-odds are also said as a probability; other units are said as they are."""
    e = replace(games.sentiment(), unit=unit)
    assert picture(e).sections[0].headline == f"toy-model {shown}"


def test_probability_is_never_rounded_to_certainty():
    """A share is shown as 0 or 100 % only if it is."""
    assert words.percent(0.99999) == "over 99.9 %"
    assert words.percent(0.00001) == "under 0.1 %"
    assert words.percent(0.997, 0) == "over 99 %"
    assert (words.percent(1.0), words.percent(0.0)) == ("100.0 %", "0.0 %")


@given(st.text(max_size=200))
def test_inert_text_has_no_control_left(text):
    """Whatever a label holds, what is shown of it can be written and acts on nothing."""
    shown = words.inert(text)
    assert {unicodedata.category(c) for c in shown}.isdisjoint({"Cc", "Cs", "Zl", "Zp"})
    assert set(shown).isdisjoint("\u200e\u200f\u202a\u202e\u2066\u2069\u061c\ufeff")
    shown.encode("utf-8")


@given(st.text(min_size=1, max_size=80), st.integers(1, 30))
def test_shortened_text_fits(text, width):
    """A shortened label takes at most its cells."""
    assert width_of(shortened(words.inert(text), max(width, 2))) <= max(width, 2)


@given(st.text(max_size=200), st.integers(40, 80))
def test_paragraph_keeps_every_word(text, width):
    """Wrapping loses nothing but spaces, and keeps to the width."""
    shown = words.inert(text)
    lines = paragraph(shown, width, "", "  ")
    assert "".join("".join(lines).split()) == "".join(shown.split())
    assert all(width_of(line) <= width for line in lines)


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), min_size=2, max_size=6))
def test_tiles_hold_the_text_once(spans):
    """Tiles give the whole text in order, also when spans overlap or point outside it."""
    text = "The quick brown fox jumps over it."
    units = Units(tuple("x" * len(spans)), tuple(spans), text)
    shown = tiles(units, [0.5] * len(spans), ["t"] * len(spans), 1000)
    assert "".join(tile.text for tile in shown) == text


def test_strengths_are_relative_to_the_largest():
    """The strongest has strength 1 or -1; what is not finite has none."""
    assert strengths([1.0, -4.0, float("nan")]) == (0.25, -1.0, 0.0)
    assert strengths([0.0, 0.0]) == (0.0, 0.0)


def test_pairs_that_the_held_out_masks_confirm_say_so():
    """With enough held-out masks a true pair is confirmed, with the rate; with few nothing is."""
    shown = picture(games.table(list("abcdefgh"), budget=128)).sections[0].together
    assert shown.rows[0].units == (0, 1)
    assert shown.rows[0].said.endswith("confirmed")
    assert "at most 10 % of them falsely" in shown.note
    few = picture(games.table(list("abcdefgh"), budget=60)).sections[0].together
    assert "confirmed" not in few.note + "".join(row.said for row in few.rows)
