"""Facts about the scorers that adapters make: each keeps the contract of a Scorer."""

from functools import partial

import numpy as np
import pytest

from tools.tree import ROOT
from whence.testing import scorer_checks

STORIES = ROOT.parent / "shared" / "data" / "stories260K" / "hf"
TEXTS = ["Once upon a time", "Tom was very sad.", "The", "Lily and her red ball went home"]


def embedded():
    """The classifier that ships."""
    pytest.importorskip("onnxruntime")
    from whence.models import sentiment

    return sentiment.load(threads=1), TEXTS


def function():
    """A plain function, made a scorer."""
    from whence.adapters.function import as_scorer

    return as_scorer(lambda texts: [float(len(t)) for t in texts]), TEXTS


def threads():
    """The classifier that ships, on two threads."""
    from whence.executors import Threads

    return Threads(embedded()[0], 2, batch=2), TEXTS


def stories(**said):
    """A small language model from a folder."""
    pytest.importorskip("transformers")
    if not STORIES.exists():
        pytest.skip("../shared/data/stories260K is absent")
    from whence import load

    return load(str(STORIES), **said), TEXTS


def module():
    """A small network of pictures."""
    torch = pytest.importorskip("torch")
    from whence.adapters.torch import scorer

    net = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(4 * 36, 3)
    )
    pictures = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3), dtype=np.uint8)
    return scorer(net, labels=("a", "b", "c")), list(pictures)


MAKERS = {
    "embedded": embedded,
    "function": function,
    "threads": threads,
    "continuation": partial(stories, target=" went home"),
    "contrast": partial(stories, target=" went", contrast=" was sad"),
    "module": module,
}


@pytest.mark.parametrize("name", MAKERS)
def test_it_keeps_every_promise(name):
    """Facts, scores, tokens, parts and independence are as a Scorer promises."""
    scorer, items = MAKERS[name]()
    for _, check in scorer_checks():
        check(scorer, items)
