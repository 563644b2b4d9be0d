"""Holds the reading of bags with coarse labels: folders, tables, and arrays, as a user has them.

It does not know how texts and pictures are encoded, nor what is learned from them.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from whence.cli.reading import read_text
from whence.errors import InputError

TEXTS = frozenset({".txt", ".md"})
PICTURES = frozenset(
    {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm"}
)
#: More different labels than this, all of them numbers, are hardly meant as classes.
CLASSES = 20


@dataclass(frozen=True)
class Columns:
    """Which columns of a table are read, and where labels of files stand.

    Attributes:
        text: the column of texts.
        tokens: the column of lists: of names, or of vectors.
        label: the column of labels.
        group: the column of groups.
        labels: a table with the name, label and perhaps group of each file of a folder.
        window: of lists of tokens: how far neighbours are apart.
        numbers: whether labels are numbers rather than classes.
    """

    text: str | None = None
    tokens: str | None = None
    label: str | None = None
    group: str | None = None
    labels: Path | None = None
    window: int = 1
    numbers: bool = False


class Things(Protocol):
    """What data holds, one after the other; some are read only when they are asked for."""

    def __len__(self) -> int:
        """How many."""
        ...

    def __getitem__(self, i: int, /) -> Any:
        """One."""
        ...

    def __iter__(self) -> Iterator[Any]:
        """All of them, in order."""
        ...


@dataclass(frozen=True, eq=False)
class Data:
    """Bags before they are encoded.

    Attributes:
        kind: "text", "picture" or "bag": what `things` holds.
        things: str, `(h, w, 3)` bytes read when they are asked for, or Bag.
        names: of the things.
        labels: `(b,)`, text or floats; None when there are none.
        groups: `(b,)` text, or None.
        source: where they came from.
    """

    kind: str
    things: Things
    names: tuple[str, ...]
    labels: NDArray[Any] | None
    groups: NDArray[Any] | None
    source: str

    def __len__(self) -> int:
        return len(self.names)

    def take(self, rows: Sequence[int]) -> Data:
        """Some of them, in this order."""
        at = np.asarray(rows, dtype=np.intp)
        return replace(
            self,
            things=[self.things[i] for i in rows],
            names=tuple(self.names[i] for i in rows),
            labels=None if self.labels is None else self.labels[at],
            groups=None if self.groups is None else self.groups[at],
        )


@dataclass(frozen=True)
class Lazily:
    """Files that are read when they are asked for, one at a time."""

    paths: tuple[Path, ...]
    read: Callable[[Path], Any]

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, i: int) -> Any:
        return self.read(self.paths[i])

    def __iter__(self) -> Iterator[Any]:
        return map(self.read, self.paths)


def labelled(path: Path, columns: Columns) -> Data:
    """Bags with their labels, ready to learn from.

    Raises:
        InputError: as `read`; or no labels, a label that is missing, or one class only.
    """
    data = read(path, columns, folders=columns.labels is None)
    if data.labels is None:
        raise InputError(f"{path} came without labels. {_how(path)}")
    classes = sorted(set(data.labels.tolist()), key=str)
    if len(classes) < 2:
        raise InputError(
            f"{path} has one class only ({classes[0]!r}, {len(data)} bags); bags of at least two "
            "are needed to learn what sets them apart."
        )
    return data


def _how(path: Path) -> str:
    if path.is_dir():
        return "Put the files of each class into a folder of its own, or give --labels labels.csv."
    if path.suffix == ".npz":
        return "Give it an array `labels`, one per bag."
    return "Say which column they stand in with --label COLUMN."


def read(path: Path, columns: Columns, *, folders: bool = False) -> Data:
    """Bags as they came, with labels where they are known.

    Args:
        path: a folder, a table, an .npz, a text or a picture.
        columns: what is read of a table, and where labels are.
        folders: whether the sub-folders of a folder are classes.

    Raises:
        InputError: nothing there, files of two kinds, an empty file, or a label that is missing.
    """
    suffix = path.suffix.lower()
    if not path.exists():
        raise InputError(f"{path} came; there is no such file or folder.")
    if path.is_dir() and not any(path.glob("*.npy")):
        data = _of_folder(path, columns, folders=folders)
    elif path.is_dir() or suffix == ".npz":
        data = _of_arrays(path, columns)
    elif suffix in TEXTS or suffix in PICTURES:
        data = _of_files(path, (path,), (path.name,))
    else:
        data = _of_table(path, columns)
    return _checked(data, columns)


def _checked(data: Data, columns: Columns) -> Data:
    """The data with labels of one type: text, or floats."""
    if not len(data):
        raise InputError(f"{data.source} is empty: it holds no bags.")
    if data.labels is None:
        return data
    for name, label in zip(data.names, data.labels.tolist(), strict=True):
        if label is None or str(label).strip() == "" or label != label:
            raise InputError(f"{name} of {data.source} has no label. Label it or leave it out.")
    if columns.numbers:
        return replace(data, labels=_as_numbers(data))
    return replace(data, labels=_as_classes(data))


def _as_numbers(data: Data) -> NDArray[np.float64]:
    found: list[float] = []
    for name, label in zip(data.names, np.asarray(data.labels).tolist(), strict=True):
        try:
            found.append(float(label))
        except (TypeError, ValueError) as error:
            raise InputError(
                f"{name} of {data.source} has the label {label!r}, which is no number. Leave out "
                "--numbers to learn classes."
            ) from error
    return np.array(found)


def _as_classes(data: Data) -> NDArray[Any]:
    labels = [str(label).strip() for label in np.asarray(data.labels).tolist()]
    distinct = set(labels)
    if len(distinct) > CLASSES and all(map(_is_number, distinct)):
        raise InputError(
            f"{data.source} has {len(distinct)} different labels, all of them numbers; give "
            "--numbers to learn a number, or labels that are classes."
        )
    return np.array(labels)


def _is_number(label: str) -> bool:
    try:
        float(label)
    except ValueError:
        return False
    return True


# --- folders and files ------------------------------------------------------------------------


def _of_folder(path: Path, columns: Columns, *, folders: bool) -> Data:
    files = tuple(sorted(one for one in path.rglob("*") if one.is_file() and _shown(one, path)))
    if columns.labels is not None and columns.labels.resolve() in {f.resolve() for f in files}:
        files = tuple(one for one in files if one.resolve() != columns.labels.resolve())
    names = tuple(one.relative_to(path).as_posix() for one in files)
    data = _of_files(path, files, names)
    if columns.labels is not None:
        return _by_table(data, columns.labels)
    classes = [name.partition("/") for name in names]
    if not folders and not all(rest for _, _, rest in classes):
        return data
    for name, (_, _, rest) in zip(names, classes, strict=True):
        if not rest:
            raise InputError(
                f"{name} lies in {path} itself, so it has no class. Put it into the folder of its "
                "class, or give --labels labels.csv."
            )
    return replace(data, labels=np.array([name for name, _, _ in classes], dtype=object))


def _shown(path: Path, root: Path) -> bool:
    return not any(part.startswith(".") for part in path.relative_to(root).parts)


def _of_files(source: Path, files: tuple[Path, ...], names: tuple[str, ...]) -> Data:
    kinds = {_kind(source, one) for one in files}
    if len(kinds) > 1:
        raise InputError(f"{source} holds texts and pictures; a head reads one or the other.")
    if kinds == {"picture"}:
        from whence.adapters.pictures import read_picture

        return Data("picture", Lazily(files, read_picture), names, None, None, str(source))
    return Data("text", [_text(one) for one in files], names, None, None, str(source))


def _kind(source: Path, file: Path) -> str:
    suffix = file.suffix.lower()
    if suffix in TEXTS:
        return "text"
    if suffix in PICTURES:
        return "picture"
    raise InputError(
        f"{file.name} in {source} is neither a text (.txt) nor a picture; take it out of there."
    )


def _text(file: Path) -> str:
    text = read_text((), file)
    if not text.strip():
        raise InputError(f"{file} is empty: it holds no text. Leave it out.")
    return text


def _by_table(data: Data, path: Path) -> Data:
    """Labels and groups from a table with the columns name, label and perhaps group."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"--labels {path} cannot be read as a table ({error}).") from error
    if not rows or not {"name", "label"} <= set(rows[0]):
        raise InputError(
            f"--labels {path} must have the columns name and label (and may have group); it has "
            f"{', '.join(rows[0]) if rows else 'no rows'}."
        )
    known: dict[str, dict[str, Any]] = {}
    for row in rows:
        name = row["name"]
        if known.setdefault(name, row) != row:
            raise InputError(f"--labels {path} has two rows for {name} that differ; keep one.")
    found = [_row_of(name, known, path) for name in data.names]
    if len({id(row) for row in found}) < len(found):
        raise InputError(
            f"--labels {path} has one row for several files of the same name in different folders; "
            "write their paths, as folder/name.txt."
        )
    groups = [row.get("group") or "" for row in found]
    return replace(
        data,
        labels=np.array([row["label"] for row in found], dtype=object),
        groups=np.array(groups) if any(groups) else None,
    )


def _row_of(name: str, known: dict[str, dict[str, Any]], path: Path) -> dict[str, Any]:
    """A file's row: by its path in the folder, its name, or its name without the suffix."""
    for key in (name, Path(name).name, Path(name).stem):
        if key in known:
            return known[key]
    raise InputError(f"--labels {path} has no row for {name}. Add one, or take the file out.")


# --- tables and arrays ------------------------------------------------------------------------


def _of_table(path: Path, columns: Columns) -> Data:
    from whence.adapters.bag_files import read_columns

    if (columns.text is None) == (columns.tokens is None):
        raise InputError(
            f"{path.name} came as a table; say which column holds the texts with --text COLUMN, "
            "or the lists of tokens with --tokens COLUMN" + (", not both." if columns.text else ".")
        )
    what = columns.text or columns.tokens or ""
    held = read_columns(path, [n for n in (what, columns.label, columns.group) if n is not None])
    names = tuple(f"row {i}" for i in range(len(held[what])))
    labels = None if columns.label is None else _column(held[columns.label])
    groups = None if columns.group is None else np.array([str(g) for g in held[columns.group]])
    if columns.text is not None:
        return Data("text", _texts(held[what], names, path), names, labels, groups, path.name)
    from whence.cli.prospect_bags import of_lists

    bags = of_lists(held[what], names, path, columns.window)
    return Data("bag", bags, names, labels, groups, path.name)


def _column(values: list[Any]) -> NDArray[Any]:
    held = np.empty(len(values), dtype=object)
    held[:] = values
    return held


def _texts(values: list[Any], names: tuple[str, ...], path: Path) -> list[str]:
    for name, value in zip(names, values, strict=True):
        if not isinstance(value, str) or not value.strip():
            raise InputError(f"{name} of {path.name} has no text ({value!r:.40}). Leave it out.")
    return values


def _of_arrays(path: Path, columns: Columns) -> Data:
    from whence.adapters.bag_files import read_arrays
    from whence.cli.prospect_bags import of_arrays

    arrays = read_arrays(path)
    bags = of_arrays(arrays, path, columns.window)
    names = tuple(bag.name for bag in bags)
    labels, groups = (arrays.get(name) for name in ("labels", "groups"))
    for name, held in (("labels", labels), ("groups", groups)):
        if held is not None and held.shape != (len(bags),):
            raise InputError(
                f"{path} has {name} of shape {held.shape} and {len(bags)} bags; one per bag is "
                "needed."
            )
    return Data("bag", bags, names, labels, groups, path.name)
