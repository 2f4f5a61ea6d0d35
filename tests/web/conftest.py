"""A real browser for the tests of pages, without a network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

from .pages import CHROMIUM

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

ARGUMENTS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        yield browser
        browser.close()


@pytest.fixture
def complaints() -> list[str]:
    """Return what the console has said; a test takes out what it expects."""
    return []


@pytest.fixture
def open_page(
    browser: Browser, tmp_path: Path, complaints: list[str]
) -> Iterator[Callable[..., Page]]:
    """Open HTML as a file; what the console says, or what is loaded, is a fault."""
    contexts, asked = [], []

    def opened(text: str, *, width: int, at: str = "", **options: Any) -> Page:
        file = tmp_path / "page.html"
        file.write_text(text, encoding="utf-8")
        context = browser.new_context(viewport={"width": width, "height": 900}, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(file.as_uri() + at)
        return page

    yield opened
    for context in contexts:
        context.close()
    complaints.extend(url for url in asked if not url.startswith(("file:", "data:")))
    assert complaints == []
