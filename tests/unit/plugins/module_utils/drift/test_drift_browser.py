# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The page as a browser shows it: light and dark, on a desk and on a phone, clean and drifted."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._drift.report import build_report

from unit.plugins.module_utils.drift.samples import clean_sources, drifted_sources, render, uncertain_sources

webdriver = pytest.importorskip("selenium.webdriver", reason="the browser test needs selenium from PyPI")
if not (shutil.which("chromium") and shutil.which("chromedriver")):
    pytest.skip("the browser test needs the Debian packages chromium and chromium-driver", allow_module_level=True)

pytestmark = pytest.mark.slow

DESK, PHONE = 1180, 390
SAMPLES = {"clean": clean_sources(), "uncertain": uncertain_sources(), "drifted": drifted_sources()}
# Nothing may be asked from the network, not even by the browser itself. Root can not use Chromium's sandbox.
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)
# Every text that can be seen, with its contrast to what is behind it (WCAG 2.2, 1.4.3).
CONTRASTS = """
const channel = v => { v /= 255; return v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4; };
const numbers = c => c.match(/[\\d.]+/g).map(Number);
const luminance = c => {
  const [r, g, b] = numbers(c).map(channel); return .2126 * r + .7152 * g + .0722 * b; };
const behind = e => { for (; e; e = e.parentElement) {
  const c = getComputedStyle(e).backgroundColor; const n = numbers(c); if (n.length < 4 || n[3] > 0) return c; }
  return 'rgb(255, 255, 255)'; };
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
const found = [];
for (let node; node = walker.nextNode();) {
  const e = node.parentElement;
  if (!node.data.trim() || e.closest('svg, .skip') || !e.checkVisibility()) continue;
  const [a, b] = [luminance(getComputedStyle(e).color), luminance(behind(e))];
  found.push([node.data.trim(), (Math.max(a, b) + .05) / (Math.min(a, b) + .05)]);
}
return found;
"""
# Texts of a box that reach out of it.
OVERFLOWS = """
return [...document.querySelectorAll('.node')].filter(n => n.checkVisibility()).flatMap(node => {
  const box = node.querySelector('.box').getBoundingClientRect();
  return [...node.querySelectorAll('text')].filter(text => {
    const r = text.getBoundingClientRect();
    return r.left < box.left || r.right > box.right || r.top < box.top - 1 || r.bottom > box.bottom + 1;
  }).map(text => text.textContent);
});
"""
# Titles that a badge covers.
COVERED = """
return [...document.querySelectorAll('.node')].filter(n => n.checkVisibility() && n.querySelector('.badge')).filter(
  n => n.querySelector('.title').getBoundingClientRect().right > n.querySelector('.badge').getBoundingClientRect().left
).map(n => n.querySelector('.title').textContent);
"""
SEEN = """
return [...document.querySelectorAll('.node')].filter(n => n.checkVisibility() && n.getBoundingClientRect().width > 40)
  .map(n => n.querySelector('title').textContent);
"""


@dataclass
class Shown:
    """One page in one guise."""

    driver: Any
    report: dict[str, Any]

    def ask(self, script: str) -> Any:
        return self.driver.execute_script(script)


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    service = webdriver.ChromeService(executable_path=shutil.which("chromedriver"))
    started = webdriver.Chrome(options=options, service=service)
    try:
        yield started
    finally:
        started.quit()


@pytest.fixture(
    params=[(sample, scheme, width) for sample in SAMPLES for scheme in ("light", "dark") for width in (DESK, PHONE)],
    ids=lambda guise: "-".join(map(str, guise)),
)
def shown(request: pytest.FixtureRequest, driver: Any, tmp_path: Path) -> Shown:
    sample, scheme, width = request.param
    report = build_report(SAMPLES[sample])
    page = tmp_path / "drift.html"
    page.write_text(render(report, "html"))
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width == PHONE}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    for kind in ("browser", "performance"):
        driver.get_log(kind)
    driver.get(page.as_uri())
    return Shown(driver, report)


def test_the_page_can_be_seen_and_read(shown: Shown) -> None:
    """One look at each guise: starting a page costs more than asking it."""
    report, text = shown.report, shown.driver.find_element("tag name", "body").text
    words = " ".join(text.split())

    # Every object is drawn, and no text leaves its box or hides behind a badge.
    nodes = [
        f"{node['kind']} {node['key']}"
        for group in report["topology"]
        for node in [*group["frontends"], *([group["farm"]] if group["farm"] else []), *group["servers"]]
    ]
    assert sorted(shown.ask(SEEN)) == sorted(nodes)
    assert shown.ask(OVERFLOWS) == []
    assert shown.ask(COVERED) == []

    # Every finding can be read.
    for finding in report["findings"]:
        for part in ("object", "field", "declared_text", "found_text", "kind_text", "note"):
            assert (finding[part] or "") in words

    # It fits the screen, and everything stands out from what is behind it.
    assert shown.ask("return document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
    contrasts = shown.ask(CONTRASTS)
    assert len(contrasts) > 40
    assert [item for item in contrasts if item[1] < 4.5] == []

    # It complains about nothing and asks for nothing.
    assert shown.driver.get_log("browser") == []
    messages = [json.loads(entry["message"])["message"] for entry in shown.driver.get_log("performance")]
    asked = [
        message["params"]["request"]["url"] for message in messages if message["method"] == "Network.requestWillBeSent"
    ]
    assert [url for url in asked if not url.startswith(("data:", shown.driver.current_url))] == []


def test_the_first_tab_stop_leads_to_the_findings(shown: Shown) -> None:
    shown.driver.find_element("tag name", "body").send_keys("\ue004")  # Tab
    focused = shown.driver.switch_to.active_element
    assert focused.text == "Skip to the findings"
    assert focused.rect["x"] >= 0
    assert focused.value_of_css_property("outline-style") == "solid"
    focused.send_keys("\ue007")  # Enter
    assert shown.driver.current_url.endswith("#findings")
