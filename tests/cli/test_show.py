"""Facts about `whence show`, `explainers` and `indices`: reading without a model."""

from __future__ import annotations

import json

import numpy as np
import pytest

import whence
from whence import indices, recipes
from whence.cli.show import MEANINGS


@pytest.fixture
def saved(tmp_path):
    """A saved explanation of two outputs, with an interaction between "never" and "fails"."""

    def value(masks):
        her, never, fails = masks.T
        first = 0.5 * her - 1.0 * fails + 3.0 * (never & fails)
        return np.stack([first, -first], axis=1)

    game = whence.Game(value, ["her", "never", "fails"], outputs=["good", "bad"])
    return str(whence.explain(game, budget=8).save(tmp_path / "run.npz"))


def test_show_reads_what_was_saved(call, saved):
    """Text, JSON and HTML come out of a saved file, without a model."""
    assert "never + fails" in call("show", saved).stdout
    assert json.loads(call("show", saved, "--format", "json").stdout)["cost"]["calls"] == 8
    assert "</html>" in call("show", saved, "--format", "html").stdout


def test_show_reads_other_indices(call, saved):
    """Another index and order of a saved run cost nothing."""
    done = call("show", saved, "--index", "mobius", "--order", "3", "--format", "json")
    terms = {tuple(t["units"]): t["value"] for t in json.loads(done.stdout)["terms"]}
    assert terms[1, 2] == pytest.approx([3.0, -3.0])


def test_show_picks_an_output(call, saved):
    """--output shows one of several outputs; one that is not there is refused with the list."""
    done = call("show", saved, "--output", "bad", "--format", "json")
    assert json.loads(done.stdout)["output"]["name"] == ["bad"]
    refused = call("show", saved, "--output", "ugly")
    assert refused.exit_code == 2
    assert "good, bad" in refused.stderr


def test_show_writes_files(call, saved, tmp_path):
    """--out writes to files as `explain` does."""
    done = call("show", saved, "--out", "page.html")
    assert (done.exit_code, done.stdout) == (0, "")
    assert "</html>" in (tmp_path / "page.html").read_text("utf-8")


@pytest.mark.parametrize("name", ["absent.npz", "text.npz"])
def test_show_refuses_other_files(call, tmp_path, name):
    """A file that is absent or is not a saved explanation is refused by name."""
    (tmp_path / "text.npz").write_text("a text")
    done = call("show", name)
    assert (done.exit_code, done.stdout) == (2, "")
    assert name in done.stderr


@pytest.mark.usefixtures("model")
def test_what_explain_keeps_show_shows(call):
    """`--out run.npz` prints as well, and `show` prints the same from the file."""
    first = call("explain", "a good film", "--out", "run.npz")
    assert first.stdout == call("show", "run.npz").stdout


def test_explainers_lists_every_recipe(call):
    """`whence explainers` has a line for each recipe, which begins with its name."""
    lines = call("explainers").stdout.splitlines()
    assert [line.split()[0] for line in lines[: len(recipes.RECIPES)]] == list(recipes.RECIPES)
    assert all(len(line.split()) > 3 for line in lines[: len(recipes.RECIPES)])


def test_indices_lists_every_index(call):
    """`whence indices` has a line for each index, per unit and of sets."""
    listed = {line.split()[0] for line in call("indices").stdout.splitlines()}
    assert set(indices.INDICES) | {"shapley", "banzhaf", "influence"} == set(MEANINGS) <= listed


def test_short_names_are_true(call):
    """A short name in brackets is an alias of the index it stands beside."""
    for name, words in MEANINGS.items():
        if words.startswith("("):
            assert indices.canonical(words[1 : words.index(")")]) == name
