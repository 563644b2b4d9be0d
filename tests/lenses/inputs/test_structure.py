"""Holds tests of documents, separators and JSON fields as units."""

from __future__ import annotations

import gzip
import json
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from whence.errors import InputError
from whence.lenses.inputs.render import rendering
from whence.lenses.inputs.segment import segment
from whence.lenses.inputs.structure import documents, inside

DATA = Path(__file__).parents[4] / "shared" / "data"

TAGGED = """Answer from these.
<documents>
<document index="1">
<source>a.txt</source>
The sky is blue. It is high.
</document>
<document index="2">Grass is green.</document>
</documents>
What is blue?"""

HEADED = """Use only the search results.

Document [1](Title: Sky (air)) The sky is blue. It is high.
Document [2](Title: Grass) Grass is green.

Question: what is blue?
Answer:"""

KEYS = st.text(alphabet='ab"\\{},: é', max_size=3)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(alphabet='x"\\[]{},:\n\u2028', max_size=4)
)


class Pairs(list):
    """The members of a JSON object, which may repeat a key."""


def members(inner):
    """JSON objects with repeated keys."""
    return st.lists(st.tuples(KEYS, inner), max_size=4).map(Pairs)


VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4) | members(inner))
CONTAINERS = st.lists(VALUES, min_size=1, max_size=4) | members(VALUES).filter(len)


def written(value, space):
    """A value as JSON, `space` around every mark."""
    if isinstance(value, Pairs):
        inner = [f"{json.dumps(key)}{space}:{space}{written(v, space)}" for key, v in value]
    elif isinstance(value, list):
        inner = [written(v, space) for v in value]
    else:
        return json.dumps(value)
    opening, closing = "{}" if isinstance(value, Pairs) else "[]"
    return f"{opening}{space}{f'{space},{space}'.join(inner)}{space}{closing}"


def without(value, kept):
    """A value without the leaf fields that `kept`, an iterator of booleans, says no to."""
    if not isinstance(value, list):
        return value
    left = type(value)()
    for member in value:
        inner = member[1] if isinstance(value, Pairs) else member
        if isinstance(inner, list) and inner:
            inner = without(inner, kept)
        elif not next(kept):
            continue
        left.append((member[0], inner) if isinstance(value, Pairs) else inner)
    return left


def texts_of(cut, rows):
    """What dropping makes of a cut text, for each row of presences."""
    return rendering(cut, "drop").render(np.array(rows, dtype=bool))


# --- JSON


@given(value=CONTAINERS, space=st.sampled_from(["", " ", "\n  "]), data=st.data())
def test_every_mask_of_json_is_the_same_object_without_those_fields(value, space, data):
    """Nested, with repeated keys, escapes and any spacing: what is left parses to the rest."""
    text = written(value, space)
    cut = segment(text, "json")
    n = len(cut.units)
    kept = data.draw(st.lists(st.booleans(), min_size=n, max_size=n))
    left = texts_of(cut, [kept])[0]
    assert repr(json.loads(left, object_pairs_hook=Pairs)) == repr(without(value, iter(kept)))


@given(value=CONTAINERS, space=st.sampled_from(["", " ", "\n  "]))
def test_all_fields_are_the_exact_json_text(value, space):
    """Spans are in order, apart, without whitespace at their edges, and nothing is rewritten."""
    text = written(value, space)
    cut = segment(text, "json")
    assert texts_of(cut, [[True] * len(cut.units)]) == [text]
    at = 0
    for start, end in cut.units.spans:
        assert at <= start < end
        assert text[start:end] == text[start:end].strip()
        at = end


def test_fields_are_named_by_their_path():
    """A reader sees which field of which element a unit is."""
    cut = segment('{"user": {"name": "Ann"}, "items": [{"price": 5}, {"price": 7}, []]}', "json")
    assert cut.units.labels == (
        'user.name: "Ann"',
        "items[0].price: 5",
        "items[1].price: 7",
        "items[2]: []",
    )
    assert cut.units.kind == "field"


def test_containers_stay_when_they_are_emptied():
    """What is dropped is the fields, and not what they were in."""
    cut = segment('{"a": [1, 2], "b": {"c": 3}}', "json")
    assert texts_of(cut, [[False] * 3]) == ['{"a": [], "b": {}}']


def test_a_pinned_field_is_always_there():
    """Its commas come and go with its neighbours."""
    cut = segment('{"a": 1, "b": 2, "c": 3}', "json", pin=['"b": 2'])
    assert texts_of(cut, [[0, 0], [1, 0], [0, 1]]) == [
        '{"b": 2}',
        '{"a": 1, "b": 2}',
        '{"b": 2, "c": 3}',
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{'a': 1}", "not JSON .*Expecting property name"),
        ('{"a": 1} and more', "not JSON .*Extra data"),
        ("17", "a bare int; an object or array"),
        ("[" * 101 + "1" + "]" * 101, "nested deeper than 100"),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_what_is_no_json_is_refused(text, message):
    """The message says what is wrong, or how deep is too deep."""
    with pytest.raises(InputError, match=message):
        segment(text, "json")


def test_a_real_record_of_75_keys():
    """Key-value retrieval of "lost in the middle": every key is a unit, every mask parses."""
    path = DATA / "lost_in_middle" / "kv_retrieval_data" / "kv-retrieval-75_keys.jsonl.gz"
    if not path.exists():
        pytest.skip("shared/data/lost_in_middle is not here")
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        pairs = json.loads(next(lines))["ordered_kv_records"]
    cut = segment(json.dumps(dict(pairs), indent=1), "json")
    kept = np.random.default_rng(0).random((50, 75)) < 0.5
    for row, text in zip(kept, texts_of(cut, kept), strict=True):
        assert list(json.loads(text).items()) == [
            tuple(p) for p, here in zip(pairs, row, strict=True) if here
        ]


# --- documents


def test_documents_in_tags():
    """The outermost tags are units, whole; what is outside stays."""
    cut = segment(TAGGED, "document")
    assert [cut.units.text[a:b] for a, b in cut.units.spans] == [
        '<document index="1">\n<source>a.txt</source>\nThe sky is blue. It is high.\n</document>',
        '<document index="2">Grass is green.</document>',
    ]
    assert texts_of(cut, [[0, 0], [0, 1]]) == [
        "Answer from these.\n<documents>\n</documents>\nWhat is blue?",
        'Answer from these.\n<documents>\n<document index="2">Grass is green.</document>\n'
        "</documents>\nWhat is blue?",
    ]


def test_documents_below_headings():
    """A document goes up to the next heading, the last one up to a blank line."""
    cut = segment(HEADED, "document")
    assert cut.units.labels == (
        "Document [1](Title: Sky (air)) The sky is blue. It is high.",
        "Document [2](Title: Grass) Grass is green.",
    )
    assert texts_of(cut, [[0, 1]])[0].startswith(
        "Use only the search results.\n\nDocument [2](Title: Grass) Grass is green.\n\nQuestion:"
    )


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("[1] The sky.\n[2] The sea.\n\nQ: what?", "[1] The sky."),
        ("Passage 1: The sky.\n\nPassage 2: The sea.\n\nQ: what?", "Passage 1: The sky."),
        ("Doc #1 (Title: T)\nThe sky.\nDoc #2\nThe sea.", "Doc #1 (Title: T)\nThe sky."),
        ("<doc>a <doc>b</doc></doc> <DOC id=2>c</DOC>", "<doc>a <doc>b</doc></doc>"),
        ("Document [1]\n\nThe sky.\n\nDocument [2]\n\nThe sea.\n\nQ:", "Document [1]\n\nThe sky."),
    ],
)
def test_the_ways_documents_are_written(text, first):
    """Numbered, named, tagged in either case, headings on their own line."""
    cut = segment(text, "document")
    assert len(cut.units) == 2
    assert text[slice(*cut.units.spans[0])] == first


@pytest.mark.parametrize(
    "text",
    [
        "No documents here. See [1] and [2].",
        "[3] third\n[1] first",
        "[1] alone",
        "<doc>never closed",
        "<document></document>",
        "documents 1 and 2",
    ],
)
def test_a_text_without_documents_is_refused(text):
    """Nothing is guessed; the message says what would be recognised, and the other ways."""
    with pytest.raises(InputError, match=r"no document that can be recognised.*split:---.*parts="):
        segment(text, "document")


@pytest.mark.parametrize(
    ("document", "title", "body"),
    [
        ("<doc id=1>\n a b \n</doc>", None, "a b"),
        ("Document [1](Title: T) a b", "(Title: T)", "a b"),
        ("Passage 2 (title: T (u)): a b", "(title: T (u)):", "a b"),
        ("[3] a b", None, "a b"),
        ("a b", None, "a b"),
        ("Document [1](Title: T)", None, "Document [1](Title: T)"),
    ],
)
def test_the_inside_of_a_document(document, title, body):
    """Without its tags or number; all of it where it has neither, or nothing else."""
    named, own = inside(document)
    assert (named and document[slice(*named)], document[slice(*own)]) == (title, body)


def test_real_prompts_of_ten_documents():
    """HotpotQA contexts as "lost in the middle" writes them are cut into their ten documents."""
    path = DATA / "hotpot100" / "hotpot100.jsonl"
    if not path.exists():
        pytest.skip("shared/data/hotpot100 is not here")
    for line in path.read_text(encoding="utf-8").splitlines()[:30]:
        row = json.loads(line)
        bodies = ["".join(s).strip() for s in row["context"]["sentences"]]
        heads = [f"Document [{i}](Title: {t})" for i, t in enumerate(row["context"]["title"], 1)]
        written = [f"{head} {body}" for head, body in zip(heads, bodies, strict=True)]
        text = "Answer.\n\n" + "\n".join(written) + f"\n\nQuestion: {row['question']}\nAnswer:"
        cut = documents(text)
        assert [text[a:b] for a, b in cut.spans] == written


@given(text=st.text(alphabet="[]()12 \n:<>/docs"))
def test_any_text_has_documents_or_is_refused(text):
    """Spans are in order, apart and hold text, or the text is refused by name."""
    try:
        cut = documents(text)
    except InputError:
        return
    at = 0
    for start, end in cut.spans:
        assert at <= start < end
        assert text[start:end] == text[start:end].strip()
        at = end


# --- separators


def test_parts_between_separators():
    r"""Dropping a part takes one separator along; `\n` may be written out."""
    cut = segment("one\n---\ntwo\n---\nthree", "split:---")
    assert cut.units.labels == ("one", "two", "three")
    assert texts_of(cut, [[1, 0, 1], [0, 0, 1], [0, 0, 0]]) == ["one\n---\nthree", "three", ""]
    assert segment("a|b\n\nc", r"split:\n\n").units.labels == ("a|b", "c")


@pytest.mark.parametrize(("units", "said"), [("split:", "nothing"), ("split:###", "'###'")])
def test_a_separator_that_is_not_there_is_refused(units, said):
    """No separator, or one that the text does not hold."""
    with pytest.raises(InputError, match=f"units='split:' came with {said}"):
        segment("a b", units)


@pytest.mark.parametrize("units", ["document", "split:###", "json"])
def test_long_texts_of_structure_are_cut_at_once(units):
    """Ten thousand units take a fraction of a second of work."""
    record = json.dumps({f"k{i}": i for i in range(10_000)})
    prompt = "\n###\n".join(f"<doc>text {i}</doc>" for i in range(10_000))
    began = time.process_time()
    cut = segment(record if units == "json" else prompt, units)
    assert time.process_time() - began < 2
    assert len(cut.units) == 10_000
