"""Findings of axe, which looks for barriers to people with disabilities, on a page in a browser."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from playwright.async_api import Page

SCRIPT = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"

SERIOUS = ("serious", "critical")


async def serious_findings(page: Page) -> list[str]:
    """Return what is seriously wrong with the page as it is shown now."""
    # A colour that is about to change is no finding.
    await page.emulate_media(reduced_motion="reduce")
    # Evaluated by the browser itself: the page's policy allows no script but its own.
    if not await page.evaluate("typeof globalThis.axe === 'object'"):
        await page.evaluate(SCRIPT.read_text())
    # It would load style sheets anew, by inline styles, for a rule that is not serious.
    found: dict[str, Any] = await page.evaluate("axe.run(document, { preload: false })")
    return [
        f"{one['id']}: {node['html']}"
        for one in found["violations"]
        if one["impact"] in SERIOUS
        for node in one["nodes"]
    ]
