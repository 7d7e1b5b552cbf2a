"""The settings, pages and commands in SECURITY.md exist, and it lists every memory limit."""

import re
from pathlib import Path

from service.bounds import bounds
from service.settings import Settings, describe, load_settings

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "SECURITY.md").read_text()

SETTING = re.compile(r"`((?:WS|JWT|VAULT|USER_SERVICE)_[A-Z_]+)`")


def anchors(page: Path) -> set[str]:
    """Return what GitHub calls the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


def test_every_setting_in_the_page_exists() -> None:
    known = {row.env for row in describe(Settings())}
    named = set(SETTING.findall(PAGE))
    assert len(named) > 40
    assert named - known == set()


def test_every_setting_that_bounds_the_memory_is_named() -> None:
    settings = load_settings({"JWT_SECRET": "a-secret-of-this-test-of-forty-bytes"})
    limits = {limit for bound in bounds(settings) for limit in bound.limits}
    assert limits - set(SETTING.findall(PAGE)) == set()


def test_every_link_points_to_an_existing_heading() -> None:
    links = re.findall(r"\]\(([^)#]+)#?([^)]*)\)", PAGE)
    assert len(links) > 8
    for page, heading in links:
        assert (ROOT / page).is_file(), page
        assert not heading or heading in anchors(ROOT / page), f"{page}#{heading}"


def test_every_make_target_in_the_page_exists() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"`make ([a-z-]+)", PAGE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
