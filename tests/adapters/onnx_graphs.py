"""Small ONNX graphs of known weights, built in the test, and the tokenizer that goes with them."""

import json
import warnings

import numpy as np
import onnx
import tokenizers
from onnx import TensorProto, helper, numpy_helper

WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "good", "bad", "film", "not", "very")
WIDTH = 6


def tokenizer(folder, words=WORDS, specials=True):
    """A tokenizer.json of whole words, with [CLS] and [SEP] at the ends if `specials`."""
    table = {word: at for at, word in enumerate(words)}
    made = tokenizers.Tokenizer(tokenizers.models.WordLevel(table, unk_token="[UNK]"))
    made.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    made.add_special_tokens([word for word in words if word.startswith("[")])
    if specials:
        made.post_processor = tokenizers.processors.TemplateProcessing(
            single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
        )
    made.save(str(folder / "tokenizer.json"))
    return folder / "tokenizer.json"


def config(folder, **said):
    """A config.json."""
    (folder / "config.json").write_text(json.dumps(said), encoding="utf-8")


def weights(classes=2, seed=0):
    """The embedding (words, WIDTH), the places (16, WIDTH), the head (WIDTH, classes), its bias."""
    draw = np.random.default_rng(seed)
    shapes = ((len(WORDS), WIDTH), (16, WIDTH), (WIDTH, classes), (classes,))
    return [draw.normal(size=shape).astype(np.float32) for shape in shapes]


def expected(ids, classes=2, places=False):
    """The logits `(classes,)` of one text by hand: the mean of its tokens, then the head."""
    embedding, where, head, bias = weights(classes)
    states = embedding[ids] + (where[: len(ids)] if places else 0)
    return states.mean(axis=0) @ head + bias


def classifier(
    path,
    *,
    classes=2,
    integers=TensorProto.INT64,
    batch="batch",
    length="length",
    mask=True,
    places=False,
    end="logits",
    name="logits",
    rounded=False,
    weights_file="",
    seed=0,
):
    """Writes a graph: the mean of the embeddings of the tokens present, then a linear head.

    `end`: "logits", "softmax", "states" (a row per token), or "both" (states and a pooled row).
    `rounded`: the mean is rounded to 256 steps between the extremes of the whole batch.
    """
    embedding, where, head, bias = weights(classes, seed)
    inputs = ["input_ids", *(["attention_mask"] if mask else []), *(["position_ids"] * places)]
    nodes = [
        helper.make_node("Gather", ["embedding", "input_ids"], ["words"]),
        *(
            [
                helper.make_node("Gather", ["where", "position_ids"], ["at"]),
                helper.make_node("Add", ["words", "at"], ["tokens"]),
            ]
            if places
            else [helper.make_node("Identity", ["words"], ["tokens"])]
        ),
        *_mean(mask),
        *_rounded(rounded),
        helper.make_node("Gemm", ["state", "head", "bias"], ["raw"]),
        *(
            [helper.make_node("Softmax", ["raw"], [name])]
            if end == "softmax"
            else [helper.make_node("Identity", ["raw"], [name])]
        ),
    ]
    outs = {
        "states": [("tokens", [batch, length, WIDTH])],
        "both": [("tokens", [batch, length, WIDTH]), (name, [batch, classes])],
    }.get(end, [(name, [batch, classes])])
    constants = {"embedding": embedding, "where": where, "head": head, "bias": bias}
    save(
        path,
        nodes,
        [(one, integers, [batch, length]) for one in inputs],
        [(one, TensorProto.FLOAT, shape) for one, shape in outs],
        constants | {"axis": np.array([1]), "last": np.array([2])},
        weights_file,
    )
    return path


def _rounded(rounded):
    if not rounded:
        return [helper.make_node("Identity", ["mean"], ["state"])]
    return [
        helper.make_node("DynamicQuantizeLinear", ["mean"], ["steps", "scale", "zero"]),
        helper.make_node("DequantizeLinear", ["steps", "scale", "zero"], ["state"]),
    ]


def _mean(mask):
    if not mask:
        return [helper.make_node("ReduceMean", ["tokens", "axis"], ["mean"], keepdims=0)]
    return [
        helper.make_node("Cast", ["attention_mask"], ["weight"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["weight", "last"], ["wide"]),
        helper.make_node("Mul", ["tokens", "wide"], ["present"]),
        helper.make_node("ReduceSum", ["present", "axis"], ["sum"], keepdims=0),
        helper.make_node("ReduceSum", ["weight", "axis"], ["count"], keepdims=1),
        helper.make_node("Div", ["sum", "count"], ["mean"]),
    ]


def save(path, nodes, inputs, outputs, constants, weights_file=""):
    """Writes nodes as a model: inputs and outputs as (name, type, shape), constants as arrays.

    `weights_file` keeps the constants in a file of that name beside the model.
    """
    infos = [[helper.make_tensor_value_info(*one) for one in some] for some in (inputs, outputs)]
    stored = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    graph = helper.make_graph(nodes, "test", *infos, stored)
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 3)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=9)
    if not weights_file:
        onnx.save(model, str(path))
        return
    onnx.save(
        model,
        str(path),
        save_as_external_data=True,
        location=weights_file,
        size_threshold=100,
    )


def renamed(path, old, new):
    """Gives an input of a written model another name."""
    model = onnx.load(str(path))
    for node in model.graph.node:
        node.input[:] = [new if name == old else name for name in node.input]
    for one in model.graph.input:
        one.name = new if one.name == old else one.name
    onnx.save(model, str(path))


def exported(torch, transformers, family, folder):
    """A small classifier of a real family with random weights, and its export in a folder."""
    size = {"vocab_size": len(WORDS), "num_labels": 2, "attn_implementation": "eager"}
    bert = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    bert |= {"intermediate_size": 32, "max_position_embeddings": 32, "pad_token_id": 0}
    gpt = {"n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 32, "pad_token_id": 0}
    gpt |= {"bos_token_id": 2, "eos_token_id": 3}
    distil = {"dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 32}
    distil |= {"max_position_embeddings": 32, "pad_token_id": 0}
    kinds = {
        "bert": ("Bert", bert),
        "roberta": ("Roberta", bert),
        "distilbert": ("DistilBert", distil),
        "gpt2": ("GPT2", gpt),
    }
    kind, shape = kinds[family]
    config = getattr(transformers, f"{kind}Config")(**size, **shape)
    torch.manual_seed(0)
    network = getattr(transformers, f"{kind}ForSequenceClassification")(config).eval()
    network.config.save_pretrained(folder)
    names = ["input_ids", "attention_mask"]
    ids = torch.tensor([[2, 5, 6, 3], [2, 6, 3, 0]])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter, which is not ours
        torch.onnx.export(
            _logits(torch, network),
            (ids, (ids > 0).long()),
            str(folder / "model.onnx"),
            input_names=names,
            output_names=["logits"],
            dynamic_axes={name: {0: "batch", 1: "length"} for name in names},
            dynamo=False,
            opset_version=17,
        )
    return network.eval()


def _logits(torch, network):
    """The network as a module that gives a plain array of logits."""

    class Logits(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.network = network

        def forward(self, input_ids, attention_mask):
            return self.network(input_ids=input_ids, attention_mask=attention_mask).logits

    return Logits().eval()


def boosted(pytest, library, rows, kind, path):
    """A classifier of boosted trees, fitted, and its ONNX file."""
    module = pytest.importorskip(library)
    if library == "catboost":
        quiet = {"iterations": 20, "verbose": 0, "allow_writing_files": False}
        fitted = module.CatBoostClassifier(**quiet).fit(rows, kind)
        fitted.save_model(str(path), format="onnx")
        return fitted
    tools = pytest.importorskip("onnxmltools")
    types = pytest.importorskip("onnxmltools.convert.common.data_types")
    inputs = [("x", types.FloatTensorType([None, rows.shape[1]]))]
    if library == "lightgbm":
        fitted = module.LGBMClassifier(n_estimators=20, verbose=-1).fit(rows, kind)
        made = tools.convert_lightgbm(fitted, initial_types=inputs)
    else:
        fitted = module.XGBClassifier(n_estimators=20).fit(rows, kind)
        made = tools.convert_xgboost(fitted, initial_types=inputs)
    path.write_bytes(made.SerializeToString())
    return fitted
