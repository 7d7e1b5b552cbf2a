"""The kinds of wire that this machine has, for the tests of all of them.

    python -m tests.wire.kinds

says which tests are left out.
"""

from __future__ import annotations

from typing import Any

from service.edge.wire.choice import PYTHON, native
from service.edge.wire.interface import Wire

KINDS = ("python", "send", "ring")
"""The twin in Python; the extension, with a loop of `send` in C, and with io_uring."""

RING_FROM = 4
"""For so many sockets the tests use the ring already; as a rule it takes more to gain by it."""


def wire_of(kind: str) -> Wire:
    """Return one of these; raises `ImportError` where it can't be used."""
    if kind == "python":
        return PYTHON
    wire = native()

    def new_output(*callbacks: Any) -> Any:
        ring = {"may_use_ring": kind == "ring", "ring_from": RING_FROM}
        output = wire.new_output(*callbacks, **ring)
        if output.method != kind:
            raise ImportError("io_uring can't be used here")
        return output

    return wire._replace(new_output=new_output)


def missing() -> dict[str, str]:
    """Tell of each kind that this machine does not have, why."""
    reasons = {}
    for kind in KINDS:
        try:
            wire_of(kind).new_output(print, print, print, None)
        except ImportError as error:
            reasons[kind] = str(error)
    return reasons


if __name__ == "__main__":
    for kind, reason in missing().items():
        print(f"NOTICE: tests of the native wire ({kind}) are LEFT OUT: {reason}")
