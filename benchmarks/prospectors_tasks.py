"""Holds the problems of the prospector benchmark: bags with coarse labels, and where the truth is.

Every function makes one Task of a seed, from a data folder or from nothing. The truth of tokens
judges maps and feeds the token-supervised mark; no head sees it. Labels are never given to an
encoder. It does not know heads, nor baselines.
"""

from __future__ import annotations

import csv
import json
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from whence.prospectors import Bag, Graph
from whence.prospectors.encoders import PatchEncoder, TextEncoder

Array = np.ndarray


@dataclass(frozen=True, eq=False)
class Task:
    """One problem of one seed.

    Attributes:
        name: of the problem.
        train, y, train_truth: bags, a label each, and the truth of their tokens.
        test, test_truth: bags of class 1 that were not trained on, and their truth.
        groups: of the training bags, what must stay in one fold; or None.
        test_groups: of the test bags, what is one thing over all seeds: intervals are over these.
    """

    name: str
    train: list[Bag]
    y: Array
    train_truth: list[Array]
    test: list[Bag]
    test_truth: list[Array]
    groups: Array | None
    test_groups: list[Any]


def _task(
    name: str,
    bags: Sequence[Bag],
    y: Array,
    truths: Sequence[Array],
    split: tuple[Iterable[int], Iterable[int]],
    groups: Array | None = None,
    ids: Sequence[Any] | None = None,
) -> Task:
    train, test = list(split[0]), [i for i in split[1] if y[i]]
    return Task(
        name,
        [bags[i] for i in train],
        np.asarray(y)[train].astype(int),
        [np.asarray(truths[i], dtype=bool) for i in train],
        [bags[i] for i in test],
        [np.asarray(truths[i], dtype=bool) for i in test],
        None if groups is None else groups[train],
        test if ids is None else [ids[i] for i in test],
    )


# --- text -----------------------------------------------------------------------------------------


def presence(data: Path, seed: int) -> Task:
    """Documents of 6 to 13 segments of utterances; class 1 (15 %) holds a banking segment."""

    def draw(rng: np.random.Generator, domains: list[str]) -> tuple[list[str], list[bool], bool]:
        segments = rng.integers(6, 14)
        kinds = rng.choice([d for d in domains if d != "banking"], segments).tolist()
        true = [False] * segments
        if positive := rng.random() < 0.15:
            place = rng.integers(segments)
            kinds[place], true[place] = "banking", True
        return kinds, true, bool(positive)

    return _clinc(data, seed, "clinc presence", draw, (2, 6))


def adjacency(data: Path, seed: int) -> Task:
    """All documents hold banking and travel; in class 1 (50 %) they touch, beside a far decoy."""
    both = ("banking", "travel")

    def draw(rng: np.random.Generator, domains: list[str]) -> tuple[list[str], list[bool], bool]:
        segments = int(rng.integers(6, 14))
        kinds = rng.choice([d for d in domains if d not in both], segments).tolist()
        true = [False] * segments
        first, second = rng.permutation(both)
        positive = bool(rng.random() < 0.5)
        if positive:
            at = int(rng.integers(segments - 1))
            kinds[at], kinds[at + 1] = first, second
            true[at] = true[at + 1] = True
            far = [i for i in range(segments) if i < at - 2 or i > at + 3]
            if far:
                kinds[rng.choice(far)] = rng.choice(both)
        else:
            apart = [(i, j) for i in range(segments) for j in range(segments) if abs(i - j) >= 3]
            i, j = apart[rng.integers(len(apart))]
            kinds[i], kinds[j] = first, second
        return kinds, true, positive

    return _clinc(data, seed, "clinc adjacency", draw, (1, 3))


def _clinc(data: Path, seed: int, name: str, draw: Callable[..., Any], sizes: Any) -> Task:
    """600 documents of training utterances and 400 of test utterances; tokens are utterances."""
    folder = data / "clinc150"
    utterances = json.loads((folder / "data_full.json").read_text(encoding="utf-8"))
    named = json.loads((folder / "domains.json").read_text(encoding="utf-8"))
    of = {intent: domain for domain, intents in named.items() for intent in intents}
    rng = np.random.default_rng(seed)
    texts, truths, y = [], [], []
    for part, count in (("train", 600), ("test", 400)):
        pool: dict[str, list[str]] = {}
        for utterance, intent in utterances[part]:
            pool.setdefault(of[intent], []).append(utterance)
        for _ in range(count):
            kinds, true, positive = draw(rng, sorted(pool))
            lines, marks = [], []
            for kind, mark in zip(kinds, true, strict=True):
                size = int(rng.integers(sizes[0], sizes[1] + 1))
                lines += rng.choice(pool[kind], size, replace=False).tolist()
                marks += [mark] * size
            texts.append("\n".join(lines))
            truths.append(np.array(marks))
            y.append(positive)
    bags = _encoded(texts, 600, seed)
    ids = [(seed, i) for i in range(1000)]
    split = range(600), range(600, 1000)
    return _task(name, bags, np.array(y), truths, split, ids=ids)


def csabstruct(data: Path, seed: int) -> Task:
    """Abstracts; class 1 has a sentence that states the objective; dev and test are scored."""
    texts, truths, sizes = [], [], []
    for part in ("train", "dev", "test"):
        lines = (data / "csabstruct" / f"{part}.jsonl").read_text(encoding="utf-8").splitlines()
        rows = [json.loads(line) for line in lines]
        texts += ["\n".join(" ".join(s.split()) for s in row["sentences"]) for row in rows]
        truths += [np.array(row["labels"]) == "objective" for row in rows]
        sizes.append(len(rows))
    y = np.array([t.any() for t in truths])
    bags = _encoded(texts, sizes[0], seed)
    return _task("csabstruct", bags, y, truths, (range(sizes[0]), range(sizes[0], sum(sizes))))


def _encoded(texts: list[str], training: int, seed: int) -> list[Bag]:
    encoder = TextEncoder("line", seed=seed).fit(texts[:training])
    return [encoder.encode(text) for text in texts]


def tweets(data: Path, seed: int) -> Task:
    """Words of 2,500 and 1,500 tweets, positive against negative; the truth is the human span.

    Word vectors are learned from all tweets but those that are scored, the neutral ones included.
    """
    path = data / "tweet_rationales" / "train.csv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["text"].strip()]
    sided = [i for i, row in enumerate(rows) if row["sentiment"] != "neutral"]
    chosen = np.random.default_rng(seed).permutation(sided)[:4000].tolist()
    scored = set(chosen[2500:])
    encoder = TextEncoder("word", seed=seed)
    encoder.fit(row["text"] for i, row in enumerate(rows) if i not in scored)
    bags, truths = [], []
    for i in chosen:
        bag = encoder.encode(rows[i]["text"])
        start = rows[i]["text"].index(rows[i]["selected_text"])
        end = start + len(rows[i]["selected_text"])
        assert bag.units is not None
        assert bag.units.spans is not None
        bags.append(bag)
        truths.append(np.array([a < end and b > start for a, b in bag.units.spans]))
    y = np.array([rows[i]["sentiment"] == "positive" for i in chosen])
    return _task("tweets", bags, y, truths, (range(2500), range(2500, 4000)), ids=chosen)


# --- images ---------------------------------------------------------------------------------------


@cache
def _tiles(data: Path) -> tuple[list[Array], list[Array], Array]:
    """Every 64 x 64 tile, its mask of nuclei, and its image."""
    from PIL import Image

    tiles, masks, images = [], [], []
    paths = sorted((data / "nuclei_histology" / "images").glob("*.png"))
    for number, path in enumerate(paths):
        picture = np.asarray(Image.open(path).convert("RGB"))
        mask = np.asarray(Image.open(data / "nuclei_histology" / "labels" / path.name)) > 0
        for top in range(0, picture.shape[0] - 63, 64):
            for left in range(0, picture.shape[1] - 63, 64):
                part = np.s_[top : top + 64, left : left + 64]
                tiles.append(picture[part])
                masks.append(mask[part])
                images.append(number)
    return tiles, masks, np.array(images)


def nuclei(data: Path, seed: int) -> Task:
    """Tiles of histology images; class 1 holds a nucleus; split by image, 72 for training.

    Patches of 8 pixels every 4; a patch is true where the pixel at its centre is of a nucleus.
    """
    tiles, masks, images = _tiles(data)
    training = np.isin(images, np.random.default_rng(seed).permutation(images.max() + 1)[:72])
    train, test = np.flatnonzero(training), np.flatnonzero(~training)
    encoder = PatchEncoder(8, 4).fit(tiles[i] for i in train)
    bags = [encoder.encode(tile) for tile in tiles]
    truths = [mask[2::4, 2::4].ravel() for mask in masks]
    y = np.array([mask.any() for mask in masks])
    return _task("nuclei", bags, y, truths, (train, test), images, images.tolist())


@cache
def _cells(data: Path) -> tuple[list[Array], list[Array], Array]:
    """Blood-cell pictures at 320 x 240, which of 30 x 40 centres lie in a platelet's box, label."""
    from PIL import Image

    pictures, truths, y = [], [], []
    down, along = np.arange(30) * 8 + 4, np.arange(40) * 8 + 4
    for path in sorted((data / "bccd" / "JPEGImages").glob("*.jpg")):
        picture = Image.open(path).convert("RGB")
        wide, high = picture.size
        pictures.append(np.asarray(picture.resize((320, 240), Image.Resampling.BILINEAR)))
        tree = ElementTree.parse(data / "bccd" / "Annotations" / f"{path.stem}.xml")
        inside = np.zeros((30, 40), dtype=bool)
        boxes = [o for o in tree.iter("object") if o.findtext("name") == "Platelets"]
        for box in boxes:
            x0, y0, x1, y1 = (
                float(box.findtext(f"bndbox/{edge}") or 0)
                for edge in ("xmin", "ymin", "xmax", "ymax")
            )
            rows = (down >= y0 * 240 / high) & (down <= y1 * 240 / high)
            inside |= rows[:, None] & (along >= x0 * 320 / wide) & (along <= x1 * 320 / wide)
        truths.append(inside.ravel())
        y.append(bool(boxes))
    return pictures, truths, np.array(y)


def bccd(data: Path, seed: int) -> Task:
    """Blood-cell images; class 1 holds a platelet; 250 for training; the truth is the boxes."""
    pictures, truths, y = _cells(data)
    order = np.random.default_rng(seed).permutation(len(y)).tolist()
    encoder = PatchEncoder(16, 8).fit(pictures[i] for i in order[:250])
    bags = [encoder.encode(picture) for picture in pictures]
    return _task("bccd", bags, y, truths, (order[:250], order[250:]))


# --- graphs ---------------------------------------------------------------------------------------


def molecules(kind: str, count: int) -> Callable[[Path, int], Task]:
    """Molecules as graphs of atom types; the truth is the union of their several explanations."""

    def make(data: Path, seed: int) -> Task:
        file = np.load(data / "graph_attribution_flat" / f"{kind}.npz", allow_pickle=False)
        kept = {name: file[name] for name in file.files}
        types = np.unpackbits(kept["nodes"], axis=1)[:, : int(kept["node_dim"])].argmax(axis=1)
        rng = np.random.default_rng(seed)
        train = rng.permutation(kept["train_index"])[:count].tolist()
        test = kept["test_index"].tolist()
        bags: dict[int, Bag] = {}
        truths: dict[int, Array] = {}
        for i in train + test:
            nodes, edges, told = (
                slice(*kept[pointer][i : i + 2]) for pointer in ("node_ptr", "edge_ptr", "attr_ptr")
            )
            pairs = np.stack([kept["senders"][edges], kept["receivers"][edges]], axis=1)
            size = nodes.stop - nodes.start
            bags[i] = Bag(types[nodes].astype(str), Graph(pairs.astype(np.int64), int(size)))
            truths[i] = kept["node_attr"][told].reshape(-1, size).max(axis=0) > 0
        y, places = kept["y"] > 0, train + test
        return _task(
            f"{kind}, {count}",
            [bags[i] for i in places],
            y[places],
            [truths[i] for i in places],
            (range(len(train)), range(len(train), len(places))),
            ids=places,
        )

    return make


def motif(data: Path, seed: int) -> Task:
    """Random trees with 3 A and 3 B nodes that class 1 joins in a ring and class 0 scatters.

    Both classes have 6 decoys of the same types; features are a Gaussian per type and noise, so
    that only pairs of neighbours tell the classes, and the motif, apart. 300 for training.
    """
    rng = np.random.default_rng(seed)
    prototypes = rng.normal(size=(6, 16))
    made = [_tree(rng, prototypes, i % 2) for i in range(600)]
    bags, truths = [bag for bag, _ in made], [truth for _, truth in made]
    y = np.arange(600) % 2
    ids = [(seed, i) for i in range(600)]
    return _task("planted motif", bags, y, truths, (range(300), range(300, 600)), ids=ids)


def _tree(rng: np.random.Generator, prototypes: Array, ring: int) -> tuple[Bag, Array]:
    base = int(rng.integers(30, 60))
    types = list(rng.integers(2, 6, base))
    ends = [0]
    edges = []
    for new in range(1, base):  # preferential attachment, one edge each
        old = int(rng.choice(ends))
        edges.append((old, new))
        ends += [old, new]
    hooks = rng.permutation(base)[:12].tolist()
    six = list(range(base, base + 6))
    types += [0, 1] * 6
    if ring:
        edges += [(a, b) for a, b in zip(six, six[1:] + six[:1], strict=True)]
        edges.append((hooks[0], six[0]))
    else:
        edges += list(zip(hooks[:6], six, strict=True))
    edges += [(hook, base + 6 + j) for j, hook in enumerate(hooks[6:])]
    nodes = base + 12
    tokens = prototypes[types] + 0.6 * rng.normal(size=(nodes, 16))
    truth = np.zeros(nodes, dtype=bool)
    truth[six] = True
    return Bag(tokens, Graph(np.array(edges), nodes)), truth


#: Task -> how it is made, and the folder it needs ("" for none).
TASKS: dict[str, tuple[Callable[[Path, int], Task], str]] = {
    "clinc presence": (presence, "clinc150"),
    "clinc adjacency": (adjacency, "clinc150"),
    "csabstruct": (csabstruct, "csabstruct"),
    "tweets": (tweets, "tweet_rationales"),
    "nuclei": (nuclei, "nuclei_histology"),
    "bccd": (bccd, "bccd"),
    "benzene, 50": (molecules("benzene", 50), "graph_attribution_flat"),
    "benzene, 600": (molecules("benzene", 600), "graph_attribution_flat"),
    "logic8, 600": (molecules("logic8", 600), "graph_attribution_flat"),
    "planted motif": (motif, ""),
}
