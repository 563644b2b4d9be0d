"""Holds the embedded model: an English sentence-sentiment classifier, described in CARD.md.

Knows nothing of masks or games, nor of how the model was trained (training/sentiment does).
"""

from __future__ import annotations

from importlib.resources import as_file, files

from whence.adapters.onnx import OnnxClassifier, load_classifier
from whence.adapters.options import Options
from whence.errors import InputError

NAME = "whence-sentiment-1"
LABELS = ("negative", "positive")
MAX_TOKENS = 512


def load(threads: int = 0) -> OnnxClassifier:
    """The embedded sentiment classifier: texts to (b, 2) logits, "negative" then "positive".

    Args:
        threads: processor threads of one call; 0 leaves the choice to onnxruntime.

    Raises:
        MissingExtra: when onnxruntime or tokenizers is not installed.
    """
    folder = files("whence.models")
    with (
        as_file(folder / "sentiment.onnx") as model,
        as_file(folder / "tokenizer.json") as tokenizer,
    ):
        return load_classifier(
            model, tokenizer, LABELS, max_tokens=MAX_TOKENS, threads=threads, name=NAME
        )


def opened(rest: str, options: Options) -> OnnxClassifier:
    """The embedded model, for `--model embedded`.

    Raises:
        InputError: anything was said of it; there is one, and nothing about it to choose.
        MissingExtra: as `load`.
    """
    options.only("the embedded model")
    if rest:
        raise InputError(
            f"'embedded:{rest}' came; one model is embedded, and it is named 'embedded'. "
            "For a model of your own give its file, folder or name."
        )
    return load()
