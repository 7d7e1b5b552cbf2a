"""The floors deliver each frame to all others, and answer pings to who sent them."""

from __future__ import annotations

import subprocess

import pytest

from benchmarks import generator
from benchmarks.contenders import SEND_LOOP, SEND_RING, Contender
from benchmarks.generator import Connection, Plan

FORBIDDEN = "io_uring_setup:"


def port_of(process: subprocess.Popen[bytes]) -> int:
    """Return where a floor listens; skips where io_uring is not allowed."""
    assert process.stdout is not None
    line = process.stdout.readline().decode()
    if line.startswith(FORBIDDEN):
        pytest.skip(line)
    word, port = line.split()
    assert word == "listening"
    return int(port)


@pytest.mark.parametrize("floor", [SEND_LOOP, SEND_RING], ids=["loop", "ring"])
@pytest.mark.parametrize(
    ("message", "deliveries"), [('{"t":$T}', 2), ('{"type":"ping","t":$T}', 1)]
)
def test_a_floor_delivers_all_that_it_gets(floor: Contender, message: str, deliveries: int) -> None:
    with subprocess.Popen(
        floor.command(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        try:
            plan = Plan(
                port_of(process),
                [Connection("/", messages=[message]), Connection("/"), Connection("/")],
                period_s=0.01,
                window_s=0.1,
                drain_s=20,
                fanout=deliveries,
                stamp='"t":',
            )
            counts = generator.run(plan).counts
        finally:
            process.kill()
    assert counts.sent_all == 10
    assert counts.delivered_all == deliveries * counts.sent_all
