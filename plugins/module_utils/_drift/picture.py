# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the boxes and lines of the topology go. Pure; the template draws them. Private to the collection.

A group of the topology is a farm with the frontends that send to it and its servers, so no two lines cross. Groups
stand in bands, one for each zone. Lengths are in the units of the SVG view box.
"""

from __future__ import annotations

import itertools
import typing as t
from dataclasses import dataclass

from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.table import Values

HEADINGS = ("Frontends", "Farms", "Servers")
BOX_HEIGHT = 70
ROW_GAP = 14
GROUP_GAP = 26
BAND_GAP = 18
BAND_TOP = 40  # room for the name of the zone
MARGIN = 18
# Widths of a character on average, wide fonts considered; a text is shortened to fit its box.
TITLE_CHARACTER = 8.6
TEXT_CHARACTER = 7.2
BADGE_CHARACTER = 6.8
PADDING = 16
BADGES = {"missing": "missing", "surplus": "to be removed", "unmanaged": "not managed", "unknown": "unknown"}
ICONS = {"up": "up", "down": "down", "partly": "down", "unknown": "unknown"}


@dataclass(frozen=True)
class Layout:
    """Columns beside each other for a wide screen, or boxes below each other, indented, for a phone."""

    width: int
    columns: tuple[int, int, int]
    box_widths: tuple[int, int, int]
    stacked: bool


WIDE = Layout(1000, (30, 326, 622), (244, 244, 348), stacked=False)
NARROW = Layout(400, (26, 46, 66), (348, 328, 308), stacked=True)


def draw(topology: t.Sequence[Values], narrow: bool = False) -> Values:
    """The picture: ``width``, ``height``, ``headings``, ``bands``, ``edges`` and ``nodes``, with their places."""
    return _Picture(NARROW if narrow else WIDE).draw(topology)


class _Picture:
    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._bands: list[Values] = []
        self._nodes: list[Values] = []
        self._edges: list[Values] = []

    def draw(self, topology: t.Sequence[Values]) -> Values:
        y = 2 if self._layout.stacked else 34
        for zone, groups in itertools.groupby(topology, key=lambda group: group["zone"]):
            y = self._band(zone, list(groups), y) + BAND_GAP
        return {
            "width": self._layout.width,
            "height": y - BAND_GAP + 2,
            "headings": [] if self._layout.stacked else self._headings(),
            "bands": self._bands,
            "edges": self._edges,
            "nodes": self._nodes,
        }

    def _headings(self) -> list[Values]:
        return [{"x": x, "y": 20, "text": text} for x, text in zip(self._layout.columns, HEADINGS)]

    def _band(self, zone: str, groups: list[Values], top: int) -> int:
        y = top + BAND_TOP
        for group in groups:
            y = self._group(group, y) + GROUP_GAP
        bottom = y - GROUP_GAP + MARGIN
        label = "every zone" if zone == "all" else f"zone {zone}"
        self._bands.append({"x": 1, "y": top, "width": self._layout.width - 2, "height": bottom - top, "label": label})
        return bottom

    def _group(self, group: Values, top: int) -> int:
        columns = [group["frontends"], [group["farm"]] if group["farm"] else [], group["servers"]]
        if self._layout.stacked:
            boxes, bottom = self._stack(columns, top)
        else:
            boxes, bottom = self._align(columns, top)
        if group["farm"]:
            farm = boxes[1][0]
            self._edges += [self._edge(box, farm) for box in boxes[0]]
            self._edges += [self._edge(farm, box) for box in boxes[2]]
        return bottom

    def _stack(self, columns: list[list[Values]], top: int) -> tuple[list[list[Values]], int]:
        boxes: list[list[Values]] = []
        y = top
        for place, nodes in enumerate(columns):
            boxes.append([self._box(place, node, y + row * (BOX_HEIGHT + ROW_GAP)) for row, node in enumerate(nodes)])
            y += len(nodes) * (BOX_HEIGHT + ROW_GAP)
        return boxes, y - ROW_GAP

    def _align(self, columns: list[list[Values]], top: int) -> tuple[list[list[Values]], int]:
        """Each column in the middle of the group's height."""
        height = max(map(_column_height, map(len, columns)))
        boxes = []
        for place, nodes in enumerate(columns):
            start = top + (height - _column_height(len(nodes))) // 2
            boxes.append(
                [self._box(place, node, start + row * (BOX_HEIGHT + ROW_GAP)) for row, node in enumerate(nodes)]
            )
        return boxes, top + height

    def _box(self, place: int, node: Values, y: int) -> Values:
        width = self._layout.box_widths[place]
        badge = BADGES.get(node["state"]) or _count(node["findings"])
        badge_width = round(len(badge) * BADGE_CHARACTER) + 18 if badge else 0
        room = width - 2 * PADDING
        server = node["kind"] == "server"
        box = {
            "x": self._layout.columns[place],
            "y": y,
            "width": width,
            "height": BOX_HEIGHT,
            "kind": node["kind"],
            "state": node["state"],
            "label": f"{node['kind']} {node['key']}",
            "title": shorten(node["title"], (room - badge_width) / TITLE_CHARACTER),
            "detail": shorten(_detail(node), room / TEXT_CHARACTER),
            "status": shorten(node["health"]["text"] if server else node["kind"], (room - 20) / TEXT_CHARACTER),
            "icon": ICONS[node["health"]["state"]] if server else "",
            "idle": server and ("inactive" in node["detail"] or "weight 0" in node["detail"]),
            "badge": badge,
            "badge_width": badge_width,
        }
        self._nodes.append(box)
        return box

    def _edge(self, start: Values, end: Values) -> Values:
        states = {start["state"], end["state"]}
        state = next((state for state in ("missing", "surplus", "unmanaged") if state in states), "ok")
        return {"path": self._path(start, end), "state": state, "idle": end["idle"]}

    def _path(self, start: Values, end: Values) -> str:
        y2 = end["y"] + BOX_HEIGHT // 2
        if self._layout.stacked:
            x = start["x"] + 9
            return f"M{x} {start['y'] + BOX_HEIGHT} V{y2} H{end['x']}"
        x1, y1, x2 = start["x"] + start["width"], start["y"] + BOX_HEIGHT // 2, end["x"]
        middle = (x1 + x2) // 2
        return f"M{x1} {y1} C{middle} {y1} {middle} {y2} {x2} {y2}"


def _column_height(rows: int) -> int:
    return max(rows * (BOX_HEIGHT + ROW_GAP) - ROW_GAP, 0)


def _count(findings: int) -> str:
    return "" if not findings else "1 difference" if findings == 1 else f"{findings} differences"


def _detail(node: Values) -> str:
    """The second line of a box; for a server with the host behind it."""
    return " · ".join(part for part in (node.get("host"), node["detail"]) if part)


def shorten(text: str, characters: float) -> str:
    limit = max(int(characters), 1)
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"
