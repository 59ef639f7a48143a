# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the report says of a service and its backends."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._drift.backends import host_findings
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._drift.balancer import (
    load_balancer_findings,
    unmanaged_objects,
)
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._drift.finding import (
    HIDDEN,
    KINDS,
    LEVELS,
    LOAD_BALANCER,
    Host,
    Sources,
    in_words,
    mask,
    server_health,
)
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._drift.report import build_report
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.info import gather
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.snapshot import Reader
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from unit.plugins.module_utils.drift.samples import (
    BACKENDS,
    CERTIFICATE,
    change,
    clean_sources,
    converged,
    drifted_sources,
    host,
    sources,
)
from unit.plugins.module_utils.iplb.engine import plan
from unit.plugins.module_utils.iplb.fake_api import SERVICE, FakeApi
from unit.plugins.module_utils.iplb.tasks import services, tasks

Values = dict[str, Any]
MX1, MX2 = BACKENDS
SLOW_DRAWS = settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


def random_sources(data: st.DataObject) -> tuple[FakeApi, Sources]:
    api = data.draw(services())
    written = data.draw(tasks(api)).written()
    planned = plan(api, **written)
    return api, Sources(
        generated="",
        plan={"plan": [operation.report() for operation in planned.operations], "foreign_changes": {}},
        info=gather(api, Reader(api, SERVICE), ["pending_changes", "farms", "frontends"]),
        declared=written,
    )


def keys(findings: list[Values], **wanted: Any) -> list[tuple[str, str | None]]:
    """Object and field of the findings with these values."""
    return [
        (finding["object"], finding["field"])
        for finding in findings
        if all(finding[name] == value for name, value in wanted.items())
    ]


# What holds for every service


@given(st.data())
@SLOW_DRAWS
def test_the_drift_is_the_plan_object_by_object_and_field_by_field(data: st.DataObject) -> None:
    dummy, found = random_sources(data)
    drift = [item for item in load_balancer_findings(found) if item["level"] == "drift"]
    expected = {
        (f"{operation['kind']} {operation['key']}", operation["id"], name)
        for operation in found.plan["plan"]
        for name in (operation["after"] if operation["action"] == "update" else [None])
    }
    told = {(item["object"], item["id"], (item["field"] or "").partition(".")[0] or None) for item in drift}
    assert told == expected
    for item in drift:
        assert item["kind"] != "changed" or item["declared"] != item["found"]


@given(st.data())
@SLOW_DRAWS
def test_every_object_is_declared_or_going_or_unmanaged(data: st.DataObject) -> None:
    api, found = random_sources(data)
    unmanaged = {(item.resource.kind, item.protocol, item.id) for item in unmanaged_objects(found)}
    going = {(item["kind"], item["protocol"], item["id"]) for item in found.plan["plan"] if item["action"] == "delete"}
    changed = {
        (item["kind"], item["protocol"], item["id"]) for item in found.plan["plan"] if item["action"] == "update"
    }
    assert unmanaged <= set(api.objects)
    assert not unmanaged & (going | changed)


@given(st.data())
@SLOW_DRAWS
def test_every_object_is_in_the_topology_once(data: st.DataObject) -> None:
    api, found = random_sources(data)
    report = build_report(found)
    nodes = [
        node
        for group in report["topology"]
        for node in [*group["frontends"], *([group["farm"]] if group["farm"] else []), *group["servers"]]
    ]
    there = sorted((node["kind"], node["id"]) for node in nodes if node["id"])
    assert there == sorted((kind, identifier) for kind, dummy, identifier in api.objects)
    created = [item["kind"] for item in found.plan["plan"] if item["action"] == "create"]
    assert sorted(node["kind"] for node in nodes if not node["id"]) == sorted(created)
    json.dumps(report)


# Summary


def test_a_service_as_declared_has_no_findings() -> None:
    report = build_report(clean_sources())
    assert report["findings"] == []
    assert not report["drift_found"]


def test_the_summary_counts_each_level() -> None:
    report = build_report(drifted_sources())
    assert report["drift_found"]
    for level in LEVELS:
        assert report["summary"][level] == sum(finding["level"] == level for finding in report["findings"]) > 0
    assert {finding["kind"] for finding in report["findings"]} <= set(KINDS)


def test_an_object_carries_its_findings_also_when_its_key_changes() -> None:
    api = converged()
    farm = next(iter(api.of("farm")))
    api.of("farm")[farm].update(port=26)
    first = next(iter(api.of("server")))
    api.of("server")[first].update(weight=7)
    (group, _other) = build_report(sources(api, []))["topology"]
    assert (group["farm"]["findings"], [node["findings"] for node in group["servers"]]) == (1, [1, 0])


def test_notices_alone_are_no_drift() -> None:
    report = build_report(sources(converged(), [host(MX1, days_left=3), host(MX2)]))
    assert report["summary"] == {"drift": 0, "unknown": 0, "notice": 1, "backends": 2}
    assert not report["drift_found"]


# The load balancer


def test_a_probe_differs_field_by_field() -> None:
    findings = build_report(drifted_sources())["findings"]
    fields = [field for name, field in keys(findings, kind="changed") if name == "farm tcp/gra/smtp"]
    assert fields == ["balance", "probe.type", "probe.interval"]


def test_a_proxy_change_under_live_mail_names_the_way() -> None:
    notes = {item["field"]: item["note"] for item in build_report(drifted_sources())["findings"] if item["field"]}
    assert "rollout.yml" in notes["proxy_protocol_version"]
    assert notes["weight"] == ""


def test_unmanaged_objects_count_as_asked() -> None:
    there = drifted_sources()
    told = keys(build_report(there)["findings"], kind="unmanaged", level="notice")
    assert {name for name, dummy in told} == {
        "farm http/all/webmail, kept by the web team",
        "server http/all/webmail, kept by the web team/192.0.2.80:8443",
        "frontend http/all/webmail",
        "server tcp/rbx/smtp/192.0.2.99:25",
    }
    assert keys(build_report(replace(there, unmanaged="drift"))["findings"], kind="unmanaged", level="drift") == told


def test_objects_that_a_purge_removes_are_drift_and_not_unmanaged() -> None:
    api = converged()
    api.add("server", farm=next(iter(api.of("farm"))), address="192.0.2.99", status="active")
    there = sources(api, [])
    planned = plan(api, **{**there.declared, "purge_servers": True})
    there = replace(there, plan={"plan": [operation.report() for operation in planned.operations]})
    findings = build_report(there)["findings"]
    assert [(item["object"], item["kind"], item["level"]) for item in findings] == [
        ("server tcp/gra/smtp/192.0.2.99:25", "surplus", "drift")
    ]


def test_waiting_changes_are_drift_where_the_playbook_refreshes_and_a_notice_elsewhere() -> None:
    api = converged()
    api.pending = {"gra": 2}
    there = sources(api, [])
    assert keys(build_report(there)["findings"], kind="pending", level="drift") == [("zone gra", "pending changes")]
    elsewhere = replace(there, plan={**there.plan, "foreign_changes": {}})
    assert keys(build_report(elsewhere)["findings"], kind="pending", level="notice") == [
        ("zone gra", "pending changes")
    ]
    assert not build_report(elsewhere)["drift_found"]
    refused = replace(there, plan={**there.plan, "failed": True, "msg": "changes are waiting"})
    assert keys(build_report(refused)["findings"], kind="pending", level="unknown") == [("zone gra", "pending changes")]


REFUSED = {"failed": True, "msg": "403: not allowed"}


@pytest.mark.parametrize("there", [replace(clean_sources(), plan=REFUSED), replace(clean_sources(), info=REFUSED)])
def test_what_the_api_did_not_tell_is_unknown(there: Sources) -> None:
    report = build_report(there)
    assert report["drift_found"]
    (unknown,) = [finding for finding in report["findings"] if finding["level"] == "unknown"]
    assert (unknown["where"], unknown["kind"], unknown["note"]) == (LOAD_BALANCER, "failed", "403: not allowed")


@pytest.mark.parametrize(
    ("states", "state", "text"),
    [
        (["UP", "UP"], "up", "UP on 2 of 2"),
        (["UP", "DOWN"], "partly", "DOWN on 1 of 2"),
        (["DOWN"], "down", "DOWN on 1 of 1"),
        (["no check"], "unknown", "no check on 1 of 1"),
        ([None], "unknown", "unknown on 1 of 1"),
        ([], "unknown", "no check yet"),
    ],
)
def test_health_is_that_of_all_instances(states: list[str], state: str, text: str) -> None:
    health = server_health({"probe": True, "server_state": [{"status": item} for item in states]})
    assert (health["state"], health["text"]) == (state, text)


# Backends


def test_a_parameter_that_differs_is_named_with_both_values() -> None:
    plan = [change("mynetworks", "10.0.0.0/8", "", "smtp/inet"), change("relayhost", "x", None)]
    findings = host_findings(host(MX1, plan=plan), 30)
    assert [(f["object"], f["field"], f["declared"], f["found"], f["kind"]) for f in findings] == [
        ("master.cf smtp/inet", "mynetworks", "", "10.0.0.0/8", "changed"),
        ("main.cf", "relayhost", None, "x", "surplus"),
    ]


@pytest.mark.parametrize(
    ("running", "plan", "kind"), [(False, [], "stopped"), (True, [], "stale"), (True, [change("a", "b", "c")], "stale")]
)
def test_a_postfix_that_does_not_run_its_files_is_drift(running: bool, plan: list[Values], kind: str) -> None:
    findings = host_findings(host(MX1, running=running, plan=plan, live=False), 30)
    assert [finding["kind"] for finding in findings if finding["object"] == "Postfix"] == [kind]


def test_a_change_without_details_is_drift_as_a_whole() -> None:
    there = replace(host(MX1), steps=[{"object": "firewall", "result": {"changed": True}}])
    assert [(f["object"], f["kind"], f["level"]) for f in host_findings(there, 30)] == [
        ("firewall", "changed", "drift")
    ]


def test_a_difference_in_text_names_the_part_and_its_lines() -> None:
    diff = [
        {"before_header": "nftables", "after_header": "nftables", "before": "", "after": "table inet guard {\n}\n"},
        {"before_header": "/etc/guard", "after_header": "/etc/guard", "before": "a\nb\n", "after": "a\nc\n"},
    ]
    there = replace(host(MX1), steps=[{"object": "firewall", "result": {"changed": True, "diff": diff}}])
    findings = host_findings(there, 30)
    assert [(f["object"], f["field"], f["kind"], f["declared"], f["found"]) for f in findings] == [
        ("firewall", "nftables", "missing", ["table inet guard {", "}"], None),
        ("firewall", "/etc/guard", "changed", ["c"], ["b"]),
    ]


@pytest.mark.parametrize(
    "there",
    [
        Host(MX1, None, {"unreachable": True, "msg": "timed out"}),
        Host(MX1, None, None),
        replace(host(MX1), steps=[{"object": "Postfix", "result": {"unreachable": True, "msg": "timed out"}}]),
        replace(host(MX1), steps=[{"object": "Postfix", "result": {"failed": True, "msg": "refused"}}]),
        replace(host(MX1), failure="Install Postfix: no network"),
        replace(host(MX1), postfix={"msg": "main.cf can not be read"}, steps=[]),
    ],
)
def test_a_backend_that_can_not_be_compared_is_unknown_and_counts(there: Host) -> None:
    report = build_report(sources(converged(), [there, host(MX2)]))
    (finding,) = report["findings"]
    assert (finding["where"], finding["level"]) == (MX1, "unknown")
    assert finding["note"]
    assert report["drift_found"]
    assert report["verdict"] == "unknown"


def test_a_backend_outside_the_run_is_unknown() -> None:
    report = build_report(sources(converged(), [host(MX1)], left_out=[MX2]))
    assert [(f["where"], f["kind"], f["level"]) for f in report["findings"]] == [(MX2, "unreachable", "unknown")]
    assert report["summary"]["backends"] == 2


@pytest.mark.parametrize(("days", "note"), [(29, "in 29 days"), (1, "in 1 day"), (-1, "has expired"), (30, None)])
def test_a_certificate_near_its_end_is_a_notice(days: int, note: str | None) -> None:
    findings = host_findings(host(MX1, days_left=days), 30)
    assert [(f["object"], f["level"]) for f in findings] == ([(f"certificate {CERTIFICATE}", "notice")] if note else [])
    assert not note or note in findings[0]["note"]


# Secrets and words


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("smtp_sasl_password_maps", "static:user:hunter2"),
        ("my_relay_passwd", "hunter2"),
        ("api_token", ["hunter2"]),
        ("anything", "ldap://user:hunter2@192.0.2.1/"),
        ("anything", "ldap://user:hunter2@hunter2@192.0.2.1/"),
        ("anything", "https://user:hun/hunter2@192.0.2.1/"),
        ("relay", "static:user:hunter2"),
        ("virtual", {"secret": "hunter2"}),
    ],
)
def test_secrets_are_hidden(name: str, value: Any) -> None:
    assert "hunter2" not in json.dumps(mask(name, value))
    assert HIDDEN in json.dumps(mask(name, value))


def test_findings_hide_secrets() -> None:
    plan = [change("smtp_sasl_password_maps", "static:user:hunter2", "static:user:hunter3")]
    (finding,) = host_findings(host(MX1, plan=plan), 30)
    assert (finding["field"], finding["kind"]) == ("smtp_sasl_password_maps", "changed")
    assert "hunter" not in json.dumps(finding)


def test_a_message_hides_what_a_url_carries() -> None:
    there = replace(host(MX1), failure="can not reach https://user:hunter2@192.0.2.1/")
    assert "hunter2" not in json.dumps(host_findings(there, 30))


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "none"),
        (True, "true"),
        ([], "none"),
        ("", "empty"),
        (0, "0"),
        ("a\n  b", "a b"),
        (["a", "b"], "a, b"),
        ({"type": "smtp", "port": None}, "type: smtp, port: none"),
    ],
)
def test_values_in_words(value: Any, words: str) -> None:
    assert in_words(value) == words


def behind(declared: tuple[str, ...], firewall: str = "nftables", **postfix: Any) -> list[Any]:
    there = host(MX1)
    looked = replace(there, listeners=declared, firewall=firewall, postfix={**(there.postfix or {}), **postfix})
    return [(found["object"], found["kind"], found["level"]) for found in host_findings(looked, 30)]


def test_a_listener_that_is_gone_from_the_list_is_named_as_long_as_it_expects_a_header() -> None:
    forgotten = behind(("smtp/inet",), listeners=["smtp/inet", "submission/inet"])
    assert forgotten == [("listener submission/inet", "unmanaged", "notice")]
    assert behind(("smtp/inet", "submission/inet"), listeners=["smtp/inet"]) == []


def test_a_missing_firewall_is_named_as_what_it_is() -> None:
    assert behind(("smtp/inet",), "none", listeners=["smtp/inet"]) == [("firewall", "missing", "notice")]
    assert behind(("smtp/inet",), "external", listeners=["smtp/inet"]) == []
    assert behind(("smtp/inet",), "none", listeners=[]) == []


def test_bans_that_are_in_vain_behind_a_load_balancer_are_named() -> None:
    assert behind(("smtp/inet",), bans_by_address=True) == [("fail2ban", "stale", "notice")]
