"""Holds the facts about the embedded sentiment model: size, negation, and held-out accuracy."""

from __future__ import annotations

import importlib
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnxruntime")
pytest.importorskip("tokenizers")

from whence.adapters.onnx import OnnxClassifier
from whence.models import sentiment

ROOT = Path(__file__).parents[2]
DATA = ROOT.parent / "shared" / "data"
CONTRAST = ROOT / "benchmarks" / "data" / "negation_contrast.tsv"


@pytest.fixture(scope="module")
def model() -> OnnxClassifier:
    """The embedded model."""
    return sentiment.load()


@pytest.fixture(scope="module")
def splits() -> Any:
    """The module that holds the split rule, which is outside the package."""
    sys.path.insert(0, str(ROOT / "training" / "sentiment"))
    try:
        return importlib.import_module("splits")
    finally:
        sys.path.pop(0)


def positive(model: OnnxClassifier, *texts: str) -> np.ndarray:
    """(b,) probability that each text is positive."""
    logits = model(texts)
    return 1.0 / (1.0 + np.exp(logits[:, 0] - logits[:, 1]))


def test_the_two_files_take_at_most_four_million_bytes() -> None:
    """The model and its tokenizer together are at most 4,000,000 bytes."""
    folder = files("whence.models")
    sizes = [len((folder / name).read_bytes()) for name in ("sentiment.onnx", "tokenizer.json")]
    assert sum(sizes) <= 4_000_000


def test_never_fails_to_is_praise(model: OnnxClassifier) -> None:
    """Her acting that "never fails to impress" is praised; without "never" it is blamed."""
    praise, blame = positive(
        model, "Her acting never fails to impress", "Her acting fails to impress"
    )
    assert praise > 0.8
    assert blame < 0.2


@pytest.mark.parametrize(
    ("praise", "blame"),
    [
        ("A wonderful film.", "A terrible film."),
        ("good", "bad"),
        ("good", "not good"),
        ("not bad", "bad"),
        ("It isn't boring at all.", "It is boring."),
        ("I liked it.", "I did not like it."),
        ("The plot is clever.", "The plot is far from clever."),
    ],
)
def test_a_negation_turns_the_answer(model: OnnxClassifier, praise: str, blame: str) -> None:
    """Each first text is called positive and each second negative."""
    up, down = positive(model, praise, blame)
    assert up > 0.5 > down


def test_the_empty_text_is_near_neutral(model: OnnxClassifier) -> None:
    """With every word dropped the model is undecided: between 0.3 and 0.7."""
    (empty,) = positive(model, "")
    assert 0.3 < empty < 0.7


def test_a_rare_character_and_white_space_are_read(model: OnnxClassifier) -> None:
    """Texts of unknown characters, marks or spaces get finite logits."""
    assert np.isfinite(model(["☃ 雪", "   ", "?!", "naïve café", "\u2028"])).all()


def test_the_longest_text_is_read_and_a_longer_one_refused(model: OnnxClassifier) -> None:
    """510 words of one token fill the model; 511 are refused with both numbers."""
    words = ["film"] * (model.max_tokens - 2)
    assert np.isfinite(model([" ".join(words)])).all()
    with pytest.raises(ValueError, match="513 tokens long; the model reads at most 512"):
        model([" ".join([*words, "film"])])


def test_contrast_set_accuracy(model: OnnxClassifier, splits: Any) -> None:
    """The negation contrast set is answered at least as well as CARD.md says, less a margin."""
    rows = splits.read_contrast(CONTRAST)
    said = positive(model, *[row["text"] for row in rows]) > 0.5
    right = said == np.array([row["label"] == "positive" for row in rows])
    assert right.mean() >= 0.90


def test_no_contrast_text_is_in_two_pairs(splits: Any) -> None:
    """Every pair of the contrast set has one positive and one negative text."""
    rows = splits.read_contrast(CONTRAST)
    for first, second in zip(rows[::2], rows[1::2], strict=True):
        assert first["pair"] == second["pair"]
        assert (first["label"], second["label"]) == ("positive", "negative")


def test_split_ignores_case_and_marks(splits: Any) -> None:
    """Lines that differ in case or punctuation only fall on one side."""
    for i in range(200):
        text = f"A film, number {i}!"
        assert splits.part_of(text) == splits.part_of(text.upper().replace(",", " ;"))


@pytest.mark.skipif(not DATA.exists(), reason="../shared/data is absent")
def test_held_out_accuracy(model: OnnxClassifier, splits: Any) -> None:
    """At least 80 % of the held-out tenth of rt_polarity is answered right."""
    chosen = splits.select(splits.read_rt(DATA), "heldout")
    said = positive(model, *[one.text for one in chosen]) > 0.5
    assert (said == np.array([one.label == 1 for one in chosen])).mean() >= 0.80


@pytest.mark.skipif(not DATA.exists(), reason="../shared/data is absent")
def test_no_normalised_text_is_on_two_sides(splits: Any) -> None:
    """The training part shares no normalised text with the held-out part."""
    data = splits.read_rt(DATA) + splits.read_uci(DATA)
    sides = [
        {splits.normalise(one.text) for one in splits.select(data, part)}
        for part in ("train", "validation", "heldout")
    ]
    assert not sides[0] & sides[1]
    assert not sides[0] & sides[2]
    assert not sides[1] & sides[2]
