"""Holds Pair: a model of images and texts whose two towers are run apart.

It does not know how images or texts are masked, nor how a game crosses them (crossing).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whence.adapters import _torch
from whence.adapters._batches import Size
from whence.adapters.transformers.reading import Reader, fingerprint_of, limit_of, refuse_misfit
from whence.adapters.transformers.running import identity_of, name_of
from whence.adapters.transformers.vision import (
    as_floats,
    channels_of,
    image_size,
    in_image_batches,
    pixels,
    prints,
    processed,
)
from whence.errors import InputError
from whence.game import Values
from whence.scoring import Facts, Part, in_order

#: What the towers apart may differ from the whole model's answer, in its own units.
CLOSE = 1e-2
UNIT = "scaled cosine similarity (logit)"


@dataclass(frozen=True)
class Pair:
    """A model that scores how well an image and a text match; made by `pair`.

    The score of an image and a text is `scale * cosine + shift` of two embeddings, each made
    without the other: k images and l texts have k * l scores for k + l encodings.

    Attributes:
        model: a transformers model; left where it is, and as it is.
        tokenizer: its tokenizer.
        processor: its image processor.
        scale, shift: what turns a cosine into the model's logit.
        most: tokens that every text is padded to, which is the longest that the model reads.
        facts: what it says of itself; the identity is that of the whole model.
        size: images, or texts, of one batch.
    """

    model: Any
    tokenizer: Any
    processor: Any
    scale: float
    shift: float
    most: int
    facts: Facts
    size: Size

    def images(self, items: Sequence[Any]) -> Values:
        """`(b, d)` embeddings of images, of length 1; see `vision.scorer` for what an image is.

        Raises:
            InputError: an item that is no image, or of the wrong mode.
        """
        channels = channels_of(self.model)
        arrays = [pixels(item, channels) for item in items]
        return in_order(
            in_image_batches(len(arrays), lambda rows: self._images(arrays, rows), self.size)
        )

    def texts(self, items: Sequence[str]) -> Values:
        """`(b, d)` embeddings of texts, of length 1.

        Raises:
            InputError: an item that is no string, or longer than the model reads.
        """
        Reader(self.tokenizer, self.most).read(items)
        texts = list(items)
        return in_order(
            in_image_batches(len(texts), lambda rows: self._texts(texts, rows), self.size)
        )

    def scores(self, images: Values, texts: Values) -> Values:
        """`(b,)` scores of embedded images and texts, row by row."""
        return self.scale * np.einsum("bd,bd->b", images, texts) + self.shift

    def _images(self, arrays: Sequence[NDArray[np.uint8]], rows: NDArray[np.intp]) -> Values:
        given = processed(self.processor, [arrays[i] for i in rows.tolist()], self.model)
        with _torch.evaluating(self.model):
            return _directions(self.model.get_image_features(pixel_values=given))

    def _texts(self, texts: Sequence[str], rows: NDArray[np.intp]) -> Values:
        given = self.tokens([texts[int(i)] for i in rows])
        with _torch.evaluating(self.model):
            return _directions(self.model.get_text_features(**given))

    def tokens(self, texts: Sequence[str]) -> dict[str, Any]:
        """Texts as the model reads them, each padded to its longest, as some were trained."""
        given = self.tokenizer(
            list(texts),
            padding="max_length",
            max_length=self.most,
            truncation=False,
            return_tensors="pt",
        )
        device = _torch.device_of(self.model)
        return {name: given[name].to(device) for name in self.tokenizer.model_input_names}


def pair(model: Any, tokenizer: Any, processor: Any, *, name: str = "") -> Pair:
    """A model of images and texts, its towers apart. One small call of the model.

    The call compares the two towers' product with what the whole model says: a model that mixes
    image and text before its score is refused.

    Args:
        model: a transformers model that embeds images and texts, such as CLIP or SigLIP.
        tokenizer: its tokenizer.
        processor: its image processor.
        name: what to call the model.

    Raises:
        InputError: a tokenizer of another model, or a model whose score is no product of two
            embeddings.
    """
    refuse_misfit(tokenizer, model, name_of(model, name))
    most = limit_of(tokenizer, model)
    numbers = {name: float(p.detach()) for name, p in model.named_parameters() if p.numel() == 1}
    if most is None or "logit_scale" not in numbers:
        raise InputError(
            f"{name_of(model, name)} says neither how long a text it reads nor what scales its "
            "cosines (logit_scale); its two towers cannot be run apart. Explain the image for one "
            "text, or the text for one image."
        )
    found = Pair(
        model,
        tokenizer,
        processor,
        float(np.exp(numbers["logit_scale"])),
        numbers.get("logit_bias", 0.0),
        most,
        _facts(model, tokenizer, processor, name, most),
        image_size(model, None),
    )
    _refuse_mixed(found)
    return found


def _facts(model: Any, tokenizer: Any, processor: Any, name: str, most: int) -> Facts:
    parts = [fingerprint_of(tokenizer), prints(processor)]
    return Facts(
        name=name_of(model, name),
        identity=identity_of(model, parts, "image-text"),
        scores="values",
        unit=UNIT,
        reads=frozenset({"image"}),
        max_tokens=most,
        notes=("the image and the text are encoded apart",),
    )


def _refuse_mixed(found: Pair) -> None:
    channels = channels_of(found.model)
    probe = (np.arange(32 * 32 * channels) % 251).reshape(32, 32, channels).astype(np.uint8)
    texts = ["a", "the other"]
    given = found.tokens(texts)
    seen = processed(found.processor, [probe], found.model)
    with _torch.evaluating(found.model):
        whole = as_floats(found.model(**given, pixel_values=seen, return_dict=True).logits_per_text)
    apart = found.scores(np.repeat(found.images([probe]), 2, axis=0), found.texts(texts))
    if not np.allclose(whole[:, 0], apart, atol=CLOSE, rtol=CLOSE):
        raise InputError(
            f"{found.facts.name} scores a pair as {whole[:, 0].tolist()} and its two towers apart "
            f"give {apart.tolist()}: it mixes image and text before the score. Explain the image "
            "for one text, or the text for one image."
        )


def _directions(answer: Any) -> Values:
    """`(b, d)` embeddings, of length 1."""
    features = answer if isinstance(answer, _torch.require().Tensor) else answer.pooler_output
    rows = as_floats(features)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


# --- an image for some texts ------------------------------------------------------------------


@dataclass(frozen=True)
class Matched:
    """A scorer of images: how well each matches some texts. The texts are encoded once.

    Attributes:
        pair: the model.
        texts: `(classes, d)` embeddings of the texts.
        facts: what it says of itself; the labels are the texts.
    """

    pair: Pair
    texts: Values
    facts: Facts

    def __call__(self, items: Sequence[Any]) -> Values:
        """`(b, classes)` logits of images, in their order."""
        return in_order(self.stream(items))

    def stream(self, items: Sequence[Any]) -> Iterator[Part]:
        """See `whence.scoring.Executor`."""
        step = self.facts.batch
        for start in range(0, len(items), step):
            images = self.pair.images(items[start : start + step])
            where = np.arange(start, start + len(images))
            yield where, self.pair.scale * images @ self.texts.T + self.pair.shift


def matched(found: Pair, texts: Sequence[str]) -> Matched:
    """A scorer of images by texts, as zero-shot classification does: one class per text.

    Raises:
        InputError: fewer than two different texts.
    """
    if isinstance(texts, str) or len(set(texts)) < max(2, len(texts)):
        raise InputError(f"texts={texts!r} came; two different texts or more are needed.")
    said = json.dumps(list(texts))
    known = found.facts.identity
    facts = replace(
        found.facts,
        identity=None if known is None else f"{known}:{hashlib.sha256(said.encode()).hexdigest()}",
        scores="logits",
        labels=tuple(texts),
        unit="",
        batch=found.size.tokens,
    )
    return Matched(found, found.texts(texts), facts)
