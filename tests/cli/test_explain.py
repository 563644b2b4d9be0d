"""Facts about `whence explain`: what it prints, what it costs, and what a journal saves."""

from __future__ import annotations

import json

import numpy as np
import pytest

import whence
from whence import Journal

SENTENCE = "Her acting never fails to impress"
LONG = "The film is not good but it is never dull and I was not bored"

pytestmark = pytest.mark.usefixtures("model")


def found(done):
    """The JSON that a run printed."""
    assert done.exit_code == 0, done.stderr
    return json.loads(done.stdout)


def stored(path):
    """Answers in a journal, and the games they are of."""
    with Journal(path) as journal:
        return journal.games()


def test_text_says_the_fit_before_the_findings(call):
    """The words come after the measured fit, in plain text of at most 80 columns in a pipe."""
    done = call("explain", SENTENCE)
    assert done.exit_code == 0
    assert done.stdout.index("R²") < done.stdout.index("Shapley")
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert done.stderr == ""


@pytest.mark.parametrize("width", [40, 60, 120])
def test_width_is_kept(call, width):
    """No line is wider than --width."""
    done = call("explain", SENTENCE, "--width", str(width))
    assert max(map(len, done.stdout.splitlines())) <= width


def test_json_field_by_field(call):
    """The JSON holds text, units with places, output, fit, cost, function, findings, provenance."""
    e = found(call("explain", SENTENCE, "--format", "json"))
    assert e["text"] == SENTENCE
    assert [unit["label"] for unit in e["units"]] == SENTENCE.split()
    assert [SENTENCE[unit["start"] : unit["end"]] for unit in e["units"]] == SENTENCE.split()
    assert e["output"]["name"][0] in ("negative", "positive")
    assert e["output"]["unit"] == "log-odds"
    assert e["output"]["value_all"][0] > 0  # the class that the model predicts
    assert e["fidelity"] | {"noise": 0} == {
        "r2": [1.0],
        "low": [1.0],
        "high": [1.0],
        "masks": 64,
        "distribution": "all masks",
        "exact": True,
        "constant": [False],
        "noise": 0,
        "repeats": 3,
    }
    assert e["cost"] | {"seconds": 0, "tokens": 0} == {
        "calls": 64,
        "duplicates": 0,
        "repeats": 3,
        "seconds": 0,
        "tokens": 0,
    }
    assert e["cost"]["tokens"] > 64
    assert e["function"]["basis"] == "fourier"
    assert len(e["function"]["terms"]) == 64
    assert (e["findings"]["index"], e["findings"]["order"]) == ("faith_banzhaf", 2)
    assert e["terms"] == e["findings"]["terms"]
    assert {len(term["units"]) for term in e["terms"]} <= {0, 1, 2}
    change = e["output"]["value_all"][0] - e["output"]["value_none"][0]
    shares = [term["value"][0] for term in e["attributions"]["terms"]]
    assert sum(shares) == pytest.approx(change)
    assert e["provenance"]["seed"] == 0
    assert e["provenance"]["interrupted"] is False
    assert e["provenance"]["versions"]["whence"] == whence.__version__


def test_html_is_one_page(call):
    """--format html prints one whole page that fetches nothing."""
    page = call("explain", SENTENCE, "--format", "html").stdout
    assert page.lstrip().lower().startswith("<!doctype html>")
    assert page.rstrip().endswith("</html>")
    assert 'src="http' not in page
    assert "impress" in page


def test_files_by_suffix(call, tmp_path):
    """--out writes by suffix, in place of stdout; a note on stderr names each file."""
    done = call("explain", SENTENCE, "--out", "a.json", "--out", "a.html", "--out", "a.txt")
    assert (done.exit_code, done.stdout) == (0, "")
    assert json.loads((tmp_path / "a.json").read_text("utf-8"))["text"] == SENTENCE
    assert "</html>" in (tmp_path / "a.html").read_text("utf-8")
    assert "\x1b" not in (tmp_path / "a.txt").read_text("utf-8")
    assert [line.split()[1] for line in done.stderr.splitlines()] == ["a.json", "a.html", "a.txt"]


def test_quiet(call):
    """--quiet leaves stderr empty."""
    done = call("explain", SENTENCE, "--out", "a.json", "--journal", "j.db", "--quiet")
    assert (done.exit_code, done.stdout, done.stderr) == (0, "", "")


# --- what goes in -----------------------------------------------------------------------------


def test_a_text_is_the_same_however_it_comes(call, tmp_path):
    """Argument, file and pipe give one result; the line break at a file's end is no part of it."""
    (tmp_path / "a.txt").write_text(SENTENCE + "\n")
    ways = [
        call("explain", SENTENCE, "--format", "json"),
        call("explain", "--file", "a.txt", "--format", "json"),
        call("explain", "-", "--format", "json", stdin=SENTENCE + "\r\n"),
    ]
    first, *others = [found(way) for way in ways]
    assert [other["provenance"]["identity"] for other in others] == [
        first["provenance"]["identity"]
    ] * 2
    assert [other["terms"] for other in others] == [first["terms"]] * 2


def test_a_text_that_begins_with_a_dash(call):
    """After -- a text may begin with a dash."""
    assert found(call("explain", "--format", "json", "--", "-5 degrees, brr"))["text"][0] == "-"


def test_repeated_words_stay_apart(call):
    """A word that comes twice is two units, told apart by their numbers."""
    done = call("explain", "good is good")
    assert "good [1]" in done.stdout
    assert "good [2]" in done.stdout


@pytest.mark.parametrize(
    ("text", "options", "labels"),
    [
        ("A good film. A bad end.", ["--units", "sentence"], ["A good film.", "A bad end."]),
        ("good film\n\nbad end", ["--units", "paragraph"], ["good film", "bad end"]),
        ("good film\nbad end", ["--units", "line"], ["good film", "bad end"]),
        ("a {good film} with {a bad end}", ["--units", "marked"], ["good film", "a bad end"]),
        ("a good bad end", ["--part", "good", "--part", "bad end"], ["good", "bad end"]),
        ("a good bad end", ["--pin", "good"], ["a", "bad", "end"]),
    ],
)
def test_units(call, text, options, labels):
    """Units are what --units, --part and --pin say."""
    e = found(call("explain", text, *options, "--format", "json"))
    assert [unit["label"] for unit in e["units"]] == labels
    assert "{" not in e["text"]


def test_tokens_are_the_models_own(call):
    """--units token cuts where the model's tokenizer does."""
    e = found(call("explain", "unimpressively dull", "--units", "token", "--format", "json"))
    assert len(e["units"]) > 2
    assert e["units"][-1]["label"] == "dull"


def test_absent_policies_are_different_games(call):
    """What stands in an absent unit's place changes the values, and never the full text's."""
    games = [
        found(
            call(
                "explain",
                "a good film",
                "--absent",
                how,
                "--output",
                "positive",
                "--format",
                "json",
            )
        )
        for how in ("drop", "mask:[UNK]", "baseline:the bad show")
    ]
    assert len({e["provenance"]["identity"] for e in games}) == 3
    assert len({round(e["output"]["value_none"][0], 6) for e in games}) == 3
    assert np.ptp([e["output"]["value_all"][0] for e in games]) < 1e-5


# --- what is read of it -----------------------------------------------------------------------


def test_the_predicted_class_is_explained(call):
    """Without --output it is the class the model gives the higher score."""
    e = found(call("explain", SENTENCE, "--format", "json"))
    both = found(call("explain", SENTENCE, "--output", "all", "--format", "json"))
    scores = dict(zip(both["output"]["name"], both["output"]["value_all"], strict=True))
    assert e["output"]["name"] == [max(scores, key=scores.__getitem__)]


def test_outputs(call):
    """A class by name or number, and a contrast, are explained as asked."""

    def read(output):
        return found(call("explain", SENTENCE, "--output", output, "--format", "json"))["output"]

    assert read("positive")["name"] == read("1")["name"] == ["positive"]
    contrast = read("positive-negative")
    assert contrast["name"] == ["positive-negative"]
    assert contrast["value_all"] == pytest.approx(read("positive")["value_all"])


def test_links(call):
    """A probability and its log-odds say the same of the full text."""

    def read(link):
        done = call("explain", SENTENCE, "--link", link, "--format", "json")
        return found(done)["output"]["value_all"][0]

    p = read("probability")
    assert read("log-odds") == pytest.approx(np.log(p / (1 - p)))
    assert read("log-probability") == pytest.approx(np.log(p))


def test_index_sets_what_it_is_of(call):
    """--index takes an index of units, an index of sets, or one of each."""
    e = found(
        call(
            "explain",
            SENTENCE,
            "--index",
            "banzhaf",
            "--index",
            "SII",
            "--order",
            "3",
            "--format",
            "json",
        )
    )
    assert e["attributions"]["index"] == "banzhaf"
    assert (e["findings"]["index"], e["findings"]["order"]) == ("shapley_interaction", 3)
    assert max(len(term["units"]) for term in e["terms"]) == 3


def test_seeds(call):
    """Another seed asks other masks; the same seed the same."""

    def read(seed):
        done = call(
            "explain",
            LONG,
            "--budget",
            "64",
            "--explainer",
            "lime",
            "--seed",
            seed,
            "--format",
            "json",
        )
        return found(done)["terms"]

    assert read("1") == read("1") != read("2")


def test_degree_follows_the_explainer(call):
    """--explainer faith:1 fits single words only."""
    e = found(call("explain", LONG, "--budget", "64", "--explainer", "faith:1", "--format", "json"))
    assert e["provenance"]["explainer"] == "faith:1"
    assert max(len(term["units"]) for term in e["function"]["terms"]) == 1


# --- what it costs ----------------------------------------------------------------------------


def paid(done):
    """Answers that a run with a journal paid for, as its note says."""
    assert done.exit_code == 0, done.stderr
    return int(done.stderr.rpartition(": ")[2].split()[0].replace(",", ""))


@pytest.mark.parametrize("options", [[], ["--budget", "80", "--explainer", "kernel_shap"]])
def test_a_dry_run_says_what_the_run_spends(call, tmp_path, options):
    """A dry run makes no journal, and foretells calls, held-out ones, duplicates and tokens."""
    command = ["explain", SENTENCE if not options else LONG, *options, "--format", "json"]
    plan = found(call(*command, "--journal", "j.db", "--dry-run"))
    assert list(tmp_path.iterdir()) == []
    e = found(call(*command, "--journal", "j.db"))
    assert {name: plan[name] for name in ("calls", "duplicates", "tokens", "repeats")} == {
        name: e["cost"][name] for name in ("calls", "duplicates", "tokens", "repeats")
    }
    assert plan["held_out"] == (0 if e["fidelity"]["exact"] else e["fidelity"]["masks"])
    assert (plan["known"], plan["paid"]) == (0, plan["calls"])
    assert sum(game.values for game in stored(tmp_path / "j.db")) == plan["calls"]


def test_a_run_that_may_stop_is_forecast_at_most(call):
    """With --target-r2 a dry run says at most, and the run ends early and says why."""
    command = ["explain", LONG, "--target-r2", "0.5"]
    assert "at most 1,024 of a budget of 1,024" in call(*command, "--dry-run").stdout
    e = found(call(*command, "--format", "json"))
    assert e["cost"]["calls"] < e["provenance"]["budget"] == 1024
    assert "cleared R² 0.5 at look" in e["provenance"]["stopped"]
    told = " ".join(call(*command).stdout.split())
    assert f"{e['cost']['calls']} of 1,024 calls" in told
    assert f"Ended early: {e['provenance']['stopped']}." in told


def test_separate_ends_when_the_strongest_stand_apart(call):
    """--separate 1 ends early when one word stands apart from all others."""
    text = "the awful film of one of the sons of the man of the house by the sea"
    e = found(call("explain", text, "--separate", "1", "--format", "json"))
    assert e["provenance"]["stopped"].startswith("the strongest word stood apart from the rest")
    assert e["cost"]["calls"] < e["provenance"]["budget"]


def test_a_dry_run_counts_what_the_journal_knows(call, tmp_path):
    """Masks in the journal are free in a dry run, which leaves the journal as it is."""
    call("explain", LONG, "--budget", "40", "--explainer", "lime", "--journal", "j.db")
    before = stored(tmp_path / "j.db")
    plan = found(
        call(
            "explain",
            LONG,
            "--budget",
            "40",
            "--explainer",
            "lime",
            "--journal",
            "j.db",
            "--dry-run",
            "--format",
            "json",
        )
    )
    assert (plan["known"], plan["paid"], plan["tokens"]) == (40, 0, 0)
    assert stored(tmp_path / "j.db") == before


def test_a_dry_run_in_words(call):
    """As text a dry run says what a run would cost, and which calls were made to find out."""
    told = call("explain", SENTENCE, "--dry-run").stdout
    assert "64 of a budget of 64" in told
    assert "timed on" in told
    assert "Only the 8 timed calls were made" in told


def test_no_file_without_a_journal(call, tmp_path):
    """Nothing is written that was not asked for."""
    call("explain", SENTENCE)
    assert list(tmp_path.iterdir()) == []


def test_a_second_run_pays_nothing(call):
    """The same command with the same journal asks nothing again, and says the same."""
    first, second = (
        call("explain", SENTENCE, "--format", "json", "--journal", "j.db") for _ in range(2)
    )
    assert (paid(first), paid(second)) == (64 + 3, 0)
    assert found(first)["terms"] == found(second)["terms"]


@pytest.mark.parametrize(
    "other",
    [
        ["--output", "positive"],
        ["--output", "all"],
        ["--link", "probability"],
        ["--index", "banzhaf", "--index", "stii", "--order", "3"],
        ["--explainer", "exact"],
    ],
)
def test_another_reading_of_a_journal_pays_nothing(call, other):
    """Another output, link, index or explainer of the same masks costs no call."""
    call("explain", SENTENCE, "--journal", "j.db")
    assert paid(call("explain", SENTENCE, "--journal", "j.db", *other)) == 0


def test_a_journal_changes_no_result(call):
    """With a journal, a half-filled journal or none the findings are the same."""
    command = ["explain", LONG, "--explainer", "lime", "--format", "json"]
    without = found(call(*command, "--budget", "60"))
    call(*command, "--budget", "40", "--journal", "j.db")
    assert found(call(*command, "--budget", "60", "--journal", "j.db"))["terms"] == without["terms"]


def test_the_full_text_is_paid_for_once(call, tmp_path):
    """Finding the predicted class takes no call beyond the budget."""
    e = found(call("explain", SENTENCE, "--format", "json", "--journal", "j.db"))
    (game,) = stored(tmp_path / "j.db")
    assert e["cost"]["calls"] == game.values == 64
