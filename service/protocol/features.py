"""Features beyond protocol v1 of 0.1.0, announced in `welcome.features`.

A name is added when a client may send or expect something new, and is never taken away. A client
sends a newer field or message only where the name that belongs to it is listed.
"""

from __future__ import annotations

from typing import Annotated, TypeAlias

import msgspec

FEATURES: tuple[tuple[str, str], ...] = (
    ("error_ids", "An `error` carries the `id` of its command wherever one can be read."),
    (
        "greeted",
        "`greeted` marks the end of the present state, after `welcome` and after `resync`.",
    ),
    ("sent_invites", "The present state has an `invite:sent` for each pending invite of your own."),
    ("strict_fields", "Unknown fields and unknown room options are refused with `UNKNOWN_FIELD`."),
    ("retry_after", "An `error` may say in `retryAfterMs` when a retry may succeed."),
    ("size_limits", "`welcome.limits` has the size limits of moves, signals and room data."),
    ("turn_clock", "States say when the turn ends, and a lost turn is `turn_timeout`."),
    (
        "game_history",
        "Joining a match sends `game:moves`, the moves so far; `game:history` requests more.",
    ),
    (
        "pause_budget",
        "Each player may pause a match for a limited time; `pauseLeftMs` is what is left.",
    ),
    ("id_reused", "A command id that is reused for another command is refused with `ID_REUSED`."),
    (
        "void_matches",
        "The reason of `game:over` may be `void`: the match has no result, its rules failed.",
    ),
    (
        "frame_hz",
        "States can be had at a lower frame rate: `?frameHz=`, `frames:set`, `welcome.frameHz`.",
    ),
    (
        "closes_in",
        "`server:draining` may say in `closesInMs` when the connection ends: replace it before.",
    ),
    (
        "clocks",
        "Games may have clocks per player: `clocksMs` beside `turnEndsInMs`, also in room states.",
    ),
    (
        "bots",
        "`room:addBot` seats a bot, `matchmaking:acceptBot` accepts one that was offered.",
    ),
    (
        "lobby_watch",
        "`lobby:watch` sends who waits, live matches and what is said; `lobby:say` says something.",
    ),
    ("room_options", "Rooms in lists have their `options`."),
    ("invite_ttl", "`welcome.limits.inviteTtlMs` is how long an invite is open."),
    ("void_message", "`game:over` of a void match says why in `message`, for people."),
    ("error_fields", "An `error` may name in `field` the field or option that is wrong."),
    ("games", "`welcome.games` lists the games, and `GET /api/v1/games` describes them."),
)
"""The name and the meaning of each feature, in the order in which they were added."""

FEATURE_NAMES: tuple[str, ...] = tuple(name for name, _ in FEATURES)

Feature: TypeAlias = Annotated[str, msgspec.Meta(extra_json_schema={"enum": list(FEATURE_NAMES)})]
