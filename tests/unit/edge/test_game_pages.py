"""The views that packages of games bring: what is served of them, and what is not."""

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from service.edge.http.game_pages import game_page_routes, page_url
from service.games.catalogue import Catalogue
from service.games.pong import Pong


def game_in(
    directory: Path, page: str | None, monkeypatch: pytest.MonkeyPatch, name: str = "rps"
) -> Any:
    """Make a game whose Python module is in this directory."""
    module = ModuleType("rps_of_a_test")
    module.__file__ = str(directory / "game.py")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return type("Rps", (Pong,), {"__module__": module.__name__, "page": page, "name": name})()


@pytest.fixture
def package(tmp_path: Path) -> Path:
    package = tmp_path / "rps"
    for path, text in {
        "game.py": "SECRET = 1",
        "page/view.js": 'import "./hands/rock.js";',
        "page/hands/rock.js": "export {};",
        "page/view.css": "",
        "page/generated.py": "SECRET = 2",
        "page/.env": "SECRET=3",
        "beside.js": "SECRET = 4",
    }.items():
        (package / path).parent.mkdir(parents=True, exist_ok=True)
        (package / path).write_text(text)
    (tmp_path / "outside.js").write_text("SECRET = 5")
    (package / "page" / "link.js").symlink_to(tmp_path / "outside.js")
    return package


async def test_the_files_of_a_view_are_served_and_nothing_else(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    game = game_in(package, "page/view.js", monkeypatch)
    assert page_url(game) == "/games/rps/view.js"
    app = web.Application()
    app.add_routes(
        game_page_routes(Catalogue([game]), {"Content-Security-Policy": "default-src 'self'"})
    )
    async with TestClient(TestServer(app)) as client:
        for path in ("view.js", "hands/rock.js", "view.css"):
            response = await client.get(f"/games/rps/{path}")
            assert response.status == 200
            assert response.headers["Content-Security-Policy"] == "default-src 'self'"
            condition = {"If-None-Match": response.headers["ETag"]}
            again = await client.get(f"/games/rps/{path}", headers=condition)
            assert again.status == 304
        for path in (
            "generated.py",
            ".env",
            "link.js",
            "../beside.js",
            "%2e%2e/beside.js",
            "%2e%2e%2fgame.py",
            "hands",
            "%00",
            "..",
        ):
            response = await client.get(f"/games/rps/{path}")
            assert (response.status, "SECRET" in await response.text()) == (404, False), path
        assert (await client.get("/games/other/view.js")).status == 404


@pytest.mark.parametrize("dev", [True, False])
async def test_a_game_that_comes_later_has_its_view_in_development(
    package: Path, monkeypatch: pytest.MonkeyPatch, *, dev: bool
) -> None:
    games = Catalogue([])
    app = web.Application()
    app.add_routes(game_page_routes(games, {}, dev=dev))
    async with TestClient(TestServer(app)) as client:
        assert (await client.get("/games/rps/view.js")).status == 404
        # Its rules were faulty, and are reloaded.
        games.replace(Catalogue([game_in(package, "page/view.js", monkeypatch)]), {})
        assert (await client.get("/games/rps/view.js")).status == (200 if dev else 404)
        (package / "page" / "late.js").write_text("export {};")
        assert (await client.get("/games/rps/late.js")).status == (200 if dev else 404)
        assert (await client.get("/games/rps/%2e%2e/beside.js")).status == 404


@pytest.mark.parametrize("page", [None, "page/none.js", "page", "game.py", "../outside.js"])
def test_a_game_without_a_module_of_its_own_has_no_view(
    page: str | None, package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert page_url(game_in(package, page, monkeypatch)) is None
