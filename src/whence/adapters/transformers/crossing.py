"""Holds match_game and pair_game: a Pair, an image and a text -> a Game over both.

It does not know how the model embeds (pairs), nor how images and texts are masked (the lenses).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from whence import masks as mask
from whence.adapters.transformers.pairs import Pair
from whence.errors import InputError
from whence.game import Game, Values
from whence.lenses.inputs.array import identified
from whence.lenses.inputs.image import masked_image
from whence.lenses.inputs.render import Absent, Drop, rendering
from whence.lenses.inputs.segment import segment
from whence.masks import Masks
from whence.samples import Samples
from whence.units import Units, plural

#: Embeddings of maskings that a game keeps, of images and of texts.
KEPT = 1 << 16


@dataclass(frozen=True)
class PairValue:
    """Masks over an image's units, then a text's -> scores; every masking is encoded once.

    Attributes:
        pair: the model.
        images: masks `(b, split)` -> b images.
        texts: masks `(b, n - split)` -> b texts.
        split: how many units are the image's.
        seen: embeddings of the images met so far, by mask.
        read: embeddings of the texts met so far, by text.
    """

    pair: Pair
    images: Callable[[Masks], Sequence[Any]]
    texts: Callable[[Masks], Sequence[str]]
    split: int
    seen: dict[Hashable, Values] = field(default_factory=dict[Hashable, Values], repr=False)
    read: dict[Hashable, Values] = field(default_factory=dict[Hashable, Values], repr=False)

    def __call__(self, masks: Masks) -> Values:
        """`(b,)` scores for masks `(b, n)`."""
        left, right = masks[:, : self.split], masks[:, self.split :]
        keys = [row.tobytes() for row in left]
        first = dict(zip(keys, range(len(left)), strict=True))

        def shown(missing: list[Hashable]) -> Values:
            return self.pair.images(self.images(left[[first[key] for key in missing]]))

        texts = list(self.texts(right))
        images = _known(self.seen, keys, shown)
        return self.pair.scores(images, _known(self.read, texts, self.pair.texts))


def _known(
    memory: dict[Hashable, Values],
    keys: Sequence[Any],
    encode: Callable[[list[Any]], Values],
) -> Values:
    """The embedding of each key, of those not met before by `encode`."""
    missing = [key for key in dict.fromkeys(keys) if key not in memory]
    if missing:
        memory.update(zip(missing, encode(missing), strict=True))
    rows = np.stack([memory[key] for key in keys])
    for old in list(memory)[: max(0, len(memory) - KEPT)]:
        del memory[old]
    return rows


def match_game(
    found: Pair,
    image: ArrayLike,
    text: str,
    *,
    image_units: str | ArrayLike = "patches:4",
    text_units: str = "word",
    image_absent: str | ArrayLike = "blur",
    text_absent: Absent | str = Drop(),  # noqa: B008  frozen, and holds nothing
    rng: int | np.random.Generator = 0,
    batch: int = 256,
) -> Game:
    """How well an image and a text match: a game over the regions of the one and the words of both.

    It is `pair_game` with the lenses of images and of texts: each different masked image and each
    different masked text is encoded once.

    Args:
        found: the model, from `load_pair`.
        image: `(h, w)` or `(h, w, 3)`, as `image_game`.
        text: what it is matched with.
        image_units, image_absent, rng: as `image_game`.
        text_units, text_absent: as `text_game`; hiding from attention is not among the latter.
        batch: masks that are valued at a time.

    Raises:
        InputError: an image or a text that cannot be used as it came.
    """
    shown, regions = masked_image(image, units=image_units, absent=image_absent, rng=rng)
    cut = segment(text, text_units, tokenizer=found.facts.token_spans)
    written = rendering(cut, text_absent)
    if written.kind != "text":
        raise InputError(
            f"text_absent={text_absent!r} came for a model of images and texts; it must be 'drop', "
            "'mask:...' or 'baseline:...'."
        )
    identity = f"{identified('', shown)}{written.identity('')}"
    game = pair_game(
        found, lambda masks: list(shown(masks)), written.render, regions, cut.units,
        identity=identity, batch=batch,
    )  # fmt: skip
    told = f"{found.facts.name} on {len(regions)} {plural(regions.kind)} of an image and "
    return replace(game, description=f"{told}{len(cut.units)} {plural(cut.units.kind)} of {text!r}")


def pair_game(
    found: Pair,
    images: Callable[[Masks], Sequence[Any]],
    texts: Callable[[Masks], Sequence[str]],
    image_units: Units | Sequence[str],
    text_units: Units | Sequence[str],
    *,
    identity: str | None = None,
    batch: int = 256,
) -> Game:
    """A game over the units of an image and those of a text: how well the two match.

    Each different masking of the image, and each different masked text, is encoded once in the
    game's life: masks that cross k maskings of the image with l of the text (see `Crossed`) are
    k * l values for k + l encodings.

    Args:
        found: the model, from `pair`.
        images: masks `(b, m)` over the image's units -> b images.
        texts: masks `(b, l)` over the text's units -> b texts.
        image_units: the image's units; they come first.
        text_units: the text's units.
        identity: a string equal only for games whose `images` and `texts` render alike; None
            forbids a journal on disk.
        batch: masks that are valued at a time.

    Raises:
        InputError: no units of the one or the other.
    """
    shown = _labels(image_units, "image")
    written = _labels(text_units, "text")
    known = found.facts.identity
    return Game(
        PairValue(found, images, texts, len(shown)),
        Units((*shown, *written), kind="unit"),
        unit=found.facts.unit,
        identity=None if identity is None or known is None else f"{known}:pair:{identity}",
        batch=batch,
        model=found.facts.name,
        description=f"{found.facts.name} on {len(shown)} image and {len(written)} text units",
    )


def _labels(units: Units | Sequence[str], what: str) -> tuple[str, ...]:
    labels = units.labels if isinstance(units, Units) else tuple(units)
    if isinstance(units, str) or not labels:
        raise InputError(f"{units!r} came as the {what}'s units; a sequence of labels is needed.")
    return labels


@dataclass(frozen=True)
class Crossed:
    """Masks that cross some maskings of the first units with some of the others.

    Of a budget b, k * l = b maskings are drawn, k to l as the units of the one to those of the
    other, and every one of the image's goes with every one of the text's. Masks that share a half
    are not independent: the same number of masks tells less than as many drawn freely, and of
    the image's own interactions only what k maskings tell.

    Attributes:
        split: how many units come first.

    Source:
        FIxLIP (NeurIPS 2025, arXiv 2508.05430), for encoding the two towers apart; the shape
        is ours.
    """

    split: int

    def __call__(self, n: int, budget: int, rng: np.random.Generator, seen: Samples) -> Masks:
        """At most `budget` new masks `(b, n)`."""
        other = n - self.split
        share = (budget * other / self.split) ** 0.5
        right = mask.uniform(other, max(1, min(round(share), 2 ** min(other, 30))), rng)
        left = mask.uniform(self.split, -(-budget // len(right)), rng)
        whole = np.concatenate(
            [np.repeat(left, len(right), axis=0), np.tile(right, (len(left), 1))], axis=1
        )
        return whole[~mask.among(whole, seen.masks)][:budget]
