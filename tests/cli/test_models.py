"""Facts about `whence explain --model`: other models, other inputs, and what is refused."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from tools.tree import ROOT
from whence.cli.forecast import lanes_used
from whence.scoring import Facts

STORIES = ROOT.parent / "shared" / "data" / "stories260K" / "hf"
REVIEW = """The film opens with a long and lovely shot of the sea.

The music is by nobody you know, and the lights are dim. The seats were fine.

But the story is dull. The actors never once look awake. I left before the end.
"""

#: A module of the user's: a model of texts and one of pictures.
OWN = '''
import numpy as np

def shouts(texts):
    """How loud texts are."""
    return [float(t.count("!")) for t in texts]

def bright(images):
    """Dark and bright: class scores of pictures by their mean."""
    mean = np.array([np.asarray(image).mean() for image in images]) / 255
    return np.stack([1 - mean, mean], axis=1)
'''


FRAIL = """
from whence.scoring import Facts

class Frail:
    facts = Facts(name="frail", identity="frail-1", scores="values", batch=4)
    asked = 0

    def __call__(self, texts):
        self.asked += len(texts)
        if self.asked > 30:
            raise RuntimeError("worn out")
        return [float(len(t)) for t in texts]

frail = Frail()
"""


@pytest.fixture
def own(tmp_path):
    """A file of functions in the current folder."""
    (tmp_path / "own.py").write_text(OWN)
    return "python:own.py:"


def document(done):
    """What a command printed as JSON, after checking that it went well."""
    assert done.exit_code == 0, done.stderr
    return json.loads(done.stdout)


def values(found):
    """The value of each unit, in their order."""
    return [term["value"][0] for term in found["attributions"]["terms"]]


def test_a_function_of_the_users_own(call, own):
    """`--model python:file.py:name` explains what a plain function says."""
    found = document(
        call("explain", "hey! you! there", "--model", f"{own}shouts", "--format", "json")
    )
    assert found["fidelity"]["exact"]
    assert values(found) == pytest.approx([1, 1, 0])


def test_the_users_folder_is_not_left_on_the_path(call, own):
    """The working directory is importable for that import only."""
    before = list(sys.path)
    call("explain", "hey! you!", "--model", f"{own}shouts")
    assert sys.path == before


def test_a_picture(call, own, tmp_path):
    """`--image` explains a picture by patches, the predicted class by default."""
    image = pytest.importorskip("PIL.Image")
    pixels = np.zeros((32, 32, 3), np.uint8)
    pixels[:16, :16] = 255
    image.fromarray(pixels).save(tmp_path / "corner.png")
    found = document(
        call(
            "explain",
            *("--image", "corner.png", "--units", "patches:2", "--absent", "constant:0"),
            *("--model", f"{own}bright", "--labels", "dark,bright", "--output", "bright"),
            *("--scores", "probabilities", "--link", "probability", "--format", "json"),
        )
    )
    assert values(found) == pytest.approx([0.25, 0, 0, 0], abs=1e-6)


def test_a_row_of_a_table(call, tmp_path):
    """`--table --row` explains a row by columns, against the table's other rows."""
    skops = pytest.importorskip("skops.io")
    pandas = pytest.importorskip("pandas")
    from sklearn.linear_model import LinearRegression

    rng = np.random.default_rng(0)
    table = pandas.DataFrame(rng.normal(size=(50, 3)), columns=["age", "rooms", "noise"])
    model = LinearRegression().fit(table, 2 * table["age"] - table["rooms"])
    skops.dump(model, tmp_path / "model.skops")
    table.to_csv(tmp_path / "rows.csv", index=False)
    found = document(
        call(
            "explain", "--model", "model.skops", "--table", "rows.csv", "--row", "7",
            "--size", "50", "--format", "json",
        )
    )  # fmt: skip
    row, mean = table.iloc[7], table.mean()
    expected = [2 * (row["age"] - mean["age"]), -(row["rooms"] - mean["rooms"]), 0]
    assert values(found) == pytest.approx(expected, abs=1e-6)


def test_a_group_that_comes_twice_is_refused(call, tmp_path):
    """Two --group of one name are refused: the first would be lost."""
    pytest.importorskip("skops")
    (tmp_path / "rows.csv").write_text("a,b,c\n1,2,3\n4,5,6\n")
    (tmp_path / "own.py").write_text("def score(rows):\n    return [0.0] * len(rows)\n")
    done = call(
        "explain", "--model", "python:own.py:score", "--table", "rows.csv",
        "--group", "x=a", "--group", "x=b",
    )  # fmt: skip
    assert done.exit_code == 2
    assert "--group x=... came twice" in done.stderr


@pytest.mark.parametrize(
    ("timed", "lanes", "lane", "used"),
    [(8, 1, 1, 1), (8, 32, 1, 7), (8, 4, 1, 4), (8, 4, 64, 1), (8, 4, 3, 3), (1, 4, 1, 1)],
)
def test_a_forecast_knows_how_many_calls_go_at_once(timed, lanes, lane, used):
    """The timed calls fill as many lanes as they can; the first of them is not timed."""
    assert lanes_used(timed, Facts(lanes=lanes, lane=lane)) == used


@pytest.mark.usefixtures("model")
def test_refine_opens_what_matters(call, tmp_path):
    """`--refine` explains paragraphs, then the sentences of some, within the budget."""
    (tmp_path / "review.txt").write_text(REVIEW)
    done = call(
        "explain", "--file", "review.txt", "--units", "paragraph", "--refine", "sentence",
        "--budget", "150", "--format", "json",
    )  # fmt: skip
    found = document(done)
    assert "opened, being told from zero" in done.stderr
    assert "But the story is dull." in [unit["label"] for unit in found["units"]]
    assert found["cost"]["calls"] <= 150


def test_refine_of_every_class_keeps_them_all(call, tmp_path):
    """`--output all` is not taken for the class that is predicted."""
    (tmp_path / "own.py").write_text(
        "def score(texts):\n    return [[t.count('a'), t.count('b'), 1.0] for t in texts]\n"
    )
    (tmp_path / "t.txt").write_text("a b a. b c b.\n\nc c a. a a b.\n")
    found = document(
        call(
            "explain", "--file", "t.txt", "--model", "python:own.py:score", "--labels", "x,y,z",
            "--units", "paragraph", "--refine", "sentence", "--budget", "40", "--output", "all",
            "--format", "json",
        )
    )  # fmt: skip
    assert found["output"]["name"] == ["x", "y", "z"]


def test_a_dry_run_of_refine_covers_what_may_be_opened(call, tmp_path):
    """What it forecasts is a run with everything open, not the coarse units alone."""
    (tmp_path / "own.py").write_text(
        "def score(texts):\n    return [float(len(t)) for t in texts]\n"
    )
    (tmp_path / "t.txt").write_text("a b c. d e f.\n\ng h i. j k l.\n")
    found = document(
        call(
            "explain", "--file", "t.txt", "--model", "python:own.py:score", "--units", "paragraph",
            "--refine", "sentence", "--budget", "40", "--dry-run", "--format", "json",
        )
    )  # fmt: skip
    assert (found["units"], found["calls"]) == (4, 16)


def test_what_was_answered_before_a_failure_is_kept_and_said(call, tmp_path):
    """A model that raises half-way: one message that says so, and the journal has the answers."""
    (tmp_path / "own.py").write_text(FRAIL)
    done = call(
        "explain", "a b c d e f g h", "--model", "python:own.py:frail", "--journal", "j.db",
        "--budget", "60",
    )  # fmt: skip
    assert done.exit_code == 1
    assert "whence: the model raised RuntimeError: worn out" in done.stderr
    assert "30 answers are kept in" in done.stderr


@pytest.mark.usefixtures("model")
def test_threads_change_nothing(call):
    """`--workers threads:2` gives the explanation that one worker gives."""
    text = "Her acting never fails to impress anyone who is not asleep"
    plain = document(call("explain", text, "--budget", "80", "--format", "json"))
    spread = document(
        call("explain", text, "--budget", "80", "--format", "json", "--workers", "threads:2")
    )
    assert values(spread) == pytest.approx(values(plain), abs=1e-4)


def test_a_function_without_an_identity_has_no_journal(call, own):
    """`--journal` with a plain function is refused, with what would help."""
    done = call("explain", "hey! you!", "--model", f"{own}shouts", "--journal", "j.db")
    assert done.exit_code == 2
    assert "facts with an identity" in done.stderr


@pytest.mark.usefixtures("model")
def test_a_conversation_read_as_text_is_remarked_on(call, tmp_path):
    """JSON messages without --chat are explained as text, and a note says so."""
    (tmp_path / "c.json").write_text('[{"role": "user", "content": "a good film"}]')
    done = call("explain", "--file", "c.json", "--budget", "20", "--explainer", "lime")
    assert done.exit_code == 0
    assert "--chat reads it as one" in done.stderr


@pytest.mark.usefixtures("model")
def test_a_price_is_a_product(call):
    """`--dry-run --price` multiplies the tokens by the price of a million."""
    found = document(
        call("explain", "a good film", "--dry-run", "--price", "2.5", "--format", "json")
    )
    assert found["cost"] == pytest.approx(found["tokens"] * 2.5e-6)


@pytest.mark.usefixtures("model")
def test_the_timed_calls_of_a_dry_run_are_kept_in_a_journal(call, tmp_path):
    """With a journal that is there, what a dry run asked is not asked again."""
    text = "I have never seen a film that was as good as this one was"
    call("explain", text, "--budget", "20", "--explainer", "lime", "--journal", "j.db")
    more = ("explain", text, "--budget", "60", "--explainer", "lime", "--journal", "j.db")
    first = document(call(*more, "--dry-run", "--format", "json"))
    second = document(call(*more, "--dry-run", "--format", "json"))
    assert second["known"] == first["known"] + first["timed"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a b", "--price", "1"], "--price came without --dry-run"),
        (["a b", "--model", "nowhere.onnx"], "nowhere.onnx"),
        (["a b", "--model", "model.pkl"], "model.pkl"),
        (["a b", "--model", "mystery:model"], "mystery"),
        (["a b", "--target", " c"], "target"),
        (["a b", "--table", "t.csv"], "came together"),
        (["a b", "--image", "x.png"], "no --model"),
        (["a b", "--model", "http://me:hunter2@host/v1"], "may be a password"),
        # Nothing listens there: these are refused before a server is asked anything.
        (["one", "--model", "openai:x", "--base-url", "http://127.0.0.1:9/v1"], "has 1 word"),
        (
            ["a b c", "--model", "openai:x", "--base-url", "http://127.0.0.1:9", "--budget", "0"],
            "budget",
        ),
        (
            [
                "a b",
                "--explainer",
                "magic",
                "--model",
                "openai:x",
                "--base-url",
                "http://127.0.0.1:9",
            ],
            "magic",
        ),
        (["a b\n\nc d", "--refine", "word", "--budget", "0"], "budget"),
        (["a b", "--image", "x.png", "--model", "m", "--output", "a"], "--output or --link came"),
        (["--table", "t.csv", "--units", "word"], "--units came with a table"),
        (["a b", "--row", "0"], "--row came without --table"),
        (["a b", "--size", "5", "--group", "a=b"], "--size and --group came without --table"),
        (["a b", "--target", " c", "--write", "3"], "--write came with --target"),
        (["--image", "x.png", "--table", "t.csv"], "came together"),
        (["--image", "x.png", "--refine", "word"], "--refine came with a picture"),
        (["a b", "--workers", "slaves:3"], "slaves:3"),
        (["a b", "--refine", "word", "--part", "a"], "--part came with --refine"),
        (["a b", "--model", "openai:x", "--tier", "psychic"], "psychic"),
    ],
)
@pytest.mark.usefixtures("model")
def test_what_cannot_be_asked_is_refused(call, arguments, message):
    """Each refusal names what came, exits with 2, and nothing is asked."""
    done = call("explain", *arguments)
    assert done.exit_code == 2, done.stderr
    assert message in done.stderr
    assert done.stdout == ""


def test_adapters_are_listed(call):
    """`whence adapters` names every kind of model there is, a line each."""
    told = call("adapters").stdout
    kinds = [line.split()[0] for line in told.splitlines()]
    assert kinds[:7] == [
        "embedded", "onnx", "sklearn", "torch", "transformers", "openai", "python",
    ]  # fmt: skip


@pytest.mark.skipif(not STORIES.exists(), reason="../shared/data/stories260K is absent")
class TestStories:
    """A language model from a folder."""

    @pytest.fixture(autouse=True)
    def framework(self):
        pytest.importorskip("transformers")
        pytest.importorskip("torch")

    def test_a_continuation(self, call):
        """`--target` explains its log-probability, in nats, and says which model said it."""
        done = call(
            "explain", "Tom was sad. He", "--model", str(STORIES), "--target", " cried",
            "--format", "json",
        )  # fmt: skip
        found = document(done)
        assert found["output"]["unit"] == "log-probability (nats)"
        assert found["provenance"]["model"] == "stories260K/hf"
        assert found["cost"]["tokens"] > 0

    def test_a_contrast_and_its_own_words(self, call):
        """`--contrast` names both continuations; without a target the model writes its own."""
        told = call(
            "explain", "Tom was sad. He", "--model", str(STORIES), "--target", " cried",
            "--contrast", " smiled",
        ).stdout  # fmt: skip
        assert "' cried' rather than ' smiled'" in told
        own = call("explain", "Tom was sad. He", "--model", str(STORIES), "--write", "2").stdout
        assert own.startswith("stories260K/hf gives ")

    def test_marked_units_are_continued_without_their_braces(self, call):
        """What the model goes on with is what it would write after the text that is sent."""
        plain = call("explain", "Lily saw a big dog", "--model", str(STORIES), "--write", "3")
        marked = call(
            "explain", "{Lily} saw a {big} dog", "--units", "marked", "--model", str(STORIES),
            "--write", "3",
        )  # fmt: skip
        assert marked.stdout.partition(":")[0] == plain.stdout.partition(":")[0]

    def test_a_chat_without_a_template_is_refused(self, call):
        """A model that has no chat template is named, and nothing is asked."""
        done = call("explain", "Hello you", "--model", str(STORIES), "--chat", "--target", " x")
        assert done.exit_code == 2
        assert "chat template" in done.stderr

    def test_a_machine_path_stays_out_of_the_report(self, call, tmp_path):
        """What is written names the model's folder, not where it lies on this machine."""
        done = call(
            "explain", "Tom was sad. He", "--model", str(STORIES), "--target", " cried",
            "--out", "page.html",
        )  # fmt: skip
        assert done.exit_code == 0
        page = Path(tmp_path / "page.html").read_text()
        assert "stories260K/hf" in page
        assert str(STORIES.parent) not in page


def test_a_picture_and_a_text(call, tmp_path):
    """`--image PATH TEXT` explains how well they match, by regions and words."""
    image = pytest.importorskip("PIL.Image")
    pytest.importorskip("transformers")
    from adapters.transformers import tiny

    tiny.clip().save_pretrained(tmp_path / "clip")
    words = tiny.tokenizer()
    words.model_input_names = ["input_ids", "attention_mask"]
    words.save_pretrained(tmp_path / "clip")
    tiny.image_processor().save_pretrained(tmp_path / "clip")
    pixels = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    image.fromarray(pixels).save(tmp_path / "p.png")
    found = document(
        call(
            "explain", "--image", "p.png", "a photo of cats", "--model", str(tmp_path / "clip"),
            "--units", "patches:2", "--budget", "256", "--format", "json",
        )
    )  # fmt: skip
    labels = [unit["label"] for unit in found["units"]]
    assert labels[4:] == ["a", "photo", "of", "cats"]
    assert found["fidelity"]["exact"]
