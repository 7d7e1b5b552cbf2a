"""Handlers of the HTTP API for the history: matches by filters, and how somebody has played."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, TypeAlias

from service.domain.ids import is_bot, parse_user_id
from service.edge.api import history_shapes, shapes
from service.edge.api.access import seen_by
from service.edge.api.problems import BadParameter, PlayerNotFound
from service.eventstore.read_models.match_history import WITHOUT_RESULT, MatchQuery, find_matches
from service.fanout.views import user_entry
from service.protocol.classic import User

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from service.edge.api.calls import Call, Dependencies
    from service.eventstore.read_models.match_history import MatchResult, PlayedMatch
    from service.protocol import v1

MATCHES_MAX = 1000
"""The newest matches of a player that are counted."""

LAST_MAX = 20
OPPONENTS_MAX = 20

Counts: TypeAlias = "Counter[MatchResult]"


async def list_matches(
    deps: Dependencies, call: Call[history_shapes.MatchesParams]
) -> shapes.MatchPage:
    """Lists matches, live and finished; those of rooms that aren't public to their players only."""
    params = call.params
    if params.result is not None and params.user is None:
        raise BadParameter("`result` is that of a `user`: name one.", "result")
    is_newest = params.sort == "newest"
    wanted = MatchQuery(
        user_id=None if params.user is None else str(parse_user_id(params.user)),
        opponent=params.opponent,
        game=params.game,
        since=_microseconds(params.since) or 0,
        until=_microseconds(params.until),
        reason=params.reason,
        result=params.result,
        seconds_min=params.seconds_min,
        seconds_max=params.seconds_max,
        tick_hz=deps.games.tick_rates(),
        sort=params.sort,
        before=params.cursor if is_newest else None,
        offset=0 if is_newest else params.cursor or 0,
        limit=params.limit + 1,
    )
    found = await find_matches(deps.reader, wanted)
    page = found[: params.limit]
    cursor: int | None = None
    if len(found) > len(page):
        cursor = page[-1].position if is_newest else wanted.offset + len(page)
    seen = await seen_by(call.caller, page, deps)
    return shapes.MatchPage(
        matches=[shapes.match_of(match, deps.games) for match in seen], cursor=cursor
    )


async def show_player(
    deps: Dependencies, call: Call[history_shapes.PlayerParams]
) -> history_shapes.PlayerHistory:
    """Shows how somebody has played, by those of their matches that you may see."""
    user = parse_user_id(call.params.user_id)
    wanted = MatchQuery(user_id=str(user), limit=MATCHES_MAX + 1)
    found = await find_matches(deps.reader, wanted)
    names = await deps.reader.names([str(user)])
    if not found and str(user) not in names and not is_bot(user):
        raise PlayerNotFound
    seen = await seen_by(call.caller, found[:MATCHES_MAX], deps)
    entry = user_entry(user, deps.world, deps.profiles)
    name = names.get(str(user)) or deps.profiles.name(user)
    return player_of(
        User(user, name),
        seen,
        status=None if entry is None else entry.status,
        is_all=len(found) <= MATCHES_MAX,
    )


def player_of(
    user: User, matches: Sequence[PlayedMatch], *, status: v1.Status | None, is_all: bool
) -> history_shapes.PlayerHistory:
    """Return how `user` has played in `matches`, the newest first."""
    played = [(match, result) for match in matches if (result := result_of(match, user.id))]
    games: dict[str, Counts] = {}
    opponents: dict[str, Counts] = {}
    names: dict[str, str] = {}
    for match, result in played:
        games.setdefault(match.game, Counter())[result] += 1
        for other, name in zip(match.users, match.players, strict=True):
            if other != str(user.id):
                opponents.setdefault(other, Counter())[result] += 1
                names.setdefault(other, name)
    results = [result for _, result in played]
    often = sorted(opponents.items(), key=lambda one: -one[1].total())[:OPPONENTS_MAX]
    return history_shapes.PlayerHistory(
        user=user,
        status=status,
        record=_record(Counter(results)),
        is_all=is_all,
        streak=_streak(results),
        last=results[:LAST_MAX],
        games=[
            history_shapes.GameRecord(game=game, record=_record(counts))
            for game, counts in sorted(games.items(), key=lambda one: -one[1].total())
        ],
        opponents=[
            history_shapes.OpponentRecord(
                user=User(parse_user_id(other), names[other]), record=_record(counts)
            )
            for other, counts in often
        ],
        opponents_count=len(opponents),
        last_match_at=shapes.datetime_of(matches[0].started_at) if matches else None,
    )


def result_of(match: PlayedMatch, user: object) -> MatchResult | None:
    """Return how a match ended for a user; None if it is live, void or abandoned."""
    if match.reason is None or (match.winner is None and match.reason in WITHOUT_RESULT):
        return None
    if match.winner is None:
        return "drawn"
    return "won" if match.users[match.winner] == str(user) else "lost"


def _record(counts: Counts) -> history_shapes.Record:
    return history_shapes.Record(won=counts["won"], lost=counts["lost"], drawn=counts["drawn"])


def _streak(results: Iterable[MatchResult]) -> int:
    """Return how many were won in a row until now; lost ones are negative."""
    streak = 0
    for result in results:
        step = {"won": 1, "lost": -1, "drawn": 0}[result]
        if step == 0 or streak * step < 0:
            break
        streak += step
    return streak


def _microseconds(when: datetime | None) -> int | None:
    return None if when is None else int(when.timestamp() * 1_000_000)
