# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The drift report: what the modules said in check mode, as findings for people and programs.

Pure: no I/O, no Ansible. Private to the collection.

The plans decide what is drift, so the report says exactly what a run of the playbook would change. A finding is a
dictionary:

- ``where``: ``load balancer``, or the inventory name of a backend
- ``object``: what it is about, such as ``server tcp/gra/smtp/192.0.2.11:25`` or ``main.cf``; ``id`` is its API id
- ``field``: the field or parameter, or None for the object as a whole
- ``declared``, ``found``: the values, secrets masked; ``declared_text``, ``found_text`` the same in words
- ``kind``: one of KINDS; ``kind_text`` is the same in words
- ``level``: ``drift`` (the playbook changes it), ``unknown`` (it could not be told), ``notice`` (worth knowing)
- ``note``: what more there is to say, or an empty text
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, replace

from ansible_collections.mailops.ovh_iplb.plugins.module_utils._desired import Desired, desired_load_balancer
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._errors import InvalidInput
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._planner import Operation, make_plan
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._schema import (
    FARM,
    FRONTEND,
    PROBE_FIELDS,
    PROTOCOLS,
    SERVER,
    Resource,
    Values,
    same,
)
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._snapshot import (
    Observed,
    Snapshot,
    by_zone,
    object_key,
    server_key,
)

LOAD_BALANCER = "load balancer"
LEVELS = ("drift", "unknown", "notice")
KINDS = {
    "changed": "differs",
    "missing": "missing",
    "surplus": "to be removed",
    "pending": "waiting for a refresh",
    "stopped": "not running",
    "stale": "not in effect",
    "unmanaged": "not managed",
    "unreachable": "unreachable",
    "failed": "could not be compared",
    "certificate": "to be renewed",
    "health": "not healthy",
}

HIDDEN = "(hidden)"
_SECRET_NAME = re.compile(r"passw(or)?d|secret|token|credential|api_?key|private_key", re.IGNORECASE)
# A password in a URL may hold any sign; Postfix's static: tables name user and password.
_USER_INFO = re.compile(r"(?<=://)\S+(?=@)|(?<=\bstatic:)[^\s:]+:\S+")
# Said of a PROXY setting that smtp.yml would refuse to change (role smtp_load_balancer, preflight).
CUTOVER_NOTE = (
    "where Postfix would change too, smtp.yml refuses this under live mail: use rollout.yml, or set allow_cutover: true"
)


@dataclass(frozen=True)
class Host:
    """What was found on a backend. ``postfix`` and ``steps`` are results of modules in check mode.

    ``postfix`` is that of postfix_info; each of ``steps`` is ``{"object": …, "result": …}`` and would change the host.
    """

    name: str
    address: str | None = None
    postfix: t.Mapping[str, t.Any] | None = None
    steps: t.Sequence[t.Mapping[str, t.Any]] = ()
    failure: str = ""


@dataclass(frozen=True)
class Sources:
    """Everything the report is made of.

    ``plan`` is the result of load_balancer in check mode, ``info`` that of load_balancer_info, ``declared`` the options
    of load_balancer. ``left_out`` are backends that the run does not look at.
    """

    generated: str
    plan: t.Mapping[str, t.Any]
    info: t.Mapping[str, t.Any]
    declared: t.Mapping[str, t.Any]
    hosts: t.Sequence[Host] = ()
    left_out: t.Sequence[str] = ()
    unmanaged: str = "notice"
    certificate_days: int = 30


def build_report(sources: Sources) -> Values:
    """The whole report, ready for JSON."""
    unmanaged = unmanaged_objects(sources)
    findings = [
        *load_balancer_findings(sources),
        *(_unmanaged_finding(item, sources.unmanaged) for item in unmanaged),
        *(finding for host in sources.hosts for finding in host_findings(host, sources.certificate_days)),
        *(_left_out_finding(name) for name in sources.left_out),
    ]
    summary = {level: sum(finding["level"] == level for finding in findings) for level in LEVELS}
    return {
        "service_name": _service(sources).get("service_name") or "",
        "service": {name: _service(sources).get(name) for name in ("ipv4", "ipv6", "offer", "state")},
        "generated": sources.generated,
        "drift_found": bool(summary["drift"] or summary["unknown"]),
        "verdict": next((level for level in ("drift", "unknown") if summary[level]), "clean"),
        "summary": {**summary, "backends": len(sources.hosts) + len(sources.left_out)},
        "findings": findings,
        "zones": _zones(sources),
        "backends": [_backend(host, findings) for host in sources.hosts],
        "topology": topology(sources, unmanaged, findings),
    }


# Findings of the load balancer ---------------------------------------------------------------------------------------


def load_balancer_findings(sources: Sources) -> list[Values]:
    findings: list[Values] = []
    if sources.plan.get("failed") or "plan" not in sources.plan:
        message = sources.plan.get("msg") or "the load balancer was not compared"
        findings.append(_finding(LOAD_BALANCER, "configuration", "failed", "unknown", note=message))
    for operation in sources.plan.get("plan") or ():
        findings += operation_findings(operation)
    findings += _pending_findings(sources)
    if _is_unread(sources.info):
        message = sources.info.get("msg") or "the load balancer was not read"
        findings.append(_finding(LOAD_BALANCER, "objects", "failed", "unknown", note=message))
    return [*findings, *_health_findings(sources)]


def operation_findings(operation: t.Mapping[str, t.Any]) -> list[Values]:
    """One finding for each field that a planned update changes; one for an object that comes or goes as a whole."""
    where, name = LOAD_BALANCER, f"{operation['kind']} {operation['key']}"
    identifier = operation["id"]
    if operation["action"] == "create":
        return [_finding(where, name, "missing", "drift", declared=_without_nulls(operation["after"]))]
    if operation["action"] == "delete":
        return [_finding(where, name, "surplus", "drift", identifier, found=_without_nulls(operation["before"]))]
    return [
        _finding(
            where,
            name,
            "changed",
            "drift",
            identifier,
            field,
            declared,
            found,
            _note(operation, field, declared, found),
        )
        for field, declared, found in _changed_fields(operation)
    ]


def _changed_fields(operation: t.Mapping[str, t.Any]) -> t.Iterator[tuple[str, t.Any, t.Any]]:
    for name, declared in operation["after"].items():
        found = operation["before"].get(name)
        if name == "probe" and isinstance(declared, dict) and isinstance(found, dict):
            yield from _changed_probe_fields(declared, found)
        else:
            yield name, declared, found


def _changed_probe_fields(declared: Values, found: Values) -> t.Iterator[tuple[str, t.Any, t.Any]]:
    for field in PROBE_FIELDS:
        wanted, current = declared.get(field.name), found.get(field.name)
        if not same(field, wanted, current):
            yield f"probe.{field.name}", wanted, current


def _note(operation: t.Mapping[str, t.Any], field: str, declared: t.Any, found: t.Any) -> str:
    # A server whose status changes too carries no mail now, or will not.
    under_live_mail = "status" not in operation["before"]
    turned_on_or_off = field == "proxy_protocol_version" and (declared is None) != (found is None)
    return CUTOVER_NOTE if turned_on_or_off and under_live_mail else ""


def _pending_findings(sources: Sources) -> list[Values]:
    """Changes of others that wait: drift in the zones that the playbook would refresh, a notice in the others.

    Where it would refuse instead, it is not known what a correction brings.
    """
    would_be = "unknown" if sources.plan.get("failed") else "drift"
    waiting = _pending(sources)
    reached = set(sources.plan.get("foreign_changes") or ()) if "plan" in sources.plan else set(waiting)
    waiting.update(sources.plan.get("foreign_changes") or {})
    return [
        _finding(
            LOAD_BALANCER,
            f"zone {zone}",
            "pending",
            would_be if zone in reached else "notice",
            field="pending changes",
            declared=0,
            found=number,
            note="somebody else changed the configuration and did not refresh: the API does not tell what is live",
        )
        for zone, number in sorted(waiting.items())
    ]


def _pending(sources: Sources) -> dict[str, int]:
    return by_zone(dict(sources.info.get("pending_changes") or {}), sources.info.get("zones") or ())


def _health_findings(sources: Sources) -> t.Iterator[Values]:
    for farm in sources.info.get("farms") or ():
        for server in farm["servers"]:
            if server.get("status") != "active":
                continue
            health = server_health(server)
            if health["state"] in ("down", "partly"):
                name = f"server {_server_key(farm, server)}"
                yield _finding(
                    LOAD_BALANCER,
                    name,
                    "health",
                    "notice",
                    server["server_id"],
                    "health",
                    "UP",
                    health["text"],
                    health["content"],
                )


def server_health(server: t.Mapping[str, t.Any]) -> Values:
    """The instances' verdicts in one: ``state`` up, down, partly or unknown; ``text`` says on how many instances."""
    states = [str(item.get("status") or "unknown") for item in server.get("server_state") or ()]
    contents = [str(item.get("last_check_content") or "") for item in server.get("server_state") or ()]
    if not states or not server.get("probe"):
        return {"state": "unknown", "text": "not checked" if not server.get("probe") else "no check yet", "content": ""}
    up = sum(state.upper().startswith("UP") for state in states)
    others = sorted({state for state in states if not state.upper().startswith("UP")})
    if up == len(states):
        return {"state": "up", "text": f"UP on {up} of {len(states)}", "content": ""}
    down = any(state.upper().startswith("DOWN") for state in states)
    state = "unknown" if not up and not down else "partly" if up else "down"
    text = f"{', '.join(others)} on {len(states) - up} of {len(states)}"
    content = next((content for content, word in zip(contents, states) if word in others and content), "")
    return {"state": state, "text": text, "content": content}


# Unmanaged objects ---------------------------------------------------------------------------------------------------


def unmanaged_objects(sources: Sources) -> list[Operation]:
    """What is there and not declared, and not about to be removed anyway: what a purge of everything would delete."""
    if _is_unread(sources.info):
        return []
    going = {
        (operation["kind"], operation["protocol"], operation["id"])
        for operation in sources.plan.get("plan") or ()
        if operation["action"] == "delete"
    }
    try:
        desired = desired_load_balancer(dict(sources.declared))
        plan = make_plan(_purging(desired), snapshot_of(sources.info))
    except InvalidInput:
        # The module said so too, and the report says it as a finding of its own.
        return []
    return [
        operation
        for operation in plan.operations
        if operation.action == "delete" and (operation.resource.kind, operation.protocol, operation.id) not in going
    ]


def _purging(desired: Desired) -> Desired:
    return replace(
        desired,
        purge_farms=True,
        purge_servers=True,
        purge_frontends=True,
        purge_protocols=frozenset(PROTOCOLS),
    )


def snapshot_of(info: t.Mapping[str, t.Any]) -> Snapshot:
    """The observed state from a result of load_balancer_info, which must not have failed."""
    snapshot = Snapshot(_text(info["service"].get("service_name")), list(info["zones"]))
    for farm in info["farms"]:
        protocol = farm["protocol"]
        snapshot.farms.append(_observed(FARM, protocol, farm))
        snapshot.servers += [_observed(SERVER, protocol, server, farm["farm_id"]) for server in farm["servers"]]
    snapshot.frontends = [_observed(FRONTEND, item["protocol"], item) for item in info["frontends"]]
    snapshot.frontends_read = frozenset(PROTOCOLS)
    return snapshot


def _observed(resource: Resource, protocol: str, answer: t.Mapping[str, t.Any], farm_id: int | None = None) -> Observed:
    values = {field.name: answer.get(field.name) for field in resource.fields_for(protocol)}
    return Observed(resource, protocol, answer[resource.id_option], values, farm_id)


def _unmanaged_finding(item: Operation, level: str) -> Values:
    return _finding(
        LOAD_BALANCER,
        f"{item.resource.kind} {item.key}",
        "unmanaged",
        level,
        item.id,
        found=_without_nulls(item.before),
        note="it is on the load balancer and in no declaration",
    )


# Findings of the backends --------------------------------------------------------------------------------------------


def host_findings(host: Host, certificate_days: int) -> list[Values]:
    postfix = host.postfix or {}
    if postfix.get("unreachable") or not postfix:
        note = _text(postfix.get("msg")) or "the host was not looked at"
        return [_finding(host.name, "host", "unreachable", "unknown", note=note)]
    findings = [finding for step in host.steps for finding in step_findings(host, step["object"], step["result"])]
    failure = host.failure or ("" if "installed" in postfix else _text(postfix.get("msg")))
    if failure and not any(finding["level"] == "unknown" for finding in findings):
        findings.append(_finding(host.name, "host", "failed", "unknown", note=failure))
    for certificate in postfix.get("certificates") or ():
        findings += _certificate_findings(host.name, certificate, certificate_days)
    return findings


def step_findings(host: Host, name: str, result: t.Mapping[str, t.Any]) -> list[Values]:
    """What one module would change on a host: field by field where it says so, as a whole where it does not."""
    if result.get("unreachable"):
        return [_finding(host.name, name, "unreachable", "unknown", note=_text(result.get("msg")))]
    if result.get("failed"):
        return [_finding(host.name, name, "failed", "unknown", note=_text(result.get("msg")))]
    if not result.get("changed"):
        return []
    plan = result.get("plan") or ()
    findings = [postfix_change(host.name, change) for change in plan]
    if result.get("live") is False:
        findings.append(_service_finding(host))
    if not findings:
        findings = [_diff_finding(host.name, name, entry) for entry in _diffs(result)]
    return findings or [_finding(host.name, name, "changed", "drift", note=_text(result.get("msg")))]


def _diffs(result: t.Mapping[str, t.Any]) -> list[t.Mapping[str, t.Any]]:
    diff = result.get("diff") or ()
    return [diff] if isinstance(diff, t.Mapping) else [entry for entry in diff if entry]


def _diff_finding(host: str, name: str, diff: t.Mapping[str, t.Any]) -> Values:
    """A difference that a module shows as text: the lines that only one side has."""
    found, declared = (_text(diff.get(side)).splitlines() for side in ("before", "after"))
    kind = "changed" if found and declared else "missing" if declared else "surplus"
    field = _text(diff.get("after_header") or diff.get("before_header")) or None
    return _finding(
        host,
        name,
        kind,
        "drift",
        None,
        field,
        [line.strip() for line in declared if line not in found] or None,
        [line.strip() for line in found if line not in declared] or None,
    )


def postfix_change(host: str, change: t.Mapping[str, t.Any]) -> Values:
    name = f"{change['file']} {change['service']}" if change["service"] else str(change["file"])
    before, after = change["before"], change["after"]
    kind = "missing" if before is None else "surplus" if after is None else "changed"
    return _finding(host, name, kind, "drift", None, change["parameter"], after, before)


def _service_finding(host: Host) -> Values:
    if not (host.postfix or {}).get("running", True):
        return _finding(host.name, "Postfix", "stopped", "drift", None, "service", "running", "stopped")
    found = "may still run with other files"
    return _finding(host.name, "Postfix", "stale", "drift", None, "service", "running with its files", found)


def _certificate_findings(host: str, certificate: t.Mapping[str, t.Any], certificate_days: int) -> t.Iterator[Values]:
    name = f"certificate {certificate['file']}"
    if certificate.get("error"):
        yield _finding(host, name, "failed", "notice", note=_text(certificate["error"]))
        return
    days = certificate["days_left"]
    if days >= certificate_days:
        return
    note = "it has expired" if days < 0 else f"it expires in {days} {'day' if days == 1 else 'days'}"
    limit = f"{certificate_days} days or more"
    yield _finding(host, name, "certificate", "notice", None, "not_after", limit, certificate["not_after"], note)


def _left_out_finding(name: str) -> Values:
    note = "the run did not look at this host (--limit, or an earlier failure)"
    return _finding(name, "host", "unreachable", "unknown", note=note)


# One finding ---------------------------------------------------------------------------------------------------------


def _finding(
    where: str,
    name: str,
    kind: str,
    level: str,
    identifier: int | None = None,
    field: str | None = None,
    declared: t.Any = None,
    found: t.Any = None,
    note: str = "",
) -> Values:
    declared, found = mask(field, declared), mask(field, found)
    return {
        "where": where,
        "object": name,
        "id": identifier,
        "field": field,
        "declared": declared,
        "found": found,
        "declared_text": "" if declared is None and field is None else in_words(declared, "not set"),
        "found_text": "" if found is None and field is None else in_words(found, "not set"),
        "kind": kind,
        "kind_text": KINDS[kind],
        "level": level,
        "note": mask(None, note),
    }


def mask(name: str | None, value: t.Any) -> t.Any:
    """The value with anything hidden that looks like a secret, by its name or by its form."""
    if isinstance(value, t.Mapping):
        return {key: mask(f"{name}.{key}" if name else str(key), item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [mask(name, item) for item in value]
    if not isinstance(value, str) or not value:
        return value
    if name and _SECRET_NAME.search(name):
        return HIDDEN
    return _USER_INFO.sub(HIDDEN, value)


def in_words(value: t.Any, nothing: str = "none") -> str:
    """A value on one line, for people."""
    if value is None:
        return nothing
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, t.Mapping):
        return ", ".join(f"{key}: {in_words(item)}" for key, item in value.items()) or "none"
    if isinstance(value, (list, tuple)):
        return ", ".join(in_words(item) for item in value) or "none"
    return " ".join(str(value).split()) or "empty"


def _without_nulls(values: t.Mapping[str, t.Any]) -> Values:
    """A whole object: only what says something."""
    return {
        name: _without_nulls(value) if isinstance(value, t.Mapping) else value
        for name, value in values.items()
        if value not in (None, [], "")
    }


def _text(value: t.Any) -> str:
    return "" if value is None else str(value)


def _is_unread(info: t.Mapping[str, t.Any]) -> bool:
    return bool(info.get("failed")) or "farms" not in info


def _service(sources: Sources) -> t.Mapping[str, t.Any]:
    return sources.info.get("service") or sources.plan.get("service") or {}


def _zones(sources: Sources) -> list[Values]:
    pending = _pending(sources)
    return [{"zone": zone, "pending_changes": pending.get(zone, 0)} for zone in sources.info.get("zones") or ()]


def _backend(host: Host, findings: t.Sequence[Values]) -> Values:
    postfix = host.postfix or {}
    own = [finding for finding in findings if finding["where"] == host.name]
    return {
        "name": host.name,
        "address": host.address,
        "reachable": bool(host.postfix) and not postfix.get("unreachable"),
        "running": postfix.get("running"),
        "postfix_version": postfix.get("version"),
        "certificates": [dict(item) for item in postfix.get("certificates") or ()],
        "drift": sum(finding["level"] == "drift" for finding in own),
        "unknown": sum(finding["level"] == "unknown" for finding in own),
    }


# Topology ------------------------------------------------------------------------------------------------------------


def _key(item: t.Mapping[str, t.Any]) -> str:
    return object_key(item["protocol"], item)


def _server_key(farm: t.Mapping[str, t.Any], server: t.Mapping[str, t.Any]) -> str:
    return server_key(_key(farm), server, farm.get("port"))


def topology(sources: Sources, unmanaged: t.Sequence[Operation], findings: t.Sequence[Values]) -> list[Values]:
    """Groups of frontends, the farm they send to, and its servers; what is declared and missing included.

    A group is ``{"zone", "frontends", "farm", "servers"}``, a frontend without farm a group of its own.
    """
    if _is_unread(sources.info):
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
        by_key = {_key(farm): groups[farm["protocol"], farm["farm_id"]] for farm in self._info["farms"]}
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
        node = self._node(farm, "farm", _key(farm), farm["farm_id"], farm)
        return {"zone": farm["zone"], "frontends": [], "farm": node, "servers": servers}

    def _new_group(self, item: Values) -> Values:
        node = self._node(item, "farm", item["key"], None, item["after"])
        return {"zone": item["after"]["zone"], "frontends": [], "farm": node, "servers": []}

    def _frontend(self, frontend: Values) -> Values:
        return self._node(frontend, "frontend", _key(frontend), frontend["frontend_id"], frontend)

    def _server(self, farm: Values, server: Values) -> Values:
        owner = {"protocol": farm["protocol"]}
        node = self._node(owner, "server", _server_key(farm, server), server["server_id"], server)
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
