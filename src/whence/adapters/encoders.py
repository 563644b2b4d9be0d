"""Holds open_encoder: an encoder named in words -> what makes bags of texts or pictures.

It knows which encoder reads what, and loads a model framework only for those that need one. It
does not know what is learned from the bags.
"""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from whence.adapters.options import Options
from whence.errors import InputError
from whence.lenses.inputs import segment as cutting
from whence.prospectors.encoders import (
    Encoder,
    NoEncoder,
    PatchEncoder,
    Rule,
    Segment,
    TextEncoder,
    restored,
)

#: Name -> what it makes of what. What stands after a colon says which model.
ENCODERS = {
    "tfidf": "texts: counts of words over the training texts, without a model",
    "patches": "pictures: colours of patches, without a model",
    "none": "letters or words of texts as categories; names and vectors as they came",
    "transformers": "texts or pictures: hidden states of transformers:FOLDER or a name on the hub",
    "torch": "pictures: maps of your own function, torch:python:file.py:make()",
}
#: Units that a text is cut into.
TEXTS = ("sentence", "word", "line", "paragraph")


@dataclass(frozen=True)
class EncoderOptions:
    """What may be said of an encoder. None leaves the choice to it.

    Attributes:
        units: "sentence", "word", "line", "paragraph", "letter"; for pictures "patch".
        window: units to each side that are neighbours.
        segment: a text -> its Units, in place of the input lens's rule for `units`.
        dims: dimensions, at most.
        min_df: units that a term must be met in.
        size: pixels along a side of a patch.
        stride: pixels from one patch to the next.
        drop: patches that become holes: "", "zero" or "constant".
        neighbours: of a grid: 8 or 4.
        layer: which hidden states of a model; -1 the last.
        tokenizer: its file or folder, where it is not beside the model.
        device: where a model runs, such as "cuda:1".
        dtype: the precision it runs in, such as "bfloat16".
        seed: of what is learned.
    """

    units: str | None = None
    window: int | None = None
    segment: Segment | None = None
    dims: int | None = None
    min_df: int | None = None
    size: int | None = None
    stride: int | None = None
    drop: str | None = None
    neighbours: int | None = None
    layer: int | None = None
    tokenizer: str | None = None
    device: str | None = None
    dtype: str | None = None
    seed: int | None = None

    def said(self, who: str, *names: str) -> dict[str, Any]:
        """What was said, by name.

        Raises:
            InputError: something that `who` does not read.
        """
        told = {f.name: getattr(self, f.name) for f in fields(self)}
        told = {name: value for name, value in told.items() if value is not None}
        for name in told:
            if name not in names:
                reads = ", ".join(f"{one}=" for one in names)
                raise InputError(
                    f"{name}= came for the encoder {who}, which does not read it. Leave it out. "
                    f"It reads {reads}."
                )
        return told


def open_encoder(name: str, **options: Any) -> Encoder:
    """The encoder of a name, not fitted yet.

    Args:
        name: "tfidf", "patches", "none", "transformers:FOLDER_OR_NAME" or
            "torch:python:file.py:make()", where `make` gives a function from pictures
            `(1, channels, height, width)` to maps `(1, d, h, w)`, such as
            `whence.adapters.features.feature_maps(module, ["layer3"])`.
        options: fields of `EncoderOptions`; each encoder refuses what it does not read.

    Raises:
        InputError: an unknown name, options that it does not read, or a model that cannot be
            opened.
        MissingExtra: what the encoder needs is not installed.
        TypeError: an option that does not exist.
    """
    scheme, _, rest = name.partition(":")
    if scheme not in OPENERS or (bool(rest) != (scheme in ("transformers", "torch"))):
        known = "; ".join(f"{one} ({what})" for one, what in ENCODERS.items())
        raise InputError(f"{name!r} came as an encoder. There are: {known}.")
    return OPENERS[scheme](rest, EncoderOptions(**options))


def reopened(
    arrays: dict[str, NDArray[Any]],
    meta: dict[str, Any],
    *,
    name: str = "",
    segment: Segment | None = None,
    device: str | None = None,
) -> Encoder:
    """The encoder that a state was taken of, with its model opened again.

    A state may come from a stranger's file, so it never says by itself which code is run: an
    encoder of "torch:" is opened only by the `name` that is given here.

    Args:
        arrays: the arrays of `Encoder.state`.
        meta: its JSON.
        name: where the model is now, if it has moved; the name that it was opened by.
        segment: the function that cut the texts, where one was given.
        device: where its model shall run.

    Raises:
        InputError: what is opened is not what the state was taken of, by its identity; or it
            cannot be opened.
    """
    known = str(meta.get("encoder", ""))
    rule = meta.get("rule", "")
    if rule.startswith("lens:") and segment is None:
        segment = lens_rule(rule.removeprefix("lens:"))
    if known in ("tfidf", "patches", "none"):
        return restored(arrays, meta, segment)
    if not name and not known.startswith("transformers:"):
        raise InputError(
            f"the head was fitted on the encoder {known!r}. To open it runs code of that name, "
            "which no file decides: look at it, and name it yourself (name=, or --encoder)."
        )
    options = dict(meta.get("options", {}))
    if segment is not None:
        options["segment"] = segment
    if device is not None:
        options["device"] = device
    encoder = open_encoder(name or known, **options)
    found = encoder.state()[1]
    if found.get("rule", "") != rule or found.get("identity") != meta.get("identity"):
        raise InputError(
            f"{name or known} is not what the head was fitted on ({known}): its model, what "
            "prepares its input or what cuts the texts has changed. Give the one it was fitted "
            "on, or fit anew."
        )
    return encoder


def lens_rule(kind: str) -> Rule:
    """The rule by which the input lens cuts texts: abbreviations and all scripts are known to it.

    Raises:
        InputError: no kind of unit that an encoder of texts reads.
    """
    if kind not in TEXTS:
        raise InputError(f"units={kind!r} came; a text is cut into {', '.join(TEXTS)}.")
    return Rule(f"lens:{kind}", lambda text: cutting.segment(text, kind).units)


def _tfidf(rest: str, options: EncoderOptions) -> Encoder:
    said = options.said("tfidf", "units", "window", "segment", "dims", "min_df", "seed")
    said.setdefault("segment", lens_rule(said.get("units", "sentence")))
    return TextEncoder(**said)


def _patches(rest: str, options: EncoderOptions) -> Encoder:
    said = options.said("patches", "units", "size", "stride", "dims", "drop", "neighbours")
    if said.pop("units", "patch") != "patch":
        raise InputError(f"units={options.units!r} came for pictures; leave it out.")
    if "size" in said:
        said.setdefault("stride", max(1, said["size"] // 2))
    return PatchEncoder(**said)


def _none(rest: str, options: EncoderOptions) -> Encoder:
    said = options.said("none", "units", "window", "segment")
    if said.get("units") == "word":
        said.setdefault("segment", lens_rule("word"))
    return NoEncoder(**said)


def _transformers(rest: str, options: EncoderOptions) -> Encoder:
    """A model with the head it was saved with, which is then left aside: so no weight is missing.

    Raises:
        InputError: a model that cannot be opened, or that reads both texts and pictures while
            `units` does not say which.
    """
    from whence.adapters.transformers import reaching

    place = reaching.reach(rest)
    config = place.config()
    told = config.to_dict()
    if options.units is None and "vision_config" in told and "text_config" in told:
        raise InputError(
            f"{rest} reads both texts and pictures; say which: units='patch' or 'sentence'."
        )
    pictures = options.units == "patch" or (
        options.units is None and not {"vocab_size", "text_config"} & set(told)
    )
    auto = next(iter(config.architectures or ()), "AutoModel")
    device = reaching.device_for(options.device or "")
    dtype = reaching.precision_of(options.dtype or "")
    kept = {"device", "segment"}
    names = ("units", "layer", "device", "dtype")
    more = ("neighbours",) if pictures else ("window", "segment", "tokenizer")
    said = options.said(f"transformers:{rest}", *names, *more)
    layer = said.get("layer", -1)
    told = {key: value for key, value in said.items() if key not in kept}
    name = f"transformers:{rest}"
    if pictures:
        from whence.adapters._encode_pictures import PictureStates

        processor = place.processor(None)
        model = place.model(auto, device, dtype)
        return PictureStates(model, processor, layer, said.get("neighbours", 8), name, told)
    from whence.adapters._encode_texts import TextStates

    cut = options.segment or lens_rule(options.units or "sentence")
    words = place.tokenizer(options.tokenizer)
    model = place.model(auto, device, dtype)
    return TextStates(model, words, cut, layer, said.get("window", 1), name, told)


def _torch(rest: str, options: EncoderOptions) -> Encoder:
    """A function of pictures, made by the user's own code.

    Raises:
        InputError: no python: name, or nothing there that can be called.
    """
    from whence.adapters import function
    from whence.adapters._encode_pictures import PictureMaps
    from whence.adapters.features import FeatureMaps

    name = f"torch:{rest}"
    said = options.said(name, "neighbours", "units")
    if said.pop("units", "patch") != "patch" or not rest.startswith("python:"):
        raise InputError(
            f"{name} came as an encoder{'' if options.units is None else ' of ' + options.units}; "
            "needed is torch:python:file.py:make(), for pictures."
        )
    made = function.opened(rest.removeprefix("python:"), Options())
    if not isinstance(made, function.Function):
        raise InputError(f"{name} scores its input; needed is a function that gives maps of it.")
    extract: Any = made.call
    own = extract.identity if isinstance(extract, FeatureMaps) else _source(rest)
    return PictureMaps(extract, own, said.get("neighbours", 8), name, said)


def _source(rest: str) -> str | None:
    """A hash of the file that a function is in; what it reads besides is not known."""
    target = rest.removeprefix("python:").rpartition(":")[0]
    path = target if target.endswith(".py") else None
    if path is None:
        spec = importlib.util.find_spec(target)
        path = None if spec is None else spec.origin
    if path is None or not Path(path).expanduser().is_file():
        return None
    return f"source:{hashlib.sha256(Path(path).expanduser().read_bytes()).hexdigest()}"


OPENERS: dict[str, Callable[[str, EncoderOptions], Encoder]] = {
    "tfidf": _tfidf,
    "patches": _patches,
    "none": _none,
    "transformers": _transformers,
    "torch": _torch,
}
