"""Facts about FeatureMaps: maps as the module makes them, and the module as it was found."""

from __future__ import annotations

import re

import numpy as np
import pytest

torch = pytest.importorskip("torch")
nn = torch.nn

from tools.tree import ROOT  # noqa: E402
from whence.adapters.features import FeatureMaps, feature_maps  # noqa: E402
from whence.adapters.torch import Normalise  # noqa: E402
from whence.errors import InputError, ShapeError  # noqa: E402

DATA = ROOT.parent / "shared" / "data"
WEIGHTS = DATA / "resnet_cifar10"
PICTURES = DATA / "shap_imagenet50" / "imagenet50"
IMAGENET = Normalise((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
IMAGES = np.random.default_rng(0).integers(0, 256, (7, 3, 12, 10)).astype(np.uint8)


class Small(nn.Module):
    """Two blocks, the first of which is changed in place afterwards, and parts that misbehave."""

    def __init__(self):
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), nn.BatchNorm2d(4))
        self.act = nn.ReLU(inplace=True)
        self.last = nn.Sequential(nn.Conv2d(4, 5, 3), nn.Dropout(0.5), nn.Tanh())
        self.unused = nn.Conv2d(3, 3, 1)
        self.head = nn.Linear(5, 2)
        self.fails = False

    def forward(self, x):
        """Logits `(b, 2)`."""
        x = self.last(self.act(self.first(x)))
        if self.fails:
            raise ValueError("as planned")
        return self.head(self.act(x).mean((2, 3)))


@pytest.fixture
def net():
    """The module in training mode, but for one part."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        made = Small()
    made.train()
    made.first.eval()
    return made


def hooks_of(net):
    """How many hooks all parts have together."""
    return sum(len(part._forward_hooks) for part in net.modules())


def test_maps_are_those_of_the_parts(net):
    """Equal to running the parts by hand, and untouched by an activation in place after them."""
    found = feature_maps(net, ["last", "first"])(IMAGES)
    assert list(found) == ["last", "first"]
    net.eval()
    with torch.inference_mode():
        first = net.first(torch.tensor(IMAGES).float())
        np.testing.assert_allclose(found["first"], first, atol=1e-3, rtol=1e-5)
        assert (found["first"] < 0).any()
        np.testing.assert_allclose(found["last"], net.last(torch.relu(first)), atol=1e-5)


def test_batches_change_nothing(net):
    """One image at a time, all at once, or gone through twice as a stream: the same maps."""
    whole = feature_maps(net, ["last"])(IMAGES)["last"]
    assert whole.shape == (7, 5, 4, 3)
    assert whole.dtype == np.float32
    alone = feature_maps(net, ["last"], batch=1)(IMAGES)["last"]
    np.testing.assert_allclose(alone, whole, atol=1e-5)
    stream = feature_maps(net, ["last"], batch=3).batches(IMAGES)
    for _ in range(2):
        parts = [part["last"] for part in stream]
        assert [len(part) for part in parts] == [3, 3, 1]
        np.testing.assert_allclose(np.concatenate(parts), whole, atol=1e-5)


def test_images_are_prepared_as_a_scorer_does(net):
    """Normalise comes before the module, and read-only bytes are no trouble."""
    images = IMAGES.copy()
    images.flags.writeable = False
    found = feature_maps(net, ["first"], preprocess=IMAGENET)(images)["first"]
    x = (IMAGES / 255 - np.reshape(IMAGENET.mean, (3, 1, 1))) / np.reshape(IMAGENET.std, (3, 1, 1))
    with torch.inference_mode():
        expected = net.first(torch.tensor(x).float())
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("fails", [False, True])
def test_the_module_is_left_as_it_was(net, fails):
    """Modes, gradients, tensors and hooks are what they were, also when the module raises."""
    net.fails = fails
    modes = [part.training for part in net.modules()]
    before = {name: one.clone() for name, one in net.state_dict().items()}
    read = feature_maps(net, ["first", "last"])
    if fails:
        with pytest.raises(ValueError, match="as planned"):
            read(IMAGES)
    else:
        read(IMAGES)
    assert hooks_of(net) == 0
    assert [part.training for part in net.modules()] == modes
    assert all(torch.equal(one, before[name]) for name, one in net.state_dict().items())
    assert all(one.requires_grad and one.grad is None for one in net.parameters())
    assert torch.is_grad_enabled()


def test_hooks_of_others_stay(net):
    """A hook that somebody else put on a part is called, and is there afterwards."""
    called = []
    net.first.register_forward_hook(lambda *_: called.append(1))
    feature_maps(net, ["first"])(IMAGES)
    assert called == [1]
    assert hooks_of(net) == 1


def test_half_precision_gives_single(net):
    """A module in bfloat16 gets what it reads, and float32 comes out."""
    found = feature_maps(net.to(torch.bfloat16), ["last"])(IMAGES)["last"]
    assert found.dtype == np.float32
    assert np.isfinite(found).all()


@pytest.mark.parametrize(
    ("layers", "told"),
    [
        (["frist"], "It has: first, act, last, unused, head."),
        (["last.7"], "It has: last.0, last.1, last.2."),
        ([""], "has no part"),
        ([], "a sequence of paths"),
        ("last", "a sequence of paths"),
    ],
)
def test_layers_that_are_not_there_are_refused(net, layers, told):
    """The message names the parts beside the one that was asked for."""
    with pytest.raises(InputError, match=re.escape(told)):
        feature_maps(net, layers)


@pytest.mark.parametrize(
    ("layer", "error", "told"),
    [
        ("act", InputError, "ran 2 times"),
        ("unused", InputError, "did not run"),
        ("head", ShapeError, "gave (7, 2)"),
    ],
)
def test_layers_without_one_map_are_refused(net, layer, error, told):
    """A part that runs twice, one that does not run, and one after the pooling."""
    with pytest.raises(error, match=re.escape(told)):
        feature_maps(net, [layer])(IMAGES)
    assert hooks_of(net) == 0


def test_what_is_no_module_or_no_images_is_refused(net):
    """A function, images of one channel axis too few, and none at all."""
    with pytest.raises(InputError, match=re.escape("torch.nn.Module is needed")):
        feature_maps(lambda x: x, ["first"])
    with pytest.raises(InputError, match="at least 1"):
        feature_maps(net, ["first"], batch=0)
    for images in (IMAGES[0], IMAGES[:0]):
        with pytest.raises(InputError, match=re.escape("image[None]")):
            feature_maps(net, ["first"])(images)


def test_identities_tell_features_apart(net):
    """They change with the layers, the preparation and any weight; not with the batch."""
    same = feature_maps(net, ["first"]).identity
    assert same is not None
    assert feature_maps(net, ["first"], batch=2).identity == same
    assert feature_maps(net, ["last"]).identity != same
    assert feature_maps(net, ["first"], preprocess=IMAGENET).identity != same
    assert feature_maps(net, ["first"], preprocess=lambda x: x).identity is None
    with torch.no_grad():
        net.head.bias[0] += 1e-6
    assert feature_maps(net, ["first"]).identity != same


# --- trained networks -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pictures():
    """Twelve photographs, 64 pixels along a side."""
    pytest.importorskip("PIL.Image")
    from PIL import Image

    from whence.adapters.pictures import read_picture

    read = [read_picture(path) for path in sorted(PICTURES.glob("*.jpg"))[:12]]
    small = [np.asarray(Image.fromarray(one).resize((64, 64))) for one in read]
    return np.moveaxis(np.stack(small), -1, 1)


@pytest.mark.skipif(not WEIGHTS.exists(), reason="../shared/data/resnet_cifar10 is absent")
@pytest.mark.skipif(not PICTURES.exists(), reason="../shared/data/shap_imagenet50 is absent")
class TestResNet:
    """Residual networks that others trained, on pictures of another set: maps only."""

    @pytest.mark.parametrize("depth", [20, 32, 44, 56])
    def test_the_blocks_have_their_grids(self, pictures, depth):
        """Every shipped depth gives three blocks on grids of 64, 32 and 16."""
        pytest.importorskip("safetensors")
        from adapters.resnet_cifar import load

        net = load(WEIGHTS / f"resnet{depth}.safetensors", (depth - 2) // 6)
        read = feature_maps(net, ["layer1", "layer2", "layer3"], preprocess=IMAGENET)
        shapes = [one.shape for one in read(pictures[:2]).values()]
        assert shapes == [(2, 16, 64, 64), (2, 32, 32, 32), (2, 64, 16, 16)]

    def test_the_pooled_last_block_is_what_the_head_reads(self, pictures):
        """The linear layer on the mean of the last maps gives the module's own logits."""
        pytest.importorskip("safetensors")
        from adapters.resnet_cifar import load

        net = load(WEIGHTS / "resnet20.safetensors", 3).eval()
        read = FeatureMaps(net, ("layer3",), IMAGENET)
        pooled = torch.tensor(read(pictures)["layer3"]).mean((2, 3))
        with torch.inference_mode():
            own = net(IMAGENET(torch.tensor(pictures)))
            np.testing.assert_allclose(net.linear(pooled), own, atol=1e-4)

    def test_concept_maps_follow_the_pictures(self, pictures):
        """Places of one concept are nearer in colour than places at large, more so with B234."""
        pytest.importorskip("safetensors")
        from adapters.resnet_cifar import load
        from whence.prospectors.prototypes import ConceptMaps

        net = load(WEIGHTS / "resnet20.safetensors", 3)
        read = feature_maps(net, ["layer1", "layer2", "layer3"], preprocess=IMAGENET)
        maps = read(pictures)
        left = []
        for layers in (["layer3"], ["layer1", "layer2", "layer3"]):
            model = ConceptMaps(8, layers).fit(maps, np.arange(12) % 2)
            ids = model.concepts(maps)
            step = 64 // ids.shape[1]
            colours = pictures[:, :, ::step, ::step].transpose(0, 2, 3, 1).reshape(-1, 3) / 255
            within = sum(
                ((colours[ids.ravel() == c] - colours[ids.ravel() == c].mean(0)) ** 2).sum()
                for c in np.unique(ids)
            )
            left.append(within / ((colours - colours.mean(0)) ** 2).sum())
        assert left[1] < left[0] < 0.95
