"""Facts about encoders by name: what each reads, how states become bags, and reopening."""

from __future__ import annotations

import json
import re
import shutil

import numpy as np
import pytest

from tools.tree import ROOT
from whence.adapters.encoders import ENCODERS, OPENERS, open_encoder, reopened
from whence.errors import InputError
from whence.prospectors import Grid, Prospector, Sequence
from whence.prospectors.encoders import Encoder, NoEncoder, PatchEncoder, TextEncoder

STORIES = ROOT.parent / "shared" / "data" / "stories260K" / "hf"
PICTURE = np.random.default_rng(0).integers(0, 256, (24, 32, 3)).astype(np.uint8)
TEXT = "Anna lives in Paris. She has a house with cats! Dogs are not good."
TEXTS = [TEXT, "The film is bad. The plot is dull.", "Dr. Who lives in a house."]


def same(encoder, arrays, meta, thing, name=""):
    """Whether an encoder's bag equals that of the one its state makes."""
    again = reopened(arrays, json.loads(json.dumps(meta)), name=name)
    one, other = encoder.encode(thing), again.encode(thing)
    assert isinstance(again, Encoder)
    assert one.units == other.units
    assert one.tokens.dtype == other.tokens.dtype
    return bool((one.tokens == other.tokens).all())


# --- without a model ------------------------------------------------------------------------------


def test_every_name_opens():
    """Each name that is told of has an opener, and the three without a model open as they are."""
    assert list(ENCODERS) == list(OPENERS)
    assert isinstance(open_encoder("tfidf"), TextEncoder)
    assert isinstance(open_encoder("patches"), PatchEncoder)
    assert isinstance(open_encoder("none"), NoEncoder)


def test_texts_are_cut_by_the_lens():
    """An abbreviation ends no sentence, and the rule is found again when the state is opened."""
    encoder = open_encoder("tfidf", dims=3, min_df=1, window=2).fit(TEXTS)
    bag = encoder.encode(TEXTS[2])
    assert bag.units.labels == ("Dr. Who lives in a house.",)
    assert bag.layout == Sequence(2)
    arrays, meta = encoder.state()
    assert meta["rule"] == "lens:sentence"
    assert same(encoder, arrays, meta, TEXT)


@pytest.mark.parametrize(
    ("name", "options", "thing"),
    [
        ("tfidf", {"units": "word", "dims": 4}, TEXT),
        ("patches", {"size": 8, "drop": "zero", "neighbours": 4}, PICTURE),
        ("none", {"units": "word"}, TEXT),
        ("none", {}, "MKVLA"),
    ],
)
def test_states_open_again(name, options, thing):
    """What was fitted makes the same bags again from its state."""
    things = [PICTURE] if name == "patches" else TEXTS
    encoder = open_encoder(name, **options).fit(things)
    assert same(encoder, *encoder.state(), thing)


def test_the_stride_is_half_the_size():
    """Where only the size is said, patches overlap by half."""
    assert open_encoder("patches", size=32).get_params()["stride"] == 16


@pytest.mark.parametrize(
    ("name", "options", "told"),
    [
        ("tf-idf", {}, "There are: tfidf (texts"),
        ("tfidf:english", {}, "There are:"),
        ("transformers:", {}, "There are:"),
        ("tfidf", {"size": 8}, "size= came for the encoder tfidf"),
        ("patches", {"window": 2}, "window= came for the encoder patches"),
        ("patches", {"units": "word"}, "units='word' came for pictures"),
        ("tfidf", {"units": "chapter"}, "units='chapter' came"),
        ("none", {"dims": 3}, "It reads units=, window=, segment=."),
        ("torch:net.pt", {}, "torch:python:file.py:make()"),
    ],
)
def test_what_does_not_fit_is_refused(name, options, told):
    """Unknown names, options of other encoders, and units of other things, before any work."""
    with pytest.raises(InputError, match=re.escape(told)):
        open_encoder(name, **options)


# --- a function of one's own ----------------------------------------------------------------------

PLAIN = """
import numpy as np

def make():
    return lambda images: images[:, :, ::4, ::4].astype(np.float32) / 255

def flat():
    return lambda images: images.mean()

def two():
    return lambda images: {"a": images, "b": images}
"""
DEEP = """
import torch
from whence.adapters.features import feature_maps
from whence.adapters.torch import Normalise

def make():
    with torch.random.fork_rng():
        torch.manual_seed(SEED)
        net = torch.nn.Sequential(torch.nn.Conv2d(3, 6, 3, 4, 1), torch.nn.ReLU())
    return feature_maps(net, ["1"], preprocess=Normalise())
"""


class TestTorch:
    """Maps of a function in a file."""

    @pytest.fixture(autouse=True)
    def _torch(self):
        pytest.importorskip("torch")

    def test_places_become_a_grid(self, tmp_path):
        """One token per place, in rows; each pixel belongs to the place above it."""
        file = tmp_path / "plain.py"
        file.write_text(PLAIN)
        bag = open_encoder(f"torch:python:{file}:make()", neighbours=4).encode(PICTURE, "p")
        assert (bag.layout.height, bag.layout.width, bag.layout.neighbours) == (6, 8, 4)
        np.testing.assert_allclose(bag.tokens[9], PICTURE[4, 4] / 255, rtol=1e-6)
        assert bag.units.grid[5, 6] == 9
        assert bag.units[9] == "row 2, column 2"

    def test_layers_of_a_module_are_known_by_their_weights(self, tmp_path):
        """A file that makes another module is another encoder; the same, moved, is not."""
        file, other, moved = (tmp_path / name for name in ("a.py", "b.py", "c.py"))
        file.write_text(DEEP.replace("SEED", "0"))
        moved.write_text(DEEP.replace("SEED", "0") + "# moved\n")
        other.write_text(DEEP.replace("SEED", "1"))
        encoder = open_encoder(f"torch:python:{file}:make()")
        arrays, meta = encoder.state()
        assert encoder.encode(PICTURE).tokens.shape == (48, 6)
        assert same(encoder, arrays, meta, PICTURE, encoder.name)
        reopened(arrays, meta, name=f"torch:python:{moved}:make()")
        with pytest.raises(InputError, match="is not what the head was fitted on"):
            reopened(arrays, meta, name=f"torch:python:{other}:make()")

    def test_no_state_decides_which_code_runs(self, tmp_path):
        """A file that names code is not opened by itself; the code is not even imported."""
        file = tmp_path / "stranger.py"
        file.write_text("raise SystemExit('this ran')")
        for known in (f"torch:python:{file}:make()", "", "os:system"):
            with pytest.raises(InputError, match="name it yourself"):
                reopened({}, {"encoder": known, "options": {}})

    def test_another_source_is_another_encoder(self, tmp_path):
        """Of a plain function the file is what is known."""
        file, other = tmp_path / "d.py", tmp_path / "e.py"
        file.write_text(PLAIN)
        other.write_text(PLAIN.replace("255", "128"))
        arrays, meta = open_encoder(f"torch:python:{file}:make()").state()
        with pytest.raises(InputError, match="fit anew"):
            reopened(arrays, meta, name=f"torch:python:{other}:make()")

    @pytest.mark.parametrize(("make", "told"), [("flat", "gave shape ()"), ("two", "a, b")])
    def test_what_is_no_map_is_refused(self, tmp_path, make, told):
        """A number, and two layers at once."""
        from whence.errors import ShapeError

        file = tmp_path / f"{make}.py"
        file.write_text(PLAIN)
        with pytest.raises(ShapeError, match=re.escape(told)):
            open_encoder(f"torch:python:{file}:{make}()").encode(PICTURE)


# --- transformers ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Tiny models of random weights, as save_pretrained writes them."""
    pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    pytest.importorskip("PIL.Image")
    from adapters.transformers import tiny

    root = tmp_path_factory.mktemp("models")
    made = {
        "bert": tiny.made(transformers.BertForMaskedLM, tiny.bert_config(positions=24)),
        "vit": tiny.made(transformers.ViTForImageClassification, tiny.vit_config()),
        "clip": tiny.clip(),
    }
    for name, model in made.items():
        model.save_pretrained(root / name)
        if name != "vit":
            words = tiny.tokenizer(limit=24)
            words.model_input_names = ["input_ids", "attention_mask"]
            words.save_pretrained(root / name)
        if name != "bert":
            tiny.image_processor().save_pretrained(root / name)
    return root


class TestTransformers:
    """Hidden states of models."""

    def test_a_unit_is_the_mean_of_its_tokens(self, folders):
        """Equal to running the model by hand and averaging the tokens of each word."""
        import torch

        encoder = open_encoder(f"transformers:{folders / 'bert'}", units="word")
        text = "Anna lives in Paris !"
        bag = encoder.encode(text)
        assert bag.units.labels == ("Anna", "lives", "in", "Paris", "!")
        read = encoder.tokenizer(text, return_tensors="pt", return_offsets_mapping=True)
        with torch.inference_mode():
            states = encoder.model.bert(
                read["input_ids"], attention_mask=read["attention_mask"]
            ).last_hidden_state[0]
        for token, (start, end) in zip(bag.tokens, bag.units.spans, strict=True):
            own = [i for i, (s, e) in enumerate(read["offset_mapping"][0]) if start < e and s < end]
            mean = states[own].mean(0).numpy()
            np.testing.assert_allclose(token, mean / np.linalg.norm(mean), atol=1e-5)

    def test_a_long_text_goes_in_windows(self, folders):
        """Four times what the model reads: every word has a vector, of length 1."""
        encoder = open_encoder(f"transformers:{folders / 'bert'}", units="word", window=3)
        text = " ".join(["Anna lives in Paris with cats and dogs"] * 11)
        bag = encoder.encode(text)
        assert len(bag) == 88
        assert bag.layout == Sequence(3)
        np.testing.assert_allclose(np.linalg.norm(bag.tokens, axis=1), 1, rtol=1e-5)

    def test_a_token_counts_where_it_stands_farthest_from_an_edge(self):
        """Of windows over tokens 0 to 5 and 3 to 8, the first has those up to 4."""
        from whence.adapters._encode_texts import _central

        rows = np.arange(9)[:, None] + [0, 1]
        places = [rows[:6], rows[3:]]
        kept = [np.ones(6, bool), np.ones(6, bool)]
        first, second = _central(places, kept)
        assert first.tolist() == [True] * 5 + [False]
        assert second.tolist() == [False] * 2 + [True] * 4

    def test_another_layer_is_another_encoder(self, folders):
        """Layer 0 is the embeddings, which do not see what stands beside a word."""
        name = f"transformers:{folders / 'bert'}"
        encoder = open_encoder(name, units="word", layer=0)
        [one], [other] = (encoder.encode(text).tokens[:1] for text in ("Anna lives", "Anna has"))
        np.testing.assert_allclose(one, other, atol=1e-6)
        last = open_encoder(name, units="word")
        [one], [other] = (last.encode(text).tokens[:1] for text in ("Anna lives", "Anna has"))
        assert np.abs(one - other).max() > 0.01
        assert encoder.identity != last.identity
        with pytest.raises(InputError, match=re.escape("the model has 0 to 2")):
            open_encoder(name, layer=9).encode(TEXT)

    def test_patches_become_a_grid(self, folders):
        """The class token is left out, and each state lies on its own patch."""
        import torch

        encoder = open_encoder(f"transformers:{folders / 'vit'}")
        bag = encoder.encode(PICTURE)
        assert isinstance(bag.layout, Grid)
        assert (bag.layout.height, bag.layout.width) == (4, 4)
        assert bag.units.grid.shape == (24, 32)
        assert bag.units.grid[7, 31] == 4 + 3
        given = encoder._read(PICTURE)
        assert given.shape == (1, 3, 16, 16)
        with torch.inference_mode():
            states = encoder.model.vit(pixel_values=given).last_hidden_state[0, 1:].numpy()
        states /= np.linalg.norm(states, axis=1, keepdims=True)
        np.testing.assert_allclose(bag.tokens, states, atol=1e-5)

    def test_a_model_of_both_must_be_told_which(self, folders):
        """CLIP reads texts by one part and pictures by the other, whole and not cropped."""
        name = f"transformers:{folders / 'clip'}"
        with pytest.raises(InputError, match="units='patch' or 'sentence'"):
            open_encoder(name)
        assert open_encoder(name, units="patch").encode(PICTURE).layout.size == 16
        assert open_encoder(name, units="word").encode("Anna lives").tokens.shape == (2, 16)

    def test_a_head_reopens_its_model_and_no_other(self, folders, tmp_path):
        """From name and identity; a folder that moved may be named, one that changed is refused."""
        import torch
        from safetensors.torch import load_file, save_file

        encoder = open_encoder(f"transformers:{folders / 'bert'}", units="sentence")
        arrays, meta = encoder.fit(TEXTS).state()
        assert same(encoder, arrays, meta, TEXT)
        moved = shutil.copytree(folders / "bert", tmp_path / "moved")
        reopened(arrays, meta, name=f"transformers:{moved}")
        weights = load_file(moved / "model.safetensors")
        weights = {key: one + torch.tensor(1e-3, dtype=one.dtype) for key, one in weights.items()}
        save_file(weights, moved / "model.safetensors", {"format": "pt"})
        with pytest.raises(InputError, match="is not what the head was fitted on"):
            reopened(arrays, meta, name=f"transformers:{moved}")
        with pytest.raises(InputError, match="is not what the head was fitted on"):
            reopened(arrays, {**meta, "options": {"layer": 0}})

    @pytest.mark.parametrize(
        ("model", "options", "told"),
        [
            ("bert", {"neighbours": 4}, "neighbours= came"),
            ("vit", {"window": 2}, "window= came"),
            ("bert", {"units": "chapter"}, "units='chapter' came"),
            ("bert", {"dtype": "int8"}, "dtype='int8'"),
        ],
    )
    def test_options_of_the_other_kind_are_refused(self, folders, model, options, told):
        """Windows for pictures, neighbours for texts, unknown units and precisions."""
        with pytest.raises(InputError, match=re.escape(told)):
            open_encoder(f"transformers:{folders / model}", **options)

    def test_no_text_is_refused(self, folders):
        """An empty text, and a picture where a text is read, by their name."""
        encoder = open_encoder(f"transformers:{folders / 'bert'}")
        for thing in (" ", PICTURE):
            with pytest.raises(InputError, match=re.escape("a.txt is no text")):
                encoder.encode(thing, "a.txt")


@pytest.mark.skipif(not STORIES.exists(), reason="../shared/data/stories260K is absent")
def test_a_language_model_sees_what_stands_before():
    """A sentence has one vector whatever follows, another after other words; long texts go too."""
    pytest.importorskip("transformers")
    encoder = open_encoder(f"transformers:{STORIES}")
    calm = "Lily went to the park. She saw a big tree. She was happy."
    angry = "Lily went to the park. The dog was very angry. She was happy."
    one, other = (encoder.encode(text).tokens for text in (calm, angry))
    assert one.shape == other.shape == (3, 64)
    np.testing.assert_allclose(one[0], other[0], atol=1e-5)
    assert one[2] @ other[2] < 0.999
    names = ("Tom", "Sue", "Ben", "Mia")
    texts = [text.replace("Lily", name) for name in names for text in (calm, angry)]
    bags = [encoder.encode(text) for text in texts]
    assert Prospector(k=4, r=0, cv=0).fit(bags, [0, 1] * 4).score(bags, [0, 1] * 4) == 1
    long = encoder.encode(" ".join([calm] * 60))
    assert len(long) == 180
    assert np.isfinite(long.tokens).all()
