"""Facts about the text for terminals."""

import re

import numpy as np
import pytest
from rich.cells import cell_len

import whence
from views import games
from whence.views.text import text

ANSI = re.compile(r"\x1b\[[0-9;]*m")

EVERY = {
    "exact": games.sentiment,
    "held out": lambda: games.sentiment(budget=40),
    "constant": games.constant,
    "poor": games.hard,
    "classes": games.classes,
    "long": games.long,
    "strange": lambda: games.table(
        [
            "[bold]x[/bold]",
            "\x1b[31mred\nnew\ttab",
            "日本語の列名",
            "👩\u200d👩\u200d👧 family",
            "y" * 200,
        ]
    ),
}


@pytest.fixture(scope="module", params=list(EVERY))
def explanation(request):
    """One explanation of each kind."""
    return EVERY[request.param]()


@pytest.mark.parametrize("width", [40, 47, 60, 80, 100])
def test_no_line_is_wider_than_the_width(explanation, width):
    """Every line fits, at any width from 40, with wide characters measured as they are shown."""
    lines = text(explanation, width=width, colour=False).splitlines()
    assert max(cell_len(line) for line in lines) <= width


def test_colour_changes_no_width(explanation):
    """With colours, lines are as wide as without."""
    lines = ANSI.sub("", text(explanation, width=60, colour=True)).splitlines()
    assert max(cell_len(line) for line in lines) <= 60


def test_nothing_acts_on_the_terminal(explanation):
    """Without colours there is no control character; with them, only the colours' own."""
    plain = text(explanation, width=80, colour=False)
    coloured = ANSI.sub("", text(explanation, width=80, colour=True))
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", plain + coloured)


def test_fit_comes_before_findings(explanation):
    """The R² of the first output stands before its first attribution, and the calls beside it."""
    shown = text(explanation, width=100, colour=False)
    at = shown.index("R²")
    assert at < (shown.find("Shapley") if "Shapley" in shown else len(shown))
    assert "calls" in shown[: at + 250]


def test_order_of_the_parts():
    """What the model says, the fit, the words, their values, what acts together, the cost."""
    shown = text(games.sentiment(), width=80, colour=False)
    parts = [
        "toy-model says positive: 97.8 % (log-odds +3.81; +0.11 with no words)",
        "Exact. All 64 combinations of the 6 words were tried",
        "  Her acting never fails to impress",
        "impress  +1.90",
        "never + fails  +4.00",
        "64 calls (0 duplicates, 3 repeats)",
        "seed 0",
    ]
    assert [shown.find(p) for p in parts] == sorted(shown.index(p) for p in parts)


def test_held_out_fit_names_its_masks():
    """A held-out fit says its interval, how many masks, and which."""
    shown = " ".join(text(games.sentiment(budget=40), width=80, colour=False).split())
    assert "95 % interval" in shown
    assert "measured on 8 combinations it had not seen: uniform, not used for fitting" in shown


def test_exact_run_shows_no_errors():
    """A run that tried every mask has no standard errors to show."""
    assert "±" not in text(games.sentiment(), width=80, colour=False)


def test_standard_errors_are_shown():
    """A sampled run shows every value with its standard error, and says what ± means."""
    shown = text(games.sentiment(budget=40), width=80, colour=False)
    assert "never + fails  +4.00 ± 0.00" in shown
    assert "one standard error" in " ".join(shown.split())


def test_poor_fit_is_said_in_words():
    """A poor fit says not to trust the numbers, and which knob to turn."""
    shown = " ".join(text(games.hard(), width=80, colour=False).split())
    assert "Poor fit." in shown
    assert "Do not trust the numbers below. Raise --budget" in shown


def test_constant_game_shows_no_findings():
    """A constant game has no attributions, and no R² that could mislead."""
    shown = text(games.constant(), width=80, colour=False)
    assert "Nothing to explain." in shown
    assert "Shapley" not in shown
    assert "nan" not in shown


def test_noise_is_said():
    """A model that answers differently to the same input is found out."""
    rng = np.random.default_rng(0)
    e = games.table(list("abcdefgh"), lambda m: m[:, 0] + rng.normal(size=len(m)), budget=100)
    assert "The model answers differently to the same input" in " ".join(
        text(e, width=80, colour=False).split()
    )


def test_marks_show_sign_and_strength_without_colour():
    """Without colours, marks under the words say which raise and which lower the output."""
    game = whence.text_game(
        lambda ts: [3.0 * ("good" in t) - 1.5 * ("dull" in t) for t in ts],
        "good but dull",
        scores="values",
    )
    lines = text(whence.explain(game), width=80, colour=False).splitlines()
    at = lines.index("  good but dull")
    assert lines[at + 1] == "  +++      --"
    assert lines[at + 2].startswith("  + raises it, - lowers it")


def test_colours_are_blue_and_orange():
    """With colours, what raises is blue and what lowers orange; the rest of the text is plain."""
    game = whence.text_game(
        lambda ts: [3.0 * ("good" in t) - 3.0 * ("dull" in t) for t in ts],
        "good but dull",
        scores="values",
    )
    shown = text(whence.explain(game), width=80, colour=True)
    assert re.search(r"\x1b\[\S+mgood\x1b\[0m but \x1b\[\S+mdull\x1b\[0m", shown)
    assert not re.search(r"\x1b\[[0-9;]*(?:31|32|91|92)m", shown)


def test_environment_decides_on_colour(monkeypatch):
    """NO_COLOR forbids colours, FORCE_COLOR asks for them, and a pipe has none."""
    e = games.sentiment()
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    assert "\x1b" not in text(e, width=80)
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b" in text(e, width=80)
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in text(e, width=80)


def test_many_outputs_are_few_sections():
    """Of ten outputs the four highest are shown, each with its own fit, and six are named."""
    shown = text(games.classes(), width=80, colour=False)
    assert shown.count("R² 1") == 4
    assert "6 more outputs, of lower value: class" in shown


def test_long_text_is_cut_to_what_matters():
    """A thousand words show the strongest ones with their neighbours, and mark what is cut."""
    shown = text(games.long(), width=80, colour=False)
    assert len(shown.splitlines()) < 45
    assert "word500" in shown
    assert "[...]" in shown
    assert "word900" not in shown


def test_order_one_shows_no_sets():
    """With order=1 there is no list of sets, and other indices are named where they stand."""
    shown = text(games.sentiment(), order=1, index="banzhaf", width=80, colour=False)
    assert "Act together" not in shown
    assert "Banzhaf" in shown


def test_no_interaction_is_said():
    """When no set matters beyond its units, that is said; when none was looked for, that too."""
    e = games.table(list("abc"), lambda m: 1.0 * m[:, 0])
    assert "No set of units matters beyond" in text(e, width=80, colour=False)
    names = [f"u{i}" for i in range(9)]
    e = games.table(names, lambda m: m @ np.arange(9.0), 60, explainer="banzhaf")
    assert "This account holds single units only" in text(e, width=80, colour=False)


def test_show_prints_it(capsys):
    """`Explanation.show` prints this text."""
    games.sentiment().show()
    assert "toy-model says positive" in capsys.readouterr().out


def test_a_fit_that_cannot_be_judged_says_so():
    """With too few held-out masks for an interval the light says that the fit is not known."""
    game = whence.Game(lambda m: m @ np.arange(1.0, 9.0), 8)
    e = whence.explain(game, budget=24, held_out=2)
    shown = text(e, width=80, colour=False)
    assert "Fit not known." in shown
    assert "2 held-out combinations are too few" in shown


def test_a_caution_stands_beside_the_fit():
    """A note that begins with Caution is a warning under the fit, and not in the footer."""
    game = whence.Game(
        lambda m: m.sum(axis=1), 3, notes=lambda: ["Caution: half of it is guessed", "a plain note"]
    )
    shown = text(whence.explain(game, budget=8), width=80, colour=False)
    assert shown.index("Caution: half of it is guessed") < shown.index("Units (Shapley")
    assert shown.rstrip().endswith("A plain note")
