"""What every page must be, looked at in a browser: read by axe, narrow and wide, light and dark.

`look_at` opens each page as a signed-in account. It fails for a WCAG violation that axe-core finds,
for a page that scrolls sideways, for a console error and for one of more than 60 KB. Pictures are
kept in `.shots/`, which git ignores, named `<page>-<width>-<scheme>.png`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from playwright.sync_api import Browser, BrowserContext, Page

from browsing import House
from npm import installed

ROOT = Path(__file__).resolve().parents[1]
SHOTS = ROOT / ".shots"
LARGEST = 60_000
WIDTHS = (360, 1280)
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def look_at(
    browser: Browser, house: House, email: str | None, pages: Mapping[str, str], title: str
) -> None:
    """Look at pages, `{name: address}`, as an account or as a stranger; `title` begins pictures."""
    wrong: list[str] = []
    for name, address in pages.items():
        context = signed_in_context(browser, house, email)
        wrong += [f"{name}: {each}" for each in _look(context, house, address, f"{title}-{name}")]
        context.close()
    assert wrong == [], "\n".join(wrong)


def signed_in_context(browser: Browser, house: House, email: str | None) -> BrowserContext:
    """A browser with nothing cached, signed in without showing the form."""
    context = browser.new_context(viewport={"width": WIDTHS[-1], "height": 900})
    if email is not None:
        with house.signed_in(email) as client:
            context.add_cookies(
                [
                    {"name": each.name, "value": each.value or "", "url": house.url}
                    for each in client.cookies.jar
                ]
            )
    return context


def look_at_opened(page: Page, name: str) -> list[str]:
    """What is wrong with a page as it stands, for one that no address leads to, such as an answer
    to a form; with its pictures."""
    wrong = []
    page.evaluate(_axe())
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme)
            where = f"{width} px, {scheme}"
            wrong += [f"{where}: {each}" for each in _violations(page)]
            page.screenshot(path=SHOTS / f"{name}-{width}-{scheme}.png", full_page=True)
        wide = page.evaluate("document.documentElement.scrollWidth")
        if wide > width:
            wrong.append(f"{width} px: the page is {wide} px wide")
    return wrong


def _look(context: BrowserContext, house: House, address: str, name: str) -> list[str]:
    page = context.new_page()
    wrong: list[str] = []
    page.on("console", lambda message: wrong.append(f"console: {message.text}"))
    page.on("pageerror", lambda error: wrong.append(f"script: {error}"))
    sizes: list[float] = []
    network = context.new_cdp_session(page)
    network.send("Network.enable")
    network.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
    answer = page.goto(f"{house.url}{address}", wait_until="load")
    assert answer is not None
    if answer.status != 200:
        return [f"answered {answer.status}"]
    if sum(sizes) > LARGEST:
        wrong.append(f"{sum(sizes):.0f} bytes were transferred, at most {LARGEST} are allowed")
    return wrong + look_at_opened(page, name)


def _violations(page: Page) -> list[str]:
    found: list[dict[str, Any]] = page.evaluate(
        "tags => axe.run({runOnly: tags, resultTypes: ['violations']}).then(r => r.violations)",
        TAGS,
    )
    return [
        f"{each['id']} ({each['help']}): "
        + "; ".join(f"{node['target']} {node['failureSummary']}" for node in each["nodes"][:3])
        for each in found
    ]


def _axe() -> str:
    SHOTS.mkdir(exist_ok=True)
    return (installed(ROOT / "tests/pages/axe") / "node_modules/axe-core/axe.min.js").read_text()
