"""Facts about models of images and texts: two towers run apart, each masking encoded once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
pytest.importorskip("PIL.Image")

import whence  # noqa: E402  after what may be missing, as all that follows
from adapters.transformers import tiny  # noqa: E402
from whence.adapters.transformers import crossing, pairs  # noqa: E402
from whence.errors import InputError  # noqa: E402
from whence.explainer import Paired  # noqa: E402
from whence.masks import distinct, ends, every  # noqa: E402
from whence.samples import Samples  # noqa: E402
from whence.solvers.low_degree import LowDegree  # noqa: E402

PICTURE = np.random.default_rng(0).integers(0, 256, (16, 16, 3)).astype(np.uint8)
WORDS = ("a", "photo", "of", "cats")
QUARTERS = ("top left", "top right", "bottom left", "bottom right")


class Mixed(transformers.CLIPModel):
    """A CLIP whose score is no product of two embeddings."""

    def forward(self, *args: Any, **named: Any) -> Any:
        """The logits, bent."""
        answer = super().forward(*args, **named)
        answer.logits_per_text = answer.logits_per_text**2
        return answer


def shown(masks: Any) -> list[Any]:
    """The picture with absent quarters black."""
    wide = masks.reshape(-1, 2, 2).repeat(8, axis=1).repeat(8, axis=2)[..., None]
    return list(np.where(wide, PICTURE, 0).astype(np.uint8))


def written(masks: Any) -> list[str]:
    """The text without absent words."""
    return [" ".join(w for w, on in zip(WORDS, row, strict=True) if on) for row in masks]


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    """A WordPiece tokenizer; CLIP knows no token types."""
    made = tiny.tokenizer()
    made.model_input_names = ["input_ids", "attention_mask"]
    return made


@pytest.fixture(scope="module")
def pair(tokenizer: Any) -> pairs.Pair:
    """A tiny CLIP of random weights."""
    return pairs.pair(tiny.clip(), tokenizer, tiny.image_processor())


@contextmanager
def counted(model: Any) -> Iterator[dict[str, int]]:
    """How many images and texts go through the model's towers."""
    rows = {"images": 0, "texts": 0}

    def count(name: str, key: str) -> Any:
        def hook(_: Any, args: Any, named: Any) -> None:
            rows[name] += len(named[key])

        return hook

    hooks = [
        model.vision_model.register_forward_pre_hook(
            count("images", "pixel_values"), with_kwargs=True
        ),
        model.text_model.register_forward_pre_hook(count("texts", "input_ids"), with_kwargs=True),
    ]
    try:
        yield rows
    finally:
        for hook in hooks:
            hook.remove()


def whole_model(pair: pairs.Pair, image: Any, text: str) -> float:
    """The logit that the whole model gives an image and a text."""
    given = pair.tokenizer([text], return_tensors="pt")
    eyes = pair.processor([image], return_tensors="pt")
    with torch.no_grad():
        return float(pair.model(**given, **eyes).logits_per_image[0, 0])


def game_of(pair: pairs.Pair) -> Any:
    """Four quarters of the picture and four words."""
    return crossing.pair_game(pair, shown, written, QUARTERS, WORDS)


def test_the_game_s_values_are_the_whole_model_s(pair: pairs.Pair) -> None:
    """Every mask's value is the logit that the whole model gives its image and its text."""
    masks = every(8)[::5]
    wanted = [
        whole_model(pair, shown(row[None, :4])[0], written(row[None, 4:])[0]) for row in masks
    ]
    np.testing.assert_allclose(game_of(pair)(masks), wanted, atol=1e-3)


def test_a_product_of_maskings_costs_their_sum(pair: pairs.Pair) -> None:
    """All 256 masks over 4 + 4 units are 16 images and 16 texts, and asked again nothing."""
    game = game_of(pair)
    with counted(pair.model) as rows:
        e = whence.explain(game, budget=256)
        assert rows == {"images": 16, "texts": 16}
        game(every(8))
        assert rows == {"images": 16, "texts": 16}
    assert e.fidelity.exhaustive


def test_crossed_masks_are_few_encodings(pair: pairs.Pair) -> None:
    """A crossed run of b masks for fitting encodes far fewer images and texts than b."""
    crossed = crossing.Crossed(4)
    drawn = crossed(8, 100, np.random.default_rng(0), Samples(ends(8), np.zeros(2)))
    assert len(drawn) <= 100
    assert len(distinct(drawn)[0]) == len(drawn)
    with counted(pair.model) as rows:
        game_of(pair)(drawn)
    assert rows["images"] == len(distinct(drawn[:, :4])[0]) <= 10
    assert rows["texts"] == len(distinct(drawn[:, 4:])[0]) <= 10


def test_crossed_masks_explain_a_wide_game(pair: pairs.Pair) -> None:
    """A crossed design over 16 + 4 units fits a function that the held-out masks judge."""
    game = crossing.pair_game(pair, fine, written, [str(i) for i in range(16)], WORDS)
    explainer = Paired(crossing.Crossed(16), LowDegree(1))
    with counted(pair.model) as rows:
        e = whence.explain(game, explainer, budget=400, held_out=40)
    assert e.cost.calls == 400
    assert rows["images"] < 100
    assert rows["texts"] <= 16


def fine(masks: Any) -> list[Any]:
    """The picture with absent sixteenths black."""
    wide = masks.reshape(-1, 4, 4).repeat(4, axis=1).repeat(4, axis=2)[..., None]
    return list(np.where(wide, PICTURE, 0).astype(np.uint8))


def test_matched_texts_are_classes(pair: pairs.Pair) -> None:
    """`matched` is zero-shot classification: the whole model's logits, the texts encoded once."""
    scorer = pairs.matched(pair, ("a photo of cats", "a house"))
    assert (scorer.facts.scores, scorer.facts.labels) == ("logits", ("a photo of cats", "a house"))
    wanted = [whole_model(pair, PICTURE, text) for text in scorer.facts.labels]
    with counted(pair.model) as rows:
        np.testing.assert_allclose(scorer([PICTURE])[0], wanted, atol=1e-3)
    assert rows == {"images": 1, "texts": 0}


@pytest.mark.parametrize("texts", ["a house", ("a house",), ("a house", "a house")])
def test_matching_needs_two_texts(pair: pairs.Pair, texts: Any) -> None:
    """One text, or the same one twice, is no choice."""
    with pytest.raises(InputError, match="two different texts"):
        pairs.matched(pair, texts)


def test_a_value_does_not_depend_on_the_batch(pair: pairs.Pair) -> None:
    """Embeddings alone and in company differ by less than 1e-5."""
    images, texts = shown(every(4)), written(every(4))
    for encode, items in ((pair.images, images), (pair.texts, texts)):
        alone = np.concatenate([encode([one]) for one in items])
        assert np.abs(encode(items) - alone).max() < 1e-5


def test_too_long_a_text_is_refused(pair: pairs.Pair) -> None:
    """A text longer than the model reads is not cut."""
    with pytest.raises(InputError, match=r"32 tokens long.*at most 24"):
        pair.texts(["cats " * 30])


def test_sigmoid_models_have_a_shift() -> None:
    """A SigLIP, which adds a bias and was trained on padded texts, is run apart as well."""
    words = tiny.tokenizer()
    words.model_input_names = ["input_ids"]
    model = tiny.siglip()
    pair = pairs.pair(model, words, tiny.image_processor())
    assert pair.shift == -3.0
    given = words(["a photo of cats"], padding="max_length", max_length=24, return_tensors="pt")
    eyes = pair.processor([PICTURE], return_tensors="pt")
    with torch.no_grad():
        whole = float(model(input_ids=given["input_ids"], **eyes).logits_per_image)
    got = pair.scores(pair.images([PICTURE]), pair.texts(["a photo of cats"]))
    np.testing.assert_allclose(got, [whole], atol=1e-3)


def test_a_model_that_mixes_image_and_text_is_refused(tokenizer: Any) -> None:
    """A model whose score is no product of two embeddings is refused by name."""
    model = tiny.clip(kind=Mixed)
    with pytest.raises(InputError, match="mixes image and text"):
        pairs.pair(model, tokenizer, tiny.image_processor())


def test_units_are_needed_of_both(pair: pairs.Pair) -> None:
    """A game without units of the image, or with a bare string for them, is refused."""
    with pytest.raises(InputError, match="image's units"):
        crossing.pair_game(pair, shown, written, (), WORDS)
    with pytest.raises(InputError, match="text's units"):
        crossing.pair_game(pair, shown, written, QUARTERS, "a photo")


def test_other_texts_have_another_identity(pair: pairs.Pair) -> None:
    """Scorers of different texts are told apart, also where the texts joined would be equal."""
    told = (("a\nb", "c"), ("a", "b\nc"), ("b\nc", "a"))
    assert len({pairs.matched(pair, texts).facts.identity for texts in told}) == 3


def test_a_match_is_a_game_over_regions_and_words(pair: pairs.Pair) -> None:
    """Of four patches and three words every masking is encoded once, and worth the pair's score."""
    game = crossing.match_game(
        pair, PICTURE, "photo of cats", image_units="patches:2", image_absent="constant:0"
    )
    assert game.n == 4 + 3
    assert game.units.labels[4:] == ("photo", "of", "cats")
    value = game.value
    masks = every(7)
    values = game(masks)
    assert (len(value.seen), len(value.read)) == (16, 8)
    for row in (0, 37, 127):
        images = pair.images(shown(masks[row : row + 1, :4]))
        text = " ".join(w for w, on in zip(WORDS[1:], masks[row, 4:], strict=True) if on)
        np.testing.assert_allclose(
            values[row], pair.scores(images, pair.texts([text]))[0], atol=1e-4
        )


def test_matches_have_an_identity_of_their_inputs(pair: pairs.Pair) -> None:
    """Another image, text, cut or policy is another game; the same ones are the same."""
    made = [
        crossing.match_game(pair, picture, text, image_units=units, image_absent=absent).identity
        for picture, text, units, absent in (
            (PICTURE, "photo of cats", "patches:2", "blur"),
            (PICTURE, "photo of cats", "patches:2", "blur"),
            (PICTURE[::-1], "photo of cats", "patches:2", "blur"),
            (PICTURE, "photo of dogs", "patches:2", "blur"),
            (PICTURE, "photo of cats", "patches:4", "blur"),
            (PICTURE, "photo of cats", "patches:2", "mean"),
        )
    ]
    assert made[0] == made[1]
    assert len(set(made)) == 5


def test_hidden_words_of_a_match_are_refused(pair: pairs.Pair) -> None:
    """The two towers read texts and not hidden spans: the policies there are are named."""
    with pytest.raises(InputError, match="text_absent='hide' came"):
        crossing.match_game(pair, PICTURE, "photo of cats", text_absent="hide")
