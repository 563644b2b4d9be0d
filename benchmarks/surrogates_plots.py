"""Holds the pictures of the surrogate benchmark, as PNG and SVG files.

R² against calls and the ratio to ProxySPEX from the comparison's rows; CPU seconds against samples
and units from those of `--scaling`. Needs matplotlib; skipped, by name, without it. It does not
play. Never imported by the package.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import common
import numpy as np
import surrogates_tables as tables

Row = dict[str, Any]

#: Method -> colour and marker; told apart without colour too.
STYLES = {
    "whence": ("#0b5fa5", "o"),
    "whence all calls": ("#56a3dc", "s"),
    "ProxySPEX": ("#c8501e", "^"),
    "ProxySHAP": ("#6b6b6b", "D"),
}
SPARE = (("#2a8a57", "v"), ("#8b4fa8", "P"), ("#b58900", "X"))


def draw(folder: Path, rows: Sequence[Row]) -> None:
    """Write the pictures that the rows can feed."""
    if common.version("matplotlib") is None:
        print("skipped: pictures (matplotlib is not installed)")
        return
    import matplotlib

    matplotlib.use("Agg")
    folder.mkdir(parents=True, exist_ok=True)
    if rows and "masks" in rows[0]:
        scaling(folder, rows)
    elif rows:
        calls(folder, rows)


def style(name: str, names: Sequence[str]) -> dict[str, Any]:
    """Line and marker of a method."""
    others = [m for m in names if m not in STYLES]
    colour, marker = STYLES.get(name) or SPARE[others.index(name) % len(SPARE)]
    return {"color": colour, "marker": marker, "label": name, "lw": 1.6, "ms": 5}


def calls(folder: Path, rows: Sequence[Row]) -> None:
    """Median R² over problems against calls per unit, one panel per group."""
    import matplotlib.pyplot as plt

    at, groups = tables.cells(rows, "r2_all"), tables.members(rows)
    own, peers = tables.methods(rows)
    names = [*own, *(p for p in peers if p in STYLES)]
    figure, panels = plt.subplots(
        1, len(groups), figsize=(4.2 * len(groups), 3.8), squeeze=False, layout="constrained"
    )
    for panel, (group, games) in zip(panels[0], groups.items(), strict=True):
        lowest, most = 1.0, 0
        for name in names:
            points, count = curve(at, games, name)
            most = max(most, count)
            if points:
                x, y = zip(*points, strict=True)
                panel.plot(x, y, **style(name, names))
                lowest = min(lowest, *y)
        played = sorted({b for g, b, _ in at if g in games})
        ticks(panel.xaxis, [b for b in played if b in (4, 8, 16, 32, 64)], "log")
        panel.set(title=f"{group} ({most})", xlabel="calls per unit")
        panel.set_ylim(max(lowest - 0.05, -0.5), 1)
        panel.grid(alpha=0.3)
    panels[0, 0].set_ylabel("R², median over problems")
    panels[0, -1].legend(frameon=False, fontsize=8, loc="lower right")
    save(folder, "surrogates-calls", figure)


def curve(at: tables.Cells, games: Sequence[str], name: str) -> tuple[list[tuple[int, float]], int]:
    """Median R² by masks per unit, over the problems that the method played at every budget."""
    played = {b for g, b, m in at if m == name and g in games}
    whole = [g for g in games if all((g, b, name) in at for b in played)]
    points = [
        (b, float(np.median([np.mean(list(at[g, b, name].values())) for g in whole])))
        for b in sorted(played)
        if whole
    ]
    return points, len(whole)


def scaling(folder: Path, rows: Sequence[Row]) -> None:
    """CPU seconds of the fit, left against samples, right against units; colours are methods."""
    import matplotlib.pyplot as plt

    rows = [r for r in rows if not str(r["told"]).startswith("failed")]
    names = list(dict.fromkeys(r["method"] for r in rows))
    figure, panels = plt.subplots(
        1, 2, figsize=(9.6, 4.2), sharey=True, squeeze=False, layout="constrained"
    )
    for panel, across, fixed in zip(panels[0], ("masks", "n"), ("n", "masks"), strict=True):
        drawn = [series(rows, name, across, fixed) for name in names]
        strokes = ("-", "--", ":", "-.")
        kept = sorted({value for lines in drawn for value in lines})
        for name, lines in zip(names, drawn, strict=True):
            look = style(name, names)
            for value, (x, y) in lines.items():
                panel.plot(x, y, **{**look, "ls": strokes[kept.index(value) % 4], "label": None})
            panel.plot([], [], **look)
        told = "units" if fixed == "n" else "samples"
        for value in kept:
            panel.plot([], [], color="k", ls=strokes[kept.index(value) % 4],
                       label=f"{value:,} {told}")  # fmt: skip
        panel.set_yscale("log")
        ticks(panel.xaxis, sorted({int(r[across]) for r in rows}), "log")
        panel.set_xlabel("samples" if across == "masks" else "units")
        panel.grid(alpha=0.3)
        # Below the panel: lines may run anywhere in it.
        place = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.13)}
        panel.legend(frameon=False, fontsize=8, ncols=3, **place)
    panels[0, 0].set_ylabel("CPU seconds of the fit, one thread")
    save(folder, "surrogates-scaling", figure)


def series(
    rows: Sequence[Row], name: str, across: str, fixed: str
) -> dict[int, tuple[list[int], list[float]]]:
    """For each value of `fixed`, the seconds of a method against `across`."""
    found: dict[int, tuple[list[int], list[float]]] = {}
    for value in sorted({int(r[fixed]) for r in rows}):
        here = [r for r in rows if r["method"] == name and int(r[fixed]) == value]
        x = sorted({int(r[across]) for r in here})
        y = [float(np.median([float(r["cpu"]) for r in here if int(r[across]) == v])) for v in x]
        if x:
            found[value] = (x, y)
    return found


def ticks(axis: Any, places: Sequence[int], scale: str) -> None:
    """A logarithmic axis that names the places that were measured, and no others."""
    axis.axes.set_xscale(scale)
    axis.set_ticks(list(places), labels=[f"{p:,}" for p in places])
    axis.set_ticks([], minor=True)


def save(folder: Path, name: str, figure: Any) -> None:
    """Write one picture twice: for pages and for print."""
    for end in ("png", "svg"):
        figure.savefig(folder / f"{name}.{end}", dpi=150)
    print(f"wrote {folder / name}.png and .svg")
