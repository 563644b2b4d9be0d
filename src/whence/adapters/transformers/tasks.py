"""Holds the tasks: what each reads, and which of them a model was trained for.

A model says its task by the class it was saved as; transformers knows which class has which head.
There is no table of models here. It does not know how models are loaded (reaching).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from whence.errors import InputError


@dataclass(frozen=True)
class Task:
    """One task.

    Attributes:
        name: what we call it.
        auto: the transformers class that loads its models.
        classes: the name of transformers' own mapping from kinds of model to classes with the
            task's head.
        also: what a pipeline calls it.
        text: whether it reads text.
        image: whether it reads images.
        reads: what it can be asked.
    """

    name: str
    auto: str
    classes: str
    also: tuple[str, ...]
    text: bool
    image: bool
    reads: tuple[str, ...]


#: Where a class has two heads, the earlier task is taken.
TASKS = {
    task.name: task
    for task in (
        Task(
            "causal-lm",
            "AutoModelForCausalLM",
            "MODEL_FOR_CAUSAL_LM_MAPPING_NAMES",
            ("text-generation",),
            True,
            False,
            ("target", "contrast", "chat", "system"),
        ),
        Task(
            "sequence-classification",
            "AutoModelForSequenceClassification",
            "MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES",
            ("text-classification", "sentiment-analysis"),
            True,
            False,
            ("labels",),
        ),
        Task(
            "token-classification",
            "AutoModelForTokenClassification",
            "MODEL_FOR_TOKEN_CLASSIFICATION_MAPPING_NAMES",
            ("ner",),
            True,
            False,
            ("target", "labels"),
        ),
        Task(
            "question-answering",
            "AutoModelForQuestionAnswering",
            "MODEL_FOR_QUESTION_ANSWERING_MAPPING_NAMES",
            (),
            True,
            False,
            ("question", "target", "contrast"),
        ),
        Task(
            "masked-lm",
            "AutoModelForMaskedLM",
            "MODEL_FOR_MASKED_LM_MAPPING_NAMES",
            ("fill-mask",),
            True,
            False,
            ("target", "contrast"),
        ),
        Task(
            "image-classification",
            "AutoModelForImageClassification",
            "MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES",
            (),
            False,
            True,
            ("labels",),
        ),
        Task(
            "image-text",
            "AutoModelForZeroShotImageClassification",
            "MODEL_FOR_ZERO_SHOT_IMAGE_CLASSIFICATION_MAPPING_NAMES",
            ("zero-shot-image-classification",),
            True,
            True,
            ("labels",),
        ),
    )
}


def as_task(name: str) -> Task | None:
    """A task by our name or a pipeline's; None for "".

    Raises:
        InputError: no task of that name.
    """
    for task in TASKS.values():
        if name in (task.name, *task.also):
            return task
    if not name:
        return None
    raise InputError(f"task={name!r} came; it must be one of {', '.join(TASKS)}, or left out.")


def task_of(kind: str, architectures: Sequence[str], wanted: Task | None, name: str) -> Task:
    """The task that a model has a head for.

    Args:
        kind: the configuration's `model_type`.
        architectures: names of the class it was saved as; of an object, its classes.
        wanted: the task that the user said; None finds it.
        name: what to call the model.

    Raises:
        InputError: it has no head for the wanted task, or for any.
    """
    had = [task for task in TASKS.values() if _has_head(task, kind, architectures)]
    if wanted in had:
        assert wanted is not None
        return wanted
    what = f"{name} is {'/'.join(architectures[:1]) or 'of no class that its config names'}"
    if wanted is not None:
        raise InputError(
            f"{what}, which has no head for {wanted.name}"
            f"{': its head is for ' + ', '.join(t.name for t in had) if had else ''}. A new head "
            "would be random. Give a model that was trained for the task."
        )
    if not had:
        raise InputError(
            f"{what}, which has no head for any of {', '.join(TASKS)}. A new head would be random. "
            "Give a model that was trained for one of these tasks."
        )
    return had[0]


def _has_head(task: Task, kind: str, architectures: Sequence[str]) -> bool:
    from transformers.models.auto import modeling_auto

    known: dict[str, Any] = vars(modeling_auto)[task.classes]
    classes = known.get(kind, ())
    return bool({classes} if isinstance(classes, str) else set(classes)) and bool(
        ({classes} if isinstance(classes, str) else set(classes)) & set(architectures)
    )
