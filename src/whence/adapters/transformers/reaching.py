"""Holds Place: where a transformers model is, a folder or the hub, and the reading of its parts.

It does not know what the model is for (tasks). Nothing that is read here can run code: weights are
safetensors, or a torch file that may hold tensors only, and code beside a model is left alone.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from whence.adapters import _torch
from whence.errors import InputError, MissingExtra

PRECISIONS = ("bfloat16", "float16", "float32")
#: Seconds that the hub has to say whether it knows a name.
PATIENCE = 10.0


def require() -> Any:
    """The transformers module.

    Raises:
        MissingExtra: transformers or torch is not installed.
    """
    try:
        import transformers
    except ImportError as error:
        raise MissingExtra(
            "transformers is not installed, and this adapter needs it: "
            'pip install "whence[transformers]"'
        ) from error
    _torch.require()
    return transformers


@dataclass(frozen=True)
class Place:
    """Where a model is.

    Attributes:
        name: a folder, or a name on the hub.
        local: whether only this machine is asked.
    """

    name: str
    local: bool

    def config(self) -> Any:
        """The model's configuration."""
        return self._read("configuration", "AutoConfig")

    def model(self, auto: str, device: Any, dtype: Any) -> Any:
        """The model, with all its weights, where and as precise as asked.

        Raises:
            InputError: it cannot be read, or weights are missing.
        """
        said = {"output_loading_info": True}
        model, info = self._read(
            "weights", auto, **said, **({} if dtype is None else {"dtype": dtype})
        )
        missing = sorted(info["missing_keys"])
        if missing:
            raise InputError(
                f"{self.name} lacks the weights {', '.join(missing[:5])}"
                f"{', ...' if missing[5:] else ''}; they would be random. Give the whole model."
            )
        return model if device is None else model.to(device)

    def tokenizer(self, given: Any) -> Any:
        """The model's tokenizer, or the one that was given: an object, a folder or a name."""
        if given is None:
            return self._read("tokenizer", "AutoTokenizer")
        if not isinstance(given, str | Path):
            return given
        path = Path(given).expanduser()
        return _beside(path.parent if path.is_file() else path).tokenizer(None)

    def processor(self, given: Any) -> Any:
        """The model's image processor, or the one that was given."""
        if given is None:
            return self._read("image processor", "AutoImageProcessor")
        if not isinstance(given, str | Path):
            return parted(None, given)[1]
        return _beside(Path(given).expanduser()).processor(None)

    def _read(self, what: str, auto: str, **said: Any) -> Any:
        auto_class = getattr(require(), auto)
        try:
            with _quiet():
                # Said, not left out: transformers would ask at the terminal whether to run the
                # code.
                return auto_class.from_pretrained(
                    self.name, local_files_only=self.local, trust_remote_code=False, **said
                )
        except ImportError as error:
            raise MissingExtra(
                f"the {what} of {self.name} needs a package that is not installed "
                f"({' '.join(str(error).split())[:160]}). What images need comes with: "
                'pip install "whence[transformers,image]"'
            ) from error
        except Exception as error:
            # Whatever transformers and its libraries raise, it is this part that cannot be read.
            raise InputError(self._fault(what, error)) from error

    def _fault(self, what: str, error: Exception) -> str:
        told = " ".join(str(error).split())
        if "custom code" in told or "trust_remote_code" in told:
            return (
                f"{self.name} needs code of its own that comes with it, and such code is never "
                "run. Load the model yourself, and give the object."
            )
        return (
            f"the {what} of {self.name} cannot be read "
            f"({type(error).__name__}: {told[:160]}). Give a folder that holds it, or another "
            "model."
        )


def _beside(path: Path) -> Place:
    """Where a tokenizer or a processor is: its folder needs no model in it."""
    return Place(str(path), local=True) if path.is_dir() else reach(str(path))


def reach(name: str) -> Place:
    """Where a model is: a folder of this machine, else the hub, or what is kept of it here.

    Raises:
        InputError: there is no such folder and the hub does not know the name, or cannot be
            reached and nothing is kept here.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        if not (folder / "config.json").is_file():
            raise InputError(
                f"{name} is a folder without config.json; needed is what save_pretrained writes."
            )
        return Place(str(folder), local=True)
    if folder.exists():
        raise InputError(
            f"{name} is a file; a folder that save_pretrained wrote is needed, or a name on the "
            "hub."
        )
    return Place(name, local=_asked_hub(name))


def _asked_hub(name: str) -> bool:
    """Whether a name must be read from what is kept here, since the hub cannot be reached."""
    from huggingface_hub import HfApi, try_to_load_from_cache
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, RepositoryNotFoundError

    missing = f"{name!r} came as the model; there is no such folder here"
    try:
        HfApi().model_info(name, timeout=PATIENCE)
    except HFValidationError:
        raise InputError(f"{missing}, and it is no name that the hub could know. {_TRY}") from None
    except RepositoryNotFoundError:
        raise InputError(
            f"{missing}, and the hub knows no model of that name, or none that you may read. {_TRY}"
        ) from None
    except HfHubHTTPError as error:
        raise InputError(
            f"{missing}, and the hub refused ({type(error).__name__}). {_TRY}"
        ) from None
    except Exception as error:
        # Whatever the network raises, the hub cannot be reached.
        if isinstance(try_to_load_from_cache(name, "config.json"), str):
            return True
        raise InputError(
            f"{missing}, and the hub cannot be reached ({type(error).__name__}). {_TRY}"
        ) from None
    return False


_TRY = "Check the name, or give the path of a folder that save_pretrained wrote."


def device_for(device: str) -> Any:
    """A torch device that is there; None for "".

    Raises:
        InputError: there is none of that name.
    """
    if not device:
        return None
    torch = _torch.require()
    try:
        return torch.empty(0, device=device).device
    except (RuntimeError, AssertionError) as error:
        raise InputError(
            f"device={device!r} came and cannot be used here "
            f"({' '.join(str(error).split())[:120]}). Leave it out to stay on the processor."
        ) from error


def precision_of(dtype: str) -> Any:
    """A torch type; None for "".

    Raises:
        InputError: none of `PRECISIONS`.
    """
    if not dtype:
        return None
    if dtype not in PRECISIONS:
        raise InputError(f"dtype={dtype!r} came; it must be one of {', '.join(PRECISIONS)}.")
    return vars(_torch.require())[dtype]


def parted(tokenizer: Any, processor: Any) -> tuple[Any, Any]:
    """A tokenizer and an image processor, also where one object holds both."""
    transformers = require()
    if isinstance(processor, transformers.ProcessorMixin):
        own = vars(processor)
        return own.get("tokenizer") if tokenizer is None else tokenizer, own.get("image_processor")
    return tokenizer, processor


@contextmanager
def _quiet() -> Generator[None]:
    """No bar for reading weights from a disk; a download still shows its own."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    if shown:
        logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()
