"""Facts about opening a transformers model: by folder, name, pipeline or object; and refusals."""

from __future__ import annotations

import json
import os
import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
pytest.importorskip("PIL.Image")

from adapters.transformers import tiny  # noqa: E402  after what may be missing, as all that follows
from whence.adapters.options import Options  # noqa: E402
from whence.adapters.transformers import opening, tasks  # noqa: E402
from whence.adapters.transformers.opening import load, load_pair, opened  # noqa: E402
from whence.errors import InputError  # noqa: E402
from whence.scoring import Continues, Scorer  # noqa: E402

TEXT = ["Anna lives in Paris"]
BLANK = ["Anna lives in [MASK]"]
PICTURE = np.random.default_rng(0).integers(0, 256, (16, 16, 3)).astype(np.uint8)
GPT2 = {"n_embd": 16, "n_layer": 1, "n_head": 2, "n_positions": 32, "vocab_size": 400}

#: Task -> the class of a tiny model of it, its configuration, what must be said, and an item.
MODELS: dict[str, tuple[str, Any, dict[str, Any], Any]] = {
    "causal-lm": ("GPT2LMHeadModel", "gpt2", {"target": " good"}, "Anna"),
    "sequence-classification": ("BertForSequenceClassification", "bert", {}, "Anna"),
    "token-classification": ("BertForTokenClassification", "bert", {"target": "Anna"}, "Anna"),
    "question-answering": (
        "BertForQuestionAnswering",
        "bert",
        {"target": "Anna", "question": "who ?"},
        "Anna",
    ),
    "masked-lm": ("BertForMaskedLM", "bert", {"target": "Paris"}, "in [MASK]"),
    "image-classification": ("ViTForImageClassification", "vit", {}, PICTURE),
    "image-text": ("CLIPModel", "clip", {"labels": ("a house", "cats")}, PICTURE),
}


def model_of(task: str) -> Any:
    """A tiny model of a task, of random weights."""
    name, kind, _, _ = MODELS[task]
    if kind == "clip":
        return tiny.clip()
    config = {
        "gpt2": lambda: transformers.GPT2Config(**GPT2, **tiny.ENDS),
        "bert": tiny.bert_config,
        "vit": tiny.vit_config,
    }[kind]()
    return tiny.made(getattr(transformers, name), config)


def words() -> Any:
    """A tokenizer that gives no token types, which GPT-2 and CLIP do not know."""
    made = tiny.tokenizer()
    made.model_input_names = ["input_ids", "attention_mask"]
    return made


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One folder per task, as save_pretrained writes it."""
    root = tmp_path_factory.mktemp("models")
    for task, (_, kind, _, _) in MODELS.items():
        model_of(task).save_pretrained(root / task)
        if kind != "vit":
            words().save_pretrained(root / task)
        if kind in ("vit", "clip"):
            tiny.image_processor().save_pretrained(root / task)
    return {task: root / task for task in MODELS}


@pytest.mark.parametrize("task", MODELS)
def test_a_folder_opens_as_its_task(folders: dict[str, Path], task: str) -> None:
    """The task is found from the folder alone, and its scores are those of the loaded objects."""
    _, _, said, item = MODELS[task]
    scorer = load(folders[task], **said)
    assert isinstance(scorer, Scorer)
    assert scorer.facts.name == "/".join(folders[task].parts[-2:])
    beside = {"tokenizer": words(), "processor": tiny.image_processor()}
    needed = [
        k
        for k, on in (("tokenizer", tasks.TASKS[task].text), ("processor", tasks.TASKS[task].image))
        if on
    ]
    model = getattr(transformers, MODELS[task][0]).from_pretrained(folders[task])
    here = load(model, **said, **{k: beside[k] for k in needed})
    np.testing.assert_allclose(scorer([item]), here([item]), atol=1e-5)
    assert scorer.facts.identity == here.facts.identity


def test_every_task_is_tested() -> None:
    """The table of these tests names every task."""
    assert set(MODELS) == set(tasks.TASKS)


@pytest.mark.parametrize(
    ("task", "pipe"),
    [
        ("sequence-classification", "text-classification"),
        ("token-classification", "token-classification"),
        ("masked-lm", "fill-mask"),
        ("causal-lm", "text-generation"),
        ("image-classification", "image-classification"),
        ("image-text", "zero-shot-image-classification"),
    ],
)
def test_a_pipeline_opens_as_its_task(task: str, pipe: str) -> None:
    """Model, tokenizer and processor are the pipeline's own, and are not copied."""
    _, kind, said, item = MODELS[task]
    made: dict[str, Any] = {"model": model_of(task)}
    if kind != "vit":
        made["tokenizer"] = words()
    if kind in ("vit", "clip"):
        made["image_processor"] = tiny.image_processor()
    pipeline = transformers.pipeline(pipe, **made, device="cpu")
    scorer = load(pipeline, **said)
    beside = {"tokenizer": made.get("tokenizer"), "processor": made.get("image_processor")}
    here = load(made["model"], **said, **{k: v for k, v in beside.items() if v is not None})
    np.testing.assert_allclose(scorer([item]), here([item]), atol=1e-5)


def test_a_pipeline_s_own_answer_is_ours() -> None:
    """A text-classification pipeline's probabilities are the softmax of our logits."""
    model = model_of("sequence-classification")
    pipeline = transformers.pipeline("text-classification", model=model, tokenizer=words())
    told = {one["label"]: one["score"] for one in pipeline(TEXT[0], top_k=None)}
    scorer = load(pipeline)
    shares = np.exp(scorer(TEXT)[0])
    wanted = [told[label] for label in scorer.facts.labels]
    np.testing.assert_allclose(shares / shares.sum(), wanted, atol=1e-5)


def test_a_zero_shot_text_pipeline_is_refused_with_the_way_round() -> None:
    """It asks one question per label; the message says how to explain one of them."""
    model = model_of("sequence-classification")
    pipeline = transformers.pipeline(
        "zero-shot-classification", model=model, tokenizer=words(), device="cpu"
    )
    with pytest.raises(InputError, match=r"once per label.*second="):
        load(pipeline)


def test_an_object_without_its_tokenizer_is_refused() -> None:
    """A model of texts needs a tokenizer object, and a model of images a processor."""
    with pytest.raises(InputError, match=r"tokenizer=None.*sequence-classification"):
        load(model_of("sequence-classification"))
    with pytest.raises(InputError, match=r"processor=None.*image-classification"):
        load(model_of("image-classification"))


def test_an_object_is_never_moved_or_changed() -> None:
    """device= and dtype= are refused for an object."""
    model = model_of("sequence-classification")
    for said in ({"device": "cpu"}, {"dtype": "bfloat16"}):
        with pytest.raises(InputError, match="never moved"):
            load(model, tokenizer=words(), **said)


@pytest.mark.parametrize("source", [3, torch.nn.Linear(2, 2), None])
def test_other_things_are_refused(source: Any) -> None:
    """A number, or a torch module that is no transformers model, is refused by name."""
    with pytest.raises(InputError, match=f"a {type(source).__name__} came"):
        load(source)


# --- no usable head ---------------------------------------------------------------------------


def test_a_model_without_a_head_is_refused_before_its_weights_are_read(tmp_path: Path) -> None:
    """A bare BERT is refused by its configuration; its weights are not even there."""
    tiny.made(transformers.BertModel, tiny.bert_config()).save_pretrained(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(InputError, match="BertModel, which has no head for any of"):
        load(tmp_path)
    with pytest.raises(InputError, match="no head for sequence-classification"):
        load(tmp_path, task="text-classification")


def test_another_task_than_the_model_s_is_refused(folders: dict[str, Path]) -> None:
    """A new head would be random: the message says what the model's head is for."""
    with pytest.raises(InputError, match=r"no head for token-classification: .*sequence-class"):
        load(folders["sequence-classification"], task="token-classification", target="Anna")


def test_a_head_without_weights_is_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    """A folder whose configuration promises a head that the weights lack is refused."""
    folder = shutil.copytree(folders["masked-lm"], tmp_path / "model")
    said = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    said["architectures"] = ["BertForSequenceClassification"]
    (folder / "config.json").write_text(json.dumps(said), encoding="utf-8")
    with pytest.raises(InputError, match=r"lacks the weights.*classifier\.weight"):
        load(folder)


def test_a_seq2seq_model_is_refused(tmp_path: Path) -> None:
    """A model for a task that is not ours is refused by the name of its class."""
    shape = {"vocab_size": 50, "d_model": 16, "d_kv": 8, "d_ff": 32}
    config = transformers.T5Config(num_layers=1, num_heads=2, **shape)
    config.architectures = ["T5ForConditionalGeneration"]
    config.save_pretrained(tmp_path)
    with pytest.raises(InputError, match="T5ForConditionalGeneration, which has no head"):
        load(tmp_path)


def test_an_unknown_task_is_refused(folders: dict[str, Path]) -> None:
    """The message lists the tasks there are."""
    with pytest.raises(InputError, match=r"task='summarise' came.*sequence-classification"):
        load(folders["sequence-classification"], task="summarise")


@pytest.mark.parametrize(
    ("task", "said", "told"),
    [
        ("sequence-classification", {"target": "Anna"}, "target="),
        ("image-classification", {"system": "be kind"}, "system="),
        ("masked-lm", {"chat": True}, "chat="),
        ("causal-lm", {"labels": ("a", "b")}, "labels="),
    ],
)
def test_what_a_task_does_not_read_is_refused(
    folders: dict[str, Path], task: str, said: dict[str, Any], told: str
) -> None:
    """An option of another task is refused by name, with those that this task reads."""
    with pytest.raises(InputError, match=f"{told} came for a model whose task is {task}"):
        load(folders[task], **said)


@pytest.mark.parametrize(
    ("task", "told"),
    [
        ("token-classification", "target= is needed"),
        ("question-answering", "question= is needed"),
        ("image-text", "without labels="),
    ],
)
def test_what_a_task_needs_is_asked_for(folders: dict[str, Path], task: str, told: str) -> None:
    """A task that needs to be told something says so."""
    with pytest.raises(InputError, match=told):
        load(folders[task])


# --- names and folders ------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["nobody/no-such-model", "no such folder", "./nowhere"])
def test_a_missing_name_is_one_clear_error(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It says which name came, that no such folder is here, and what to try; nothing is chained."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(InputError, match="no such folder here") as caught:
        load(name)
    told = str(caught.value)
    assert told.startswith(repr(name))
    assert "save_pretrained" in told
    assert len(told) < 300
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_a_name_kept_here_opens_without_the_hub(
    folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A name that was fetched before is read from what is kept here when there is no hub."""
    kept = tmp_path / "models--someone--tagger"
    (kept / "refs").mkdir(parents=True)
    (kept / "refs" / "main").write_text("a" * 40, encoding="utf-8")
    shutil.copytree(folders["token-classification"], kept / "snapshots" / ("a" * 40))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    scorer = load("someone/tagger", target="Anna")
    wanted = load(folders["token-classification"], target="Anna")
    np.testing.assert_array_equal(scorer(TEXT), wanted(TEXT))


def test_a_folder_or_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    """An empty folder, and a file, are refused by name."""
    with pytest.raises(InputError, match=r"without config\.json"):
        load(tmp_path)
    (tmp_path / "model.bin").write_bytes(b"")
    with pytest.raises(InputError, match="is a file"):
        load(tmp_path / "model.bin")


def test_a_broken_folder_is_one_clear_error(folders: dict[str, Path], tmp_path: Path) -> None:
    """Weights cut short, or a configuration that is no JSON, are told in one sentence."""
    folder = shutil.copytree(folders["masked-lm"], tmp_path / "model")
    os.truncate(folder / "model.safetensors", 100)
    with pytest.raises(InputError, match=r"the weights of .* cannot be read"):
        load(folder, target="Anna")
    (folder / "config.json").write_text("{", encoding="utf-8")
    with pytest.raises(InputError, match=r"the configuration of .* cannot be read"):
        load(folder, target="Anna")


def test_a_folder_without_its_tokenizer_is_refused(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    """transformers would make one that knows no words; we refuse, and take tokenizer= instead."""
    tasked = folders["sequence-classification"]
    folder = shutil.copytree(tasked, tmp_path / "model")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).unlink()
    with pytest.raises(InputError, match=r"tokenizer"):
        load(folder)
    words().save_pretrained(tmp_path / "words")
    for given in (tasked, tasked / "tokenizer.json", tmp_path / "words", words()):
        np.testing.assert_array_equal(load(folder, tokenizer=given)(TEXT), load(tasked)(TEXT))


def test_a_missing_package_is_named(folders: dict[str, Path]) -> None:
    """Without Pillow an image model says what to install."""
    tiny.fresh(
        "import sys; sys.modules['PIL'] = None\n"
        "from whence.adapters.transformers import load\n"
        "from whence.errors import MissingExtra\n"
        f"try: load({str(folders['image-classification'])!r})\n"
        "except MissingExtra as error: assert 'whence[transformers,image]' in str(error)\n"
        "else: sys.exit('not refused')",
        absent=(),
    )


def test_an_image_model_without_its_processor_is_refused(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    """The message names the image processor; processor= takes its folder."""
    tasked = folders["image-classification"]
    folder = shutil.copytree(tasked, tmp_path / "model")
    (folder / "preprocessor_config.json").unlink()
    with pytest.raises(InputError, match="the image processor of"):
        load(folder)
    got = load(folder, processor=tasked)([PICTURE])
    np.testing.assert_array_equal(got, load(tasked)([PICTURE]))


# --- nothing that comes with a model is run ---------------------------------------------------


class Trap:
    """What a pickle would run."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        """Makes a folder when it is unpickled."""
        return os.mkdir, (str(self.path),)


def test_a_pickle_is_never_run(folders: dict[str, Path], tmp_path: Path) -> None:
    """Beside safetensors a torch file is not read; alone it is refused, and runs nothing."""
    folder = shutil.copytree(folders["sequence-classification"], tmp_path / "model")
    sprung = tmp_path / "sprung"
    torch.save({"classifier.weight": Trap(sprung)}, folder / "pytorch_model.bin")
    wanted = load(folders["sequence-classification"])(TEXT)
    np.testing.assert_array_equal(load(folder)(TEXT), wanted)
    (folder / "model.safetensors").unlink()
    with pytest.raises(InputError, match="the weights of"):
        load(folder)
    assert not sprung.exists()
    with pytest.raises(FileExistsError):
        pickle.loads(pickle.dumps(Trap(tmp_path)))


def test_code_that_comes_with_a_model_is_never_run(
    folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder of an unknown kind with its own code is refused; nobody is asked at the terminal."""
    folder = shutil.copytree(folders["sequence-classification"], tmp_path / "model")
    said = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    said |= {"model_type": "of-my-own", "auto_map": {"AutoConfig": "mine.Config"}}
    (folder / "config.json").write_text(json.dumps(said), encoding="utf-8")
    ran = tmp_path / "ran"
    (folder / "mine.py").write_text(f"import os\nos.mkdir({str(ran)!r})\n", encoding="utf-8")
    monkeypatch.setattr("builtins.input", lambda _: pytest.fail("the user was asked"))
    with pytest.raises(InputError, match="code of its own"):
        load(folder)
    assert not ran.exists()


# --- precision, device, the command line ------------------------------------------------------


def test_precision_and_device_on_request(folders: dict[str, Path]) -> None:
    """bfloat16 is what is computed in, near the full precision; the identity is another."""
    folder = folders["sequence-classification"]
    full, half = load(folder), load(folder, dtype="bfloat16", device="cpu")
    assert half.forward.model.dtype == torch.bfloat16
    np.testing.assert_allclose(half(TEXT), full(TEXT), atol=0.1)
    assert half.facts.identity != full.facts.identity
    half = load(folders["image-classification"], dtype="bfloat16")
    np.testing.assert_allclose(
        half([PICTURE]), load(folders["image-classification"])([PICTURE]), atol=0.1
    )


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"dtype": "int8"}, "dtype='int8' came.*bfloat16, float16, float32"),
        ({"device": "cuda:77"}, "device='cuda:77' came and cannot be used"),
        ({"device": "nonsense"}, "device='nonsense' came and cannot be used"),
    ],
)
def test_a_precision_or_device_that_is_not_there_is_refused(
    folders: dict[str, Path], said: dict[str, str], told: str
) -> None:
    """Refused by name, before the weights are read."""
    with pytest.raises(InputError, match=told):
        load(folders["sequence-classification"], **said)


def test_opened_reads_the_command_line_s_options(folders: dict[str, Path]) -> None:
    """`opened` gives what `load` gives, and refuses an option that no transformers model reads."""
    folder = str(folders["sequence-classification"])
    got = opened(folder, Options(labels=("no", "yes")))
    assert got.facts.labels == ("no", "yes")
    np.testing.assert_array_equal(got(TEXT), load(folder)(TEXT))
    with pytest.raises(InputError, match=r"base_url= came for a transformers model"):
        opened(folder, Options(base_url="somewhere"))


def test_load_pair_opens_both_towers(folders: dict[str, Path]) -> None:
    """A folder of images and texts opens as a Pair; another model is refused."""
    pair = load_pair(folders["image-text"])
    assert pair.images([PICTURE]).shape == (1, 8)
    with pytest.raises(InputError, match="no head for image-text"):
        load_pair(folders["masked-lm"])


def test_what_is_not_said_may_be_the_model_s_own(folders: dict[str, Path]) -> None:
    """Without a target a filler or an answer is the model's own, once it has the whole text."""
    blank = load(folders["masked-lm"])
    assert isinstance(blank, Continues)
    with pytest.raises(InputError, match="not told what to score"):
        blank(BLANK)
    own = blank.continuing(BLANK[0], 8)
    best = max(load(folders["masked-lm"], target=word)(BLANK)[0, 0] for word in tiny.WORDS[:10])
    assert own(BLANK)[0, 0] >= best
    asked = load(folders["question-answering"], question="who ?")
    assert isinstance(asked, Continues)
    answer = asked.continuing(TEXT[0], 1)
    alone = [
        load(folders["question-answering"], question="who ?", target=word)(TEXT)[0].sum()
        for word in TEXT[0].split()
    ]
    np.testing.assert_allclose(answer(TEXT)[0].sum(), max(alone), atol=1e-5)


def test_importing_the_opening_loads_no_framework() -> None:
    """The module can be imported where neither torch nor transformers is."""
    tiny.fresh(f"import sys, {opening.__name__}", absent=("torch", "transformers", "PIL"))
