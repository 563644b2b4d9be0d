"""Facts about the page in a real browser; skipped where there is none."""

import re
import shutil
import subprocess

import pytest

from views import games
from whence.views import html

BROWSER = next(
    (
        found
        for name in ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
        if (found := shutil.which(name))
    ),
    None,
)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="neither chromium nor google-chrome is installed"),
]


def browse(page, tmp_path, *options):
    """What a headless browser makes of a page."""
    path = tmp_path / "page.html"
    path.write_text(page, encoding="utf-8")
    command = [
        BROWSER,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--hide-scrollbars",
        f"--user-data-dir={tmp_path / 'profile'}",
        *options,
        path.as_uri(),
    ]
    return subprocess.run(command, check=True, capture_output=True, timeout=120).stdout


def test_browser_shows_the_words(tmp_path):
    """The browser finds the words with their values, and runs nothing of a hostile label."""
    dom = browse(html.page(games.sentiment()), tmp_path, "--dump-dom").decode()
    assert re.search(r'<b class="m8" title="impress: \+1\.90">impress</b>', dom)
    assert dom.index("Exact.") < dom.index('class="words"')


def test_browser_runs_no_label(tmp_path):
    """A label that is a script stays a label."""
    evil = "<script>document.title='owned'</script><img src=x onerror=document.title='owned'>"
    dom = browse(html.page(games.table([evil, "b", "c"])), tmp_path, "--dump-dom").decode()
    assert "<title>whence: price of row 17</title>" in dom
    assert "<img" not in dom


@pytest.mark.parametrize("size", ["1280,900", "360,800"], ids=["wide", "narrow"])
def test_browser_draws_it(tmp_path, size):
    """A screenshot can be taken, wide and narrow, and is not blank."""
    picture = tmp_path / "page.png"
    browse(
        html.page(games.sentiment()), tmp_path, f"--window-size={size}", f"--screenshot={picture}"
    )
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert picture.stat().st_size > 5000


def test_browser_prints_it(tmp_path):
    """The page prints to a PDF."""
    paper = tmp_path / "page.pdf"
    browse(html.page(games.sentiment()), tmp_path, f"--print-to-pdf={paper}")
    assert paper.read_bytes().startswith(b"%PDF")
