"""Holds the table of post-hoc k-means self-explanation: accuracy, agreement, where the evidence is.

    PYTHONPATH=src python benchmarks/self_explanation.py [--data ../shared/data] [--quick]
        [--json FILE]

A CNN of four blocks is trained on Fashion-MNIST for each seed. Prototypes on its frozen features
are fitted to images it was not trained on, and judged on the test set beside its own linear head.
Then four test images of different classes make a mosaic, and the evidence for one of them should
lie on its quarter: average precision and pointing, beside the class-activation map of the linear
head. Needs torch. Never imported by the package.
"""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import common
import numpy as np

from whence.evaluation.localisation import localisation
from whence.prospectors.prototypes import ConceptMaps, faithfulness

BLOCKS = ("block2", "block3", "block4")
#: What is read -> layers, reads, concepts, prototypes per class.
MODELS = {
    "B4, features (KMEx)": (BLOCKS[2:], "features", 20, 1),
    "B4, features, 5 per class": (BLOCKS[2:], "features", 20, 5),
    "B4, 20 concepts": (BLOCKS[2:], "concepts", 20, 1),
    "B4, 50 concepts": (BLOCKS[2:], "concepts", 50, 1),
    "B34, features": (BLOCKS[1:], "features", 20, 1),
    "B234, features": (BLOCKS, "features", 20, 1),
    "B234, 20 concepts": (BLOCKS, "concepts", 20, 1),
    "B234, 50 concepts": (BLOCKS, "concepts", 50, 1),
    "B234, 50 concepts, 5 per class": (BLOCKS, "concepts", 50, 5),
}


def fashion(folder: Path, part: str) -> tuple[np.ndarray, np.ndarray]:
    """Images `(b, 1, 28, 28)` and labels `(b,)`."""
    images = gzip.decompress((folder / f"{part}-images-idx3-ubyte.gz").read_bytes())
    classes = gzip.decompress((folder / f"{part}-labels-idx1-ubyte.gz").read_bytes())
    pixels = np.frombuffer(images, np.uint8, offset=16).reshape(-1, 1, 28, 28)
    return pixels, np.frombuffer(classes, np.uint8, offset=8)


def network() -> Any:
    """Four blocks of 16, 32, 64 and 64 channels on grids of 28, 14, 7 and 7, and a linear head."""
    from collections import OrderedDict

    from torch import nn

    def block(before: int, width: int, stride: int) -> Any:
        convolution = nn.Conv2d(before, width, 3, stride, 1, bias=False)
        return nn.Sequential(convolution, nn.BatchNorm2d(width), nn.ReLU())

    shapes = [(1, 16, 1), (16, 32, 2), (32, 64, 2), (64, 64, 1)]
    blocks = [(f"block{i + 1}", block(*shape)) for i, shape in enumerate(shapes)]
    pool = ("pool", nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()))
    return nn.Sequential(OrderedDict([*blocks, pool, ("linear", nn.Linear(64, 10))]))


def trained(images: np.ndarray, labels: np.ndarray, seed: int, epochs: int) -> Any:
    """A network after some passes over the images; torch's own randomness is left alone."""
    import torch

    torch.set_num_threads(1)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = network()
    steps = epochs * (len(images) // 128)
    optimizer = torch.optim.AdamW(net.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, total_steps=steps)
    rng = np.random.default_rng(seed)
    order = np.concatenate([rng.permutation(len(images)) for _ in range(epochs)])
    for step in range(steps):
        rows = order[step * 128 : (step + 1) * 128]
        x, y = torch.tensor(images[rows]).float() / 255, torch.tensor(labels[rows]).long()
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(net(x), y).backward()
        optimizer.step()
        schedule.step()
    return net.eval()


def mosaics(
    images: np.ndarray, labels: np.ndarray, count: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mosaics `(b, 1, 56, 56)` of four classes, the class that is looked for, and its quarter."""
    tiles = np.zeros((count, 2, 2, 28, 28), np.uint8)
    wanted, quarters = np.zeros(count, np.int64), rng.integers(0, 4, count)
    for i in range(count):
        classes = rng.permutation(10)[:4]
        for quarter, label in enumerate(classes):
            one = rng.choice(np.flatnonzero(labels == label))
            tiles[i, quarter // 2, quarter % 2] = images[one]
        wanted[i] = classes[quarters[i]]
    return tiles.swapaxes(2, 3).reshape(count, 1, 56, 56), wanted, quarters


def placed(maps: np.ndarray, quarters: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Maps `(b, h, w)` as rows of values, and which of them lie in the quarter."""
    _, height, width = maps.shape
    rows, columns = np.arange(height) * 2 // height, np.arange(width) * 2 // width
    where = rows[:, None] * 2 + columns
    return [one.ravel() for one in maps], [(where == q).ravel() for q in quarters]


def measure(data: Path, seed: int, quick: bool) -> list[tuple[str, str, float, float]]:
    """Method, metric, value and CPU seconds of one seed."""
    from whence.adapters.features import feature_maps
    from whence.adapters.torch import Normalise, scorer

    images, labels = fashion(data, "train")
    test, truth = fashion(data, "t10k")
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(images))
    size, fitted = (8_000, 2_000) if quick else (30_000, 6_000)
    judged, looked = (1_000, 100) if quick else (4_000, 400)
    made: list[Any] = []
    own, rest = order[:size], order[size : size + fitted]
    seconds = common.cpu(lambda: made.append(trained(images[own], labels[own], seed, 2)))
    net = made[0]
    read = feature_maps(net, BLOCKS, preprocess=Normalise())
    test, truth = test[:judged], truth[:judged]
    answers = scorer(net, layout="as is", preprocess=Normalise())(list(test)).argmax(axis=1)
    maps, held = read(images[rest]), read(test)
    scenes, wanted, quarters = mosaics(test, truth, looked, rng)
    shown = read(scenes)
    rows = [("the CNN's linear head", "accuracy", float((answers == truth).mean()), seconds)]
    weights = net.linear.weight.detach().numpy()[wanted]
    activation = np.einsum("bc,bchw->bhw", weights, shown["block4"])
    rows += judged_maps("the CNN's linear head", activation, quarters)
    for name, (layers, reads, k, per_class) in MODELS.items():
        model = ConceptMaps(k, layers, reads=reads, per_class=per_class, seed=seed)
        spent = common.cpu(lambda: model.fit(maps, labels[rest]))  # noqa: B023
        found = faithfulness(model.predict(held), answers, truth)
        rows += [
            (name, "accuracy", found.accuracy.value, spent),
            (name, "agreement", found.agreement.value, spent),
        ]
        each = [
            model.evidence({k: v[i : i + 1] for k, v in shown.items()}, wanted[i])
            for i in range(looked)
        ]
        rows += judged_maps(name, np.concatenate(each), quarters)
    return rows


def judged_maps(
    name: str, maps: np.ndarray, quarters: np.ndarray
) -> list[tuple[str, str, float, float]]:
    """Average precision and pointing of maps."""
    found = localisation(*placed(maps, quarters))
    precision, pointing = float(found.precision.mean()), float(found.pointing.mean())
    return [(name, "AP", precision, 0.0), (name, "pointing", pointing, 0.0)]


def show(rows: list[common.Row]) -> None:
    """One line per method."""
    metrics = ["accuracy", "agreement", "AP", "pointing"]
    body = []
    for name in dict.fromkeys(r["method"] for r in rows):
        got = {r["metric"]: r for r in rows if r["method"] == name}
        cells = [spelt(got[m]) if m in got else "" for m in metrics]
        body.append([name, *cells, common.number(got["accuracy"]["cpu_seconds"])])
    common.show(["method", *metrics, "CPU s to fit"], body)


def spelt(row: common.Row) -> str:
    return f"{row['value']:.3f} ± {row['high'] - row['value']:.3f}"


def spread(values: list[float]) -> float:
    """One standard deviation over seeds."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else 0.0


def main() -> None:
    parser = common.arguments(__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), metavar="FOLDER")
    given = parser.parse_args()
    folder = given.data / "fashion_mnist"
    if not folder.exists() or common.version("torch") is None:
        print(f"{folder} or torch is not here: nothing to measure")
        return
    seeds = 1 if given.quick else 3
    found: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for seed in range(seeds):
        for method, metric, value, seconds in measure(folder, seed, given.quick):
            found.setdefault((method, metric), []).append((value, seconds))
    rows = []
    for (method, metric), values in found.items():
        mean, apart = float(np.mean([v for v, _ in values])), spread([v for v, _ in values])
        seconds = float(np.mean([s for _, s in values]))
        rows.append(
            common.row(
                "fashion_mnist", method, metric, mean, low=mean - apart, high=mean + apart,
                seeds=seeds, cpu_seconds=seconds,
            )
        )  # fmt: skip
    show(rows)
    print("± is one standard deviation over seeds; AP of chance is 0.25, as is pointing of chance.")
    common.write(given.json, rows, common.machine("torch"))


if __name__ == "__main__":
    main()
