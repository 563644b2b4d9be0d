"""Holds the opening of encoders by name: learned from data, or reopened from a head's file.

It does not know how any of them encodes, nor what is learned from the bags.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from whence.adapters.encoders import open_encoder
from whence.adapters.encoders import reopened as opened_again
from whence.cli.prospect_data import Data
from whence.errors import InputError
from whence.prospectors.encoders import Encoder

#: The units of a text by name.
UNITS = ("sentence", "word", "line", "paragraph", "letter")
#: Kind of data -> the encoder where none is named.
DEFAULTS = {"text": "tfidf", "picture": "patches"}


@dataclass(frozen=True)
class Wanted:
    """An encoder as the command line named it; None leaves it to the data.

    Attributes:
        name: as `whence.adapters.encoders.open_encoder` takes it.
        units: of a text, or the patches of a picture.
        window: of a text: how far neighbours are apart.
        device: where its model runs.
        seed: of what it learns.
    """

    name: str | None = None
    units: str | None = None
    window: int = 1
    device: str | None = None
    seed: int = 0


def learned(data: Data, wanted: Wanted) -> Encoder | None:
    """The encoder of data, fitted; None where the data holds bags.

    Raises:
        InputError: an encoder or units that do not go with the data.
    """
    if data.kind == "bag":
        _refuse(data, wanted)
        return None
    options = _of_text(wanted) if data.kind == "text" else _of_picture(wanted)
    name = wanted.name or ("none" if wanted.units == "letter" else DEFAULTS[data.kind])
    if name == "none" and data.kind == "picture":
        raise InputError("--encoder none came with pictures; their pixels are no names. Leave it.")
    if name == "none":
        options.setdefault("units", "word")
    if name == "tfidf":
        options["seed"] = wanted.seed
    if wanted.device is not None:
        options["device"] = wanted.device
    return open_encoder(name, **options).fit(data.things)


def _refuse(data: Data, wanted: Wanted) -> None:
    given = {
        "--encoder": None if wanted.name == "none" else wanted.name,
        "--units": wanted.units,
        "--device": wanted.device,
    }
    for option, value in given.items():
        if value is not None:
            raise InputError(
                f"{option} {value} came with {data.source}, which holds tokens already. Leave it "
                "out."
            )


def _of_text(wanted: Wanted) -> dict[str, Any]:
    if wanted.units is not None and wanted.units not in UNITS:
        raise InputError(
            f"--units {wanted.units} came with texts; it must be one of {', '.join(UNITS)}."
        )
    units = {} if wanted.units is None else {"units": wanted.units}
    return {**units, "window": wanted.window}


def _of_picture(wanted: Wanted) -> dict[str, Any]:
    if wanted.units is None:
        return {}
    kind, _, sizes = wanted.units.partition(":")
    parts = sizes.split(":") if sizes else []
    if kind != "patches" or len(parts) > 2 or not all(part.isdecimal() for part in parts):
        raise InputError(
            f"--units {wanted.units} came with pictures; write patches:16 (patches of 16 pixels, "
            "one for every 8), or patches:16:4 (one for every 4)."
        )
    return dict(zip(("size", "stride"), map(int, parts), strict=False))


def described(encoder: Encoder | None) -> tuple[dict[str, NDArray[Any]], dict[str, Any] | None]:
    """An encoder as arrays and plain JSON."""
    return ({}, None) if encoder is None else encoder.state()


def reopened(
    arrays: Mapping[str, NDArray[Any]],
    meta: dict[str, Any] | None,
    name: str | None,
    device: str | None,
) -> Encoder | None:
    """The encoder that `described` told.

    Args:
        arrays: its arrays.
        meta: its JSON; None for none.
        name: where its model is now, if it has moved.
        device: where its model runs.

    Raises:
        InputError: it cannot be made again, or is another one now.
    """
    if meta is None:
        return None
    return opened_again(dict(arrays), meta, name=name or "", device=device)
