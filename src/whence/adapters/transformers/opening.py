"""Holds load: a name, a folder, a pipeline or a model object -> a scorer for its task.

It does not know what a task's scorer does (causal, classify, tagging, ...): it finds the task, and
brings the model together with its tokenizer or processor.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from whence.adapters.options import Options
from whence.adapters.transformers import (
    answering,
    causal,
    classify,
    filling,
    pairs,
    reaching,
    tagging,
    vision,
)
from whence.adapters.transformers.tasks import TASKS, Task, as_task, task_of
from whence.errors import InputError
from whence.scoring import Scorer


@dataclass(frozen=True)
class Wish:
    """What is asked of a model, for those tasks that can be asked it.

    Attributes:
        target: a continuation, a word, an answer, or what fills a blank.
        contrast: another one, which the value is measured against.
        question: what a question answerer is asked.
        chat: whether a text is one user turn of a conversation.
        system: a system turn that is always there.
        labels: the classes' names, or the texts that images are matched with.
    """

    target: str | None = None
    contrast: str | None = None
    question: str | None = None
    chat: bool = False
    system: str | None = None
    labels: tuple[str, ...] = ()

    def only(self, task: Task) -> None:
        """Nothing, if all that is asked can be asked in this task.

        Raises:
            InputError: something else was asked.
        """
        for name, value in vars(self).items():
            if value not in (None, False, ()) and name not in task.reads:
                reads = ", ".join(f"{one}=" for one in task.reads)
                raise InputError(
                    f"{name}= came for a model whose task is {task.name}, which reads {reads}. "
                    "Leave it out, or name another task with task=."
                )


@dataclass(frozen=True)
class Parts:
    """A model and what prepares its input.

    Attributes:
        model: a transformers model.
        tokenizer: its tokenizer, where the task reads text.
        processor: its image processor, where the task reads images.
        name: what to call the model.
    """

    model: Any
    tokenizer: Any
    processor: Any
    name: str


def load(
    source: Any,
    *,
    task: str = "",
    target: str | None = None,
    contrast: str | None = None,
    question: str | None = None,
    chat: bool = False,
    system: str | None = None,
    tokenizer: Any = None,
    processor: Any = None,
    device: str = "",
    dtype: str = "",
    labels: Sequence[str] = (),
) -> Scorer:
    """A scorer of whatever model `source` is.

    The task is found from what the model's configuration says it was trained as; nothing is
    found by a name table of models. A folder whose model has no head for the task is refused
    before its weights are read. Weights are read from safetensors where there are any, else from
    a torch file that may hold nothing but tensors. Code that comes with a model is never run.

    Args:
        source: a folder, a name on the hub, a `transformers.Pipeline`, or a transformers model.
        task: one of `tasks.TASKS`, or what a pipeline calls it; "" finds it.
        target: for a causal language model the continuation whose log-probability is the value;
            for a masked one what fills the blank; for a question answerer the answer; for a token
            classifier the word whose tag is explained.
        contrast: another continuation, filler or answer; the value is the log of the ratio.
        question: what a question answerer is asked.
        chat, system: see `causal.scorer`.
        tokenizer: with a model object its tokenizer; else a folder or a name, where it is not
            beside the model.
        processor: with a model object its image processor, or a processor that holds both.
        device: where a model is put that is loaded here, such as "cuda:1". One that came as an
            object is never moved.
        dtype: its precision: "bfloat16", "float16" or "float32"; "" is the checkpoint's.
        labels: the classes' names; for a model of images and texts, the texts to match.

    Raises:
        MissingExtra: torch or transformers is not installed.
        InputError: a model that cannot be found or loaded, has no usable head, comes without
            tokenizer or processor, or is asked what its task does not read.
    """
    wish = Wish(target, contrast, question, chat, system, tuple(labels))
    found, parts = _found(source, task, tokenizer, processor, device, dtype, wish)
    return _scorer(found, parts, wish)


def load_pair(
    source: Any,
    *,
    tokenizer: Any = None,
    processor: Any = None,
    device: str = "",
    dtype: str = "",
) -> pairs.Pair:
    """A model of images and texts, for `crossing.pair_game`; the arguments are those of `load`.

    Raises:
        MissingExtra, InputError: as `load`; or the model has another task.
    """
    _, parts = _found(source, "image-text", tokenizer, processor, device, dtype, Wish())
    return pairs.pair(parts.model, parts.tokenizer, parts.processor, name=parts.name)


def opened(rest: str, options: Options) -> Scorer:
    """The scorer of a folder or a name on the hub, for the command line.

    Raises:
        MissingExtra, InputError: as `load`; or an option that no transformers model reads.
    """
    names = ("task", "target", "contrast", "question", "chat", "system", "tokenizer", "labels")
    options.only("a transformers model", *names, "device", "dtype")
    return load(
        rest,
        task=options.task,
        target=options.target,
        contrast=options.contrast,
        question=options.question or None,
        chat=options.chat,
        system=options.system,
        tokenizer=options.tokenizer,
        device=options.device,
        dtype=options.dtype,
        labels=options.labels,
    )


def _found(
    source: Any,
    task: str,
    tokenizer: Any,
    processor: Any,
    device: str,
    dtype: str,
    wish: Wish,
) -> tuple[Task, Parts]:
    """The task of a source, and its parts; what it cannot be asked is refused before it is read."""
    transformers = reaching.require()
    if isinstance(source, str | Path):
        return _named(str(source), task, tokenizer, processor, device, dtype, wish)
    if device or dtype:
        raise InputError(
            f"device={device!r}, dtype={dtype!r} came with a model object, which is never moved or "
            "changed. Load it as you want it, or give its folder or name."
        )
    if isinstance(source, transformers.Pipeline):
        return _of_pipeline(source, task, tokenizer, processor, wish)
    if isinstance(source, transformers.PreTrainedModel):
        return _of_object(source, task, tokenizer, processor, wish, "")
    raise InputError(
        f"a {type(source).__name__} came; a folder, a name on the hub, a transformers pipeline or "
        "a transformers model is needed. Any other torch module goes through whence's torch "
        "adapter."
    )


def _named(
    name: str,
    task: str,
    tokenizer: Any,
    processor: Any,
    device: str,
    dtype: str,
    wish: Wish,
) -> tuple[Task, Parts]:
    place = reaching.reach(name)
    config = place.config()
    found = task_of(config.model_type, list(config.architectures or ()), as_task(task), name)
    wish.only(found)
    here = reaching.device_for(device)
    precision = reaching.precision_of(dtype)
    words = place.tokenizer(tokenizer) if found.text else None
    eyes = place.processor(processor) if found.image else None
    return found, Parts(place.model(found.auto, here, precision), words, eyes, _shown(name))


def _shown(name: str) -> str:
    """A model's name for people: a hub's own, or the end of a folder's path."""
    path = Path(name).expanduser()
    return "/".join(path.parts[-2:]).lstrip("/") if path.exists() else name


def _of_pipeline(
    source: Any, task: str, tokenizer: Any, processor: Any, wish: Wish
) -> tuple[Task, Parts]:
    if source.task == "zero-shot-classification":
        raise InputError(
            "a zero-shot-classification pipeline came; it asks its model once per label, with the "
            "text and a sentence about the label. Explain one of those questions: "
            "classify.scorer(pipeline.model, pipeline.tokenizer, second='This text is about ...')."
        )
    return _of_object(
        source.model,
        task or source.task,
        source.tokenizer if tokenizer is None else tokenizer,
        source.image_processor if processor is None else processor,
        wish,
        "",
    )


def _of_object(
    model: Any, task: str, tokenizer: Any, processor: Any, wish: Wish, name: str
) -> tuple[Task, Parts]:
    kinds = [kind.__name__ for kind in type(model).__mro__]
    who = type(model).__name__
    found = task_of(model.config.model_type, kinds, as_task(task), who)
    wish.only(found)
    words, eyes = reaching.parted(tokenizer, processor)
    for needed, part, knob in (
        (found.text, words, "tokenizer"),
        (found.image, eyes, "processor"),
    ):
        if needed and (part is None or isinstance(part, str | Path)):
            raise InputError(
                f"a {who} object came with {knob}={part!r}; its task is {found.name}, and it "
                f"needs its {knob} beside it, as an object: load(model, {knob}=...)."
            )
    return found, Parts(model, words, eyes, name)


def _scorer(task: Task, parts: Parts, wish: Wish) -> Scorer:
    model, words, name = parts.model, parts.tokenizer, parts.name
    match task.name:
        case "causal-lm":
            return causal.scorer(
                model,
                words,
                target=wish.target,
                contrast=wish.contrast,
                chat=wish.chat,
                system=wish.system,
                name=name,
            )
        case "sequence-classification":
            return classify.scorer(model, words, labels=wish.labels, name=name)
        case "token-classification":
            word = _need(wish.target, "target", "the word whose tag is explained")
            return tagging.scorer(model, words, word=word, labels=wish.labels, name=name)
        case "question-answering":
            question = _need(wish.question, "question", "what is asked of every context")
            if wish.target is None and wish.contrast is None:
                return answering.waiting(model, words, question=question, name=name)
            answer = _need(wish.target, "target", "the answer, a stretch of the context")
            return answering.scorer(
                model, words, question=question, answer=answer, contrast=wish.contrast, name=name
            )
        case "masked-lm":
            if wish.target is None and wish.contrast is None:
                return filling.waiting(model, words, name=name)
            return filling.scorer(
                model, words, target=wish.target, contrast=wish.contrast, name=name
            )
        case "image-classification":
            return vision.scorer(model, parts.processor, labels=wish.labels, name=name)
        case _:
            if not wish.labels:
                raise InputError(
                    "a model of images and texts came without labels=; give the texts to match "
                    "images with, or explain image and text at once: load_pair and pair_game."
                )
            return pairs.matched(pairs.pair(model, words, parts.processor, name=name), wish.labels)


def _need(value: str | None, knob: str, what: str) -> str:
    if value is None:
        raise InputError(f"{knob}= is needed: {what}.")
    return value


assert set(TASKS) == {
    "causal-lm",
    "sequence-classification",
    "token-classification",
    "question-answering",
    "masked-lm",
    "image-classification",
    "image-text",
}
