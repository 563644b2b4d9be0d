"""Facts about any ONNX text classifier, on small graphs whose scores are known by hand."""

import importlib
import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("tokenizers")
from onnx import TensorProto, helper

from whence import text_game
from whence.adapters.onnx import load_classifier, load_strings, load_text, opened
from whence.adapters.options import Options
from whence.errors import InputError

graphs = importlib.import_module("adapters.onnx_graphs")
TEXTS = ["good film", "bad", "a good film not bad", "", "very very very bad"]


@pytest.fixture
def folder(tmp_path):
    """A folder with a tokenizer in it."""
    graphs.tokenizer(tmp_path)
    return tmp_path


def by_hand(texts, **how):
    """Logits of texts, from the graph's weights."""
    words = {word: at for at, word in enumerate(graphs.WORDS)}
    ids = [[2, *(words[word] for word in text.split()), 3] for text in texts]
    return np.stack([graphs.expected(row, **how) for row in ids])


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"integers": TensorProto.INT32},
        {"batch": 1},
        {"batch": 3},
        {"length": 9},
        {"batch": 2, "length": 9},
        {"mask": False},
        {"mask": False, "batch": 1},
        {"end": "both"},
        {"name": "output_0"},
        {"classes": 4},
    ],
    ids=str,
)
def test_any_shape_of_graph_gives_the_scores_by_hand(folder, how):
    """Integer types, fixed batches and lengths, no mask, another output: the logits are right."""
    model = load_text(graphs.classifier(folder / "m.onnx", **how))
    classes = how.get("classes", 2)
    np.testing.assert_allclose(model(TEXTS), by_hand(TEXTS, classes=classes), atol=1e-5)
    assert model.facts.labels == tuple(map(str, range(classes)))


def test_positions_are_given_where_they_are_read(folder):
    """A graph that reads position_ids gets 0, 1, 2, ... for each text."""
    model = load_text(graphs.classifier(folder / "m.onnx", places=True), max_tokens=16)
    np.testing.assert_allclose(model(TEXTS), by_hand(TEXTS, places=True), atol=1e-5)


@settings(max_examples=30)
@given(st.lists(st.lists(st.sampled_from(graphs.WORDS[5:]), max_size=12), max_size=40), st.data())
def test_a_score_is_its_own_in_any_company(tmp_path_factory, words, data):
    """Whatever texts are scored together, in whatever order, each has the score by hand."""
    path = tmp_path_factory.getbasetemp() / "shared"
    if not path.exists():
        path.mkdir()
        graphs.tokenizer(path)
        graphs.classifier(path / "m.onnx")
    model = load_text(path / "m.onnx")
    texts = data.draw(st.permutations([" ".join(some) for some in words]))
    got = model(texts)
    assert got.shape == (len(texts), 2)
    if texts:
        np.testing.assert_allclose(got, by_hand(texts), atol=1e-5)


def test_a_fixed_length_bounds_what_is_read(folder):
    """load_classifier, told 512 tokens of a graph that reads 9, reads 9 and refuses 10."""
    path = graphs.classifier(folder / "m.onnx", length=9)
    model = load_classifier(path, folder / "tokenizer.json", ("a", "b"))
    np.testing.assert_allclose(model(TEXTS), by_hand(TEXTS), atol=1e-5)
    with pytest.raises(InputError, match="is 10 tokens long; the model reads at most 9"):
        model(["a " * 8])


def test_labels_and_length_come_from_the_config(folder):
    """config.json names the classes in the order of their numbers, and the places."""
    graphs.config(folder, id2label={"1": "up", "0": "down"}, max_position_embeddings=16)
    facts = load_text(graphs.classifier(folder / "m.onnx", places=True)).facts
    assert (facts.labels, facts.max_tokens, facts.notes) == (("down", "up"), 16, ())
    assert (facts.name, facts.mask, facts.scores) == ("m", "[MASK]", "logits")


def test_places_counted_from_the_padding_are_found_out(folder):
    """Where the config says 18 places and the model fails on 18 tokens, 18 - pad - 1 are tried."""
    graphs.config(folder, max_position_embeddings=18, pad_token_id=1)
    model = load_text(graphs.classifier(folder / "m.onnx", places=True))
    assert model.max_tokens == 16


def test_the_shorter_of_two_lengths_counts(folder):
    """tokenizer_config.json's model_max_length cuts the config's number of places."""
    graphs.config(folder, max_position_embeddings=16)
    said = {"model_max_length": 8, "mask_token": {"content": "film"}}
    (folder / "tokenizer_config.json").write_text(json.dumps(said), encoding="utf-8")
    facts = load_text(graphs.classifier(folder / "m.onnx")).facts
    assert (facts.max_tokens, facts.mask) == (8, "film")


def test_a_length_that_nothing_says_is_tried_and_told(folder):
    """Without a word on the length, the longest of a few that works is taken, and noted."""
    model = load_text(graphs.classifier(folder / "m.onnx", places=True))
    assert model.max_tokens == 16
    assert "nothing says how long" in model.facts.notes[0]


def test_too_long_a_text_is_refused_before_any_is_scored(folder):
    """One token more than the fixed length of the graph: refused, with both numbers."""
    model = load_text(graphs.classifier(folder / "m.onnx", length=5))
    with pytest.raises(InputError, match=r"Text 1 .* 6 tokens long; the model reads at most 5"):
        next(model.stream(["good", "a b c d"]))


def test_the_tokenizer_may_be_one_folder_up(folder):
    """Exports with onnx/model.onnx and the tokenizer above it open without a word."""
    (folder / "onnx").mkdir()
    graphs.config(folder, id2label={"0": "no", "1": "yes"})
    model = load_text(graphs.classifier(folder / "onnx" / "model.onnx"))
    assert model.labels == ("no", "yes")


def test_no_tokenizer_is_refused_by_name(tmp_path):
    """A model that reads tokens, and no tokenizer.json: the message says where it was sought."""
    with pytest.raises(InputError, match=r"there is no tokenizer.json in .* Give tokenizer="):
        load_text(graphs.classifier(tmp_path / "m.onnx"))


def test_a_broken_tokenizer_is_refused_by_name(folder):
    """A file that is no tokenizer is named."""
    path = graphs.classifier(folder / "m.onnx")
    (folder / "tokenizer.json").write_text("{}", encoding="utf-8")
    with pytest.raises(InputError, match=r"tokenizer\.json came as the tokenizer"):
        load_text(path)


def test_a_tokenizer_that_counts_too_far_is_refused(folder):
    """A vocabulary beyond the model's embedding does not match, and is refused at opening."""
    more = (*graphs.WORDS, *(f"word{i}" for i in range(20)))
    graphs.tokenizer(folder, words=more)
    with pytest.raises(InputError, match=r"does not match the model: .* up to token 30 \(31"):
        load_text(graphs.classifier(folder / "m.onnx"))


def test_a_tokenizer_of_another_size_is_refused(folder):
    """A config that says twice the tokenizer's tokens and more is that of another tokenizer."""
    path = graphs.classifier(folder / "m.onnx")
    graphs.config(folder, vocab_size=30522)
    with pytest.raises(InputError, match=r"up to token 10, and config\.json says vocab_size 30522"):
        load_text(path)
    graphs.config(folder, vocab_size=16)
    assert load_text(path).max_tokens == 512


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"end": "states"}, r"no usable classification head: .* tokens \(1, 4, 6\)"),
        ({"end": "states", "batch": 1, "length": 8}, r"no usable classification head"),
        ({"end": "both", "name": "pooler_output"}, r"no usable classification head"),
        ({"name": "sentence_embedding"}, r"by its name a state of the text"),
    ],
    ids=str,
)
def test_a_model_without_a_head_is_refused(folder, how, says):
    """Token states, pooled states and embeddings of a text are no class scores."""
    with pytest.raises(InputError, match=says):
        load_text(graphs.classifier(folder / "m.onnx", **how))


def test_an_output_may_be_named(folder):
    """output= takes a pooled output beside token states, if it is there."""
    path = graphs.classifier(folder / "m.onnx", end="both", name="scores")
    model = load_text(path, output="scores")
    np.testing.assert_allclose(model(TEXTS), by_hand(TEXTS), atol=1e-5)
    with pytest.raises(InputError, match="output='tokens' came"):
        load_text(path, output="tokens")


def test_probabilities_are_told_by_their_sums_and_said(folder):
    """An output whose rows sum to 1 gives probabilities, and a note says how that was seen."""
    model = load_text(graphs.classifier(folder / "m.onnx", end="softmax", name="probs"))
    assert model.facts.scores == "probabilities"
    assert "taken for probabilities" in model.facts.notes[0]
    np.testing.assert_allclose(model(TEXTS).sum(axis=1), 1, atol=1e-6)


def test_probabilities_named_logits_must_be_told(folder):
    """Where the name and the numbers disagree nothing is guessed; scores= settles it."""
    path = graphs.classifier(folder / "m.onnx", end="softmax")
    with pytest.raises(InputError, match="Say scores="):
        load_text(path)
    assert load_text(path, scores="probabilities").facts.scores == "probabilities"
    assert opened(str(path), Options(scores="logits")).facts.scores == "logits"


def test_one_number_is_a_plain_value(folder):
    """A regression's (b, 1) comes as (b,), with no labels."""
    model = load_text(graphs.classifier(folder / "m.onnx", classes=1, name="score"))
    assert (model.facts.scores, model.facts.labels) == ("values", ())
    np.testing.assert_allclose(model(TEXTS), by_hand(TEXTS, classes=1)[:, 0], atol=1e-5)
    assert model([]).shape == (0,)


def test_labels_that_are_not_exclusive_are_log_odds_each(folder):
    """A multi-label model's logits are explained as each label's own log-odds."""
    graphs.config(folder, problem_type="multi_label_classification")
    facts = load_text(graphs.classifier(folder / "m.onnx", classes=3)).facts
    assert (facts.scores, facts.unit, len(facts.labels)) == ("values", "log-odds", 3)


def test_labels_that_do_not_fit_are_refused_by_their_source(folder):
    """Too many labels are refused, whether they were given or stood in config.json."""
    path = graphs.classifier(folder / "m.onnx")
    with pytest.raises(InputError, match="labels= names 3 classes"):
        load_text(path, labels=("a", "b", "c"))
    graphs.config(folder, id2label={"0": "a"})
    with pytest.raises(InputError, match=r"id2label in config\.json names 1 classes"):
        load_text(path)


def test_a_text_without_a_token_is_refused_by_name(folder):
    """Where the tokenizer adds no special tokens, the empty text has nothing to score."""
    graphs.tokenizer(folder, specials=False)
    model = load_text(graphs.classifier(folder / "m.onnx"))
    with pytest.raises(InputError, match=r"Text 1 \(''\) has no token"):
        model(["good", ""])


def test_rows_are_not_filled_up_where_that_would_move_scores(folder):
    """A graph without a mask averages over what fills rows up, so it gets none of that."""
    path = graphs.classifier(folder / "m.onnx", mask=False)
    assert load_text(path).pad is None
    assert load_text(graphs.classifier(folder / "n.onnx")).pad == 0


def test_a_fixed_length_without_a_filling_token_is_refused(folder):
    """No mask, a fixed length, and no padding token anywhere: short texts cannot be read."""
    graphs.tokenizer(folder, words=("none", *graphs.WORDS[1:]))
    with pytest.raises(InputError, match="rows of exactly 9 tokens"):
        load_text(graphs.classifier(folder / "m.onnx", mask=False, length=9))


def test_neighbours_that_would_move_scores_are_kept_apart(folder):
    """Dynamic quantisation shares a scale in a batch; such a model scores one text at a time."""
    model = load_text(graphs.classifier(folder / "m.onnx", rounded=True))
    assert "one at a time" in " ".join(model.facts.notes)
    alone = np.concatenate([model([text]) for text in TEXTS])
    assert np.array_equal(model(TEXTS), alone)
    together = replace(model, batch=32)(TEXTS)
    assert np.abs(together - alone).max() > 1e-3


def test_weights_kept_in_another_file_are_part_of_the_identity(folder):
    """Changing only the file that holds the weights changes scores, and so the identity."""
    other = folder / "other"
    other.mkdir()
    path = graphs.classifier(folder / "m.onnx", weights_file="weights.bin")
    graphs.classifier(other / "m.onnx", weights_file="weights.bin", seed=1)
    first = load_text(path)
    before = first(TEXTS)
    (folder / "weights.bin").write_bytes((other / "weights.bin").read_bytes())
    second = load_text(path)
    assert np.abs(before - second(TEXTS)).max() > 0.1
    assert first.identity != second.identity


def test_another_input_is_refused_by_name(folder):
    """A model that also reads a decoder's tokens is no text classifier."""
    path = graphs.classifier(folder / "m.onnx", mask=False)
    graphs.renamed(path, "input_ids", "decoder_input_ids")
    with pytest.raises(InputError, match=r"The model reads \['decoder_input_ids'\]"):
        load_text(path)


def test_a_file_that_is_no_model_is_refused_by_name(folder):
    """Bytes that are no ONNX model are refused with the file's name."""
    (folder / "m.onnx").write_bytes(b"nothing of the kind")
    with pytest.raises(InputError, match=r"m\.onnx came as the model; onnxruntime .* cannot open"):
        load_text(folder / "m.onnx")


def test_a_pipeline_that_reads_texts_needs_no_tokenizer(tmp_path):
    """A graph with one input of strings scores texts as they are."""
    known = {"keys_strings": ["good"], "values_floats": [1.0], "default_float": 0.0}
    nodes = [helper.make_node("LabelEncoder", ["text"], ["score"], domain="ai.onnx.ml", **known)]
    io = ([("text", TensorProto.STRING, ["b", 1])], [("score", TensorProto.FLOAT, ["b", 1])])
    graphs.save(tmp_path / "m.onnx", nodes, *io, {})
    model = opened(str(tmp_path / "m.onnx"), Options())
    assert model(["good", "bad", "good"]).tolist() == [1, 0, 1]
    assert model.facts.reads == {"text"}
    with pytest.raises(InputError, match="a list of strings"):
        load_strings(tmp_path / "m.onnx")("good")


def test_a_text_game_needs_only_the_model(folder):
    """Labels, scale, token counts and identity of a game come from the facts."""
    graphs.config(folder, id2label={"0": "bad", "1": "good"})
    model = opened(str(graphs.classifier(folder / "m.onnx")), Options())
    game = text_game(model, "not a good film", output="good")
    logits = by_hand(["not a good film", "a good film"])
    expected = logits[:, 1] - logits[:, 0]
    masks = np.array([[True] * 4, [False, True, True, True]])
    np.testing.assert_allclose(game(masks), expected, atol=1e-5)
    assert model.identity in (game.identity or "")
    assert game.tokens is not None
    assert game.tokens(masks).tolist() == [6, 5]


@pytest.mark.slow
@pytest.mark.parametrize("family", ["bert", "roberta", "distilbert", "gpt2"])
def test_exported_transformers_score_as_torch_does(tmp_path, family):
    """Real architectures, exported by torch, agree with a forward pass of each text alone."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    graphs.tokenizer(tmp_path)
    network = graphs.exported(torch, transformers, family, tmp_path)
    model = load_text(tmp_path / "model.onnx")
    assert model.max_tokens == (31 if family == "roberta" else 32)
    with torch.no_grad():
        one = [torch.tensor([list(row.ids)]) for row in model.encode(TEXTS)]
        expected = np.concatenate([network(input_ids=ids).logits.numpy() for ids in one])
    np.testing.assert_allclose(model(TEXTS), expected, atol=1e-5)
