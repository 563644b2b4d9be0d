"""Facts about `whence prospect fit`, `map` and `report`."""

import json
import re

import numpy as np
import pytest

from cli import prospects


def done(result):
    """Standard output of a run that went well."""
    assert (result.exit_code, result.stderr if result.exit_code else "") == (0, "")
    return result.stdout


@pytest.fixture
def texts(call, tmp_path):
    """A head of texts, fitted with few concepts."""
    prospects.folder(tmp_path / "letters", 40)
    return done(call("prospect", "fit", "letters", "--k", "7", "-q", "--out", "head.npz"))


@pytest.fixture
def molecules(call, tmp_path):
    """A head of molecules by the names of their atoms."""
    prospects.molecules(tmp_path / "m.npz", 40)
    return done(call("prospect", "fit", "m.npz", "-r", "2", "-q", "--out", "head.npz"))


def test_fit_tells_the_fit_first(texts):
    """Performance comes before concepts, and these come with their telling words and examples."""
    places = [texts.index(word) for word in ("40 texts", "AUC", "Concepts", "Examples")]
    assert places == sorted(places)
    assert re.search(r"#\d+ .*treasure", texts)
    assert "They found the golden treasure below the tower." in texts


@pytest.mark.usefixtures("texts")
def test_map_finds_what_marks_the_class(call, tmp_path):
    """A new text is encoded as in training, and the sentence that was planted is found."""
    (tmp_path / "new.txt").write_text(
        "Bread was baked at dawn. They found the golden treasure below the tower. A dog barked."
    )
    found = json.loads(done(call("prospect", "map", "head.npz", "new.txt", "--format", "json")))
    [one] = found["maps"]
    values = [token["value"] for token in one["tokens"]]
    assert one["output"] == "yes"
    assert np.argmax(values) == 1
    assert sum(values) / one["total"] == pytest.approx(one["margin"])
    assert found["performance"]["value"] > 0.8
    assert all(token["se"] is not None for token in one["tokens"])


@pytest.mark.usefixtures("texts")
def test_map_of_the_other_class_is_its_mirror(call, tmp_path):
    """Of two classes, one's map is the other's with the sign turned."""
    (tmp_path / "new.txt").write_text(prospects.texts(2)[1][0])
    maps = [
        json.loads(
            done(call("prospect", "map", "head.npz", "new.txt", "--class", c, "--format", "json"))
        )["maps"][0]
        for c in ("yes", "no")
    ]
    values = [[token["value"] for token in one["tokens"]] for one in maps]
    assert values[0] == pytest.approx([-v for v in values[1]])
    assert maps[0]["probability"] + maps[1]["probability"] == pytest.approx(1)


@pytest.mark.usefixtures("texts")
def test_map_prints_and_writes_each_form(call, tmp_path):
    """Text goes to the screen; .txt, .json and .html to files, by their suffix."""
    (tmp_path / "new.txt").write_text(prospects.texts(2)[1][0])
    shown = done(call("prospect", "map", "head.npz", "new.txt"))
    assert shown.index("AUC") < shown.index("treasure")
    for name, start in (("a.html", "<!doctype"), ("a.json", "{"), ("a.txt", "new.txt: yes")):
        assert done(call("prospect", "map", "head.npz", "new.txt", "--out", name)) == ""
        assert (tmp_path / name).read_text().startswith(start)


@pytest.mark.usefixtures("texts")
def test_map_shows_some_of_many(call):
    """Of a folder the first maps are shown, with how to see the others; JSON has all."""
    shown = done(call("prospect", "map", "head.npz", "letters", "--most", "2"))
    assert shown.count("(margin") == 2
    assert "and 38 more texts" in shown
    every = done(call("prospect", "map", "head.npz", "letters", "--format", "json"))
    assert len(json.loads(every)["maps"]) == 40
    one = done(call("prospect", "map", "head.npz", "letters", "--row", "39"))
    assert one.startswith("yes/")


@pytest.mark.usefixtures("texts")
def test_report_is_one_page(call, tmp_path):
    """Concepts, the graph of pairs, examples and maps of the surest bags, in one file."""
    done(call("prospect", "report", "head.npz", "--data", "letters", "--out", "r.html"))
    page = (tmp_path / "r.html").read_text()
    assert page.index("AUC") < page.index("Concepts") < page.index("Maps")
    assert page.count("(margin") == 4
    assert '<g class="node' in page
    assert "golden treasure" in page
    assert not re.search(r'(src|href)="(?!data:image/png)', page)


@pytest.mark.usefixtures("texts")
def test_report_needs_no_data(call, tmp_path):
    """A head alone tells its fit, concepts and pairs."""
    done(call("prospect", "report", "head.npz", "--out", "r.html"))
    page = (tmp_path / "r.html").read_text()
    assert "Concepts" in page
    assert "(margin" not in page


def test_graphs_are_drawn(call, tmp_path, molecules):
    """Concepts are the atoms' names; the ring's atoms stand out, and the page draws the graph."""
    assert re.search(r"C \+ C +\+", molecules)
    assert "What marks ring" in molecules
    one = json.loads(
        done(call("prospect", "map", "head.npz", "m.npz", "--row", "1", "--format", "json"))
    )["maps"][0]
    values = np.array([token["value"] for token in one["tokens"]])
    assert set(np.argsort(-values)[:6]) == set(range(6))
    assert one["layout"]["kind"] == "graph"
    done(call("prospect", "map", "head.npz", "m.npz", "--row", "1", "--out", "m.html"))
    assert (tmp_path / "m.html").read_text().count('<g class="node') == 8


def test_labels_that_are_scripts_stay_labels(call, tmp_path):
    """A class, an atom and a bag that are scripts are escaped on every page."""
    evil = "<script>alert(1)</script>"
    letters = np.array([evil if i % 3 else "C" for i in range(24 * 8)])
    labels = np.array([evil if i % 2 else "no" for i in range(24)])
    names = np.array([f"{evil}{i}" for i in range(24)])
    prospects.molecules(tmp_path / "m.npz", tokens=letters, labels=labels, names=names)
    done(call("prospect", "fit", "m.npz", "-q", "--out", "head.npz"))
    done(call("prospect", "report", "head.npz", "--data", "m.npz", "--out", "r.html"))
    done(call("prospect", "map", "head.npz", "m.npz", "--out", "m.html"))
    for name in ("r.html", "m.html"):
        page = (tmp_path / name).read_text()
        assert "&lt;script" in page
        assert "<script" not in page


def test_pictures_are_mapped_onto_their_pixels(call, tmp_path):
    """The planted square is where the map is highest; the page holds the picture and the heat."""
    pytest.importorskip("PIL")
    prospects.pictures(tmp_path / "p", 24)
    options = ("--units", "patches:8", "--k", "6", "-r", "0", "-q", "--out", "head.npz")
    done(call("prospect", "fit", "p", *options))
    file = "p/spot/p1.png"
    one = json.loads(done(call("prospect", "map", "head.npz", file, "--format", "json")))["maps"][0]
    sides = one["layout"]["height"], one["layout"]["width"]
    from whence.adapters.pictures import read_picture

    values = np.array([token["value"] for token in one["tokens"]]).reshape(sides)
    y, x = np.unravel_index(values.argmax(), sides)
    pixels = read_picture(tmp_path / file)
    down, across = (p // s for p, s in zip(pixels.shape, sides, strict=False))
    assert pixels[y * down : (y + 1) * down, x * across : (x + 1) * across, 0].max() == 230
    done(call("prospect", "map", "head.npz", file, "--out", "m.html"))
    assert (tmp_path / "m.html").read_text().count("data:image/png") == 3
    done(call("prospect", "report", "head.npz", "--data", "p", "--out", "r.html"))
    assert "<img src=" in (tmp_path / "r.html").read_text()


def test_select_and_null_say_what_they_found(call, tmp_path):
    """--select says which setting was chosen and why; --null how shuffled labels do."""
    prospects.molecules(tmp_path / "m.npz", 40)
    options = ("--select", "-r", "0,1,2", "--null", "19", "-q", "--out", "head.npz")
    shown = done(call("prospect", "fit", "m.npz", *options))
    assert re.search(r"Chosen: k=\d+, r=\d", shown)
    assert "No token labels were used" in " ".join(shown.split())
    assert "p = 0.05" in " ".join(shown.split())


def test_numbers_are_told_as_numbers(call, tmp_path):
    """With --numbers a head tells a number, and the fit is a rank correlation."""
    prospects.embeddings(tmp_path / "e.npz", 60, numbers=True)
    options = ("--numbers", "--k", "4", "-q", "--out", "head.npz")
    shown = done(call("prospect", "fit", "e.npz", *options))
    assert "rank correlation" in " ".join(shown.split())
    mapped = done(call("prospect", "map", "head.npz", "e.npz", "--row", "3"))
    assert re.match(r"bag 3: number \d", mapped)


def test_three_classes_have_a_part_each(call, tmp_path):
    """Of more than two classes each is told; a map is of the likeliest, or the one named."""
    rng = np.random.default_rng(0)
    rows = [
        (" ".join([*rng.choice(list("xyz"), 6), "pqr"[i % 3]]), "pqr"[i % 3]) for i in range(60)
    ]
    (tmp_path / "s.csv").write_text("seq,y\n" + "\n".join(f"{a},{b}" for a, b in rows))
    columns = ("--tokens", "seq", "--label", "y")
    shown = done(call("prospect", "fit", "s.csv", *columns, "-q", "--out", "head.npz"))
    assert [f"What marks {c}" in shown for c in "pqr"] == [True] * 3
    assert "mean AUC" in shown
    mapped = done(call("prospect", "map", "head.npz", "s.csv", *columns, "--row", "1"))
    assert mapped.startswith("row 1: q ")
    other = done(
        call("prospect", "map", "head.npz", "s.csv", *columns, "--row", "1", "--class", "p")
    )
    assert "the head says q" in other
    done(call("prospect", "report", "head.npz", "--data", "s.csv", *columns, "--out", "r.html"))
    assert (tmp_path / "r.html").read_text().count("<summary>What marks") == 3


def test_a_table_is_fitted_with_groups(call, tmp_path):
    """Texts, labels and groups come from the columns that are named."""
    prospects.lines(tmp_path / "t.jsonl", 40)
    columns = ("--text", "body", "--label", "outcome", "--group", "court")
    shown = done(
        call("prospect", "fit", "t.jsonl", *columns, "--k", "6", "-q", "--out", "head.npz")
    )
    assert "20 no, 20 yes" in shown
    mapped = done(call("prospect", "map", "head.npz", "t.jsonl", *columns[:4], "--row", "1"))
    assert "labelled yes" in mapped


def test_letters_need_no_encoder(call, tmp_path):
    """Texts cut into letters are categories: concepts are the letters themselves."""
    (tmp_path / "s.csv").write_text(
        "seq,y\n" + "\n".join(f"{'ACGT' * 3}{'GG' if i % 2 else 'AT'},{i % 2}" for i in range(24))
    )
    columns = ("--text", "seq", "--label", "y", "--units", "letter")
    shown = done(call("prospect", "fit", "s.csv", *columns, "-q", "--out", "head.npz"))
    assert re.search(r"G \+ G +\+", shown)
    assert "What marks 1" in shown


def test_the_same_seed_gives_the_same_head(call, tmp_path):
    """Two runs with one seed print the same and write the same weights."""
    prospects.folder(tmp_path / "letters", 24)
    options = ("letters", "--k", "5", "-q", "--seed", "3")
    first, second = (
        done(call("prospect", "fit", *options, "--out", name)) for name in ("a.npz", "b.npz")
    )
    assert first == second
    with np.load(tmp_path / "a.npz") as a, np.load(tmp_path / "b.npz") as b:
        assert all(np.array_equal(a[name], b[name]) for name in a.files)


REFUSED = [
    (("fit", "gone", "--out", "h.npz"), "gone"),
    (("fit", "m.npz", "--out", "h.html"), "ends in .npz"),
    (("fit", "m.npz", "--out", "no/h.npz"), "no folder no"),
    (("fit", "m.npz", "--out", "m.npz"), "--out m.npz is the data itself"),
    (("fit", "m.npz", "--k", "5", "--out", "h.npz"), "tokens that are names"),
    (("fit", "m.npz", "--k", "5,9", "--out", "h.npz"), "--select"),
    (("fit", "m.npz", "--k", "many", "--out", "h.npz"), "--k many"),
    (("fit", "m.npz", "--encoder", "tfidf", "--out", "h.npz"), "--encoder tfidf"),
    (("fit", "m.npz", "--class", "tin", "--out", "h.npz"), "--class tin"),
    (("fit", "m.npz", "--kernel", "tin", "--out", "h.npz"), "tin"),
    (("fit", "m.npz", "--null", "3", "--out", "h.npz"), "--null 3"),
    (("fit", "d", "--units", "verse", "--out", "h.npz"), "--units verse"),
    (("fit", "d", "--k", "500", "--out", "h.npz"), "--k 500"),
    (("fit", "d", "--encoder", "tin", "--out", "h.npz"), "tin"),
    (("map", "m.npz", "m.npz"), "m.npz"),
    (("report", "m.npz", "--out", "r.html"), "m.npz"),
    (("report", "m.npz", "--out", "r.txt"), "ends in .html"),
]


@pytest.mark.parametrize(("arguments", "named"), REFUSED, ids=lambda a: " ".join(a)[:40])
def test_what_cannot_be_used_is_refused_by_name(call, tmp_path, arguments, named):
    """Exit code 2, nothing on stdout, and a message that names what came and its option."""
    prospects.molecules(tmp_path / "m.npz")
    prospects.folder(tmp_path / "d", 12)
    refused = call("prospect", *arguments)
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert named in refused.stderr
    assert not (tmp_path / "h.npz").exists()


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("m.npz",), "learned from texts"),
        (("letters", "--class", "maybe"), "--class maybe came; the head's classes are no, yes"),
        (("letters", "--row", "99"), "--row 99"),
        (("letters", "--out", "x.npz"), "x.npz"),
    ],
)
@pytest.mark.usefixtures("texts")
def test_map_refuses_what_the_head_cannot_read(call, tmp_path, arguments, named):
    """Data of another kind, a class that was not learned, a row that is not there."""
    prospects.molecules(tmp_path / "m.npz")
    refused = call("prospect", "map", "head.npz", *arguments)
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert named in refused.stderr


def test_graphs_without_their_edges_are_refused(call, tmp_path, molecules):
    """A head of graphs refuses bags that lie in a row, in place of mapping them as such."""
    with np.load(tmp_path / "m.npz") as file:
        bare = {name: file[name] for name in file.files if not name.startswith("edge")}
    np.savez(tmp_path / "bare.npz", **bare)
    result = call("prospect", "map", "head.npz", "bare.npz")
    assert result.exit_code == 2
    assert "learned from graphs" in result.stderr


def test_an_edge_to_nowhere_is_named_with_its_bag(call, tmp_path, molecules):
    """An edge to a node that is not there is refused with the name of its bag."""
    with np.load(tmp_path / "m.npz") as file:
        odd = {name: file[name] for name in file.files}
    odd["edges"][odd["edge_offsets"][3]] = 0, 500
    np.savez(tmp_path / "odd.npz", **odd)
    result = call("prospect", "fit", "odd.npz", "--out", "h.npz")
    assert result.exit_code == 2
    assert "bag 3: edge 0 joins nodes 0 and 500" in " ".join(result.stderr.split())


def test_rare_classes_are_left_out_in_fewer_folds(call, tmp_path):
    """A class with three bags gives three folds, and the performance says so."""
    prospects.folder(tmp_path / "letters", 24)
    for text in sorted((tmp_path / "letters" / "yes").iterdir())[3:]:
        text.unlink()
    shown = done(call("prospect", "fit", "letters", "--k", "4", "-q", "--out", "h.npz"))
    assert "3-fold" in " ".join(shown.split()) or "3 folds" in " ".join(shown.split())


def test_an_unreadable_picture_is_named(call, tmp_path):
    """A damaged picture among others is refused by its name."""
    pytest.importorskip("PIL")
    prospects.pictures(tmp_path / "p", 8)
    (tmp_path / "p" / "spot" / "bad.png").write_bytes(b"no picture")
    refused = call("prospect", "fit", "p", "--out", "h.npz")
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "bad.png" in refused.stderr
