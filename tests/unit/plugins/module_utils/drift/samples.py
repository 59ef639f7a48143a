# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A service with two backends, as declared and as somebody left it, and its report rendered as the role does."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import jinja2
import yaml
from ansible_collections.mailops.ovh_iplb.plugins.filter import drift as filters
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._drift.finding import Host, Sources
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._drift.report import build_report
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.info import gather
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.snapshot import Reader

from unit.plugins.module_utils.iplb.engine import apply, plan
from unit.plugins.module_utils.iplb.fake_api import SERVICE, FakeApi

Values = dict[str, Any]

ROLE = Path(filters.__file__).parents[2] / "roles" / "drift_report"
BACKENDS = {"mx1.example.com": "192.0.2.11", "mx2.example.com": "192.0.2.12"}
GENERATED = "2026-11-22T15:04:05Z"
UP = {"instanceId": 1001, "status": "UP", "checkTime": "2026-11-22T15:04:00Z", "lastCheckContent": "220 ready"}
DOWN = {**UP, "instanceId": 1002, "status": "DOWN", "lastCheckContent": "Connection refused"}
CERTIFICATE = "/etc/ssl/certs/mx.pem"


def declaration() -> Values:
    """What the role smtp_load_balancer declares for the two backends."""
    server = {"status": "active", "probe": True, "proxy_protocol_version": "v1", "weight": 1, "backup": False}
    return {
        "farms": [
            {
                "display_name": "smtp",
                "zone": zone,
                "port": 25,
                "balance": "roundrobin",
                "probe": {"type": "smtp", "interval": 30, "port": None},
                "servers": [{"address": address, "port": None, **server} for address in BACKENDS.values()],
            }
            for zone in ("gra", "rbx")
        ],
        "frontends": [
            {"display_name": "smtp", "zone": zone, "port": "25", "default_farm": "smtp", "allowed_source": []}
            for zone in ("gra", "rbx")
        ],
    }


def converged() -> FakeApi:
    api = FakeApi()
    api.service = {"ipLoadbalancing": "198.51.100.25", "ipv4": "198.51.100.25", "offer": "lb2", "state": "ok"}
    apply(api, **declaration())
    for body in api.of("server").values():
        body["serverState"] = [UP, {**UP, "instanceId": 1002}]
    return api


def drifted() -> FakeApi:
    """What a night of firefighting leaves behind."""
    api = converged()
    farm, other_farm = api.of("farm")
    first, second, gone, _fourth = api.of("server")
    frontend, lost_frontend = api.of("frontend")
    api.of("farm")[farm].update(balance="leastconn", probe={"type": "tcp", "interval": 60})
    api.of("server")[first].update(weight=7, proxyProtocolVersion=None, serverState=[UP, DOWN])
    api.of("server")[second].update(status="inactive")
    del api.objects["server", "tcp", gone]
    del api.objects["frontend", "tcp", lost_frontend]
    api.of("frontend")[frontend].update(allowedSource=["203.0.113.0/24"], defaultFarmId=farm)
    api.add("server", farm=other_farm, address="192.0.2.99", status="active", weight=0, displayName="old relay")
    web = api.add("farm", "http", displayName="webmail, kept by the web team", zone="all", port=443)
    api.add("server", "http", farm=web, address="192.0.2.80", status="active", port=8443, probe=True)
    api.add("frontend", "http", displayName="webmail", zone="all", port="443", ssl=True, defaultFarmId=web)
    api.pending = {"gra": 3, "rbx": 1}
    return api


def sources(api: FakeApi, hosts: list[Host], **settings: Any) -> Sources:
    """What the role hands to the filter: the plan in check mode, the objects, the declaration."""
    written = declaration()
    planned = plan(api, **written)
    foreign = {zone: number for zone, number in api.pending.items() if zone in planned.zones}
    return Sources(
        generated=GENERATED,
        plan={"plan": [operation.report() for operation in planned.operations], "foreign_changes": foreign},
        info=gather(api, Reader(api, SERVICE), ["pending_changes", "farms", "frontends"]),
        declared=written,
        hosts=hosts,
        **settings,
    )


def host(name: str, days_left: int = 300, running: bool = True, **result: Any) -> Host:
    certificate = {"file": CERTIFICATE, "subject": f"CN = {name}", "not_after": "2027-09-18T00:00:00Z"}
    return Host(
        name,
        BACKENDS[name],
        {
            "installed": True,
            "running": running,
            "version": "3.7.11",
            "certificates": [{**certificate, "days_left": days_left}],
        },
        [{"object": "Postfix", "result": {"changed": bool(result), "plan": [], "live": True, **result}}],
    )


def change(parameter: str, before: str | None, after: str | None, service: str | None = None) -> Values:
    file = "master.cf" if service else "main.cf"
    return {"file": file, "service": service, "parameter": parameter, "before": before, "after": after}


def clean_sources() -> Sources:
    return sources(converged(), [host(name) for name in BACKENDS])


def drifted_sources() -> Sources:
    first, second = BACKENDS
    edited = [
        change("smtp_upstream_proxy_protocol", None, "haproxy"),
        change("smtpd_upstream_proxy_protocol", None, "$smtp_upstream_proxy_protocol", "smtp/inet"),
        change("mynetworks", "0.0.0.0/0", "", "smtp/inet"),
        change("relay_password", "hunter2", "correct horse", None),
    ]
    return replace(
        sources(
            drifted(),
            [
                host(first, 9, plan=edited, live=False),
                Host(second, BACKENDS[second], {"unreachable": True, "msg": "Connection timed out"}),
            ],
        ),
    )


def uncertain_sources() -> Sources:
    """Everything as declared, but for a backend that the run left out."""
    first, second = BACKENDS
    return sources(converged(), [host(first)], left_out=[second])


def render(report: Values, name: str) -> str:
    """A template of the role, with the settings and the filters that Ansible gives it."""
    environment = jinja2.Environment(  # noqa: S701  The templates escape by themselves, as Ansible's have to.
        loader=jinja2.FileSystemLoader(ROLE / "templates"),
        trim_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
    )
    own: dict[str, Callable[..., Any]] = {
        f"mailops.ovh_iplb.{short}": function for short, function in filters.FilterModule().filters().items()
    }
    environment.filters.update(own, to_nice_json=lambda value: json.dumps(value, indent=4))
    verdict = yaml.safe_load((ROLE / "vars" / "main.yml").read_text())["drift_report__verdict"]
    variables: Values = {"drift_report_result": report}
    variables["drift_report__verdict"] = environment.from_string(verdict).render(variables)
    return environment.get_template(f"drift.{name}.j2").render(variables)


def page(found: Sources) -> str:
    return render(build_report(found), "html")
