"""Holds the file form of an Explanation: arrays and one JSON text in an npz, versioned.

It knows the fields of an Explanation and nothing of what they mean. Nothing is ever unpickled.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from whence import _npz
from whence.errors import InputError
from whence.evaluation.fidelity import Fidelity
from whence.explanation import Cost, Explanation, Provenance
from whence.masks import pack, unpack
from whence.samples import Samples
from whence.setfunction import SetFunction
from whence.units import Units

FORMAT = "whence-explanation"
VERSION = 1

_FIT = ("r2", "low", "high", "constant", "noise")
_SAMPLES = ("ends", "fitted", "judged")
_UNITS = ("labels", "spans", "text", "kind")


def save(e: Explanation, path: Path) -> Path:
    """Write the explanation; a missing suffix becomes `.npz`.

    Raises:
        InputError: the folder does not exist or cannot be written.
    """
    arrays: dict[str, Any] = {
        "f_indptr": e.f.indptr,
        "f_indices": e.f.indices,
        "f_values": e.f.values,
    }
    if e.f.deviations is not None:
        arrays["f_deviations"] = e.f.deviations
    if e.units.grid is not None:
        arrays["units_grid"] = e.units.grid
    for name in _SAMPLES:
        given: Samples = getattr(e, name)
        arrays[f"{name}_masks"] = pack(given.masks)
        arrays[f"{name}_values"] = given.values
    for name in _FIT:
        arrays[f"fidelity_{name}"] = np.asarray(getattr(e.fidelity, name))
    return _npz.write(path, arrays, json.dumps(_meta(e), ensure_ascii=False))


def load(path: Path) -> Explanation:
    """Read what `save` wrote.

    Raises:
        InputError: no such file, a damaged file, not such a file, or a newer version.
    """
    try:
        arrays, meta = _npz.read(path)
        if meta.get("format") == FORMAT and meta.get("version", VERSION + 1) <= VERSION:
            return _build(meta, arrays)
    except _npz.UNREADABLE as error:
        raise InputError(
            f"{path} cannot be read as an Explanation ({type(error).__name__}). Give a file that "
            "Explanation.save wrote, whole."
        ) from error
    raise InputError(
        f"{path} has format {meta.get('format')!r}, version {meta.get('version')!r}; this "
        f"whence reads {FORMAT!r} up to version {VERSION}. Upgrade whence to read it."
    )


def _meta(e: Explanation) -> dict[str, Any]:
    fit = e.fidelity
    return {
        "format": FORMAT,
        "version": VERSION,
        "n": e.n,
        "basis": e.f.basis,
        "units": {name: getattr(e.units, name) for name in _UNITS},
        "outputs": e.outputs,
        "unit": e.unit,
        "cost": asdict(e.cost),
        "provenance": asdict(e.provenance),
        "fidelity": {
            "masks": fit.masks,
            "distribution": fit.distribution,
            "exhaustive": fit.exhaustive,
            "repeats": fit.repeats,
        },
    }


def _build(meta: dict[str, Any], arrays: dict[str, Any]) -> Explanation:
    n = meta["n"]
    units = meta["units"]
    spans = units["spans"]
    provenance: dict[str, Any] = dict(meta["provenance"])
    provenance["versions"] = tuple((name, version) for name, version in provenance["versions"])
    provenance["notes"] = tuple(provenance.get("notes", ()))
    given = {
        name: Samples(unpack(arrays[f"{name}_masks"], n), arrays[f"{name}_values"])
        for name in _SAMPLES
    }
    fit = {
        name: v.item() if v.ndim == 0 else v for name in _FIT for v in [arrays[f"fidelity_{name}"]]
    }
    return Explanation(
        f=SetFunction(
            n,
            arrays["f_indptr"],
            arrays["f_indices"],
            arrays["f_values"],
            meta["basis"],
            arrays.get("f_deviations"),
            provenance["fitted_by"],
        ),
        units=Units(
            tuple(units["labels"]),
            None if spans is None else tuple((a, b) for a, b in spans),
            units["text"],
            units["kind"],
            arrays.get("units_grid"),
        ),
        outputs=tuple(meta["outputs"]),
        unit=meta["unit"],
        fidelity=Fidelity(**fit, **meta["fidelity"]),
        cost=Cost(**meta["cost"]),
        provenance=Provenance(**provenance),
        **given,
    )
