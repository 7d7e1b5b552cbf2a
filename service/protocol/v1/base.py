"""Base class and field types of the messages of protocol v1."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import msgspec

from service.protocol.base import FromClientMessage

Whole: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)]


class V1Command(FromClientMessage, frozen=True, forbid_unknown_fields=True):
    """A command of protocol v1 only; unknown fields are refused."""
