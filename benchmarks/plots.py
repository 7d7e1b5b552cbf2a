"""The plots of the docs, as SVG."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl
from matplotlib.figure import Figure as Canvas

from benchmarks.contenders import SERVICE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from benchmarks.figures import Measured

OURS, THEIRS = "#2563eb", "#94a3b8"
WIDTH_IN, BAR_IN = 8.0, 0.34

mpl.rcParams["svg.hashsalt"] = "ws-service"
mpl.rcParams["svg.fonttype"] = "none"


def write_plots(results: Mapping[str, Measured], directory: Path) -> list[str]:
    """Draw bars for each figure that has more than one contender, and return their names."""
    directory.mkdir(parents=True, exist_ok=True)
    names = []
    for key, measured in results.items():
        bars = {
            contender: value
            for contender in measured.figure.measurements
            if (value := measured.median(contender)) is not None
        }
        if len(bars) > 1:
            names.append(key.replace(" ", "-"))
            _draw(measured, bars, directory / f"{names[-1]}.svg")
    return names


def _draw(measured: Measured, bars: Mapping[str, float], path: Path) -> None:
    figure = measured.figure
    canvas = Canvas(figsize=(WIDTH_IN, 1.1 + BAR_IN * len(bars)), layout="constrained")
    axes = canvas.subplots()
    colours = [OURS if name.startswith(SERVICE.name) else THEIRS for name in bars]
    drawn = axes.barh(list(bars), list(bars.values()), color=colours)
    # The spread of the rounds, so that noise is not mistaken for a difference.
    for row, contender in enumerate(bars):
        values = [sample.value for sample in measured.samples[contender]]
        axes.plot([min(values), max(values)], [row, row], color="black", linewidth=1)
    axes.bar_label(drawn, fmt=lambda value: f" {value:,.3g}" if value < 1000 else f" {value:,.0f}")  # noqa: PLR2004 - four digits
    axes.invert_yaxis()
    axes.margins(x=0.15)
    axes.set_xlabel(figure.unit)
    axes.set_title(f"{figure.key}: {figure.title}", loc="left", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    canvas.savefig(path, metadata={"Date": None})
