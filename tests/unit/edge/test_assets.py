"""Scripts and style sheets are served shortened, and only when they have changed."""

from pathlib import Path

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from service.edge.http.assets import asset_routes, short_script, short_style


def test_private_names_are_short_and_strings_stay() -> None:
    text = """
    // Comment.
    class A {
      #long = "#long";
      #longer() { return this.#long + `#long ${this.#long}`; }
    }
    """
    assert short_script(text) == 'class A{#a="#long";#b(){return this.#a+`#long ${this.#a}`;}}'


def test_a_style_sheet_loses_its_comments() -> None:
    assert short_style("/* A */ .a > .b { gap: calc(1px + 2px); }") == ".a>.b{gap:calc(1px + 2px)}"


def test_what_is_inside_of_something_stays_inside_in_nested_rules() -> None:
    rules = ".a :is(.b, .c) { color: red; } .a :focus, .a:focus { gap: 0; }"
    assert short_style(f"@media print {{ {rules} }}") == (
        "@media print{.a *:is(.b,.c){color:red}.a *:focus,.a:focus{gap:0}}"
    )


async def test_an_asset_is_served_anew_only_when_it_has_changed(tmp_path: Path) -> None:
    (tmp_path / "play").mkdir()
    script = tmp_path / "play" / "main.js"
    script.write_text("// One.\n  let x = 1;\n")
    (tmp_path / "secret.txt").write_text("no")
    app = web.Application()
    app.add_routes(asset_routes(tmp_path, {"X-Content-Type-Options": "nosniff"}))
    async with TestClient(TestServer(app)) as client:
        response = await client.get("/app/play/main.js")
        assert (await response.text(), response.headers["Content-Encoding"]) == (
            "let x=1;",
            "gzip",
        )
        assert response.content_type == "text/javascript"
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        condition = {"If-None-Match": response.headers["ETag"]}
        assert (await client.get("/app/play/main.js", headers=condition)).status == 304
        plain = await client.get("/app/play/main.js", headers={"Accept-Encoding": "identity"})
        assert ("Content-Encoding" in plain.headers, await plain.text()) == (
            False,
            "let x=1;",
        )
        script.write_text("let y = 22;\n")
        changed = await client.get("/app/play/main.js", headers=condition)
        assert (changed.status, await changed.text()) == (200, "let y=22;")
        for path in ("secret.txt", "play", "../secret.txt", "play/%2e%2e/play/other.js"):
            assert (await client.get(f"/app/{path}")).status == 404
