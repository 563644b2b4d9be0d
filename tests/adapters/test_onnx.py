"""Holds the facts about OnnxClassifier, on the embedded model and on files that do not fit."""

from __future__ import annotations

import builtins
import hashlib
import random
import re
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from whence.adapters import onnx as adapter
from whence.adapters.onnx import OnnxClassifier, load_classifier
from whence.adapters.options import Options
from whence.errors import InputError, MissingExtra
from whence.models import sentiment
from whence.scoring import Executor, HiddenText, Scorer

FOLDER = Path(str(files("whence.models")))
MODEL, TOKENIZER = FOLDER / "sentiment.onnx", FOLDER / "tokenizer.json"
WORDS = re.findall(r"\S+", "a the film plot is not never very good bad dull fails to move me , . !")


@pytest.fixture(scope="module")
def model() -> OnnxClassifier:
    """The embedded model, opened by the public function."""
    pytest.importorskip("onnxruntime")
    pytest.importorskip("tokenizers")
    return load_classifier(MODEL, TOKENIZER, ("negative", "positive"))


def some_texts(count: int, seed: int) -> list[str]:
    """Random texts of 0 to 30 words."""
    draw = random.Random(seed)
    return [" ".join(draw.choices(WORDS, k=draw.randrange(31))) for _ in range(count)]


def test_logits_are_one_row_a_text_in_float64(model: OnnxClassifier) -> None:
    """The answer is (b, classes) float64, also for no text at all."""
    assert model(["good", "", "bad film"]).shape == (3, 2)
    assert model(["good"]).dtype == np.float64
    assert model([]).shape == (0, 2)


def test_the_empty_text_is_a_text(model: OnnxClassifier) -> None:
    """The text "" gets finite logits, the same alone and in company."""
    alone = model([""])
    assert np.isfinite(alone).all()
    np.testing.assert_allclose(model(["", "a very dull film"])[0], alone[0], atol=1e-5)


@pytest.mark.parametrize("size", [1, 7, 64, 256])
def test_a_score_does_not_depend_on_the_batch(model: OnnxClassifier, size: int) -> None:
    """Whatever the batch size and the neighbours, a text's logits move by less than 1e-5."""
    texts = some_texts(256, seed=0)
    whole = model(texts)
    order = list(range(len(texts)))
    random.Random(size).shuffle(order)
    for start in range(0, len(order), size):
        rows = order[start : start + size]
        assert np.abs(model([texts[i] for i in rows]) - whole[rows]).max() < 1e-5


def test_rows_come_back_in_the_order_given(model: OnnxClassifier) -> None:
    """Sorting by length inside does not show outside."""
    texts = some_texts(100, seed=1)
    np.testing.assert_allclose(model(texts[::-1])[::-1], model(texts), atol=1e-5)


def test_two_calls_agree_to_the_bit(model: OnnxClassifier) -> None:
    """The same list scored twice gives the same bits."""
    texts = some_texts(50, seed=2)
    assert np.array_equal(model(texts), model(texts))


def test_too_long_a_text_is_refused_by_name() -> None:
    """The message says how many tokens came, how many are read, and what to do."""
    pytest.importorskip("onnxruntime")
    small = load_classifier(MODEL, TOKENIZER, ("negative", "positive"), max_tokens=8)
    with pytest.raises(InputError, match=r"Text 1 .* is 9 tokens long.* at most 8.*Shorten"):
        small(["good", "good " * 7])


def test_count_tokens_counts_the_special_ones(model: OnnxClassifier) -> None:
    """The empty text takes two tokens, the two ends; a common word takes one more."""
    assert model.count_tokens(["", "good", "good film"]).tolist() == [2, 3, 4]


def test_token_spans_point_into_the_text(model: OnnxClassifier) -> None:
    """Spans cut the text itself, accents and case included, and skip the special tokens."""
    text = "A naïve, GOOD film"
    assert [text[a:b] for a, b in model.token_spans(text)][-2:] == ["GOOD", "film"]
    assert len(model.token_spans(text)) == model.count_tokens([text])[0] - 2
    assert model.token_spans("") == []


def test_identity_is_the_hash_of_both_files(model: OnnxClassifier) -> None:
    """identity is "onnx:" and the sha256 of the model's bytes followed by the tokenizer's."""
    digest = hashlib.sha256(MODEL.read_bytes() + TOKENIZER.read_bytes()).hexdigest()
    assert model.identity == f"onnx:{digest}"


def test_a_lone_string_is_refused(model: OnnxClassifier) -> None:
    """One string instead of a list is refused, not read letter by letter."""
    with pytest.raises(InputError, match="list of strings"):
        model("good film")


def test_an_item_that_is_no_string_is_refused(model: OnnxClassifier) -> None:
    """A list with a number in it is refused, and the item named."""
    with pytest.raises(InputError, match="Item 1 is of type int"):
        model(["good", 3])  # type: ignore[list-item]


def test_labels_that_do_not_fit_are_refused() -> None:
    """Three labels for two logits are refused when the model is opened."""
    pytest.importorskip("onnxruntime")
    with pytest.raises(InputError, match="3 labels came"):
        load_classifier(MODEL, TOKENIZER, ("a", "b", "c"))


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    """A path without a file is refused, and named."""
    pytest.importorskip("onnxruntime")
    with pytest.raises(InputError, match=r"none\.onnx came as the model"):
        load_classifier(tmp_path / "none.onnx", TOKENIZER, ("a", "b"))


def test_a_missing_framework_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without onnxruntime the message says what to install."""
    real = builtins.__import__

    def absent(name: str, *rest: Any, **named: Any) -> Any:
        if name == "onnxruntime":
            raise ImportError("absent", name=name)
        return real(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(MissingExtra, match=r'onnxruntime is not installed.*"whence\[onnx\]"'):
        load_classifier(MODEL, TOKENIZER, ("a", "b"))


def test_importing_the_adapter_imports_no_framework() -> None:
    """The module can be imported where neither onnxruntime nor tokenizers is."""
    code = (
        f"import sys, {adapter.__name__}; "
        "sys.exit(bool({'onnxruntime', 'tokenizers'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_embedded_model_says_what_it_is(model: OnnxClassifier) -> None:
    """Its facts hold its name, its old identity, its classes, its length, and [UNK] as its mask."""
    facts = sentiment.load().facts
    assert (facts.name, facts.identity) == (sentiment.NAME, model.identity)
    assert (facts.scores, facts.labels) == ("logits", ("negative", "positive"))
    assert (facts.max_tokens, facts.mask) == (512, "[UNK]")


def test_facts_count_and_cut_as_the_model_does(model: OnnxClassifier) -> None:
    """The counts and spans of the facts are the model's own."""
    text = "a very good film"
    facts = model.facts
    assert facts.count_tokens is not None
    assert facts.token_spans is not None
    assert facts.count_tokens([text, ""]).tolist() == model.count_tokens([text, ""]).tolist()
    assert list(facts.token_spans(text)) == model.token_spans(text)


def test_it_is_a_scorer_and_an_executor(model: OnnxClassifier) -> None:
    """The classifier keeps both protocols of the seam between lenses and adapters."""
    assert isinstance(model, Scorer)
    assert isinstance(model, Executor)


def test_parts_are_the_call_to_the_bit(model: OnnxClassifier) -> None:
    """Streamed parts hold every position once, at most 32 each, with the bits of a call."""
    texts = [*some_texts(100, seed=3), *["good film"] * 70]
    parts = list(model.stream(texts))
    rows = np.concatenate([where for where, _ in parts])
    assert sorted(rows.tolist()) == list(range(len(texts)))
    assert max(len(where) for where, _ in parts) == adapter.text.BATCH
    assert np.array_equal(np.concatenate([v for _, v in parts]), model(texts)[rows])


def test_hidden_words_keep_their_places(model: OnnxClassifier) -> None:
    """A text of which nothing is hidden is the text; hiding a word is not dropping it."""
    text = "not a very good film"
    whole, hidden = model([HiddenText(text), HiddenText(text, ((0, 3),))])
    plain, dropped = model([text, "a very good film"])
    assert np.array_equal(whole, plain)
    assert np.abs(hidden - plain).max() > 0.1
    assert np.abs(hidden - dropped).max() > 1e-4


def test_what_is_hidden_does_not_reach_the_score(model: OnnxClassifier) -> None:
    """Two texts that differ only where both are hidden, in words of one token, score alike."""
    texts = [HiddenText(f"a {word} film", ((2, 2 + len(word)),)) for word in ("good", "dull")]
    assert model.count_tokens(texts).tolist() == [5, 5]
    first, second = model(texts)
    np.testing.assert_allclose(first, second, atol=1e-6)


def test_nothing_can_be_said_of_the_embedded_model() -> None:
    """`embedded:` takes no name, and no option: both are refused."""
    pytest.importorskip("onnxruntime")
    with pytest.raises(InputError, match="one model is embedded"):
        sentiment.opened("other", Options())
    with pytest.raises(InputError, match="labels= came for the embedded model"):
        sentiment.opened("", Options(labels=("a", "b")))
