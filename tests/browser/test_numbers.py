"""The numbers in a real browser, on a narrow telephone: readable, by keyboard, and kept new."""

from datetime import timedelta
from pathlib import Path

import pytest

from browser.chromium import Chromium
from browser.visitor import holds, signed_in
from crm.numbers_world import call_at, keep
from fixtures_database import _server, database, database_url
from voiceagent.crm.numbers.tally import Tally
from voiceagent.crm.postgres.database import Database
from web.console.world import console, now

__all__ = ["_server", "database", "database_url"]

IN_VIEW = """(() => {
    const box = document.querySelector('nav a[aria-current]').getBoundingClientRect();
    return box.left >= 0 && box.right <= window.innerWidth;
})()"""
PAGES_HIDDEN = """(() => {
    const list = document.querySelector('.rail nav ul');
    return list.scrollWidth - list.clientWidth;
})()"""
OVERLAPS = """(() => {
    const boxes = [...document.querySelectorAll('#by-hour-chart text.label')]
        .map((label) => label.getBoundingClientRect());
    return boxes.slice(1).filter((box, n) => box.left < boxes[n].right).length;
})()"""
SMALLEST = """Math.min(...[...document.querySelectorAll('.chart text')]
    .map((label) => label.getBoundingClientRect().height))"""
OUTSIDE = """[...document.querySelectorAll('.chart :is(text, rect, path, circle)')].filter(part => {
    const [box, chart] = [part, part.closest('svg')].map((one) => one.getBoundingClientRect());
    return box.left < chart.left - 1 || box.right > chart.right + 1;
}).length"""


@pytest.mark.parametrize("language", ["he", "en"])
async def test_it_is_read_and_used_on_a_narrow_telephone(
    database: Database, tmp_path: Path, language: str
) -> None:
    for n in range(12):
        at = now() - timedelta(hours=2 * n)
        await keep(database, *call_at(f"CA{n}", at, responses_ms=(300.0, 900.0)))
    assert await Tally(database, pause_s=0).round(now()) is not None
    path = "/console/numbers"
    async with console(database, tmp_path, environ={"AGENT_LANGUAGE": "en-US"}) as shown:
        with Chromium("--window-size=320,640") as chromium:
            async with signed_in(chromium, shown, path) as page:
                await page.send(
                    "Emulation.setDeviceMetricsOverride",
                    width=320, height=640, deviceScaleFactor=2, mobile=True,
                )  # fmt: skip
                address = await page.evaluate("location.origin")
                await page.go(f"{address}{path}?period=week&lang={language}")
                await page.evaluate("window.mark = 'not reloaded'")
                scrolls = "document.documentElement.scrollWidth > window.innerWidth"
                assert not await page.evaluate(scrolls)
                assert await page.evaluate(IN_VIEW)
                assert await page.evaluate(PAGES_HIDDEN) == 0
                assert await page.evaluate(OVERLAPS) == 0
                assert await page.evaluate(OUTSIDE) == 0
                assert await page.evaluate(SMALLEST) >= 9
                # The policy lets the sheet through: a bar has its colour.
                fill = "getComputedStyle(document.querySelector('.bar.good')).fill"
                assert await page.evaluate(fill) == "rgb(15, 118, 110)"

                await page.evaluate("document.querySelector('#by-hour-summary').focus()")
                await page.press(" ")
                await page.until("document.querySelector('#by-hour-table').offsetHeight > 100")
                assert "00:00" in await page.text("#by-hour-table")

                await keep(database, *call_at("CAnew", now()))
                await Tally(database, pause_s=0).round(now() + timedelta(minutes=1))
                # As when somebody comes back to the tab.
                await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
                await page.until(
                    "document.querySelector('[data-key=calls] .value').innerText.trim() === '13'"
                )
                is_open = "document.querySelector('#by-hour-summary').parentElement.open"
                assert await page.evaluate(is_open)
                title = {"he": "שיחות נכנסות", "en": "Calls in"}[language]
                assert await page.evaluate(holds(title))
