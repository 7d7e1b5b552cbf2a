"""Features beyond protocol v1 of 0.1.0, announced in `welcome.features`.

A name is added when a client may send or expect something new, and is never taken away. A client
sends a newer field or message only where the name that belongs to it is listed.
"""

from __future__ import annotations

from typing import Annotated, TypeAlias

import msgspec

FEATURES: tuple[tuple[str, str], ...] = (
    ("error_ids", "An `error` carries the `id` of its command wherever one can be read."),
    ("greeted", "`greeted` marks the end of what stands, after `welcome` and after `resync`."),
    ("sent_invites", "What stands has an `invite:sent` for each own invite without an answer."),
    ("strict_fields", "Unknown fields and unknown room options are refused by `UNKNOWN_FIELD`."),
    ("retry_after", "An `error` may say in `retryAfterMs` when another try may succeed."),
    ("size_limits", "`welcome.limits` says how long a move, a signal and a room's data may be."),
    ("turn_clock", "States say when the turn ends, and a lost turn is `turn_timeout`."),
    (
        "game_history",
        "Who joins gets `game:moves`, the moves so far; `game:history` asks for more.",
    ),
    ("pause_budget", "Each player may make a match wait for so long; `pauseLeftMs` tells."),
    ("id_reused", "A command id that comes back with another command is refused by `ID_REUSED`."),
    ("void_matches", "`game:over` may say `void`: the match has no result, its rules failed."),
)
"""The name of each feature, in the order in which they came, and what it means."""

FEATURE_NAMES: tuple[str, ...] = tuple(name for name, _ in FEATURES)

Feature: TypeAlias = Annotated[str, msgspec.Meta(extra_json_schema={"enum": list(FEATURE_NAMES)})]
