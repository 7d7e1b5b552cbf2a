"""The pages' views of games that other packages bring: ES modules in the package of the game.

A game names its module by `page`, a path below the directory of its Python module, such as
`page/view.js`. That file and those beside and below it are served at `/games/NAME/...`, by the
same security policy as the page itself; of these only scripts, style sheets, pictures and the like.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import web

from service.games.shield import rules_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from service.games.catalogue import Catalogue
    from service.games.protocol import Game

SERVED = frozenset(
    {".js", ".css", ".json", ".svg", ".png", ".jpg", ".webp", ".gif", ".woff2", ".mp3", ".ogg"}
)
"""The suffixes of files that are served; above all no Python."""


def page_url(game: Game) -> str | None:
    """Return the URL of the view that a game brings, or None."""
    entry = _entry(game)
    return None if entry is None else f"/games/{game.name}/{entry.name}"


def game_page_routes(
    games: Catalogue, headers: Mapping[str, str], *, dev: bool = False
) -> list[web.AbstractRouteDef]:
    """Serve the files of all games that bring a view.

    They are listed at the start; with `dev` at each request, so that games and files that come
    later are served too.
    """
    listed = _files(games)

    async def serve(request: web.Request) -> web.StreamResponse:
        files = _files(games, request.match_info["game"]) if dev else listed
        found = files.get(request.match_info["game"], {}).get(request.match_info["path"])
        if found is None:
            raise web.HTTPNotFound
        return web.FileResponse(found, headers=headers)

    return [web.get("/games/{game}/{path:.+}", serve)]


def _files(games: Catalogue, name: str | None = None) -> dict[str, dict[str, Path]]:
    """List the files of each game's view, or only of the one with this name."""
    return {game.name: _files_of(game) for game in games.registered if name in {None, game.name}}


def _files_of(game: Game) -> dict[str, Path]:
    """List the files of a game's view: a path from a URL is looked up here, never joined."""
    entry = _entry(game)
    if entry is None:
        return {}
    folder = entry.parent
    found = (path for path in folder.rglob("*") if path.suffix in SERVED and path.is_file())
    inside = (path for path in found if path.resolve().is_relative_to(folder))
    return {path.relative_to(folder).as_posix(): path for path in inside}


def _entry(game: Game) -> Path | None:
    """Return the module that a game names; None if it names none, or none that is there."""
    page: str | None = getattr(game, "page", None)
    if page is None:
        return None
    source = getattr(sys.modules.get(type(rules_of(game)).__module__), "__file__", None)
    if source is None:
        return None
    directory = Path(source).resolve().parent
    entry = (directory / page).resolve()
    is_module = entry.is_relative_to(directory) and entry.suffix == ".js" and entry.is_file()
    return entry if is_module else None
