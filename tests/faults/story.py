# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One whole converge, and everything that can go wrong with each of its calls."""

from __future__ import annotations

from typing import Any

from simulator.credentials import ACCESS_TOKEN
from simulator.pki import Authority
from simulator.state import GIVEN_CERTIFICATE
from unit.plugins.modules.harness import CREDENTIALS, Service, Values

ISSUED = Authority().issue("mail.example.com", days=60)
# A name that no entry gives would be left to whoever gives one.
RULE = {"display_name": "path", "field": "uri", "match": "startswith", "pattern": "/files/"}
WEB_FARMS = [{"display_name": name, "protocol": "http", "zone": "gra", "port": 80} for name in ("web", "files")]
TLS = {"display_name": "tls", "protocol": "http", "zone": "gra", "port": "443", "ssl": True, "default_farm": "web"}


def smtp_farm(zone: str, **options: Any) -> Values:
    servers = [
        {"address": f"192.0.2.{number}", "status": "active", "probe": True, "proxy_protocol_version": "v1"}
        for number in (11, 12)
    ]
    probe = {"type": "smtp"}
    return {"display_name": "smtp", "zone": zone, "port": 25, "probe": probe, "servers": servers, **options}


def smtp_frontend(zone: str) -> Values:
    return {"display_name": "smtp", "zone": zone, "port": "25", "default_farm": "smtp"}


def route(name: str, **options: Any) -> Values:
    action = {"type": "farm", "farm": "files"}
    fixed = {"display_name": name, "protocol": "http", "frontend": "tls", "action": action, "rules": [RULE]}
    return {**fixed, **options}


BEFORE: Values = {
    "farms": [smtp_farm("gra", servers=[{"address": "192.0.2.9", "status": "active"}]), *WEB_FARMS],
    "frontends": [smtp_frontend("gra"), {**TLS, "display_name": "tls"}],
    "routes": [route("old"), route("files", weight=7)],
}
# Creates, changes and purges; certificates and routes too.
TASK: Values = {
    "farms": [smtp_farm("gra", balance="source"), smtp_farm("rbx"), *WEB_FARMS],
    "frontends": [smtp_frontend("gra"), smtp_frontend("rbx"), {**TLS, "default_ssl": "mail"}],
    "certificates": [{"display_name": "mail", "certificate": ISSUED.certificate, "key": ISSUED.key}],
    "routes": [route("files", weight=5, rules=[RULE, {**RULE, "pattern": "/f/"}])],
    "purge_farms": True,
    "purge_servers": True,
    "purge_frontends": True,
    "purge_routes": True,
    "purge_protocols": ["tcp", "http"],
}
CALLS = {"auto": 50, "never": 50}  # a few more than the converge has with these bulk_reads

PAGE = "<html>Bad gateway</html>"
BUSY = {"message": "busy"}
# What happens to one call, or from it on; see the simulator's README.
FAULTS: dict[str, Values] = {
    "429 with Retry-After": {"status": 429, "body": BUSY, "headers": {"Retry-After": "0"}},
    "429": {"status": 429, "body": BUSY},
    "500": {"status": 500, "body": BUSY},
    "500 without a word": {"status": 500},
    "502 with a page": {"status": 502, "body": PAGE},
    "503": {"status": 503, "body": BUSY},
    "504": {"status": 504, "body": PAGE},
    "504 although it was done": {"status": 504, "body": PAGE, "carried_out": True},
    "200 with null": {"status": 200},
    "connection refused": {"refuse": 0.05},
    "reset before it was read": {"drop": "before"},
    "reset after it was done": {"drop": "after"},
    "answer cut": {"cut": True},
    "answer no JSON": {"garbage": True},
    "no answer in time": {"hang": True},
    "no answer in time although it was done": {"hang": True, "carried_out": True},
    "clock skew": {"skew": 7200},
    "credentials expire": {"expire": "keys"},
    "bulk lists stale": {"switches": {"bulk_lists": "stale_always"}},
    "bulk lists cut": {"switches": {"bulk_lists": "cut", "bulk_cut": 1}},
    "bulk lists of ids": {"switches": {"bulk_lists": "ids"}},
    "bulk lists refused": {"switches": {"bulk_lists": "refused"}},
    "task error": {"switches": {"task_outcome": "error"}},
    "task cancelled": {"switches": {"task_outcome": "cancelled"}},
    "task blocked": {"switches": {"task_outcome": "blocked"}},
    "task vanishes": {"switches": {"finished_task_vanishes": "on"}},
    "somebody refreshes": {"meanwhile": {"refresh": True}},
    "somebody changes it": {"meanwhile": {"set": {"displayName": "theirs"}}},
    "somebody deletes it": {"meanwhile": {"delete": True}},
}
UNDISTURBED = {"bulk_lists": "fresh", "task_outcome": "done", "finished_task_vanishes": "off"}
LIMITS: Values = {"timeout": 0.5, "wait_timeout": 1.0}


def prepare(service: Service) -> None:
    """The service as the converge finds it."""
    service.simulator.reset()
    service.run("load_balancer", **BEFORE)
    service.forget()


def converge(service: Service, **options: Any) -> Values:
    """The result of the task, which may have failed."""
    return service.attempt("load_balancer", **TASK, **LIMITS, **options)


def calm(service: Service) -> Values:
    """End whatever disturbs; returns credentials that nobody let expire."""
    service.simulator.admin("DELETE", "faults")
    service.simulator.admin("PUT", "clock", {"skew": 0})
    service.simulator.switch(**UNDISTURBED)
    return {**dict.fromkeys(CREDENTIALS), "access_token": ACCESS_TOKEN}


def assert_converges(service: Service, wanted: Values) -> None:
    """One undisturbed run leads to what is wanted, staged and live, and the next one has nothing to do."""
    access = calm(service)
    service.run("load_balancer", **TASK, **access)
    assert state(service) == wanted
    assert not service.run("load_balancer", **TASK, **access)["changed"]


def assert_ends_well(result: Values) -> str:
    """A run succeeds, or fails with the call, or the refresh, and what to do; in a word, which."""
    if not result.get("failed"):
        return "succeeds"
    message = str(result["msg"])
    for trace in ("Traceback", "AttributeError", "TypeError", "KeyError"):
        assert trace not in message + str(result.get("exception", ""))
    names_a_call = any(f"{method} /" in message for method in ("GET", "POST", "PUT", "DELETE"))
    assert names_a_call or "run again" in message or "wait_timeout" in message, message
    return "fails, and says why"


def state(service: Service) -> Values:
    """What is staged and what is live, comparable between two services: names stand for ids."""
    staged = service.everything()
    names = {identifier: name for kind, items in staged.items() for identifier, name in _names(kind, items)}
    live = service.simulator.admin("GET", "live")
    return {
        "staged": _described(staged, names),
        **{zone: _described(objects, names) for zone, objects in live.items()},
    }


def _names(kind: str, items: list[Values]) -> list[tuple[int, str]]:
    word = "id" if kind == "ssl" else f"{kind.partition('/')[2] or kind}Id"
    return [
        (item[word], f"{kind} {item.get('zone', '')} {item.get('displayName') or item.get('address') or ''}")
        for item in items
        if word in item
    ]


def _described(objects: Values, names: dict[int, str]) -> list[str]:
    return sorted(
        f"{kind} {_named(item, names)}"
        for kind, items in objects.items()
        for item in items
        if item.get("id") != GIVEN_CERTIFICATE
    )


def _named(value: Any, names: dict[int, str], key: str = "") -> Any:
    if isinstance(value, dict):
        fields = {name: _named(item, names, name) for name, item in value.items() if name != "ruleId"}
        return sorted(fields.items(), key=str)
    if isinstance(value, list):
        return sorted((_named(item, names) for item in value), key=str)
    is_id = key.endswith("Id") or key in ("id", "parent", "target")
    if is_id and str(value).isdigit():
        return names.get(int(value), value)
    return value
