"""Facts about running models of many kinds: what is found out of each, with no table of models."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from tokenizers.processors import TemplateProcessing  # noqa: E402  after what may be missing

from adapters.transformers import tiny  # noqa: E402
from whence.adapters.transformers import classify  # noqa: E402
from whence.errors import InputError  # noqa: E402
from whence.scoring import HiddenText  # noqa: E402

SMALL = {"hidden_size": 16, "num_hidden_layers": 1, "intermediate_size": 32}
HEADS = {**SMALL, "num_attention_heads": 2}
TURNED = {
    "relative_attention": True,
    "pos_att_type": ["p2c", "c2p"],
    "position_biased_input": False,
}
PARTS = {"encoder_layers": 1, "decoder_layers": 1, "encoder_ffn_dim": 32, "decoder_ffn_dim": 32}

#: Kind -> its configuration: encoders, decoders, and both; positions of every sort.
KINDS: dict[str, dict[str, Any]] = {
    "DistilBert": {"dim": 16, "n_layers": 1, "n_heads": 2, "hidden_dim": 32},
    "Roberta": {**HEADS, "max_position_embeddings": 64},
    "Albert": {**HEADS, "embedding_size": 8},
    "DebertaV2": {**HEADS, **TURNED, "type_vocab_size": 0},
    "ModernBert": {**HEADS, "num_hidden_layers": 2, "cls_token_id": 2, "sep_token_id": 3},
    "XLNet": {"d_model": 16, "n_layer": 1, "n_head": 2, "d_inner": 32},
    "FNet": SMALL,
    "GPT2": {"n_embd": 16, "n_layer": 1, "n_head": 2},
    "Llama": {**HEADS, "num_key_value_heads": 1},
    "T5": {"d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 1, "num_heads": 2},
    "Bart": {**PARTS, "d_model": 16, "encoder_attention_heads": 2, "decoder_attention_heads": 2},
}
STARTS = {"T5": {"decoder_start_token_id": 0}, "Bart": {"decoder_start_token_id": 2}}
#: Kinds that see what is hidden: one mixes all tokens; in the others the decoder reads them again.
LOOKING = ("FNet", "Bart", "T5")


def classifier(kind: str) -> Any:
    """A tiny classifier of a kind, of random weights."""
    said = {**KINDS[kind], **tiny.ENDS, **STARTS.get(kind, {}), "vocab_size": 400}
    config = getattr(transformers, f"{kind}Config")(**said)
    return tiny.made(getattr(transformers, f"{kind}ForSequenceClassification"), config)


@pytest.mark.parametrize("kind", KINDS)
def test_a_text_s_value_is_its_own_in_models_of_every_kind(kind: str) -> None:
    """Alone and in a mixed batch a text's logits differ by less than 1e-4."""
    scorer = classify.scorer(classifier(kind), tiny.tokenizer())
    draw = np.random.default_rng(0)
    texts = [" ".join(draw.choice(tiny.WORDS, size=draw.integers(1, 20))) for _ in range(20)]
    alone = np.concatenate([scorer([text]) for text in texts])
    assert alone.std() > 1e-3
    assert np.abs(scorer(texts) - alone).max() < 1e-4


@pytest.mark.parametrize("kind", sorted(set(KINDS) - set(LOOKING)))
def test_what_is_hidden_is_not_seen(kind: str) -> None:
    """Which word is hidden makes no difference to a model that reads hidden texts."""
    scorer = classify.scorer(classifier(kind), tiny.tokenizer())
    assert "hidden" in scorer.facts.reads
    hidden = [HiddenText(f"the {word} film is", ((4, 4 + len(word)),)) for word in ("good", "dull")]
    one, other = scorer(hidden)
    assert np.abs(one - other).max() < 1e-4
    assert np.abs(one - scorer(["the good film is"])).max() > 1e-4


@pytest.mark.parametrize("kind", sorted(set(KINDS) - set(LOOKING)))
def test_a_hidden_end_is_not_seen(kind: str) -> None:
    """A hidden last word makes no difference, also where the answer is read at the last token."""
    bare = tiny.tokenizer()
    bare.backend_tokenizer.post_processor = TemplateProcessing(single="$A", special_tokens=[])
    scorer = classify.scorer(classifier(kind), bare)
    one, other = (scorer([HiddenText(f"the film {w}", ((9, 13),))])[0] for w in ("good", "dull"))
    assert np.abs(one - other).max() < 1e-4
    assert np.abs(one - scorer(["the film"])[0]).max() < 1e-4


@pytest.mark.parametrize("kind", LOOKING)
def test_a_model_that_sees_what_is_hidden_says_so(kind: str) -> None:
    """It reads no hidden texts, and refuses them by name."""
    scorer = classify.scorer(classifier(kind), tiny.tokenizer())
    assert scorer.facts.reads == {"text"}
    with pytest.raises(InputError, match="sees what is hidden"):
        scorer([HiddenText("good film", ((0, 4),))])


def test_a_model_read_at_its_last_place_is_not_padded() -> None:
    """XLNet reads its answer at a row's last place, so only texts of one length go together."""
    model = classifier("XLNet")
    scorer = classify.scorer(model, tiny.tokenizer())
    assert not scorer.forward.pads
    widths: list[tuple[int, ...]] = []
    hook = model.register_forward_pre_hook(
        lambda _, args, named: widths.append(tuple(named["input_ids"].shape)), with_kwargs=True
    )
    scorer(["good", "bad", "a film", "good bad"])
    hook.remove()
    assert sorted(widths) == [(2, 3), (2, 4)]
    assert classify.scorer(classifier("Roberta"), tiny.tokenizer()).forward.pads
