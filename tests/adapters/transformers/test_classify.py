"""Facts about sequence classifiers of transformers: trained here, loaded, masked and explained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

import whence  # noqa: E402
from adapters.transformers import tiny  # noqa: E402  needs both
from whence.adapters.transformers import classify  # noqa: E402
from whence.adapters.transformers.opening import load  # noqa: E402
from whence.adapters.transformers.running import TextScorer  # noqa: E402
from whence.errors import InputError  # noqa: E402
from whence.masks import every  # noqa: E402
from whence.scoring import Executor, HiddenText, Scorer  # noqa: E402

ROOT = Path(__file__).resolve().parents[3]
REVIEWS = ROOT.parent / "shared" / "data" / "rt_polarity"
TEXTS = [
    "Paris is the capital of France.",
    "good",
    "",
    "the plot of a film is not good, not bad, not dull , never very good !",
    HiddenText("Anna lives in a house", ((0, 4), (14, 15))),
    "who is Anna ?",
]


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    """A WordPiece tokenizer."""
    return tiny.tokenizer()


@pytest.fixture(scope="module")
def bert() -> Any:
    """A classifier of three classes, of random weights."""
    config = tiny.bert_config(num_labels=3, id2label={0: "no", 1: "so so", 2: "yes"})
    return tiny.made(transformers.BertForSequenceClassification, config)


@pytest.fixture(scope="module")
def scorer(bert: Any, tokenizer: Any) -> TextScorer:
    """Its scorer."""
    return classify.scorer(bert, tokenizer)


def by_hand(model: Any, tokenizer: Any, text: str, hidden: tuple[int, ...] = ()) -> Any:
    """One text through transformers' own call, with some tokens left out of attention."""
    given = tokenizer(text, return_tensors="pt")
    given["attention_mask"][0, list(hidden)] = 0
    with torch.no_grad():
        return model(**given).logits[0].double().numpy()


def test_it_keeps_the_contract(scorer: TextScorer) -> None:
    """It is a Scorer and an Executor, and says what it is without calling the model."""
    assert isinstance(scorer, Scorer)
    assert isinstance(scorer, Executor)
    facts = scorer.facts
    assert (facts.scores, facts.labels) == ("logits", ("no", "so so", "yes"))
    assert facts.reads == {"text", "hidden"}
    assert (facts.mask, facts.max_tokens) == ("[MASK]", 64)


def test_logits_are_those_of_transformers(scorer: TextScorer, bert: Any, tokenizer: Any) -> None:
    """Each text gets the logits that the model gives it alone."""
    texts = [text for text in TEXTS if isinstance(text, str)]
    wanted = [by_hand(bert, tokenizer, text) for text in texts]
    np.testing.assert_allclose(scorer(texts), wanted, atol=1e-5)


def test_hidden_tokens_get_no_attention(scorer: TextScorer, bert: Any, tokenizer: Any) -> None:
    """A hidden span is a zero in the attention mask at its tokens, and nothing else."""
    got = scorer([HiddenText("Anna lives in a house", ((0, 4), (14, 15)))])[0]
    wanted = by_hand(bert, tokenizer, "Anna lives in a house", (1, 4))
    np.testing.assert_allclose(got, wanted, atol=1e-5)
    assert np.abs(got - scorer(["Anna lives in a house"])[0]).max() > 1e-3


@pytest.mark.parametrize("tokens", [1, 20, 5000])
def test_a_value_does_not_depend_on_the_batch(bert: Any, tokenizer: Any, tokens: int) -> None:
    """Alone, or in any batch, a text's logits move by less than 1e-4."""
    scorer = classify.scorer(bert, tokenizer, tokens_per_batch=tokens)
    draw = np.random.default_rng(3)
    texts = [" ".join(draw.choice(tiny.WORDS, size=draw.integers(0, 25))) for _ in range(40)]
    alone = np.concatenate([scorer([text]) for text in texts])
    order = draw.permutation(40)
    assert np.abs(scorer([texts[i] for i in order]) - alone[order]).max() < 1e-4


def test_too_large_a_batch_is_halved_and_loses_nothing(bert: Any, tokenizer: Any) -> None:
    """Where memory holds 40 tokens at once the values are the same, and the size is kept."""
    texts = ["good film", "a very dull plot", "Anna lives in Paris"] * 8
    wanted = classify.scorer(bert, tokenizer)(texts)
    scorer = classify.scorer(bert, tokenizer)

    def full(_: Any, args: Any, named: Any) -> None:
        if named["input_ids"].numel() > 40:
            raise torch.OutOfMemoryError("out of memory")

    hook = bert.register_forward_pre_hook(full, with_kwargs=True)
    try:
        np.testing.assert_allclose(scorer(texts), wanted, atol=1e-5)
    finally:
        hook.remove()
    assert scorer.size.tokens <= 72


def test_parts_hold_every_item_once(scorer: TextScorer) -> None:
    """The stream gives every position once, and their values are those of the call."""
    parts = list(scorer.stream(TEXTS))
    rows = np.concatenate([where for where, _ in parts])
    assert sorted(rows.tolist()) == list(range(len(TEXTS)))
    values = np.concatenate([values for _, values in parts])
    np.testing.assert_allclose(values, scorer(TEXTS)[rows], atol=1e-4)
    assert list(scorer.stream([])) == []


def test_the_model_is_left_as_found(tokenizer: Any) -> None:
    """Training modes and weights are as before, also after an error; dropout never shows."""
    config = tiny.bert_config(num_labels=2, hidden_dropout_prob=0.5)
    model = tiny.made(transformers.BertForSequenceClassification, config).train()
    model.classifier.eval()
    modes = [part.training for part in model.modules()]
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    vocabulary = tokenizer.get_vocab()
    scorer = classify.scorer(model, tokenizer)
    assert np.array_equal(scorer(["good film"]), scorer(["good film"]))
    with pytest.raises(InputError):
        scorer(["good " * 100])
    assert [part.training for part in model.modules()] == modes
    assert all(torch.equal(before[name], now) for name, now in model.state_dict().items())
    assert tokenizer.get_vocab() == vocabulary


def test_too_long_a_text_is_refused_before_the_model_is_called(
    scorer: TextScorer, bert: Any
) -> None:
    """It is not cut: the message says how long it is and how much is read; nothing is spent."""
    calls: list[int] = []
    hook = bert.register_forward_pre_hook(lambda *_: calls.append(1))
    try:
        with pytest.raises(InputError, match=r"101 tokens long.*at most 64"):
            scorer(["good", "good " * 99])
        with pytest.raises(InputError, match=r"101 tokens long.*at most 64"):
            whence.text_game(scorer, "good " * 99, output="no")
    finally:
        hook.remove()
    assert calls == []


def test_several_labels_at_once_are_plain_log_odds(tokenizer: Any) -> None:
    """Of a multi-label classifier each output is that label's own log-odds."""
    config = tiny.bert_config(num_labels=3, problem_type="multi_label_classification")
    model = tiny.made(transformers.BertForSequenceClassification, config)
    scorer = classify.scorer(model, tokenizer, labels=("a", "b", "c"))
    assert (scorer.facts.scores, scorer.facts.unit) == ("values", "log-odds")
    game = whence.text_game(scorer, "good bad film")
    assert (game.outputs, game.unit) == (("a", "b", "c"), "log-odds")
    whole = by_hand(model, tokenizer, "good bad film")
    np.testing.assert_allclose(game(np.ones((1, 3), dtype=bool))[0], whole, atol=1e-5)


def test_one_label_is_one_number(tokenizer: Any) -> None:
    """A regression gives `(b,)` plain numbers without a unit."""
    model = tiny.made(transformers.BertForSequenceClassification, tiny.bert_config(num_labels=1))
    scorer = classify.scorer(model, tokenizer)
    assert scorer(["good", "bad film"]).shape == (2,)
    assert (scorer.facts.scores, scorer.facts.unit, scorer.facts.labels) == ("values", "", ())


def test_labels_that_do_not_fit_are_refused(bert: Any, tokenizer: Any) -> None:
    """Two labels for three classes are refused, and the classes named."""
    with pytest.raises(InputError, match="2 labels came and the model has 3 classes"):
        classify.scorer(bert, tokenizer, labels=("a", "b"))


def test_a_second_text_is_read_beside_each(bert: Any, tokenizer: Any) -> None:
    """With second= the model reads pairs, as transformers makes them."""
    scorer = classify.scorer(bert, tokenizer, second="Anna is in Paris")
    with torch.no_grad():
        given = tokenizer("Anna lives in France", "Anna is in Paris", return_tensors="pt")
        wanted = bert(**given).logits[0].double().numpy()
    np.testing.assert_allclose(scorer(["Anna lives in France"])[0], wanted, atol=1e-5)
    assert scorer.facts.identity != classify.scorer(bert, tokenizer).facts.identity


def test_a_tokenizer_of_another_model_is_refused(tokenizer: Any) -> None:
    """Ids that the model has no embedding for are refused when the scorer is made."""
    config = tiny.bert_config(vocabulary=50, num_labels=2)
    small = tiny.made(transformers.BertForSequenceClassification, config)
    with pytest.raises(InputError, match="belongs to another model"):
        classify.scorer(small, tokenizer)


def test_a_tokenizer_without_words_is_refused(bert: Any) -> None:
    """A tokenizer of special tokens only, as is made where its files are missing, is refused."""
    with pytest.raises(InputError, match="knows no words"):
        classify.scorer(bert, transformers.BertTokenizer())


def test_positions_that_count_from_the_padding_are_known(tokenizer: Any) -> None:
    """A RoBERTa of 20 positions whose padding is token 0 reads 19 tokens, and not one more."""
    config = transformers.RobertaConfig(
        vocab_size=400,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=20,
        pad_token_id=0,
        type_vocab_size=2,
    )
    model = tiny.made(transformers.RobertaForSequenceClassification, config)
    scorer = classify.scorer(model, tokenizer)
    assert scorer.facts.max_tokens == 19
    assert np.isfinite(scorer(["good " * 17])).all()
    with pytest.raises(InputError, match="20 tokens long"):
        scorer(["good " * 18])


def gpt2(pad: int | None) -> Any:
    """A tiny GPT-2 with a classifier's head."""
    config = transformers.GPT2Config(
        vocab_size=400,
        n_embd=16,
        n_layer=1,
        n_head=2,
        n_positions=32,
        num_labels=2,
        pad_token_id=pad,
        bos_token_id=1,
        eos_token_id=1,
    )
    return tiny.made(transformers.GPT2ForSequenceClassification, config)


@pytest.mark.parametrize("pad", [None, 0])
def test_a_decoder_with_a_head_is_read_at_its_last_token(tokenizer: Any, pad: int | None) -> None:
    """Texts of several lengths get what each gets alone, whether or not the model knows padding."""
    scorer = classify.scorer(gpt2(pad), tokenizer)
    texts = ["good", "a very dull film", "Anna lives"]
    alone = np.concatenate([scorer([text]) for text in texts])
    np.testing.assert_allclose(scorer(texts), alone, atol=1e-5)


def test_a_text_of_no_tokens_is_refused(bert: Any) -> None:
    """Where the tokenizer adds nothing of its own, the empty text is refused by name."""
    bare = tiny.tokenizer()
    bare.backend_tokenizer.post_processor = None
    with pytest.raises(InputError, match="no token"):
        classify.scorer(bert, bare)([""])


def test_a_slow_tokenizer_reads_texts_but_hides_nothing(bert: Any) -> None:
    """A tokenizer that does not say where its tokens stand reads plain texts only."""
    scorer = classify.scorer(bert, transformers.ByT5Tokenizer())
    assert scorer.facts.reads == {"text"}
    assert scorer(["good"]).shape == (1, 3)
    with pytest.raises(InputError, match="hidden spans"):
        scorer([HiddenText("good film", ((0, 4),))])


@pytest.mark.parametrize("items", ["good film", ["good", 3], [b"good"]])
def test_items_of_another_kind_are_refused(scorer: TextScorer, items: Any) -> None:
    """One string, a number or bytes are refused by name."""
    with pytest.raises(InputError, match=r"of type|One string"):
        scorer(items)


def test_identity_is_what_decides_the_scores(bert: Any, tokenizer: Any) -> None:
    """Equal weights and tokenizers have one identity; another weight or vocabulary another."""
    config = tiny.bert_config(num_labels=3, id2label={0: "no", 1: "so so", 2: "yes"})
    same = tiny.made(transformers.BertForSequenceClassification, config)
    other = tiny.made(transformers.BertForSequenceClassification, config, seed=1)
    words = tiny.tokenizer(["good bad"])
    pairs = [(bert, tokenizer), (same, tiny.tokenizer()), (other, tokenizer), (bert, words)]
    first, second, third, fourth = (classify.scorer(*pair).facts.identity for pair in pairs)
    assert first is not None
    assert first == second
    assert len({first, third, fourth}) == 3


# --- beside Captum ----------------------------------------------------------------------------


def left_out(game: Any) -> Any:
    """By how much the value falls when each unit alone is absent: `(n, classes)`."""
    n = game.n
    rows = np.concatenate([np.ones((1, n), dtype=bool), ~np.eye(n, dtype=bool)])
    values = game(rows)
    return values[0] - values[1:]


def test_captum_s_ablation_of_attention_agrees(scorer: TextScorer, bert: Any) -> None:
    """Captum's feature ablation of the attention mask is our effect of hiding each token."""
    attr = pytest.importorskip("captum.attr")
    text = "Paris is the capital of France"
    given = scorer.reader.tokenizer(text, return_tensors="pt")
    inner = given["attention_mask"][:, 1:-1].float()
    edge = torch.ones((1, 1))

    def forward(present: Any) -> Any:
        one = edge.expand(len(present), 1)
        return bert(given["input_ids"], attention_mask=torch.cat([one, present, one], 1)).logits

    with torch.no_grad():
        wanted = [attr.FeatureAblation(forward).attribute(inner, target=c)[0] for c in range(3)]
    game = whence.text_game(scorer, text, units="token", absent="hide", output="all", link="logit")
    np.testing.assert_allclose(left_out(game), np.stack(wanted, axis=1), atol=1e-5)


def test_captum_s_ablation_by_a_token_agrees(scorer: TextScorer, bert: Any) -> None:
    """Captum's feature ablation with the mask token as baseline is ours with "mask:[MASK]"."""
    attr = pytest.importorskip("captum.attr")
    text = "Paris is the capital of France"
    ids = scorer.reader.tokenizer(text, return_tensors="pt")["input_ids"]
    baseline = torch.full_like(ids, scorer.reader.tokenizer.mask_token_id)
    with torch.no_grad():
        ablation = attr.FeatureAblation(lambda given: bert(given).logits)
        wanted = ablation.attribute(ids, baselines=baseline, target=1)[0, 1:-1]
    game = whence.text_game(
        scorer, text, units="token", absent="mask:[MASK]", output="so so", link="logit"
    )
    np.testing.assert_allclose(left_out(game), wanted, atol=1e-5)


# --- trained here, then loaded by its folder --------------------------------------------------


def train(model: Any, tokenizer: Any, texts: list[str], labels: Any, steps: int) -> None:
    """A few seconds of Adam on batches of 32."""
    draw = np.random.default_rng(0)
    torch.manual_seed(0)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    model.train()
    for _ in range(steps):
        rows = draw.integers(len(texts), size=32)
        given = tokenizer([texts[i] for i in rows], padding=True, return_tensors="pt")
        loss = model(**given, labels=torch.tensor(labels[rows])).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.eval()


def saved(model: Any, tokenizer: Any, folder: Path) -> Path:
    """A folder as save_pretrained writes it."""
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def negation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A classifier that learned: "good" is positive, "bad" negative, and "not" turns either."""
    draw = np.random.default_rng(1)
    texts, labels = [], []
    for _ in range(2000):
        words = draw.choice(["the", "a", "film", "plot", "is", "Anna"], size=draw.integers(5))
        good, negated, told = draw.random(3) < (0.5, 0.5, 0.7)
        own = ["not"] * bool(negated) + ["good" if good else "bad"] * bool(told)
        texts.append(" ".join(draw.permutation([*words, *own])))
        labels.append(int(good) ^ int(negated and told))
    tokenizer = tiny.tokenizer()
    config = tiny.bert_config(id2label={0: "negative", 1: "positive"})
    torch.manual_seed(0)
    model = transformers.BertForSequenceClassification(config)
    train(model, tokenizer, texts, np.array(labels), 300)
    folder = tmp_path_factory.mktemp("negation")
    return saved(model, tokenizer, folder)


def test_a_trained_classifier_explains_itself_from_its_folder(negation: Path) -> None:
    """`load(folder)` and text_game find the one pair that a negation makes."""
    scorer = load(negation)
    game = whence.text_game(scorer, "the film is not good", output="positive")
    assert game.unit == "log-odds"
    e = whence.explain(game, budget=32)
    (strongest,) = e.interactions().top(1, smallest=2).sets
    assert {game.units[i] for i in strongest} == {"not", "good"}
    assert e.interactions().value(strongest) < 0


def test_the_folder_gives_what_the_object_gives(negation: Path) -> None:
    """Scores and identity from a folder are those of the model object, loaded by hand."""
    model = transformers.AutoModelForSequenceClassification.from_pretrained(negation)
    tokenizer = transformers.AutoTokenizer.from_pretrained(negation)
    there, here = load(negation), load(model, tokenizer=tokenizer)
    np.testing.assert_array_equal(there(["not good", "bad"]), here(["not good", "bad"]))
    assert there.facts.identity == here.facts.identity
    assert there.facts.labels == ("negative", "positive")


def test_every_mask_of_a_text_is_what_its_text_is_alone(negation: Path) -> None:
    """A game's values over all masks are the logits of the rendered texts, one by one."""
    scorer = load(negation)
    game = whence.text_game(scorer, "Anna is not bad", output="positive", link="logit")
    words = ["Anna", "is", "not", "bad"]
    masks = every(4)
    texts = [" ".join(w for w, on in zip(words, row, strict=True) if on) for row in masks]
    alone = np.concatenate([scorer([text]) for text in texts])[:, 1]
    np.testing.assert_allclose(game(masks), alone, atol=1e-4)


@pytest.mark.slow
@pytest.mark.skipif(not REVIEWS.exists(), reason="needs ../shared/data/rt_polarity")
def test_a_classifier_of_reviews_is_explained(tmp_path: Path) -> None:
    """Fine-tuned on real reviews it beats chance by far, and its explanation fits it."""
    texts, labels = tiny.reviews(REVIEWS)
    tokenizer = tiny.tokenizer(texts[:4000], size=3000, limit=128)
    config = tiny.bert_config(3000, 128, id2label={0: "negative", 1: "positive"})
    torch.manual_seed(0)
    model = transformers.BertForSequenceClassification(config)
    short = [i for i, text in enumerate(texts) if len(text.split()) < 20]
    train(model, tokenizer, [texts[i] for i in short[:-500]], labels[short[:-500]], 200)
    scorer = load(saved(model, tokenizer, tmp_path))
    held = short[-500:]
    right = scorer([texts[i] for i in held]).argmax(axis=1) == labels[held]
    assert right.mean() > 0.6
    game = whence.text_game(scorer, "a dull , lifeless and tedious film", output="negative")
    e = whence.explain(game, budget=128)
    assert e.fidelity.exhaustive
    assert np.sum(e.attributions().values) > 0
