"""Holds the facts about TorchScorer: small modules, a trained one, shipped weights, and Captum."""

from __future__ import annotations

import gzip

import numpy as np
import pytest

from tools.tree import ROOT
from whence import explain
from whence.errors import InputError, MissingExtra, ModelError, ShapeError
from whence.lenses.inputs.array import array_game
from whence.lenses.inputs.image import image_game
from whence.lenses.inputs.readouts import predicted_class, with_output
from whence.lenses.inputs.series import series_game
from whence.masks import every
from whence.testing import check_game

torch = pytest.importorskip("torch")
nn = torch.nn

from whence.adapters import torch as adapter  # noqa: E402
from whence.adapters.options import Options  # noqa: E402
from whence.adapters.torch import Normalise, scorer  # noqa: E402

DATA = ROOT.parent / "shared" / "data"
FASHION = DATA / "fashion_mnist"
WEIGHTS = DATA / "resnet_cifar10"
IMAGENET = Normalise((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
RNG = np.random.default_rng(0)
COLOUR = RNG.integers(0, 256, (12, 12, 3)).astype(np.uint8)
GREY = COLOUR[..., 0]


def seeded(make):
    """A module with the same weights every time, and torch's own randomness as it was."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return make()


def small(channels=3, dtype=torch.float32):
    """A module with all that behaves otherwise in training: dropout and batch statistics."""
    return seeded(
        lambda: nn.Sequential(
            nn.Conv2d(channels, 6, 3, stride=2), nn.BatchNorm2d(6), nn.ReLU(), nn.Dropout(0.5),
            nn.Flatten(), nn.Linear(150, 4),
        ).to(dtype)
    )  # fmt: skip


class Returning(nn.Module):
    """A module that returns what a function makes of its input."""

    def __init__(self, answer):
        super().__init__()
        self.answer = answer

    def forward(self, x):
        """Whatever the function gives."""
        return self.answer(x)


# --- what comes in, what goes out ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("layout", "shape", "seen"),
    [
        ("image", (4, 5), (2, 1, 4, 5)),
        ("image", (4, 5, 3), (2, 3, 4, 5)),
        ("series", (7,), (2, 1, 7)),
        ("series", (7, 3), (2, 3, 7)),
        ("as is", (4, 5, 3), (2, 4, 5, 3)),
        ("as is", (4,), (2, 4)),
    ],
)
def test_arrays_become_tensors_as_the_layout_says(layout, shape, seen):
    """Channels come first, a lone one is added, and "as is" changes nothing."""
    got = []
    model = Returning(lambda x: got.append(x) or x.flatten(1).sum(1))
    items = [RNG.random(shape) for _ in range(2)]
    scorer(model, layout=layout, scores="values")(items)
    assert got[0].shape == seen
    channels = np.moveaxis(np.stack(items), -1, 1) if len(seen) != len(shape) + 2 else items
    expected = np.stack(items) if layout == "as is" else np.reshape(channels, seen)
    np.testing.assert_allclose(got[0], expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("items", "dtype", "seen"),
    [
        (np.uint8, torch.float32, torch.float32),
        (np.float64, torch.float32, torch.float32),
        (np.float32, torch.float64, torch.float64),
        (np.bool_, torch.bfloat16, torch.bfloat16),
        (np.int64, torch.float32, torch.int64),
    ],
)
def test_numbers_become_the_modules_type(items, dtype, seen):
    """Bytes and floats take the type of the parameters; other whole numbers stay whole."""
    got = []
    model = Returning(lambda x: got.append(x.dtype) or x[:, 0])
    model.register_buffer("own", torch.zeros(1, dtype=dtype))
    scorer(model, layout="as is", scores="values")([np.ones(3, items)])
    assert got == [seen]


def test_normalise_by_hand():
    """Bytes are over 255, then less the mean and over the deviation of each channel."""
    batch = torch.as_tensor(COLOUR).permute(2, 0, 1)[None]
    expected = (COLOUR / 255 - IMAGENET.mean) / IMAGENET.std
    np.testing.assert_allclose(IMAGENET(batch)[0].permute(1, 2, 0), expected, atol=1e-6)
    floats = torch.full((1, 1, 2, 2), 0.75)
    np.testing.assert_allclose(Normalise((0.5,), (0.25,))(floats), np.ones((1, 1, 2, 2)))


def test_normalise_resizes():
    """Images are brought to the size; what is flat stays flat."""
    flat = torch.full((2, 1, 9, 7), 51, dtype=torch.uint8)
    resized = Normalise(size=(4, 5))(flat)
    assert resized.shape == (2, 1, 4, 5)
    np.testing.assert_allclose(resized, 0.2, atol=1e-6)


def test_a_function_gets_bytes_as_bytes():
    """Any function of a batch may stand in for Normalise, and has the last word on its numbers."""
    got = []
    model = scorer(small(), preprocess=lambda x: got.append((x.dtype, tuple(x.shape))) or x / 255)
    np.testing.assert_array_equal(
        model([COLOUR]), scorer(small(), preprocess=Normalise())([COLOUR])
    )
    assert got == [(torch.uint8, (1, 3, 12, 12))]


def test_logits_of_a_named_answer_are_taken():
    """A mapping that holds "logits", as Hugging Face models return, is read by that name."""
    whole = scorer(small())
    net = small().eval()
    named = scorer(Returning(lambda x: {"loss": None, "logits": net(x)}))
    items = [COLOUR, COLOUR[::-1]]
    np.testing.assert_array_equal(named(items), whole(items))
    assert named(items).dtype == np.float64
    assert named([]).shape == (0,)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (lambda x: (x, x), "a tuple of 2"),
        (lambda x: {"out": x, "aux": x}, "a dict of out, aux"),
        (lambda x: None, "a NoneType"),
        (lambda x: x.sum(), r"shape \(\) for 2 inputs"),
        (lambda x: x.flatten(1).mean(0), "for 2 inputs"),
        (lambda x: x[..., 0, 0].to(torch.complex64), "real numbers"),
    ],
)
def test_an_answer_that_is_no_row_per_input_is_refused(answer, told):
    """Tuples, other mappings, means over the batch and complex numbers are refused by name."""
    with pytest.raises(ShapeError, match=told):
        scorer(Returning(answer))([COLOUR, COLOUR])


@pytest.mark.parametrize(
    ("items", "layout", "told"),
    [
        ([GREY, GREY[1:]], "image", "arrays of one shape"),
        ([np.zeros(4)], "image", "layout='image'"),
        ([np.zeros((2, 2, 2))], "series", "layout='series'"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(items, layout, told):
    """Arrays of several shapes, or of axes that the layout does not read, are refused."""
    with pytest.raises(InputError, match=told):
        scorer(small(), layout=layout)(items)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"layout": "channels first"}, "layout='channels first'"),
        ({"scores": "votes"}, "scores='votes'"),
        ({"labels": "ab"}, "one label per class"),
        ({"batch": 0}, "batch=0"),
    ],
)
def test_options_that_do_not_exist_are_refused(options, told):
    """A layout, kind of scores, labels or batch that cannot be is refused when it is made."""
    with pytest.raises(InputError, match=told):
        scorer(small(), **options)


def test_what_is_no_module_is_refused():
    """A function needs no adapter, and Normalise refuses numbers that fit no channels."""
    with pytest.raises(InputError, match=r"torch\.nn\.Module"):
        scorer(lambda x: x)
    for unfit in ({"std": (0.0,)}, {"mean": 0.5}, {"mean": ()}):
        with pytest.raises(InputError, match="no 0 among"):
            Normalise(**unfit)
    with pytest.raises(InputError, match="came for 1 channel;"):
        scorer(small(1), preprocess=IMAGENET)([GREY])


def test_a_module_for_other_channels_says_so_through_the_game():
    """What the module raises on a colour image is told, with the mask that was asked."""
    game = image_game(scorer(small(1)), COLOUR, output=0, units="patches:2")
    with pytest.raises(ModelError, match="to have 1 channel"):
        game(every(4))


# --- the module is left as found, and answers alike in any batch ----------------------------------


@pytest.mark.parametrize("fails", [False, True])
def test_the_module_is_left_as_found(fails):
    """Modes of each part, tensors, gradients and hooks are as before, also after an exception."""
    model = small().train()
    model[1].eval()
    model[0].weight.grad = torch.ones_like(model[0].weight)
    before = [part.training for part in model.modules()]
    tensors = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    items = [COLOUR[:4, :4] if fails else COLOUR]
    if fails:
        with pytest.raises(RuntimeError):
            scorer(model)(items)
    else:
        scorer(model)(items)
    assert [part.training for part in model.modules()] == before
    assert all(torch.equal(tensors[name], now) for name, now in model.state_dict().items())
    assert model[0].weight.grad.eq(1).all()
    assert not any(p._forward_hooks or p._backward_hooks for p in model.modules())
    assert torch.is_grad_enabled()


def test_nothing_is_held_while_parts_are_read():
    """Between two parts the module is in its own mode, and the reader may differentiate."""
    model = small().train()
    for _ in scorer(model, batch=1).stream([COLOUR] * 3):
        assert model.training
        assert not torch.is_inference_mode_enabled()


@pytest.mark.parametrize("batch", [1, 3, 64, None])
def test_a_value_does_not_depend_on_the_batch(batch):
    """Whatever the batch and the neighbours, an array's numbers move by less than 1e-5."""
    items = list(RNG.integers(0, 256, (70, 12, 12, 3)).astype(np.uint8))
    alone = np.concatenate([scorer(small(), preprocess=Normalise())([one]) for one in items])
    whole = scorer(small(), preprocess=Normalise(), batch=batch)(items[::-1])[::-1]
    np.testing.assert_allclose(whole, alone, atol=1e-5)


def test_large_arrays_go_in_small_batches(monkeypatch):
    """Unless said otherwise, a batch holds at most so many numbers, and at least one array."""
    monkeypatch.setattr(adapter, "ELEMENTS", 1000)
    got = []
    model = Returning(lambda x: got.append(len(x)) or x.flatten(1).sum(1))
    scorer(model, scores="values")([np.ones((10, 30))] * 7)
    scorer(model, scores="values")([np.ones((40, 40))] * 2)
    assert got == [3, 3, 1, 1, 1]
    scorer(model, scores="values", batch=5)([np.ones((40, 40))] * 7)
    assert got[5:] == [5, 2]


def test_a_batch_that_does_not_fit_is_halved_and_nothing_is_lost():
    """On out-of-memory a batch is cut in two, the size is kept, and every value arrives once."""
    got = []

    def cramped(x):
        got.append(len(x))
        if len(x) > 3:
            raise torch.OutOfMemoryError("out of memory")
        return x.flatten(1).sum(1)

    model = scorer(Returning(cramped), scores="values", batch=8)
    items = [np.full((2, 2), float(i)) for i in range(16)]
    np.testing.assert_array_equal(model(items), 4.0 * np.arange(16))
    np.testing.assert_array_equal(model(items), 4.0 * np.arange(16))
    assert got[:3] == [8, 4, 2]
    assert set(got[2:]) == {2}


def test_an_array_too_large_alone_is_refused():
    """What does not fit even alone is an error that names the array's shape."""

    def full(x):
        raise torch.OutOfMemoryError("out of memory")

    with pytest.raises(ModelError, match=r"shape \(2, 3\)"):
        scorer(Returning(full))([np.ones((2, 3))] * 2)


@pytest.mark.parametrize("absent", ["blur", "noise"])
def test_a_game_of_a_module_keeps_the_contract(absent):
    """Values of a module's image game are those of a Game: stream, order, repeats, identity."""
    model = scorer(small(), labels=list("abcd"), preprocess=Normalise())
    check_game(image_game(model, COLOUR, output="all", units="patches:3", absent=absent))


def test_a_game_of_a_series_module():
    """A module of sequences, its windows as units: the value is the module's own."""
    net = seeded(lambda: nn.Sequential(nn.Conv1d(2, 4, 3), nn.Flatten(), nn.Linear(72, 3)))
    series = RNG.normal(size=(20, 2)).astype(np.float32)
    game = series_game(scorer(net, layout="series"), series, units="windows:4", output="all")
    check_game(game)
    with torch.inference_mode():
        own = net(torch.as_tensor(series).T[None])
    np.testing.assert_allclose(game.value(np.ones((1, 4), bool)), own, atol=1e-5)


def test_whole_numbers_reach_an_embedding():
    """A module of indices is explained through array_game, another index standing for absent."""
    net = seeded(lambda: nn.Sequential(nn.Embedding(9, 4), nn.Flatten(), nn.Linear(12, 1)))
    model = scorer(net, layout="as is", scores="values")
    game = array_game(model, np.array([3, 5, 8]), np.arange(3), fill=0)
    with torch.inference_mode():
        own = net(torch.tensor([[0, 5, 0]]))
    np.testing.assert_allclose(game([[False, True, False]]), own, atol=1e-6)


# --- what it says of itself -----------------------------------------------------------------------


def test_it_says_what_it_is():
    """Name, labels, scores and what it reads come from the arguments or the module."""
    facts = scorer(small(), labels=list("abcd"), scores="probabilities").facts
    assert (facts.name, facts.labels, facts.scores) == (
        "Sequential",
        tuple("abcd"),
        "probabilities",
    )
    assert facts.reads == {"image", "array"}
    assert scorer(small(), name="mine", layout="series").facts.reads == {"array"}
    assert scorer(small(), name="mine").facts.name == "mine"


def test_the_identity_is_of_all_that_changes_a_score():
    """Tensors, activations, layout and normalisation count; the mode and the batch do not."""

    def identity(model=None, **options):
        return scorer(small() if model is None else model, **options).facts.identity

    base = identity()
    changed = small()
    with torch.no_grad():
        changed[0].bias[0] += 1e-6
    gelu = small()
    gelu[2] = nn.GELU()
    others = [
        identity(changed),
        identity(gelu),
        identity(layout="as is"),
        identity(preprocess=IMAGENET),
        identity(small(dtype=torch.float64)),
    ]
    assert len({base, *others}) == 6
    assert base == identity(small().train(), batch=3, labels=list("abcd"))
    assert identity(preprocess=lambda x: x) is None
    assert identity(preprocess=lambda x: x, identity="mine") == "mine"


@pytest.mark.parametrize("name", ["weights.pt", "weights.safetensors", "model.ts", "model.pt2"])
def test_a_file_is_refused_with_what_to_do(name):
    """No file of torch's is opened: weights lack their module, and the others can run code."""
    with pytest.raises(
        InputError, match=r"scorer\(module\).*python:your_file\.py:your_function\(\)"
    ):
        adapter.opened(name, Options())
    with pytest.raises(InputError, match="task= came"):
        adapter.opened(name, Options(task="x"))


def test_without_torch_the_extra_is_named(monkeypatch):
    """Without torch the message says what to install."""

    def absent():
        raise MissingExtra('pip install "whence[torch]"')

    monkeypatch.setattr(adapter, "require", absent)
    with pytest.raises(MissingExtra, match=r"whence\[torch\]"):
        scorer(small())


# --- what Captum computes on the same units and baseline ------------------------------------------

CELLS = np.kron(np.arange(6).reshape(2, 3), np.ones((6, 4), int))


def game_and_module(link="logit", net=None):
    """A game of six cells over black, and what Captum is given: module, input and cells."""
    net = small().eval() if net is None else net
    image = (COLOUR / 255).astype(np.float32)
    game = image_game(scorer(net), image, units=CELLS, absent="constant:0", output=2, link=link)
    return game, net, torch.as_tensor(image).permute(2, 0, 1)[None], torch.as_tensor(CELLS)


def test_leave_one_out_is_captums_feature_ablation():
    """v(all) less v(all but one) of each cell is Captum's FeatureAblation with the same mask."""
    attr = pytest.importorskip("captum.attr")
    game, net, x, cells = game_and_module()
    masks = np.ones((7, 6), bool)
    masks[1:] ^= np.eye(6, dtype=bool)
    values = game(masks)
    found = attr.FeatureAblation(net).attribute(x, target=2, feature_mask=cells)
    for unit in range(6):
        ablated = found[0, :, game.units.grid == unit]
        np.testing.assert_allclose(ablated, values[0] - values[1 + unit], atol=1e-5)


def test_shapley_values_are_captums_over_every_order():
    """Our exact Shapley values are Captum's, which adds cells in each of the 720 orders."""
    attr = pytest.importorskip("captum.attr")
    game, net, x, cells = game_and_module()
    exact = explain(game, budget=64).attributions().values
    found = attr.ShapleyValues(net).attribute(
        x, target=2, feature_mask=cells, perturbations_per_eval=6
    )
    by_unit = [float(found[0, 0][torch.as_tensor(u == CELLS)][0]) for u in range(6)]
    np.testing.assert_allclose(exact, by_unit, atol=1e-4)


def test_shapley_values_of_a_linear_module_are_integrated_gradients():
    """Where the module is linear, a cell's value is the sum of its integrated gradients."""
    attr = pytest.importorskip("captum.attr")
    linear = seeded(lambda: nn.Sequential(nn.Flatten(), nn.Linear(432, 4)))
    game, net, x, _ = game_and_module(net=linear)
    exact = explain(game, budget=64).attributions().values
    gradients = attr.IntegratedGradients(net).attribute(x, target=2, n_steps=8)[0].sum(0)
    sums = [float(gradients[torch.as_tensor(u == CELLS)].sum()) for u in range(6)]
    np.testing.assert_allclose(exact, sums, atol=1e-5)


# --- real models ----------------------------------------------------------------------------------


def fashion(part):
    """Images `(b, 28, 28)` and labels `(b,)` of a part of Fashion-MNIST."""
    images = gzip.decompress((FASHION / f"{part}-images-idx3-ubyte.gz").read_bytes())
    classes = gzip.decompress((FASHION / f"{part}-labels-idx1-ubyte.gz").read_bytes())
    pixels = np.frombuffer(images, np.uint8, offset=16).reshape(-1, 28, 28)
    return pixels, np.frombuffer(classes, np.uint8, offset=8)


@pytest.fixture(scope="module")
def wardrobe():
    """A small network trained for a few seconds on Fashion-MNIST, and the test set."""
    images, classes = fashion("train")

    def trained():
        net = nn.Sequential(
            nn.Conv2d(1, 16, 3, stride=2, padding=1), nn.ReLU(),
            nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.ReLU(),
            nn.Flatten(), nn.Linear(1568, 64), nn.ReLU(), nn.Linear(64, 10),
        )  # fmt: skip
        step = torch.optim.Adam(net.parameters(), 2e-3)
        for start in range(0, 16_000, 64):
            x = torch.tensor(images[start : start + 64])[:, None] / 255
            y = torch.tensor(classes[start : start + 64]).long()
            step.zero_grad()
            nn.functional.cross_entropy(net(x), y).backward()
            step.step()
        return net

    return seeded(trained), *fashion("t10k")


@pytest.mark.slow
@pytest.mark.skipif(not FASHION.exists(), reason="../shared/data/fashion_mnist is absent")
class TestFashion:
    """A classifier of clothes, over black: there only the item can matter."""

    def test_the_network_has_learned(self, wardrobe):
        """Four fifths of 2,000 test images are recognised through the adapter."""
        net, images, classes = wardrobe
        found = scorer(net, preprocess=Normalise())(list(images[:2000])).argmax(axis=1)
        assert (found == classes[:2000]).mean() > 0.8

    def test_the_default_blur_hides_the_item(self, wardrobe):
        """Wholly blurred, hardly more than chance is recognised."""
        net, images, classes = wardrobe
        model = scorer(net, preprocess=Normalise())
        empty = []
        for image in images[:300]:
            game = image_game(lambda x: empty.append(x[0]) or [0.0], image, scores="values")
            game.value(np.zeros((1, game.n), bool))
        assert (model(empty).argmax(axis=1) == classes[:300]).mean() < 0.25

    @pytest.mark.parametrize("which", [0, 8])
    def test_the_item_matters_and_the_background_does_not(self, wardrobe, which):
        """Black patches change no value; the map puts nearly all on patches of the item."""
        net, images, _ = wardrobe
        image = images[which]
        game = image_game(
            scorer(net, preprocess=Normalise()),
            image,
            units="patches:7",
            absent="constant:0",
            output="all",
        )
        game = with_output(game, predicted_class(game))
        found = explain(game, budget=600)
        values = found.attributions().values
        brightest = np.array([image[game.units.grid == u].max() for u in range(game.n)])
        ends = np.stack([np.ones(game.n, bool), brightest > 0])
        assert np.ptp(game(ends)) == 0
        assert found.fidelity.r2 > 0.9
        assert np.abs(values).argmax() in np.flatnonzero(brightest > 100)
        assert np.abs(values[brightest == 0]).max() < 0.1 * np.abs(values).max()


@pytest.fixture(scope="module")
def resnet20():
    """The smallest of them."""
    pytest.importorskip("safetensors")
    from adapters.resnet_cifar import load

    return load(WEIGHTS / "resnet20.safetensors", 3)


@pytest.fixture(scope="module")
def picture():
    """A smooth picture of 32 by 32."""
    from whence.lenses.inputs.image import blurred

    rough = np.random.default_rng(3).integers(0, 256, (32, 32, 3)).astype(np.uint8)
    return np.clip((blurred(rough, 1.5) - 128.0) * 4 + 128, 0, 255).astype(np.uint8)


@pytest.mark.skipif(not WEIGHTS.exists(), reason="../shared/data/resnet_cifar10 is absent")
class TestResNet:
    """Residual networks with the weights that others trained."""

    @pytest.mark.parametrize("depth", [20, 32, 44, 56])
    def test_the_weights_fit_the_network(self, depth):
        """Every tensor of the file has its place, and none is missing."""
        pytest.importorskip("safetensors")
        from adapters.resnet_cifar import load

        net = load(WEIGHTS / f"resnet{depth}.safetensors", (depth - 2) // 6)
        assert np.isfinite(scorer(net, preprocess=IMAGENET)([COLOUR])).all()

    def test_a_value_is_the_same_alone_and_in_any_batch(self, resnet20, picture):
        """Masked images scored alone and in batches of 5 and 32 agree within 1e-5."""
        masks = np.random.default_rng(0).random((32, 16)) < 0.5
        values = [
            image_game(
                scorer(resnet20, preprocess=IMAGENET, batch=batch),
                picture,
                units="patches:4",
                output="all",
            ).value(masks)
            for batch in (1, 5, 32)
        ]
        np.testing.assert_allclose(values[0], values[2], atol=1e-5)
        np.testing.assert_allclose(values[1], values[2], atol=1e-5)

    def test_a_map_is_the_modules_own(self, resnet20, picture):
        """All 16 masks of four patches, drawn and normalised by hand, have the same logits."""
        game = image_game(
            scorer(resnet20, preprocess=IMAGENET),
            picture,
            units="patches:2",
            absent="mean",
            output="all",
        )
        there = torch.as_tensor(every(4)[:, game.units.grid][:, None])
        x = torch.as_tensor(picture).permute(2, 0, 1)
        mean = torch.as_tensor(np.rint(picture.mean(axis=(0, 1)))).reshape(3, 1, 1)
        x = torch.where(there, x, mean).float() / 255
        x = (x - torch.tensor(IMAGENET.mean).reshape(3, 1, 1)) / torch.tensor(IMAGENET.std).reshape(
            3, 1, 1
        )
        with torch.inference_mode():
            own = resnet20.eval()(x)
        np.testing.assert_allclose(game.value(every(4)), own, atol=1e-5)
