"""Holds the picture of the terminal in the README: what `whence explain` prints, drawn as SVG.

`python -m tools.terminal_picture` writes docs/_static/explain.svg. It runs the real command on a
terminal of 80 columns, and does not know what the command prints.
"""

from __future__ import annotations

import io
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs" / "_static" / "explain.svg"
COMMAND = ["whence", "explain", "Her acting never fails to impress"]
WIDTH = 80

#: Fonts from elsewhere, which the picture must do without.
_FONT_FACE = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)
_RUN = "import sys; from whence.cli import main; sys.argv[0] = 'whence'; sys.exit(main())"


def output_of(command: list[str], width: int = WIDTH) -> str:
    """What a `whence` command prints on a coloured terminal; what it says on stderr is left out.

    Raises:
        SystemExit: the command failed.
    """
    ours, theirs = os.openpty()
    colours = {"COLORTERM": "truecolor", "TERM": "xterm-256color", "COLUMNS": str(width)}
    env = {**os.environ, **colours}
    env.pop("NO_COLOR", None)
    run = subprocess.Popen(
        [sys.executable, "-c", _RUN, *command[1:]],
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=subprocess.PIPE,
        env=env,
        cwd=ROOT,
    )
    os.close(theirs)
    printed = _all_of(ours)
    _, said = run.communicate()
    if run.returncode:
        raise SystemExit(f"{shlex.join(command)} failed:\n{said.decode('utf-8', 'replace')}")
    return printed.replace("\r\n", "\n")


def _all_of(terminal: int) -> str:
    """What is written to a terminal until its other side is closed (an error on Linux)."""
    printed = io.BytesIO()
    try:
        while part := os.read(terminal, 65536):
            printed.write(part)
    except OSError:
        pass
    os.close(terminal)
    return printed.getvalue().decode("utf-8")


def svg(command: list[str], printed: str, width: int = WIDTH) -> str:
    """A terminal with a command and what it printed, as an SVG that loads nothing."""
    console = Console(
        record=True,
        width=width,
        file=io.StringIO(),
        force_terminal=True,
        color_system="truecolor",
        legacy_windows=False,
    )
    console.print(Text.assemble(("$ ", "dim"), (shlex.join(command).replace("'", '"'), "bold")))
    console.print()
    console.print(Text.from_ansi(printed.rstrip("\n")), soft_wrap=True)
    drawn = console.export_svg(title="whence", unique_id="whence")
    return "\n".join(line.rstrip() for line in _FONT_FACE.sub("", drawn).splitlines()) + "\n"


def main() -> None:
    """Run the command, and write the picture."""
    drawn = svg(COMMAND, output_of(COMMAND))
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    PICTURE.write_text(drawn, encoding="utf-8")
    print(f"wrote {PICTURE.relative_to(ROOT)} ({len(drawn):,} characters)")


if __name__ == "__main__":
    main()
