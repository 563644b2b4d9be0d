"""Holds small labelled data of every kind, for the tests of `whence prospect`."""

from __future__ import annotations

import json

import numpy as np

FILLER = (
    "The weather was mild that day. The road led past the old mill. A dog barked twice. "
    "Nobody answered the door. The train came late again. Bread was baked at dawn."
)


def texts(count=24, seed=0):
    """Texts and labels: those labelled "yes" hold a sentence about a treasure."""
    rng = np.random.default_rng(seed)
    said = FILLER.split(". ")
    made = []
    for i in range(count):
        own = [f"{s.rstrip('.')}." for s in rng.choice(said, 4)]
        if i % 2:
            own.insert(int(rng.integers(0, 5)), "They found the golden treasure below the tower.")
        made.append((" ".join(own), "yes" if i % 2 else "no"))
    return made


def folder(path, count=24):
    """A folder of texts with a folder for each class."""
    for i, (text, label) in enumerate(texts(count)):
        (path / label).mkdir(parents=True, exist_ok=True)
        (path / label / f"t{i}.txt").write_text(text)
    return path


def lines(path, count=24):
    """A table of texts, as JSON lines."""
    rows = [
        {"body": text, "outcome": label, "court": f"c{i // 2}"}
        for i, (text, label) in enumerate(texts(count))
    ]
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


def molecules(path, count=24, **given):
    """An .npz of graphs: those labelled "ring" hold a ring of six C; the others a chain."""
    rng = np.random.default_rng(0)
    tokens, edges, sizes, parts, labels = [], [], [], [], []
    for i in range(count):
        own = [(j, j + 1) for j in range(7)] + ([(0, 5)] if i % 2 else [])
        letters = list("CCCCCC" if i % 2 else "CNCNCN") + list(rng.choice(list("CNO"), 2))
        tokens += letters
        edges += own
        sizes.append(len(letters))
        parts.append(len(own))
        labels.append("ring" if i % 2 else "none")
    arrays = {
        "tokens": np.array(tokens),
        "offsets": np.concatenate([[0], np.cumsum(sizes)]),
        "edges": np.array(edges),
        "edge_offsets": np.concatenate([[0], np.cumsum(parts)]),
        "labels": np.array(labels),
    }
    kept = {name: array for name, array in (arrays | given).items() if array is not None}
    np.savez(path, **kept)
    return path


def embeddings(path, count=24, *, numbers=False):
    """An .npz of sequences of vectors; some tokens of the later class lie apart."""
    rng = np.random.default_rng(0)
    bags, labels = [], []
    for i in range(count):
        bag = rng.normal(size=(10, 4))
        marked = i % 5 if numbers else 3 * (i % 2)
        bag[:marked] += 6
        bags.append(bag)
        labels.append(float(marked) + 0.5 if numbers else marked)
    np.savez(
        path,
        embeddings=np.concatenate(bags),
        offsets=np.arange(count + 1) * 10,
        labels=np.array(labels),
    )
    return path


def pictures(path, count=16):
    """A folder of pictures: those of "spot" hold a red square on noise."""
    from PIL import Image

    rng = np.random.default_rng(0)
    for i in range(count):
        pixels = rng.integers(90, 130, (48, 48, 3)).astype(np.uint8)
        if i % 2:
            y, x = rng.integers(0, 32, 2)
            pixels[y : y + 16, x : x + 16] = (230, 20, 20)
        label = "spot" if i % 2 else "none"
        (path / label).mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path / label / f"p{i}.png")
    return path
