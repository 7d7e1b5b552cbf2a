"""What is left out of scripts and style sheets as they are served."""

import re
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from service.edge.http.assets import CONTENT_TYPES, asset_routes, shortened
from service.edge.http.pages import WEB

FILES = sorted(path for path in WEB.rglob("*") if path.suffix in CONTENT_TYPES)


@pytest.mark.parametrize(
    ("text", "served"),
    [
        ("// A file.\n\nlet a = 1;\n", "let a = 1;\n"),
        ("/** What it is.\n * @type {A}\n */\nlet a;\n", "let a;\n"),
        ("  /** @type {A} */ #a = null;\n", "#a = null;\n"),
        ("f(/** @type {A} */ (b));\n", "f((b));\n"),
        ("/* Bar */\n.bar {\n  gap: 1px; /* small */\n}\n", ".bar {\ngap: 1px; /* small */\n}\n"),
        ("/* Bar\n   foo */ .bar {\n}\n", ".bar {\n}\n"),
        ('open("https://a.b/");\n', 'open("https://a.b/");\n'),
        ("a = b // c\n  * d;\n", "a = b // c\n* d;\n"),
    ],
)
def test_comments_and_indentation_are_left_out(text: str, served: str) -> None:
    assert shortened(text) == served


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(WEB)))
def test_no_string_of_a_served_file_goes_over_lines_or_looks_like_a_comment(path: Path) -> None:
    for line in shortened(path.read_text()).splitlines():
        assert line.replace('"`"', "").count("`") % 2 == 0, line
        assert not re.search(r"""["'`][^"'`]*/\*""", line), line


async def test_an_asset_is_served_anew_only_when_it_has_changed(tmp_path: Path) -> None:
    (tmp_path / "play").mkdir()
    script = tmp_path / "play" / "main.js"
    script.write_text("// One.\n  let one = 1;\n")
    (tmp_path / "secret.txt").write_text("no")
    app = web.Application()
    app.add_routes(asset_routes(tmp_path, {"X-Content-Type-Options": "nosniff"}))
    async with TestClient(TestServer(app)) as client:
        response = await client.get("/app/play/main.js")
        assert (await response.text(), response.headers["Content-Encoding"]) == (
            "let one = 1;\n",
            "gzip",
        )
        assert response.content_type == "text/javascript"
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        condition = {"If-None-Match": response.headers["ETag"]}
        assert (await client.get("/app/play/main.js", headers=condition)).status == 304
        plain = await client.get("/app/play/main.js", headers={"Accept-Encoding": "identity"})
        assert ("Content-Encoding" in plain.headers, await plain.text()) == (
            False,
            "let one = 1;\n",
        )
        script.write_text("let two = 22;\n")
        changed = await client.get("/app/play/main.js", headers=condition)
        assert (changed.status, await changed.text()) == (200, "let two = 22;\n")
        for path in ("secret.txt", "play", "../secret.txt", "play/%2e%2e/play/other.js"):
            assert (await client.get(f"/app/{path}")).status == 404
