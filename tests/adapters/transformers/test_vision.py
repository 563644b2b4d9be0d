"""Facts about image classifiers of transformers: arrays in, logits out, wrong modes refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
image = pytest.importorskip("PIL.Image")

import whence  # noqa: E402  after what may be missing, as all that follows
from adapters.transformers import tiny  # noqa: E402
from whence.adapters.transformers import vision  # noqa: E402
from whence.errors import InputError  # noqa: E402
from whence.lenses.inputs.image import image_game  # noqa: E402
from whence.scoring import Executor, Scorer  # noqa: E402


@pytest.fixture(scope="module")
def vit() -> Any:
    """A vision transformer of random weights."""
    return tiny.made(transformers.ViTForImageClassification, tiny.vit_config())


@pytest.fixture(scope="module")
def scorer(vit: Any) -> vision.ImageScorer:
    """Its scorer."""
    return vision.scorer(vit, tiny.image_processor(), labels=("cat", "dog", "house"))


def pictures(count: int) -> list[Any]:
    """Random colour images of several sizes."""
    draw = np.random.default_rng(0)
    sizes = draw.integers(10, 40, size=(count, 2))
    return [draw.integers(0, 256, (h, w, 3)).astype(np.uint8) for h, w in sizes]


def test_logits_are_those_of_transformers(scorer: vision.ImageScorer, vit: Any) -> None:
    """Each image gets the logits of the processor and the model, given it as a PIL image."""
    assert isinstance(scorer, Scorer)
    assert isinstance(scorer, Executor)
    images = pictures(5)
    with torch.no_grad():
        wanted = [
            vit(**tiny.image_processor()(image.fromarray(one), return_tensors="pt")).logits[0]
            for one in images
        ]
    np.testing.assert_allclose(scorer(images), torch.stack(wanted), atol=1e-5)


def test_an_independent_preparation_agrees(scorer: vision.ImageScorer, vit: Any) -> None:
    """At the model's own size the preparation is (x / 255 - 0.5) / 0.5, written out here."""
    one = np.random.default_rng(1).integers(0, 256, (16, 16, 3)).astype(np.uint8)
    by_hand = torch.tensor((one / 255.0 - 0.5) / 0.5).permute(2, 0, 1)[None].float()
    with torch.no_grad():
        wanted = vit(pixel_values=by_hand).logits
    np.testing.assert_allclose(scorer([one]), wanted, atol=1e-5)


@pytest.mark.parametrize("size", [1, 3, 64])
def test_a_value_does_not_depend_on_the_batch(vit: Any, size: int) -> None:
    """Alone or in any batch an image's logits move by less than 1e-4."""
    scorer = vision.scorer(vit, tiny.image_processor(), images_per_batch=size)
    images = pictures(11)
    alone = np.concatenate([scorer([one]) for one in images])
    assert np.abs(scorer(images[::-1])[::-1] - alone).max() < 1e-4


def test_floats_from_0_to_1_are_the_same_picture(scorer: vision.ImageScorer) -> None:
    """A picture as bytes, as whole numbers, or as floats divided by 255 has the same logits."""
    (one,) = pictures(1)
    got = scorer([one, one / 255.0, (one / 255.0).astype(np.float32), one.astype(np.int64)])
    assert np.abs(got - got[0]).max() == 0


def test_a_grey_image_is_three_equal_channels(scorer: vision.ImageScorer) -> None:
    """A grey image is read by a colour model as its exact colour version."""
    grey = pictures(1)[0][..., 0]
    colour = np.repeat(grey[..., None], 3, axis=2)
    got = scorer([grey, grey[..., None], colour])
    assert np.abs(got - got[0]).max() == 0


@pytest.mark.parametrize(
    ("shape", "told"),
    [
        ((9, 9, 4), "4 channels .colour with transparency"),
        ((9, 9, 2), "2 channels"),
        ((3, 9, 9), "9 channels"),
        ((9,), "shape"),
        ((0, 9, 3), "shape"),
        ((1, 9, 9, 3), "shape"),
    ],
)
def test_images_of_the_wrong_mode_are_refused(
    scorer: vision.ImageScorer, shape: tuple[int, ...], told: str
) -> None:
    """Transparency, channels first, no image, and a batch are refused by name."""
    with pytest.raises(InputError, match=told):
        scorer([np.zeros(shape, dtype=np.uint8)])


def test_three_equal_channels_are_a_grey_image() -> None:
    """A grey picture's file is read as three equal channels; a model of one channel takes it."""
    model = tiny.made(transformers.ViTForImageClassification, tiny.vit_config(channels=1))
    scorer = vision.scorer(model, tiny.image_processor(channels=1))
    grey = (np.arange(144).reshape(12, 12) % 251).astype(np.uint8)
    np.testing.assert_array_equal(scorer([np.stack([grey] * 3, axis=2)]), scorer([grey]))


def test_a_colour_image_for_a_grey_model_is_refused() -> None:
    """A model of one channel reads grey images, and refuses colour, which has no exact grey."""
    config = tiny.vit_config(channels=1)
    model = tiny.made(transformers.ViTForImageClassification, config)
    scorer = vision.scorer(model, tiny.image_processor(channels=1))
    assert scorer([np.zeros((16, 16), dtype=np.uint8)]).shape == (1, 3)
    with pytest.raises(InputError, match=r"3 channels.*reads 1"):
        scorer([np.zeros((16, 16, 3), dtype=np.uint8) + np.array([0, 0, 1], dtype=np.uint8)])


@pytest.mark.parametrize("wrong", [200.0, -0.5, np.nan, np.inf])
def test_numbers_out_of_range_are_refused(scorer: vision.ImageScorer, wrong: float) -> None:
    """Floats above 1, below 0 or not finite are refused: a scale is not guessed."""
    with pytest.raises(InputError, match="floats from 0 to 1"):
        scorer([np.full((9, 9, 3), wrong)])


def test_an_image_game_is_explained(scorer: vision.ImageScorer) -> None:
    """The image lens takes labels, batch and identity from the scorer."""
    one = np.random.default_rng(2).integers(0, 256, (16, 16, 3)).astype(np.uint8)
    game = image_game(scorer, one, units="patches:2", absent="mean", output="dog")
    assert game.unit == "log-odds"
    assert game.identity is not None
    e = whence.explain(game, budget=16)
    full, none = game(np.array([[True] * 4, [False] * 4]))
    assert np.isclose(e.attributions().values.sum(), full - none)


def test_identity_counts_the_processor(vit: Any) -> None:
    """Another normalisation is another identity."""
    other = tiny.image_processor()
    other.image_mean = [0.4, 0.5, 0.5]
    first, second, third = (
        vision.scorer(vit, processor).facts.identity
        for processor in (tiny.image_processor(), tiny.image_processor(), other)
    )
    assert first == second
    assert first != third
