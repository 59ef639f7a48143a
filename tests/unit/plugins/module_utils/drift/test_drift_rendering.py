# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Markdown and HTML reports say everything, and nothing in them is more than text."""

from __future__ import annotations

import itertools
import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from ansible_collections.mailops.ovh_iplb.plugins.filter.drift import drift_picture, drift_report, markdown_code
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._drift.report import build_report
from hypothesis import given
from hypothesis import strategies as st

from unit.plugins.module_utils.drift.samples import (
    BACKENDS,
    change,
    clean_sources,
    converged,
    drifted_sources,
    host,
    page,
    render,
    sources,
    uncertain_sources,
)

Values = dict[str, Any]

HOSTILE = "\"><script>alert(1)</script>'`*_[x](javascript:alert(2))|{{ 7 * 7 }}<!--"


class Page(HTMLParser):
    """The elements of a page, its text, and every address it could ask for."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def tags(self) -> set[str]:
        return {tag for tag, dummy in self.elements}

    def addresses(self) -> set[str]:
        names = ("src", "href", "srcset", "action", "data", "xlink:href", "poster")
        return {str(attributes[name]) for dummy, attributes in self.elements for name in names if name in attributes}


def hostile_report() -> Values:
    api = converged()
    farm = api.add("farm", displayName=HOSTILE, zone="gra", port=25)
    api.add("frontend", displayName=HOSTILE, zone="gra", port="26", defaultFarmId=farm)
    plan = [change("smtpd_banner", HOSTILE, HOSTILE + "!")]
    return build_report(sources(api, [host(next(iter(BACKENDS)), plan=plan)], left_out=[HOSTILE]))


def test_the_page_says_every_finding() -> None:
    report = build_report(drifted_sources())
    text = Page(render(report, "html")).text
    for finding in report["findings"]:
        for part in ("object", "field", "declared_text", "found_text", "kind_text", "note"):
            assert (finding[part] or "") in text


def test_markdown_says_every_finding() -> None:
    report = build_report(drifted_sources())
    lines = render(report, "md").splitlines()
    for finding in report["findings"]:
        told = [part for part in ("object", "field", "declared_text", "found_text", "note") if finding[part]]
        assert any(all(markdown_code(finding[part]) in line for part in told) for line in lines), finding


def test_json_is_the_report() -> None:
    report = build_report(drifted_sources())
    assert json.loads(render(report, "json")) == report


@pytest.mark.parametrize(
    ("found", "words", "heading"),
    [
        (clean_sources(), "No drift.", "# No drift:"),
        (drifted_sources(), "Drift found.", "# Drift:"),
        (uncertain_sources(), "Not certain.", "# Drift unknown:"),
    ],
)
def test_the_verdict_is_in_words(found: Any, words: str, heading: str) -> None:
    assert words in Page(page(found)).text
    assert render(build_report(found), "md").startswith(heading)


def test_the_load_balancer_comes_before_the_backends() -> None:
    text = render(build_report(drifted_sources()), "md")
    assert text.index("**`load balancer`**") < text.index("**`mx1.example.com`**")


def test_the_page_asks_for_nothing() -> None:
    """No script, and no address but places on the page itself and the empty icon."""
    text = page(drifted_sources())
    assert {address for address in Page(text).addresses() if not address.startswith("#")} == {"data:,"}
    assert "url(" not in text
    assert "@import" not in text
    assert not Page(text).tags() & {"script", "iframe", "object", "embed", "img", "form"}


def test_hostile_names_stay_text_in_the_page() -> None:
    text = render(hostile_report(), "html")
    read = Page(text)
    assert not read.tags() & {"script", "a1"}
    assert not any(name.startswith("on") for dummy, attributes in read.elements for name in attributes)
    assert HOSTILE in read.text
    assert "<!--" not in text


def test_hostile_names_stay_text_in_markdown() -> None:
    outside = re.sub(r"(`+)(?!`).*?(?<!`)\1(?!`)", "", render(hostile_report(), "md"))
    assert "script" not in outside
    assert "](" not in outside


@given(st.text())
def test_markdown_code_is_one_span(text: str) -> None:
    """CommonMark: a code span ends at the next run of as many backticks as it began with."""
    quoted = markdown_code(text)
    fence = quoted[: len(quoted) - len(quoted.lstrip("`"))]
    assert fence not in re.findall("`+", quoted[len(fence) : -len(fence)])
    assert quoted.endswith(fence)
    assert len(quoted.splitlines()) == 1


def test_secrets_are_in_no_format() -> None:
    report = build_report(drifted_sources())
    for name in ("html", "md", "json"):
        assert "hunter2" not in render(report, name)
        assert "(hidden)" in render(report, name)


# The structure that assistive technology reads


def test_the_page_is_accessible() -> None:
    read = Page(page(drifted_sources()))
    names = [tag for tag, dummy in read.elements]
    assert names.count("h1") == names.count("main") == 1
    assert names.count("caption") == names.count("table") > 0
    assert ("html", {"lang": "en"}) in read.elements
    headings = [int(tag[1]) for tag in names if re.fullmatch("h[1-6]", tag)]
    assert all(after - before <= 1 for before, after in itertools.pairwise(headings))
    identifiers = [attributes["id"] for dummy, attributes in read.elements if "id" in attributes]
    assert len(identifiers) == len(set(identifiers))
    for tag, attributes in read.elements:
        for reference in (attributes.get("aria-labelledby") or "").split():
            assert reference in identifiers
        assert tag != "th" or attributes.get("scope") in ("col", "row")
        assert tag != "svg" or attributes.get("role") == "img" or attributes.get("aria-hidden") == "true"


# The picture


@pytest.mark.parametrize("narrow", [False, True])
@pytest.mark.parametrize("found", [clean_sources(), drifted_sources()])
def test_boxes_do_not_overlap_and_lie_in_the_picture(found: Any, narrow: bool) -> None:
    picture = drift_picture(build_report(found)["topology"], narrow)
    boxes = [(node["x"], node["y"], node["x"] + node["width"], node["y"] + node["height"]) for node in picture["nodes"]]
    for number, (left, top, right, bottom) in enumerate(boxes):
        assert left >= 0 <= top
        assert right <= picture["width"]
        assert bottom <= picture["height"]
        for other_left, other_top, other_right, other_bottom in boxes[:number]:
            assert right <= other_left or left >= other_right or bottom <= other_top or top >= other_bottom


def test_the_picture_has_every_object_and_line() -> None:
    topology = build_report(drifted_sources())["topology"]
    picture = drift_picture(topology)
    nodes = sum(len(group["frontends"]) + bool(group["farm"]) + len(group["servers"]) for group in topology)
    lines = sum(len(group["frontends"]) + len(group["servers"]) for group in topology if group["farm"])
    assert (len(picture["nodes"]), len(picture["edges"])) == (nodes, lines)
    states = {node["state"] for node in picture["nodes"]}
    assert states == {"ok", "drift", "missing", "unmanaged", "unknown"}


def test_without_objects_there_is_no_picture() -> None:
    report = build_report(sources(converged(), []))
    report["topology"] = []
    assert "could not be read" in render(report, "html")


def test_unknown_sources_are_named() -> None:
    with pytest.raises(Exception, match="generatd"):
        drift_report({"generatd": "now", "plan": {}, "info": {}, "declared": {}})
