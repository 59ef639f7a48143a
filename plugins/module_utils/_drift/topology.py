# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a drift report draws: zones, frontends, farms and servers, and their ties. Pure. Private to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.mailops.ovh_iplb.plugins.module_utils._drift.finding import (
    LOAD_BALANCER,
    Sources,
    answer_key,
    answer_server_key,
    is_unread,
    server_health,
)
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.plan import Operation
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.table import Values


def topology(sources: Sources, unmanaged: t.Sequence[Operation], findings: t.Sequence[Values]) -> list[Values]:
    """Groups of frontends, the farm they send to, and its servers; what is declared and missing included.

    A group is ``{"zone", "frontends", "farm", "servers"}``, a frontend without farm a group of its own.
    """
    if is_unread(sources.info):
        return []
    return _Topology(sources, unmanaged, findings).groups()


class _Topology:
    def __init__(self, sources: Sources, unmanaged: t.Sequence[Operation], findings: t.Sequence[Values]) -> None:
        self._info = sources.info
        self._unmanaged = {(item.resource.kind, item.protocol, item.id) for item in unmanaged}
        self._findings = findings
        self._hosts = {host.address: host.name for host in sources.hosts if host.address}
        self._new = [item for item in sources.plan.get("plan") or () if item["action"] == "create"]

    def groups(self) -> list[Values]:
        groups = {
            (farm["protocol"], farm["farm_id"]): self._group(
                farm, [self._server(farm, item) for item in farm["servers"]]
            )
            for farm in self._info["farms"]
        }
        by_key = {answer_key(farm): groups[farm["protocol"], farm["farm_id"]] for farm in self._info["farms"]}
        for item in self._created("farm"):
            by_key[item["key"]] = self._new_group(item)
        for item in self._created("server"):
            farms = [key for key in by_key if item["key"].startswith(f"{key}/")]
            if farms:
                by_key[max(farms, key=len)]["servers"].append(self._new_server(item))
        lonely: list[Values] = []
        for frontend in self._info["frontends"]:
            node = self._frontend(frontend)
            group = groups.get((frontend["protocol"], frontend["default_farm_id"]))
            self._attach(node, group, lonely, frontend["zone"])
        for item in self._created("frontend"):
            node = self._node(item, "frontend", item["key"], None, item["after"])
            self._attach(node, by_key.get(item["after"].get("default_farm")), lonely, item["after"]["zone"])
        new = [group for group in by_key.values() if group["farm"]["state"] == "missing"]
        return sorted([*groups.values(), *new, *lonely], key=_group_order)

    def _created(self, kind: str) -> list[Values]:
        return [item for item in self._new if item["kind"] == kind]

    @staticmethod
    def _attach(node: Values, group: Values | None, lonely: list[Values], zone: str) -> None:
        if group is None:
            lonely.append({"zone": zone, "frontends": [node], "farm": None, "servers": []})
        else:
            group["frontends"].append(node)

    def _group(self, farm: Values, servers: list[Values]) -> Values:
        node = self._node(farm, "farm", answer_key(farm), farm["farm_id"], farm)
        return {"zone": farm["zone"], "frontends": [], "farm": node, "servers": servers}

    def _new_group(self, item: Values) -> Values:
        node = self._node(item, "farm", item["key"], None, item["after"])
        return {"zone": item["after"]["zone"], "frontends": [], "farm": node, "servers": []}

    def _frontend(self, frontend: Values) -> Values:
        return self._node(frontend, "frontend", answer_key(frontend), frontend["frontend_id"], frontend)

    def _server(self, farm: Values, server: Values) -> Values:
        owner = {"protocol": farm["protocol"]}
        node = self._node(owner, "server", answer_server_key(farm, server), server["server_id"], server)
        return self._with_host({**node, "health": server_health(server)}, server)

    def _new_server(self, item: Values) -> Values:
        node = self._node(item, "server", item["key"], None, item["after"])
        health = {"state": "unknown", "text": "not there", "content": ""}
        return self._with_host({**node, "health": health}, item["after"])

    def _with_host(self, node: Values, server: t.Mapping[str, t.Any]) -> Values:
        """A server with the host behind it: what differs there counts here too."""
        host = self._hosts.get(server["address"])
        levels = [finding["level"] for finding in self._findings if host and finding["where"] == host]
        node["host"] = host
        node["findings"] += levels.count("drift")
        if node["state"] == "ok" and node["findings"]:
            node["state"] = "drift"
        elif node["state"] == "ok" and "unknown" in levels:
            node["state"] = "unknown"
        return node

    def _node(
        self, owner: t.Mapping[str, t.Any], kind: str, key: str, identifier: int | None, values: t.Mapping[str, t.Any]
    ) -> Values:
        protocol = owner["protocol"]
        own = [finding for finding in self._findings if _is_about(finding, kind, protocol, key, identifier)]
        return {
            "kind": kind,
            "key": key,
            "id": identifier,
            "title": _title(kind, values),
            "detail": _detail(kind, protocol, values),
            "state": self._state((kind, protocol, identifier), own),
            "findings": len(own),
        }

    def _state(self, identity: tuple[str, str, int | None], own: t.Sequence[Values]) -> str:
        """ok, drift, missing, surplus or unmanaged; a server may still become unknown for its host."""
        kinds = {finding["kind"] for finding in own}
        if "missing" in kinds or "surplus" in kinds:
            return "missing" if "missing" in kinds else "surplus"
        if identity in self._unmanaged:
            return "unmanaged"
        return "drift" if own else "ok"


def _is_about(finding: Values, kind: str, protocol: str, key: str, identifier: int | None) -> bool:
    """Whether a finding is about an object, whose key there may be that of the end state."""
    if finding["where"] != LOAD_BALANCER or finding["kind"] == "health" or finding["id"] != identifier:
        return False
    return finding["object"] == f"{kind} {key}" or (
        identifier is not None and str(finding["object"]).startswith(f"{kind} {protocol}/")
    )


def _group_order(group: Values) -> tuple[str, bool, str]:
    first = group["farm"] or group["frontends"][0]
    return group["zone"], group["farm"] is None, first["key"]


def _title(kind: str, values: t.Mapping[str, t.Any]) -> str:
    return str(values.get("address") if kind == "server" else values.get("display_name") or "(unnamed)")


def _detail(kind: str, protocol: str, values: t.Mapping[str, t.Any]) -> str:
    """What a node says under its name."""
    port = f"port {values['port']}" if values.get("port") else ""
    if kind == "server":
        status = "" if values.get("status") == "active" else values.get("status")
        proxy = f"PROXY {values.get('proxy_protocol_version') or 'none'}"
        weight = "" if values.get("weight") in (None, 1) else f"weight {values['weight']}"
        backup = "backup" if values.get("backup") else ""
        parts = [status, port, proxy, weight, backup]
    else:
        disabled = "disabled" if values.get("disabled") else ""
        parts = [protocol, port, f"zone {values['zone']}", disabled]
    return " · ".join(str(part) for part in parts if part)
