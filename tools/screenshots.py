"""Take pictures of every page, dark, light and on a phone, for README and docs: `make screenshots`.

They are written to docs/images. A service of its own is started with users who play by themselves;
the pictures are taken in Debian's Chromium.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sys
import tempfile
import urllib.request
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from playwright.async_api import async_playwright

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from playwright.async_api import Browser, Page, ViewportSize

IMAGES = Path(__file__).parents[1] / "docs" / "images"
COMMAND = Path(sys.executable).with_name("ws-service")
PORT = 9470
URL = f"http://127.0.0.1:{PORT}"

SIZES: dict[str, tuple[ViewportSize, Any]] = {
    "dark": ({"width": 1280, "height": 860}, "dark"),
    "light": ({"width": 1280, "height": 860}, "light"),
    "phone": ({"width": 390, "height": 844}, "dark"),
}

PLAYERS = {
    "pong": ["Emil", "Jonas", "Leo", "Mara", "Ana", "Ben"],
    "connect_four": ["Farah", "Ida", "Paul", "Rosa"],
}
"""Who plays before the pictures are taken, and while they are; Ana and Ben only before."""

GUESTS = ("Ana", "Ben", "Cleo", "Noor", "Greta", "Hugo")
GRACE_S = 12
"""Until the rooms of players who have gone are closed."""

HISTORY_S = 75
"""How long the players play before the first picture."""

PATIENCE_MS = 15_000


def token(name: str) -> str:
    """Return a token of the service in development mode."""
    body = json.dumps({"name": name}).encode()
    request = urllib.request.Request(  # noqa: S310 - the URL is our own
        f"{URL}/dev/token", body, {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request) as answer:  # noqa: S310 - the URL is our own
        found: str = json.load(answer)["token"]
    return found


@asynccontextmanager
async def running(*arguments: str, **settings: str) -> AsyncIterator[None]:
    """Run a command of the service, quietly."""
    process = await asyncio.create_subprocess_exec(
        COMMAND,
        *arguments,
        env=os.environ | settings,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        await process.wait()


async def until_up() -> None:
    """Wait until the service answers."""
    while True:
        try:
            await asyncio.to_thread(urllib.request.urlopen, f"{URL}/readyz")
        except OSError:
            await asyncio.sleep(0.1)
        else:
            return


@asynccontextmanager
async def players(directory: Path, game: str, names: Sequence[str]) -> AsyncIterator[None]:
    """Let these users play against each other."""
    file = directory / f"tokens-{game}"
    file.write_text("\n".join(map(token, names)) + "\n")
    file.chmod(0o600)
    url = f"ws://127.0.0.1:{PORT}/ws"
    count = str(len(names))
    async with running(
        "bots", "--count", count, "--game", game, "--url", url, "--tokens", str(file)
    ):
        yield


class Camera:
    """Opens pages, and takes a picture of each in every size."""

    def __init__(self, browser: Browser) -> None:
        """Use this browser."""
        self._browser = browser

    async def page(self, path: str, name: str | None = None, size: str = "dark") -> Page:
        """Open a page for somebody."""
        viewport, scheme = SIZES[size]
        context = await self._browser.new_context(
            viewport=viewport, color_scheme=scheme, device_scale_factor=1, reduced_motion="reduce"
        )
        page = await context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        joint = "&" if "?" in path else "?"
        await page.goto(URL + path + (f"{joint}token={token(name)}" if name else ""))
        return page

    async def take(self, page: Page, name: str, *, pause_s: float = 1.5) -> None:
        """Take one picture per size of what a page shows."""
        for size, (viewport, scheme) in SIZES.items():
            await page.set_viewport_size(viewport)
            await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            await page.evaluate("document.activeElement.blur(); scrollTo(0, 0)")
            await asyncio.sleep(pause_s)
            await page.screenshot(path=IMAGES / f"{name}-{size}.png")
            print(f"docs/images/{name}-{size}.png")


async def lobby(camera: Camera) -> None:
    """Show the lobby, with an invite, open rooms, live matches and a chat."""
    ana = await camera.page("/", "Ana")
    others = [await camera.page("/", name) for name in GUESTS[1:]]
    ben, cleo, noor, greta, hugo = others
    for page, status in ((greta, "busy"), (hugo, "away")):
        await page.locator("[data-part=status]").select_option(status)
    for page, text in (
        (ben, "anyone for connect four, slow clock?"),
        (cleo, "just lost four in a row, need a break"),
        (ana, "I am in after this one"),
        (ben, "room is open, no password"),
    ):
        await page.get_by_label("Lobby chat").locator("input").fill(text)
        await page.get_by_label("Lobby chat").locator("input").press("Enter")
        await asyncio.sleep(0.3)
    await room(ben, "Connect four", title="")
    await room(noor, "Pong", title="Sunday cup", opens="blue door")
    row = cleo.locator("[data-part=people] li", has_text="Ana")
    await row.locator("[data-part=invite]").click()
    await row.locator('[data-invite="connect_four"]').click()
    await camera.take(ana, "lobby")
    for page in (ana, *others):
        await page.context.close()


async def room(page: Page, game: str, *, title: str, opens: str = "") -> None:
    """Create a room by the form."""
    form = page.locator("form.form")
    await form.get_by_text(game).click()
    await form.get_by_label("Name of the room").fill(title)
    if opens:
        await form.get_by_text("Password", exact=True).first.click()
        await form.locator("[name=password]").fill(opens)
    await form.get_by_role("button", name="Create room").click()
    await page.locator('body[data-place="room"]').wait_for()


async def matches(camera: Camera) -> None:
    """Show the history, how somebody plays, and a match that is watched again."""
    for path, name in (
        ("/live", "live"),
        ("/matches", "matches"),
        ("/player/me", "player"),
    ):
        page = await camera.page(path, "Ana")
        await camera.take(page, name)
        if name == "matches":
            await page.locator(".history .cover").nth(1).click()
            await camera.take(page, "replay", pause_s=2.5)
        await page.context.close()


async def plays(camera: Camera) -> None:
    """Show a match of Pong and one of connect four, as they are watched."""
    for game in PLAYERS:
        page = await camera.page("/live", "Cleo")
        await page.locator(f'.live .stage[data-game="{game}"]').first.click()
        await camera.take(page, game)
        await page.context.close()


async def sign_in(camera: Camera) -> None:
    """Show the form before everything else."""
    page = await camera.page("/")
    await camera.take(page, "sign-in", pause_s=0.5)
    await page.context.close()


async def operations(camera: Camera) -> None:
    """Show the console and the documents."""
    page = await camera.page("/docs")
    await camera.take(page, "docs")
    page = await camera.page("/admin")
    await page.get_by_role("button", name="Sign in for development").click()
    await camera.take(page, "console")


async def take_all(only: Sequence[str]) -> None:
    """Take the pictures of the scenes with these names, or of all."""
    scenes = {one.__name__: one for one in (lobby, plays, matches, sign_in, operations)}
    path = shutil.which("chromium")
    if path is None:
        raise SystemExit("chromium is missing: apt-get install chromium")
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as directory:
        here = Path(directory)
        settings = {
            "WS_PORT": str(PORT),
            "WS_DATABASE_URL": f"sqlite+aiosqlite:///{here}/log.db",
            "WS_MATCH_DURATION_S": "20",
        }
        async with running("serve", "--dev", **settings), async_playwright() as playwright:
            await asyncio.wait_for(until_up(), 20)
            arguments = ["--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
            browser = await playwright.chromium.launch(executable_path=path, args=arguments)
            camera = Camera(browser)
            async with (
                players(here, "pong", PLAYERS["pong"]),
                players(here, "connect_four", PLAYERS["connect_four"]),
            ):
                await asyncio.sleep(HISTORY_S)
            await asyncio.sleep(GRACE_S)
            async with (
                players(here, "pong", PLAYERS["pong"][:4]),
                players(here, "connect_four", PLAYERS["connect_four"]),
            ):
                await asyncio.sleep(4)
                for name, scene in scenes.items():
                    if not only or name in only:
                        await scene(camera)
            await browser.close()


if __name__ == "__main__":
    asyncio.run(take_all(sys.argv[1:]))
