"""The frame rates at which clients of protocol v1 may ask for the states of live matches."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import msgspec

FRAME_HZ_MAX = 60
"""The frame rate of a socket that asks for none: the state of every tick."""

FRAME_HZ = (FRAME_HZ_MAX, 30, 20)
"""The frame rates that a socket may ask for, in frames a second."""

ALL_RATES = frozenset(FRAME_HZ)

FrameHz: TypeAlias = Annotated[int, msgspec.Meta(extra_json_schema={"enum": list(FRAME_HZ)})]
