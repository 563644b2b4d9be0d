"""Facts about the encoders without a model: texts, pictures, names, and their states."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of
from sklearn.base import clone

from whence.errors import InputError
from whence.prospectors import Sequence
from whence.prospectors._segments import PATTERNS, segment
from whence.prospectors.encoders import (
    Encoder,
    NoEncoder,
    PatchEncoder,
    Rule,
    TextEncoder,
    identity_of,
    restored,
)
from whence.units import Units

RNG = np.random.default_rng(0)
ANIMALS = ["the cat chased a mouse", "a dog barked", "the cat and the dog slept", "mouse and cat"]
MONEY = ["the bank paid a loan", "a loan and a credit", "the bank gave credit", "credit and loan"]
TEXTS = [". ".join(RNG.choice(ANIMALS if i % 2 else MONEY, 4).tolist()) + "." for i in range(40)]


def picture(height=20, width=28, channels=3, seed=0):
    """Bytes of noise."""
    shape = (height, width, channels) if channels > 1 else (height, width)
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)


# --- cutting --------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(text=st.text(alphabet="ab .!?\n\"'()\t3", max_size=60), kind=st.sampled_from([*PATTERNS]))
def test_units_cover_the_text(text, kind):
    """Units are in order, lie where they say, begin and end with no space, and leave only space."""
    units = segment(text, kind)
    left = text
    last = 0
    for label, (start, end) in zip(units.labels, units.spans, strict=True):
        assert last <= start < end
        assert text[start:end] == label == label.strip()
        left = left[:start] + " " * (end - start) + left[end:]
        last = end
    assert not left.strip()


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("letter", ["N", "o", ".", "Y", "e", "s"]),
        ("word", ["No.", "Yes"]),
        ("sentence", ["No.", "Yes"]),
        ("line", ["No.", "Yes"]),
        ("paragraph", ["No.\nYes"]),
    ],
)
def test_each_kind_cuts_as_it_says(kind, expected):
    """Letters, words, lines, sentences and paragraphs of a text of two lines."""
    assert list(segment("No.\nYes", kind).labels) == expected


def test_a_stop_inside_a_number_ends_no_sentence():
    """Neither a decimal point nor a stop before a closing quotation mark cuts."""
    found = segment('It cost 3.50 "or so." Then it rose!', "sentence")
    assert found.labels == ('It cost 3.50 "or so."', "Then it rose!")


# --- texts ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("units", ["sentence", "word", "line", "paragraph"])
def test_a_text_becomes_a_sequence_of_vectors(units):
    """One vector per unit, of length 1, on a sequence with the window that was asked for."""
    bag = TextEncoder(units, dims=5, window=2).fit(TEXTS).encode(TEXTS[0], "first")
    assert bag.tokens.shape == (len(bag.units), 5)
    np.testing.assert_allclose(np.linalg.norm(bag.tokens, axis=1), 1, rtol=1e-5)
    assert bag.layout == Sequence(2)
    assert bag.name == "first"
    assert bag.units.text == TEXTS[0]


@pytest.mark.parametrize("units", ["sentence", "word"])
def test_what_stands_together_lies_together(units):
    """Units about animals are nearer to each other than to units about money."""
    encoder = TextEncoder(units, dims=6).fit(TEXTS)
    near, same, far = (encoder.encode(one).tokens[-1] for one in ("a dog", "a cat", "a credit"))
    assert near @ same > near @ far + 0.1


def test_sentences_equal_a_pipeline_of_scikit_learn():
    """TF-IDF, truncated SVD and length 1 by hand give the same vectors."""
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.preprocessing import normalize

    encoder = TextEncoder(dims=4, min_df=2, seed=3).fit(TEXTS)
    counter = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True)
    units = [label for text in TEXTS for label in segment(text, "sentence").labels]
    table = counter.fit_transform(units)
    reduced = TruncatedSVD(4, random_state=3).fit(table)
    own = segment(TEXTS[1], "sentence").labels
    expected = normalize(reduced.transform(counter.transform(own)))
    np.testing.assert_allclose(encoder.encode(TEXTS[1]).tokens, expected, atol=1e-5)


def test_mutual_information_of_words_is_that_of_its_definition():
    """Counts within four words and positive log ratios, counted one by one, are equal."""
    from whence.prospectors._texts import _mutual, _together

    texts = [["a", "b", "c", "a", "d", "b"], ["b", "a"]]
    places = {word: i for i, word in enumerate("abc")}
    expected = np.zeros((3, 3))
    for text in texts:
        for i, one in enumerate(text):
            for j, other in enumerate(text):
                if i != j and abs(i - j) <= 4 and one in places and other in places:
                    expected[places[one], places[other]] += 1
    counted = _together(texts, places)
    np.testing.assert_array_equal(counted.toarray(), expected)
    context = expected.sum(0) ** 0.75
    shares = expected.sum(1)[:, None] * context / context.sum()
    with np.errstate(divide="ignore"):
        information = np.maximum(np.log(expected / shares), 0)
    np.testing.assert_allclose(_mutual(counted).toarray(), information)


def test_a_word_is_known_without_its_case_and_punctuation():
    """The vector of "cat" is also that of "Cat!"; a word that was never met has none, and is 0."""
    tokens = TextEncoder("word").fit(TEXTS).encode("cat Cat! zebra").tokens
    np.testing.assert_array_equal(tokens[0], tokens[1])
    assert tokens[0].any()
    assert not tokens[2].any()


def test_the_same_texts_and_seed_give_the_same_vectors():
    """Two fits are equal, whether the texts come as a list or one by one."""
    one = TextEncoder(seed=1).fit(TEXTS).encode(TEXTS[0]).tokens
    other = TextEncoder(seed=1).fit(iter(TEXTS)).encode(TEXTS[0]).tokens
    np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("make", "texts", "told"),
    [
        (TextEncoder, "one text", "put it in a list"),
        (lambda: TextEncoder("letter"), TEXTS, "NoEncoder"),
        (TextEncoder, [*TEXTS, "  "], "no sentence in it"),
        (TextEncoder, [*TEXTS, 3], "a int"),
        (lambda: TextEncoder(min_df=1000), TEXTS, "Lower min_df"),
        (lambda: TextEncoder("word", min_df=1000), TEXTS, "Lower min_df"),
    ],
)
def test_texts_that_cannot_be_learned_are_refused(make, texts, told):
    """One text, letters, nothing but space, no text, and terms that are never met often enough."""
    with pytest.raises(InputError, match=told):
        make().fit(texts)


# --- pictures -------------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    size=st.sampled_from([4, 8, 16]),
    part=st.integers(1, 4),
    channels=st.sampled_from([1, 3]),
)
def test_patches_equal_their_definition(height, width, size, part, channels):
    """Cell means and deviations by integral images equal those of each mirrored patch, cut out."""
    from whence.prospectors._patches import _padded, _statistics

    stride = max(1, size * part // 4)
    colours = picture(height, width, channels).reshape(height, width, channels) / 255
    cells, deviations = _statistics(colours, size, stride)
    padded = _padded(colours, size, stride)
    assert cells.shape[:2] == (-(-height // stride), -(-width // stride))
    for r, c in np.ndindex(cells.shape[:2]):
        patch = padded[r * stride :, c * stride :][:size, :size]
        grouped = patch.reshape(4, size // 4, 4, size // 4, channels)
        np.testing.assert_allclose(cells[r, c], grouped.mean((1, 3)).ravel(), atol=1e-12)
        np.testing.assert_allclose(deviations[r, c], patch.std((0, 1)), atol=2e-5)


def test_a_patch_lies_on_its_own_pixels():
    """There is a patch for every stride, and the units say which pixels are nearest to it."""
    bag = PatchEncoder(size=8, stride=4).fit([picture()]).encode(picture())
    assert (bag.layout.height, bag.layout.width) == (5, 7)
    assert len(bag) == 35
    assert bag.units.grid.shape == (20, 28)
    assert bag.units.grid[4, 27] == 7 + 6
    assert bag.units[7 + 6] == "row 2, column 7"


def test_directions_are_those_of_scikit_learn():
    """The PCA of streamed sums equals scikit-learn's of all patches at once, but for signs."""
    from sklearn.decomposition import PCA

    from whence.prospectors._patches import CONTRAST, _statistics

    pictures = [picture(seed=s) for s in range(3)]
    encoder = PatchEncoder(8, 4, dims=6).fit(iter(pictures))
    rows = []
    for one in pictures:
        cells, deviations = _statistics(one / 255, 8, 4)
        rows.append(np.concatenate([cells, CONTRAST * deviations], 2).reshape(-1, 51))
    known = PCA(6, svd_solver="full").fit(np.concatenate(rows))
    expected = known.transform(rows[1])
    found = encoder.encode(pictures[1]).tokens
    signs = np.sign((expected * found).sum(0))
    np.testing.assert_allclose(found * signs, expected, atol=1e-5)


@pytest.mark.parametrize(("drop", "left"), [("", 36), ("zero", 28), ("constant", 6)])
def test_blank_patches_become_holes(drop, left):
    """Black patches are left out by "zero", those of any one colour by "constant"."""
    image = np.zeros((24, 24, 3), np.uint8)
    image[:, 8:] = 77
    image[8:16, 8:20] = picture(8, 12)
    image[16:, :8] = 9
    bag = PatchEncoder(4, 4, drop=drop).fit([image]).encode(image)
    assert len(bag) == len(bag.units) == bag.layout.size == left
    assert (bag.units.grid == -1).any() == bool(drop)


def test_a_grey_picture_is_read_as_colour():
    """A head of colour pictures reads a grey one as three equal channels."""
    encoder = PatchEncoder(8, 4).fit([picture()])
    grey = picture(channels=1)
    colour = np.repeat(grey[..., None], 3, axis=2)
    np.testing.assert_array_equal(encoder.encode(grey).tokens, encoder.encode(colour).tokens)


@pytest.mark.parametrize(
    ("options", "image", "told"),
    [
        ({"size": 6}, picture(), "multiple of 4"),
        ({"stride": 17}, picture(), "from 1 to size"),
        ({"drop": "white"}, picture(), "'zero' or 'constant'"),
        ({"dims": 0}, picture(), "at least 1"),
        ({}, picture(channels=4), "without transparency"),
        ({}, picture().astype(np.uint16), "uint16"),
        ({}, np.full((9, 9), np.nan), "nan or inf"),
        ({"drop": "zero"}, np.zeros((9, 9), np.uint8), "not blank"),
    ],
)
def test_pictures_that_cannot_be_learned_are_refused(options, image, told):
    """Sizes that do not fit, four channels, sixteen bits, nan, and nothing but holes."""
    with pytest.raises(InputError, match=told):
        PatchEncoder(**options).fit([image])


def test_pictures_of_other_channels_are_refused():
    """Colour after grey, in fit and in encode, and a picture that is all holes."""
    with pytest.raises(InputError, match="picture 1 has 3 channels, and the first 1"):
        PatchEncoder().fit([picture(channels=1), picture()])
    encoder = PatchEncoder(drop="zero").fit([picture(channels=1)])
    with pytest.raises(InputError, match=re.escape("scan.png has 3 channels; learned from 1")):
        encoder.encode(picture(), "scan.png")
    with pytest.raises(InputError, match="nothing but holes"):
        encoder.encode(np.zeros((20, 20), np.uint8))


# --- names ----------------------------------------------------------------------------------------


def test_letters_are_their_own_tokens():
    """A protein's residues are its categories."""
    bag = NoEncoder().encode("MKV LA")
    assert bag.tokens.tolist() == list("MKVLA")
    assert bag.units.spans[3] == (4, 5)


def test_words_are_counted_small_and_shown_as_they_stand():
    """The category has no capital and no comma; the unit keeps both."""
    bag = NoEncoder("word", window=3).encode("Well, well...")
    assert bag.tokens.tolist() == ["well", "well"]
    assert bag.units.labels == ("Well,", "well...")
    assert bag.layout == Sequence(3)


@pytest.mark.parametrize("thing", [["C", "N", "C"], RNG.normal(size=(3, 2))])
def test_what_needs_no_encoder_stays(thing):
    """Names and vectors are the tokens as they came, under the name that is given."""
    bag = NoEncoder().encode(thing, "seven")
    np.testing.assert_array_equal(bag.tokens, np.asarray(thing))
    assert bag.name == "seven"


def test_sentences_as_categories_are_refused():
    """No two sentences are alike, so they are no categories."""
    with pytest.raises(InputError, match="TextEncoder"):
        NoEncoder("sentence").encode("One. Two.")


# --- states ---------------------------------------------------------------------------------------


def halves(text):
    """A rule of one's own: the two halves of a text."""
    middle = len(text) // 2
    return Units((text[:middle], text[middle:]), ((0, middle), (middle, len(text))), text, "half")


@pytest.mark.parametrize(
    ("encoder", "things"),
    [
        (TextEncoder(dims=5), TEXTS),
        (TextEncoder("word", window=4), TEXTS),
        (PatchEncoder(8, 4, drop="constant", neighbours=4), [picture()]),
        (NoEncoder("word", window=2), TEXTS),
    ],
    ids=["sentences", "words", "patches", "names"],
)
def test_a_state_makes_the_same_encoder_again(encoder, things):
    """Through plain JSON and arrays: equal bags, equal state, equal identity; and no pickle."""
    fitted = clone(encoder).fit(things)
    assert isinstance(fitted, Encoder)
    arrays, meta = fitted.state()
    again = restored(arrays, json.loads(json.dumps(meta)))
    one, other = fitted.encode(things[0]), again.encode(things[0])
    np.testing.assert_array_equal(one.tokens, other.tokens)
    assert one.units == other.units
    assert again.get_params() == fitted.get_params()
    assert identity_of(*again.state()) == identity_of(arrays, meta)


def test_identities_differ_where_anything_does():
    """Another seed, unit, number or texts make another identity."""
    states = [
        TextEncoder(dims=5).fit(TEXTS).state(),
        TextEncoder(dims=4).fit(TEXTS).state(),
        TextEncoder("word", dims=5).fit(TEXTS).state(),
        TextEncoder(dims=5).fit(TEXTS[:30]).state(),
        NoEncoder().state(),
    ]
    assert len({identity_of(*state) for state in states}) == len(states)


def test_a_rule_of_ones_own_must_be_given_again():
    """A state names a Rule, cannot keep a function, and takes only what it was fitted with."""
    rule = Rule("halves", halves)
    arrays, meta = TextEncoder(segment=rule, dims=3).fit(TEXTS).state()
    assert meta["rule"] == "halves"
    assert len(restored(arrays, meta, rule).encode(TEXTS[0])) == 2
    for other in (None, halves, Rule("thirds", halves)):
        with pytest.raises(InputError, match="give the one it was fitted with"):
            restored(arrays, meta, other)
    assert TextEncoder(segment=halves, dims=3).fit(TEXTS).state()[1]["rule"] == "given"


@pytest.mark.parametrize("part", ["options", "vectors", "terms"])
def test_a_damaged_state_is_refused(part):
    """An option that does not exist, an array or a list that is missing: by name, not by chance."""
    arrays, meta = TextEncoder(dims=3).fit(TEXTS).state()
    if part == "options":
        meta["options"]["colour"] = "red"
    (arrays if part == "vectors" else meta).pop(part if part != "options" else "version", None)
    with pytest.raises(InputError, match="the state of the encoder tfidf cannot be read"):
        restored(arrays, meta)


def test_a_state_of_another_encoder_is_refused():
    """The message says where such an encoder is opened."""
    with pytest.raises(InputError, match=re.escape("whence.adapters.encoders.reopened")):
        restored({}, {"encoder": "transformers:bert"})


@settings(max_examples=20, deadline=None)
@given(
    image=arrays_of.arrays(
        np.uint8, arrays_of.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=30)
    )
)
def test_any_grey_picture_becomes_finite_tokens(image):
    """Whatever the size and the pixels, there is a finite vector for every patch."""
    bag = PatchEncoder(8, 8).fit([picture(channels=1)]).encode(image)
    assert np.isfinite(bag.tokens).all()
    assert bag.units.grid.max() == len(bag) - 1
