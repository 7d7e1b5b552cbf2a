"""What a check has found."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

Status: TypeAlias = Literal["ok", "warn", "fail"]


class Finding(msgspec.Struct, frozen=True):
    """The result of one check."""

    check: str
    """The name of the check, which programs may rely on."""
    status: Status
    found: str
    """What was found, in a sentence."""
    advice: str = ""
    """What to do; empty when there is nothing to do."""


def worst(findings: list[Finding]) -> Status:
    """Return the worst status of all."""
    found = {finding.status for finding in findings}
    return "fail" if "fail" in found else "warn" if "warn" in found else "ok"
