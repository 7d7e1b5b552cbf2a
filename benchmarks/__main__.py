"""`python -m benchmarks`: measure the service and its peers side by side."""

from __future__ import annotations

import importlib
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer
from rich.console import Console
from rich.markup import escape

from benchmarks import cluster_figures, clusters, contenders, report, workloads
from benchmarks.clusters import Clusters
from benchmarks.contenders import FASTIFY, ROOT, bun, newest_node, system_node, version_of
from benchmarks.figures import ONE_BY_ONE, Measured, figures, schedule
from benchmarks.interpreters import node_build, pythons, service_python, wire_of
from benchmarks.logs import Logs
from benchmarks.processes import BenchmarkError
from benchmarks.progress import Progress
from benchmarks.scale import FULL, QUICK
from benchmarks.workloads import Span
from service import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import FrameType

    from benchmarks.figures import Figure, Step
    from benchmarks.scale import Scale

PAGE = ROOT / "docs/performance.md"
PLOTS = ROOT / "docs/performance"

LOADS = (1.0, 0.5, 0.25, 0.125)
LOADED = ("F1", "F2", "F3", "G", "E", cluster_figures.RELAY)
BUSY_MAX = 0.8
TRIAL = Span(0.3, 1.0)

TABLE_COLUMNS = 165
"""Fixed, so that the table is not truncated in a narrow terminal or a pipe."""

console = Console(width=max(Console().width, TABLE_COLUMNS))


def main(  # noqa: PLR0913 - each is an option of the command
    only: Annotated[
        list[str] | None, typer.Argument(help="Figures, such as F1 or P; all of them if none.")
    ] = None,
    *,
    quick: Annotated[bool, typer.Option("--quick", help="Short, and with one peer.")] = False,
    rounds: Annotated[
        int | None, typer.Option(min=1, help="How often what a goal is about is measured.")
    ] = None,
    load: Annotated[
        float | None,
        typer.Option(
            min=0.01, max=10, help="Part of the load of F, G and E; else as this machine can take."
        ),
    ] = None,
    json: Annotated[Path | None, typer.Option(help="Write all samples into this file.")] = None,
    write: Annotated[
        bool | None,
        typer.Option(help="Write docs/performance.md; if not said, only a full run does."),
    ] = None,
) -> None:
    """Measure, print a table, and write docs/performance.md.

    CPU time for a unit of work is comparable only while every server keeps up. So the load is
    halved until Fastify has some of its core to spare.
    """
    for signal_ in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signal_, _interrupt)
    scale = QUICK if quick else FULL
    scale = scale._replace(rounds=rounds or scale.rounds)
    writes = write if write is not None else not (quick or only)
    if writes:
        # Before the run, so that a missing matplotlib is noticed at once.
        importlib.import_module("benchmarks.plots")
    began = time.monotonic()
    scale, results = _run(scale, only or [], load)
    _print(results, took_s=time.monotonic() - began)
    if json is not None:
        samples = {key: measured.samples for key, measured in results.items()}
        json.write_bytes(msgspec.json.format(msgspec.json.encode(samples)))
    if writes:
        _write(results, scale)


def _run(
    scale: Scale, only: Sequence[str], load: float | None
) -> tuple[Scale, Mapping[str, Measured]]:
    """Measure the figures; return them with the load that was offered. Exits on failure."""
    try:
        contenders.prepare()
        service_python()
        scale = scale._replace(span=scale.span.at(load or _bearable_load(only)))
        return scale, _measure(scale, only)
    except KeyboardInterrupt:
        console.print("interrupted; everything that was started has ended")
        raise typer.Exit(130) from None
    except BenchmarkError as error:
        console.print(f"[red]{error}[/]")
        raise typer.Exit(1) from None


def _print(results: Mapping[str, Measured], took_s: float) -> None:
    console.print(report.console_table(results))
    console.print(report.legend(results), highlight=False)
    console.print(f"took {took_s:.0f} s")


def _bearable_load(only: Sequence[str]) -> float:
    """Return the share of the load at which Fastify does not saturate its core."""
    if not any(_is_wanted(key, only) for key in LOADED):
        return 1.0
    for load in LOADS:
        sample = workloads.relay(FASTIFY, ONE_BY_ONE, TRIAL._replace(load=load))
        kept_up, busy = sample.details["kept_up"], sample.details["server_busy"]
        console.print(f"load {load}: Fastify delivers {kept_up:.0%}, its core is {busy:.0%} busy")
        if kept_up >= report.KEPT_UP_MIN and busy <= BUSY_MAX:
            return load
    return LOADS[-1]


def _measure(scale: Scale, only: Sequence[str]) -> Mapping[str, Measured]:
    with Logs() as logs, Clusters() as servers:
        chosen = [
            figure for figure in _figures(scale, logs, servers) if _is_wanted(figure.key, only)
        ]
        if not chosen:
            raise BenchmarkError(f"there is no figure {' or '.join(only)}")
        results = {figure.key: Measured(figure) for figure in chosen}
        steps = schedule(chosen, scale.rounds)
        progress = Progress([step.figure.seconds for step in steps])
        for step in steps:
            line = _take(results[step.figure.key], step, progress)
            progress.step_done()
            if line is not None:
                console.print(f"{line} [dim]{progress}[/]", highlight=False, soft_wrap=True)
        return results


def _figures(scale: Scale, logs: Logs, servers: Clusters) -> list[Figure]:
    """Return all figures that can be measured here."""
    chosen = figures(scale, logs)
    lacking = clusters.missing()
    if lacking is None:
        return chosen + cluster_figures.cluster_figures(scale, servers)
    console.print(f"The rows of clusters are LEFT OUT: {lacking} is missing.")
    return chosen


def _is_wanted(key: str, only: Sequence[str]) -> bool:
    return not only or key in only or key.split(maxsplit=1)[0] in only


def _take(measured: Measured, step: Step, progress: Progress) -> str | None:
    """Take one sample, and return what to print; a contender that failed once is skipped."""
    contender = step.contender
    if contender in measured.failures:
        return None
    where = f"{step.figure.key:8} round {step.round}  {contender:26}"
    try:
        with console.status(f"{where} {progress}"):
            sample = step.figure.measurements[contender]()
    except BenchmarkError as error:
        measured.failures[contender] = str(error)
        return f"{where} [red]failed:[/] {escape(str(error)[-400:])}"
    measured.samples.setdefault(contender, []).append(sample)
    details = ", ".join(f"{name} {value:.3g}" for name, value in sample.details.items())
    return f"{where} {sample.value:12,.2f}  [dim]{details};[/]"


def _write(results: Mapping[str, Measured], scale: Scale) -> None:
    # Imported here, since printing the table needs no matplotlib.
    from benchmarks.plots import write_plots  # noqa: PLC0415 - matplotlib takes a second to import

    names = write_plots(results, PLOTS)
    how = f"{scale.rounds} rounds of {scale.span.window_s:g} s, {scale.span.load:.0%} of the load"
    PAGE.write_text(report.markdown(results, _versions(), names, how))
    console.print(f"wrote {PAGE.relative_to(ROOT)}")


def _versions() -> dict[str, str]:
    nodes = {"newest Node": newest_node(), "system Node": system_node(), "Bun": bun()}
    described = {
        name: "none" if path is None else f"{version_of(path)} ({node_build(path)})"
        for name, path in nodes.items()
    }
    ours, *others = pythons()
    slower = ", ".join(one.name for one in others) or "none"
    return {
        "ws-service": __version__,
        "Python of the service": f"{ours.name}, configured with {ours.config_args}",
        "slower Pythons here": slower,
        "wire of ws-service": wire_of(service_python()),
        **described,
    }


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    typer.run(main)
