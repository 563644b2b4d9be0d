"""Facts about causal language models: values by hand, batches, prefixes, a model untouched."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from adapters.transformers import causal_models  # noqa: E402  needs both
from adapters.transformers.causal_models import KINDS, STORIES, by_hand  # noqa: E402
from whence.adapters._batches import Size  # noqa: E402
from whence.adapters._torch import fingerprint  # noqa: E402
from whence.adapters.transformers.causal import CausalScorer, scorer  # noqa: E402
from whence.errors import InputError, ModelError  # noqa: E402
from whence.scoring import Continues, Executor, HiddenText, Message, Scorer  # noqa: E402

#: Nats by which a value may differ alone and in any batch, prefixes shared or not, in float32.
EXACT = 1e-4

WORDS = ["the", "cat", "sat", "on", "a", "mat", "and", "a", "dog", "ran", "to", "it", "now"]
CHAT = (
    "{{ bos_token }}{% for m in messages %}[{{ m['role'] }}: {{ m['content'] | trim }}]{% endfor %}"
    "{% if add_generation_prompt %}[assistant:{% endif %}"
)

needs_stories = pytest.mark.skipif(not STORIES.exists(), reason="needs ../shared/data/stories260K")


def some_texts(count: int, seed: int, share: float = 0.6) -> list[str]:
    """The words, each there with a chance of `share`."""
    rng = np.random.default_rng(seed)
    return [" ".join(w for w in WORDS if rng.random() < share) for _ in range(count)]


def eager(made: CausalScorer) -> CausalScorer:
    """The same scorer, sharing whatever prefix it can, however little that saves."""
    return replace(made, pace=made.pace._replace(overhead=8))


def unshared(made: CausalScorer) -> CausalScorer:
    """The same scorer, sharing nothing."""
    return replace(made, pace=made.pace._replace(most=0))


def paced(made: CausalScorer, tokens: int) -> CausalScorer:
    """The same scorer, with batches of at most so many tokens."""
    return replace(made, pace=made.pace._replace(size=Size(tokens)))


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    """A tokenizer of bytes that begins texts with <s>."""
    return causal_models.tokenizer()


@pytest.fixture(scope="module")
def llama() -> Any:
    """A tiny Llama."""
    return causal_models.model()


@pytest.fixture(scope="module")
def yes(llama: Any, tokenizer: Any) -> CausalScorer:
    """Its scorer of " yes"."""
    return scorer(llama, tokenizer, target=" yes")


@pytest.fixture(scope="module")
def lily() -> CausalScorer:
    """stories260K, asked for " Lily."."""
    return scorer(*causal_models.stories(), target=" Lily.")


# --- values -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_values_are_those_of_a_forward_pass_by_hand(kind: str, tokenizer: Any) -> None:
    """Alone, in a batch, and with prefixes shared, each kind of model gives its own values."""
    model = causal_models.model(kind)
    made = scorer(model, tokenizer, target=" yes", contrast=" nope")
    items: list[Any] = some_texts(24, seed=1)
    if "hidden" in made.facts.reads:
        items += [HiddenText(items[0], ((0, 3), (5, 8))), HiddenText(items[1], ((2, 6),))]
    prompts = made.reader(items)
    needed = np.hstack(
        [by_hand(model, prompts, one.tokens) for one in (made.target, made.contrast)]
    )
    assert needed.std() > 0.2
    for one in (made, eager(made), unshared(made)):
        np.testing.assert_allclose(one(items), needed, atol=EXACT)
    np.testing.assert_allclose(np.vstack([made([i]) for i in items[:6]]), needed[:6], atol=EXACT)


def test_keys_and_values_are_kept_by_every_model_that_has_them(tokenizer: Any) -> None:
    """Prefixes are shared by all kinds here but the one that keeps a state instead."""
    share = {
        kind: scorer(causal_models.model(kind), tokenizer, target=" a").pace.most > 0
        for kind in KINDS
    }
    assert share == {kind: kind != "mamba" for kind in KINDS}


@needs_stories
def test_stories260k_agrees_with_a_forward_pass_in_numpy(lily: CausalScorer) -> None:
    """Log-probabilities are those of 60 lines of numpy that read the same weights."""
    from benchmarks import surrogates_stories

    plain = surrogates_stories.load(STORIES)
    items = ["Once upon a time, there was a little girl named", "One day,", ""]
    for item, got in zip(items, lily(items), strict=True):
        tokens = [*plain.encode(item), *lily.target.tokens]
        if not item:
            tokens = [1, *lily.target.tokens]
        told = plain.log_probabilities(plain.hidden(np.array([tokens])))[0]
        first = len(tokens) - 3
        needed = [told[first + i, one] for i, one in enumerate(lily.target.tokens)]
        np.testing.assert_allclose(got, needed, atol=EXACT)


@needs_stories
def test_stories260k_knows_its_own_stories(lily: CausalScorer) -> None:
    """A girl is named Lily far sooner than a boy is."""
    girl, boy = lily(
        [f"Once upon a time, there was a little {who} named" for who in ("girl", "boy")]
    )
    assert girl.sum() > -0.5
    assert boy.sum() < girl.sum() - 3


def test_a_contrast_stands_behind_the_target(llama: Any, tokenizer: Any) -> None:
    """The raw columns are the target's tokens and then the contrast's, as if scored apart."""
    items = some_texts(10, seed=2)
    for target, contrast in ((" yes", " no"), (" yes", " yet"), (" a", " b"), (" a", " bcd")):
        both = scorer(llama, tokenizer, target=target, contrast=contrast)
        apart = [scorer(llama, tokenizer, target=one)(items) for one in (target, contrast)]
        assert both.facts.split == len(target)
        assert both.facts.labels == (*target, *contrast)
        np.testing.assert_allclose(both(items), np.hstack(apart), atol=EXACT)


def test_bfloat16_values_are_those_of_a_softmax_in_float32(tokenizer: Any) -> None:
    """A model in bfloat16 is scored to its own precision: its values are not rounded again."""
    model = causal_models.model().bfloat16()
    made = scorer(model, tokenizer, target=" yes")
    items = some_texts(12, seed=3)
    got = made(items)
    np.testing.assert_allclose(
        got, by_hand(model, made.reader(items), made.target.tokens), atol=0.1
    )
    assert np.abs(got - torch.tensor(got).bfloat16().double().numpy()).max() > 0


# --- batches and prefixes -----------------------------------------------------------------------


@given(
    st.lists(st.text("ab ", max_size=30), min_size=1, max_size=12),
    st.integers(1, 400),
    st.integers(0, 300),
)
@settings(max_examples=40)
def test_a_value_does_not_depend_on_its_batch(texts: list[str], tokens: int, overhead: int) -> None:
    """Whatever the neighbours, the batch size and what is shared, values move by under 1e-4."""
    made = scorer_of_letters()
    alone = np.vstack([unshared(made)([text]) for text in texts])
    pace = made.pace._replace(size=Size(tokens), overhead=overhead)
    np.testing.assert_allclose(replace(made, pace=pace)(texts), alone, atol=EXACT)


def scorer_of_letters() -> CausalScorer:
    """A scorer made once."""
    if not MADE:
        MADE.append(scorer(causal_models.model(), causal_models.tokenizer(), target=" ab"))
    return MADE[0]


MADE: list[CausalScorer] = []


@needs_stories
def test_a_value_of_stories260k_does_not_depend_on_its_batch(lily: CausalScorer) -> None:
    """A real model's values, alone and in batches of any size, move by less than 1e-4."""
    sentence = "Once upon a time, there was a little girl who was very happy and named"
    rng = np.random.default_rng(0)
    texts = [" ".join(w for w in sentence.split() if rng.random() < 0.7) for _ in range(48)]
    alone = np.vstack([unshared(lily)([text]) for text in texts])
    for tokens in (1, 64, 4096):
        for one in (unshared(lily), eager(lily)):
            np.testing.assert_allclose(paced(one, tokens)(texts), alone, atol=EXACT)


@needs_stories
def test_documents_kept_or_dropped_share_what_precedes_the_first_absent(lily: CausalScorer) -> None:
    """Of five documents in all 32 ways less than half of the tokens go through the model."""
    document = "Once upon a time, there was a little {}. He was happy. "
    names = ("dog", "cat", "bird", "fish", "frog")
    masks = (np.arange(32)[:, None] >> np.arange(5)) & 1
    texts = [
        "".join(document.format(n) for n, here in zip(names, row, strict=True) if here) + "The girl"
        for row in masks
    ]
    seen: list[int] = []
    hook = lily.forward.model.register_forward_pre_hook(
        lambda _, args, given: seen.append(given["input_ids"].numel()), with_kwargs=True
    )
    try:
        got = eager(lily)(texts)
        shared = sum(seen)
        seen.clear()
        needed = unshared(lily)(texts)
    finally:
        hook.remove()
    assert shared < 0.5 * sum(seen)
    np.testing.assert_allclose(got, needed, atol=EXACT)


def test_no_more_keys_and_values_are_kept_than_there_is_room_for(yes: CausalScorer) -> None:
    """With room for few tokens the items are taken in parts, and the values are the same."""
    texts = some_texts(40, seed=4)
    small = replace(yes, pace=yes.pace._replace(overhead=8, most=30))
    np.testing.assert_allclose(small(texts), unshared(yes)(texts), atol=EXACT)


def test_equal_items_go_through_the_model_once(yes: CausalScorer) -> None:
    """Items of the same tokens are scored once, also where they are of different kinds."""
    rows: list[int] = []
    hook = yes.forward.model.register_forward_pre_hook(
        lambda _, args, given: rows.append(len(given["input_ids"])), with_kwargs=True
    )
    try:
        got = yes(["a cat", "a dog", "a cat", HiddenText("a cat", ())])
    finally:
        hook.remove()
    assert sum(rows) == 2
    assert (got[0] == got[2]).all()
    assert (got[0] == got[3]).all()


def test_a_repeated_run_gives_the_same_bits(yes: CausalScorer) -> None:
    """Batches do not depend on the clock: the same items give the same floats."""
    texts = some_texts(50, seed=5)
    assert (yes(texts) == yes(texts)).all()


def test_parts_arrive_as_batches_are_done_and_every_item_once(yes: CausalScorer) -> None:
    """The stream's positions are all items in some order, in more than one part."""
    texts = some_texts(30, seed=6)
    parts = list(paced(yes, 64).stream(texts))
    assert len(parts) > 3
    assert sorted(np.concatenate([where for where, _ in parts]).tolist()) == list(range(30))
    values = np.zeros((30, 4))
    for where, found in parts:
        values[where] = found
    np.testing.assert_allclose(values, yes(texts), atol=EXACT)


# --- games --------------------------------------------------------------------------------------


@pytest.mark.parametrize("absent", ["drop", "mask:...", "hide"])
def test_a_text_game_values_what_masks_leave(yes: CausalScorer, absent: str) -> None:
    """A game over a text reads everything off the scorer, however absent words are treated."""
    import whence
    from whence.masks import every

    dark = [((0, 9),), ((2, 9),), ((0, 1), (6, 9)), ((6, 9),), ((0, 5),), ((2, 5),), ((0, 1),), ()]
    left: dict[str, list[Any]] = {
        "drop": ["", "a", "cat", "a cat", "sat", "a sat", "cat sat", "a cat sat"],
        "mask:...": ["... ... ...", "a ... ...", "... cat ...", "a cat ...", "... ... sat",
                     "a ... sat", "... cat sat", "a cat sat"],
        "hide": [HiddenText("a cat sat", spans) for spans in dark],
    }  # fmt: skip
    game = whence.text_game(yes, "a cat sat", absent=absent)
    np.testing.assert_allclose(game.value(every(3)), yes(left[absent]), atol=EXACT)
    assert game.outputs == ("' yes'",)


@pytest.mark.parametrize("kind", ["llama", "gpt2", "opt", "gemma2-sliding"])
def test_a_hidden_end_is_not_seen(kind: str, tokenizer: Any) -> None:
    """Which word is hidden at the end of a text makes no difference to what follows it."""
    made = scorer(causal_models.model(kind), tokenizer, target=" yes")
    one, other = made([HiddenText(f"a {word}", ((2, 5),)) for word in ("cat", "dog")])
    np.testing.assert_allclose(one, other, atol=EXACT)
    np.testing.assert_allclose(one, made(["a "])[0], atol=EXACT)
    nothing = made([HiddenText("cat", ((0, 3),)), ""])
    np.testing.assert_allclose(nothing[0], nothing[1], atol=EXACT)


# --- the model is left alone --------------------------------------------------------------------


def state(model: Any) -> tuple[Any, ...]:
    """All of a model that a run might change."""
    parts = list(model.modules())
    return (
        fingerprint(model),
        [part.training for part in parts],
        [len(part._forward_hooks) + len(part._forward_pre_hooks) for part in parts],
        [one.requires_grad for one in model.parameters()],
        model.config.to_dict(),
        model.get_input_embeddings().num_embeddings,
    )


def test_the_model_is_left_as_it_was_found(tokenizer: Any) -> None:
    """Modes, weights, hooks and configuration are the same after scoring and writing."""
    model = causal_models.model("gpt2")
    model.train()
    model.transformer.h[0].eval()
    before = state(model)
    made = scorer(model, tokenizer, target=" yes")
    made(some_texts(8, seed=7))
    made.continuing("the cat", 3)
    assert state(model) == before
    assert torch.is_grad_enabled()
    assert not torch.is_inference_mode_enabled()


def test_the_model_is_left_as_it_was_found_when_it_raises(tokenizer: Any) -> None:
    """An exception in the midst of a forward pass leaves no mode behind."""
    model = causal_models.model("gpt2")
    made = scorer(model, tokenizer, target=" yes")
    model.train()
    model.transformer.ln_f.eval()
    before = state(model)

    def broken(*_: object) -> None:
        raise RuntimeError("a wire is loose")

    hook = model.transformer.h[1].register_forward_hook(broken)
    try:
        with pytest.raises(RuntimeError, match="a wire is loose"):
            made(["the cat"])
    finally:
        hook.remove()
    assert state(model) == before
    assert not torch.is_inference_mode_enabled()


def test_nothing_stays_in_inference_mode_between_parts(yes: CausalScorer) -> None:
    """While a stream waits, its reader's own tensors are differentiable as ever."""
    stream = paced(yes, 16).stream(some_texts(6, seed=8))
    next(stream)
    assert torch.is_grad_enabled()
    assert not torch.is_inference_mode_enabled()


def test_no_dropout_while_a_model_in_training_is_scored(tokenizer: Any) -> None:
    """A model that was left in training mode is scored without chance."""
    model = causal_models.model("gpt2")
    made = scorer(model, tokenizer, target=" yes")
    needed = made(["the cat"])
    model.train()
    assert (made(["the cat"]) == needed).all()


# --- memory -------------------------------------------------------------------------------------


def test_a_batch_that_does_not_fit_is_halved(tokenizer: Any) -> None:
    """Out of memory, batches shrink until they fit, stay small, and values are the same."""
    model = causal_models.model()
    made = scorer(model, tokenizer, target=" yes", share=False)
    texts = some_texts(40, seed=9)
    needed = made(texts)
    tried: list[int] = []

    def small(_: object, args: object, given: dict[str, Any]) -> None:
        tried.append(given["input_ids"].numel())
        if tried[-1] > 300:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB.")

    hook = model.register_forward_pre_hook(small, with_kwargs=True)
    try:
        np.testing.assert_allclose(made(texts), needed, atol=EXACT)
        first = len(tried)
        made(texts)
    finally:
        hook.remove()
    assert tried[0] > 300
    assert max(tried[first:]) <= 300
    assert made.pace.size.tokens <= 300


def test_one_item_that_does_not_fit_is_refused_by_name(tokenizer: Any) -> None:
    """Out of memory with a single item, the error names it and its length."""
    model = causal_models.model()
    made = scorer(model, tokenizer, target=" yes")

    def full(_: object, args: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    hook = model.model.layers[0].register_forward_pre_hook(full)
    try:
        with pytest.raises(ModelError, match=r"item 0 is \d+ tokens long and does not fit"):
            made(["the cat sat"])
    finally:
        hook.remove()


# --- what the model writes ----------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["llama", "gpt2", "gemma3-sliding", "mamba"])
def test_what_the_model_writes_is_the_likeliest_token_by_token(kind: str, tokenizer: Any) -> None:
    """Every written token is the argmax of a forward pass over all that precedes it."""
    model = causal_models.model(kind)
    written = scorer(model, tokenizer).continuing("the cat sat", 6)
    known = written.reader(["the cat sat"])[0].tokens.tolist()
    assert len(written.target.tokens) == len(written.facts.labels) == 6
    for token in written.target.tokens:
        with torch.inference_mode():
            logits = model(input_ids=torch.tensor([known])).logits[0, -1]
        assert float(logits[token]) >= float(logits.max()) - EXACT
        known.append(token)


@needs_stories
def test_stories260k_goes_on_with_its_story(lily: CausalScorer) -> None:
    """The continuation of a story's beginning reads as English, and is likely."""
    start = "Once upon a time, there was a little girl"
    told = scorer(lily.forward.model, lily.reader.tokenizer).continuing(start, 12)
    assert "".join(told.facts.labels).startswith(" named Lily. She loved")
    assert told([start]).sum() > told([""]).sum() + 5


def test_writing_stops_where_a_text_ends(tokenizer: Any) -> None:
    """The token that ends a text is not written, and a model that ends at once is refused."""
    model = causal_models.model()
    made = scorer(model, tokenizer)
    first, second, *_ = made.continuing("the cat", 4).target.tokens
    model.generation_config.eos_token_id = [second]
    if first != second:
        assert made.continuing("the cat", 4).target.tokens == (first,)
    model.generation_config.eos_token_id = [first]
    with pytest.raises(InputError, match="ends it at once"):
        made.continuing("the cat", 4)


def test_a_contrast_stays_beside_what_the_model_writes(llama: Any, tokenizer: Any) -> None:
    """What the model writes can be held against a continuation that was named."""
    written = scorer(llama, tokenizer, contrast=" no").continuing("the cat", 3)
    assert written.facts.split == 3
    assert written(["the cat"]).shape == (1, 6)


def test_writing_needs_room(llama: Any, tokenizer: Any) -> None:
    """No token asked for, or no place left for one, is refused; a little room is used up."""
    made = scorer(llama, tokenizer)
    for item, most in (("the cat", 0), ("a" * 255, 4)):
        with pytest.raises(InputError, match="there is room for"):
            made.continuing(item, most)
    assert len(made.continuing("a" * 253, 9).target.tokens) <= 2


# --- facts --------------------------------------------------------------------------------------


def test_a_scorer_says_what_it_is(yes: CausalScorer) -> None:
    """It is a Scorer, an Executor and Continues, and its facts say what a lens must know."""
    assert isinstance(yes, Scorer)
    assert isinstance(yes, Executor)
    assert isinstance(yes, Continues)
    facts = yes.facts
    assert facts.scores == "log-probabilities"
    assert facts.labels == (" ", "y", "e", "s")
    assert facts.split is None
    assert facts.reads == {"text", "hidden"}
    assert facts.max_tokens == 256
    assert not facts.paid
    assert facts.mask == ""
    assert yes.facts.count_tokens is not None
    assert yes.facts.count_tokens(["ab", ""]).tolist() == [1 + 2 + 4, 1 + 4]
    assert yes.facts.token_spans is not None
    assert yes.facts.token_spans("ab c") == [(0, 1), (1, 2), (2, 3), (3, 4)]
    assert yes([]).shape == (0, 4)


def test_an_identity_is_shared_by_those_that_score_alike(tokenizer: Any) -> None:
    """Equal weights and questions give one identity; any difference gives another."""
    first, again = (scorer(causal_models.model(), tokenizer, target=" yes") for _ in range(2))
    assert first.facts.identity == again.facts.identity
    model = causal_models.model()
    with torch.no_grad():
        model.lm_head.weight[7, 3] += 1e-6
    others = [
        scorer(model, tokenizer, target=" yes"),
        scorer(causal_models.model(seed=1), tokenizer, target=" yes"),
        scorer(causal_models.model().bfloat16(), tokenizer, target=" yes"),
        scorer(causal_models.model(), causal_models.tokenizer(begins=False), target=" yes"),
        scorer(causal_models.model(), tokenizer, target="yes"),
        scorer(causal_models.model(), tokenizer, target=" yes", contrast=" no"),
        scorer(causal_models.model(), causal_models.tokenizer(template=CHAT), target=" yes"),
        scorer(causal_models.model(rope_parameters={"rope_type": "default", "rope_theta": 9.0}),
               tokenizer, target=" yes"),
    ]  # fmt: skip
    assert len({one.facts.identity for one in (first, *others)}) == 1 + len(others)


def test_an_identity_does_not_depend_on_calls_made_before(tokenizer: Any) -> None:
    """Padding and truncation that another caller set in the tokenizer do not count."""
    made = scorer(causal_models.model(), tokenizer, target=" yes")
    before = made.facts.identity
    tokenizer(["a", "bb"], padding=True, truncation=True, max_length=1)
    assert made.facts.identity == before
    assert len(made.reader(["abc"])[0].tokens) == 4


def test_facts_show_no_secret_of_the_machine(yes: CausalScorer) -> None:
    """An identity is a word and 64 hexadecimal digits."""
    identity = yes.facts.identity
    assert identity is not None
    word, _, digits = identity.partition(":")
    assert word == "causal"
    assert len(json.dumps(digits)) == 66


def test_a_small_tokenizer_for_a_large_model_is_noted(tokenizer: Any) -> None:
    """A tokenizer of less than half the model's tokens works, and the finding says so."""
    made = scorer(causal_models.model(vocab_size=1000), tokenizer, target=" yes")
    assert "259 of the model's 1000 tokens" in made.facts.notes[0]


# --- refusals -----------------------------------------------------------------------------------


def test_other_models_are_refused_by_name(tokenizer: Any) -> None:
    """No head, another head, an encoder, a model that reads ahead, and no model: each says so."""
    import transformers

    llama = transformers.LlamaConfig(**causal_models.GROUPED)
    bert = transformers.BertConfig(**causal_models.PLAIN)
    t5 = transformers.T5Config(
        vocab_size=300, d_model=32, d_kv=8, d_ff=48, num_layers=1, num_heads=4
    )
    wrong = [
        (transformers.LlamaModel(llama), "gives no logits"),
        (transformers.LlamaForTokenClassification(llama), r"shape \(2, 6, 2\).*no language"),
        (transformers.LlamaForSequenceClassification(llama), r"shape \(2, 2\).*no language"),
        (transformers.BertForMaskedLM(bert), "reads ahead"),
        (transformers.T5ForConditionalGeneration(t5), "an encoder and a decoder"),
        (torch.nn.Linear(2, 2), "came as Linear"),
    ]
    for model, message in wrong:
        with pytest.raises(InputError, match=message):
            scorer(model, tokenizer, target=" yes")


def test_a_tokenizer_of_more_tokens_than_the_model_is_refused(tokenizer: Any) -> None:
    """A vocabulary that exceeds the embedding is not the model's."""
    with pytest.raises(InputError, match=r"does not match.* 259 tokens.* embeddings of 200"):
        scorer(causal_models.model(vocab_size=200), tokenizer, target=" yes")


def test_something_else_than_a_tokenizer_is_refused(llama: Any) -> None:
    """A model without its tokenizer says what is needed."""
    with pytest.raises(InputError, match="tokenizer came as NoneType"):
        scorer(llama, None, target=" yes")


def test_a_text_longer_than_the_context_is_refused(yes: CausalScorer) -> None:
    """Prompt and continuation together must fit; the error names both lengths."""
    assert yes(["a" * 251]).shape == (1, 4)
    with pytest.raises(InputError, match=r"Item 1 is 253 tokens long, and the continuation 4.*256"):
        yes(["a", "a" * 252])


def test_continuations_that_cannot_be_scored_are_refused(llama: Any, tokenizer: Any) -> None:
    """An empty one, the same twice, none, a contrast alone, and batches of nothing are refused."""
    with pytest.raises(InputError, match='target="" came'):
        scorer(llama, tokenizer, target="")
    with pytest.raises(InputError, match='contrast="" came'):
        scorer(llama, tokenizer, target=" a", contrast="")
    with pytest.raises(InputError, match="same tokens"):
        scorer(llama, tokenizer, target=" a", contrast=" a")
    with pytest.raises(InputError, match="No continuation was named"):
        scorer(llama, tokenizer)(["the cat"])
    with pytest.raises(InputError, match="Give target= too, or leave contrast= out"):
        scorer(llama, tokenizer, contrast=" a")(["the cat"])
    with pytest.raises(InputError, match="tokens_per_batch=0"):
        scorer(llama, tokenizer, target=" a", tokens_per_batch=0)


def test_items_of_another_kind_are_refused(yes: CausalScorer) -> None:
    """A lone string, a number, and a conversation without a template are refused by name."""
    with pytest.raises(InputError, match="Put it in brackets"):
        yes("the cat")
    with pytest.raises(InputError, match="Item 1 is of type int"):
        yes(["the cat", 3])
    with pytest.raises(InputError, match="no chat template"):
        yes([(Message("user", "the cat"),)])
