"""What the tests of all pages in a browser ask of a page, and put into it."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page

CHROMIUM: Final = shutil.which("chromium")
IN_A_BROWSER: Final = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on PATH"),
]
HOSTILE: Final = "<img src=x onerror=document.title='broken'>"
LONG: Final = "a" * 90
GROUND: Final = "getComputedStyle(document.body).backgroundColor"


def sideways(page: Page) -> int:
    """Return by how many pixels a page is wider than its window."""
    return int(page.evaluate("document.documentElement.scrollWidth - window.innerWidth"))
