# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Drift, end to end: what somebody changes behind the collection's back is named exactly, and corrected exactly.

A batch of changes costs one report, one correction and one report that must be clean. Every change stands for itself
in the batch: the report has to name it, and nothing else.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from simulator.pki import self_signed

from .conftest import SMTP
from .driver import Lab, Play, await_result

DRIFT = "playbooks/drift.yml"
BALANCER = "load balancer"
ZONES = ("gra", "rbx")

GUARD, GUARD_FILE, GUARD_UNIT = "firewall", "/etc/mailops-ovh-iplb.nft", "mailops-ovh-iplb.service"

# What this module declares beside the roles' own declarations, so that more kinds of fields can drift.
SOURCES = ["192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24"]
DECLARED = {
    "allow_cutover": True,
    "postfix_backend_trusted_clients": [],
    "smtp_load_balancer_purge_servers": True,
    "smtp_load_balancer_farm_options": {"vrack_network_id": None},
    "smtp_load_balancer_server_options": {"display_name": "mail", "chain": None},
    "smtp_load_balancer_frontend_options": {"allowed_source": SOURCES},
    "postfix_backend_parameters": {"message_size_limit": 26214400, "smtpd_banner": "$myhostname ESMTP lab"},
    "postfix_backend_services": {"submission/inet": {"smtpd_client_connection_count_limit": 20}},
    "postfix_backend_new_services": {
        "10026/inet": {"command": "smtpd", "private": False, "maxproc": 5, "parameters": {"syslog_name": "postfix/b"}}
    },
}

FARM, FRONTEND = "farm tcp/all/smtp", "frontend tcp/all/smtp"
# (where, object, field, kind) of a finding
Named = tuple[str, str, str | None, str]


def server(address: str, port: int = 25) -> str:
    return f"server tcp/all/smtp/{address}:{port}"


def differs(name: str, *fields: str) -> set[Named]:
    return {(BALANCER, name, one, "changed") for one in fields}


def missing(*names: str) -> set[Named]:
    return {(BALANCER, name, None, "missing") for name in names}


def pending() -> set[Named]:
    return {(BALANCER, f"zone {zone}", "pending changes", "pending") for zone in ZONES}


def stale(host: str) -> Named:
    """Postfix did not read the edited files: restarting it is part of the correction."""
    return (host, "Postfix", "service", "stale")


def calls_for(drift: set[Named]) -> Counter[str]:
    """How often a correction calls the API with each method: once for each object, however many of its fields drift."""
    objects = {(name, kind) for where, name, _field, kind in drift if where == BALANCER}
    methods = {"changed": "PUT", "missing": "POST", "surplus": "DELETE"}
    return Counter(methods[kind] for _name, kind in objects if kind in methods)


@dataclass
class Report:
    """One run of the drift playbook."""

    play: Play
    content: dict[str, Any]

    @property
    def drift(self) -> set[Named]:
        return self.at("drift")

    def at(self, *levels: str) -> set[Named]:
        return {
            (finding["where"], finding["object"], finding["field"], finding["kind"])
            for finding in self.content["findings"]
            if finding["level"] in levels
        }

    def objects(self, kind: str) -> set[str]:
        return {finding["object"] for finding in self.content["findings"] if finding["kind"] == kind}

    def notes(self) -> str:
        return " ".join(finding["note"] for finding in self.content["findings"])


@dataclass
class Scene:
    """The lab as declared, with what it takes to report, correct and meddle."""

    lab: Lab
    directory: Path
    options: Path
    reports: int = 0
    is_clean: bool = True

    def report(self, *arguments: str, **environment: Any) -> Report:
        self.reports += 1
        place = self.directory / str(self.reports)
        play = self.lab.play(
            DRIFT, "-e", f"@{self.options}", "-e", f"drift_report_dir={place}", *arguments, **environment
        )
        assert (place / "drift.json").exists(), play.output
        report = Report(play, json.loads((place / "drift.json").read_text()))
        self.is_clean = not report.content["drift_found"]
        return report

    def correct(self, *arguments: str) -> Play:
        self.is_clean = True
        return self.lab.play(SMTP, "-e", f"@{self.options}", *arguments)

    # Meddling with the load balancer

    def id(self, kind: str, **values: str) -> int:
        """The one object of a kind (tcp/farm, tcp/server, tcp/frontend) that has these values."""
        objects = self.lab.simulator("GET", "staged")[kind]
        (found,) = [item for item in objects if values.items() <= item.items()]
        return int(found[f"{kind.rpartition('/')[2]}Id"])

    @property
    def farm(self) -> str:
        return f"tcp/farm/{self.id('tcp/farm', displayName='smtp')}"

    @property
    def frontend(self) -> str:
        return f"tcp/frontend/{self.id('tcp/frontend', displayName='smtp')}"

    def server(self, host: str) -> str:
        return f"{self.farm}/server/{self.id('tcp/server', address=self.lab.address(host))}"

    def put(self, path: str, **values: Any) -> None:
        self.lab.api("PUT", f"{{service}}/{path}", values)

    def post(self, path: str, **values: Any) -> Any:
        return self.lab.api("POST", f"{{service}}/{path}", values)

    def delete(self, path: str) -> None:
        self.lab.api("DELETE", f"{{service}}/{path}")

    def refresh(self) -> None:
        task = self.lab.api("POST", "{service}/refresh")["id"]
        await_result(lambda: self.lab.api("GET", f"{{service}}/task/{task}")["status"] == "done")

    def writes(self) -> list[str]:
        """The writing calls that the API has seen so far."""
        log = self.lab.simulator("GET", "requests")
        return [f"{entry['method']} {entry['path']}" for entry in log["requests"] if entry["method"] != "GET"]

    # Meddling with the backends

    def postconf(self, host: str, *arguments: str) -> None:
        self.lab.run(host, "postconf", *arguments)

    def settings(self) -> str:
        """What the backends are set to, in whatever order and words: Postfix, its files' modes, the firewall."""
        script = (
            "cd /etc/postfix && stat -c '%n %a %U %G' main.cf master.cf; "
            "(postconf -n; postconf -M | sed 's/ -o .*//'; postconf -P) | sort; "
            "postfix status 2>&1 | grep -o 'is running'; "
            f"nft list table inet mailops_ovh_iplb; cat {GUARD_FILE}; systemctl is-enabled {GUARD_UNIT}"
        )
        return "".join(self.lab.shell(host, script) for host in self.lab.backends)

    def files(self) -> str:
        """Everything below /etc/postfix on every backend, and the process that serves mail."""
        script = "cd /etc/postfix && find . -type f -exec md5sum {} + | sort; stat -c '%n %a %U %Z' main.cf master.cf"
        script += "; cat /var/spool/postfix/pid/master.pid 2>/dev/null || true"
        return "".join(self.lab.shell(host, script) for host in self.lab.backends)


@pytest.fixture(scope="module")
def scene(converged: Lab, tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """The lab with everything as this module declares it."""
    directory = tmp_path_factory.mktemp("drift")
    options = directory / "declared.json"
    options.write_text(json.dumps(DECLARED))
    made = Scene(converged, directory, options)
    played = made.correct()
    assert played.status == 0, played.output
    return made


@pytest.fixture
def clean(scene: Scene) -> Scene:
    """The scene without drift: what a failed test left behind is corrected first."""
    if not scene.is_clean:
        scene.correct()
        assert not scene.report().content["drift_found"]
    return scene


# The load balancer verifies servers with it, so it has to be one.
CHAIN = self_signed("backend.example.test").certificate

# Batches of changes --------------------------------------------------------------------------------------------------

Batch = Callable[[Scene], set[Named]]


def fields_by_hand(scene: Scene) -> set[Named]:
    """Fields of every object, changed and made live by a colleague; parameters and overrides on both backends."""
    one, two = scene.lab.backends
    first, second = map(scene.lab.address, (one, two))
    probe = {"type": "tcp", "interval": 60, "port": 26}
    scene.put(scene.farm, balance="leastconn", stickiness="sourceIp", port=26, probe=probe)
    scene.put(scene.server(one), weight=7, backup=True, proxyProtocolVersion="v2", displayName="x", status="inactive")
    scene.put(scene.server(two), weight=0, probe=False, onMarkedDown="shutdown-sessions", chain=CHAIN, ssl=True)
    scene.put(scene.frontend, port="25,2525", allowedSource=["203.0.113.0/24"], disabled=True)
    scene.refresh()
    scene.postconf(one, "-e", "message_size_limit=1", "smtpd_banner=Microsoft ESMTP")
    scene.postconf(one, "-X", "smtp_upstream_proxy_protocol")
    scene.postconf(one, "-P", "submission/inet/smtpd_client_connection_count_limit=1")
    scene.postconf(two, "-PX", "smtp/inet/smtpd_upstream_proxy_protocol", "smtp/inet/smtpd_authorized_xforward_hosts")
    scene.postconf(two, "-P", "smtp/inet/mynetworks=192.0.2.0/24")
    scene.postconf(two, "-P", "smtp/inet/smtpd_authorized_xclient_hosts=192.0.2.0/24")
    return {
        *differs(FARM, "balance", "stickiness", "port", "probe.type", "probe.interval", "probe.port"),
        *differs(server(first), "weight", "backup", "proxy_protocol_version", "display_name", "status"),
        *differs(server(second), "weight", "probe", "on_marked_down", "chain", "ssl"),
        *differs(FRONTEND, "port", "allowed_source", "disabled"),
        (one, "main.cf", "message_size_limit", "changed"),
        (one, "main.cf", "smtpd_banner", "changed"),
        (one, "main.cf", "smtp_upstream_proxy_protocol", "missing"),
        (one, "master.cf submission/inet", "smtpd_client_connection_count_limit", "changed"),
        stale(one),
        (two, "master.cf smtp/inet", "smtpd_upstream_proxy_protocol", "missing"),
        (two, "master.cf smtp/inet", "smtpd_authorized_xforward_hosts", "missing"),
        (two, "master.cf smtp/inet", "mynetworks", "changed"),
        (two, "master.cf smtp/inet", "smtpd_authorized_xclient_hosts", "changed"),
        stale(two),
    }


def objects_by_hand(scene: Scene) -> set[Named]:
    """A server replaced by another, no probe, other sources; a service removed, Postfix stopped, no firewall."""
    one, two = scene.lab.backends
    scene.put(scene.farm, probe={})
    scene.put(scene.server(one), proxyProtocolVersion=None)
    scene.delete(scene.server(two))
    scene.post(f"{scene.farm}/server", address="192.0.2.99", status="active")
    failover = scene.lab.api("GET", "{service}/failover")
    scene.put(scene.frontend, allowedSource=[], deniedSource=["203.0.113.99/32"], dedicatedIpfo=failover[:1])
    scene.refresh()
    scene.postconf(one, "-MX", "10026/inet")
    scene.postconf(one, "-X", "message_size_limit")
    scene.lab.run(two, "systemctl", "stop", "postfix")
    scene.lab.run(two, "nft", "flush", "ruleset")
    return {
        *differs(FARM, "probe"),
        *differs(server(scene.lab.address(one)), "proxy_protocol_version"),
        *missing(server(scene.lab.address(two))),
        (BALANCER, server("192.0.2.99"), None, "surplus"),
        *differs(FRONTEND, "allowed_source", "denied_source", "dedicated_ipfo"),
        (one, "master.cf 10026/inet", None, "missing"),
        (one, "master.cf 10026/inet", "syslog_name", "missing"),
        (one, "main.cf", "message_size_limit", "missing"),
        stale(one),
        (two, "Postfix", "service", "stopped"),
        (two, GUARD, "nftables", "missing"),
    }


def staged_by_hand(scene: Scene) -> set[Named]:
    """Changes that nobody made live, a deleted frontend among them; columns of a service, a mode, a firewall's file."""
    one, two = scene.lab.backends
    scene.put(scene.server(two), weight=9)
    scene.delete(scene.frontend)
    scene.postconf(one, "-F", "10026/inet/process_limit=99")
    scene.postconf(one, "-P", "10026/inet/syslog_name=postfix/other")
    scene.lab.shell(two, "echo 'smtpd_banner = twice' >> /etc/postfix/main.cf")
    scene.lab.run(two, "chmod", "0600", "/etc/postfix/main.cf")
    scene.lab.shell(two, f"echo '# by hand' >> {GUARD_FILE}")
    return {
        *differs(server(scene.lab.address(two)), "weight"),
        *missing(FRONTEND),
        *pending(),
        (one, "master.cf 10026/inet", None, "changed"),
        (one, "master.cf 10026/inet", "syslog_name", "changed"),
        stale(one),
        (two, "main.cf", "smtpd_banner", "changed"),
        (two, "main.cf", "file mode", "changed"),
        stale(two),
        (two, GUARD, GUARD_FILE, "changed"),
        (two, GUARD, GUARD_UNIT, "changed"),
    }


def everything_gone(scene: Scene) -> set[Named]:
    """Every object deleted, and not yet live; a mode; a firewall without rules, and one that will not be there after
    a boot."""
    one, two = scene.lab.backends
    servers = [server(scene.lab.address(host)) for host in (one, two)]
    scene.delete(scene.frontend)
    for host in (one, two):
        scene.delete(scene.server(host))
    scene.delete(scene.farm)
    scene.lab.run(one, "nft", "flush", "table", "inet", "mailops_ovh_iplb")
    scene.lab.run(two, "systemctl", "disable", GUARD_UNIT)
    scene.lab.run(one, "chmod", "0666", "/etc/postfix/master.cf")
    return {
        *missing(FARM, FRONTEND, *servers),
        *pending(),
        (one, "master.cf", "file mode", "changed"),
        (one, GUARD, "nftables", "changed"),
        (two, GUARD, GUARD_UNIT, "changed"),
    }


@pytest.mark.parametrize(
    "batch", [fields_by_hand, objects_by_hand, staged_by_hand, everything_gone], ids=lambda batch: batch.__name__
)
def test_drift_is_named_exactly_and_corrected_exactly(batch: Batch, clean: Scene) -> None:
    before = clean.settings()
    expected = batch(clean)
    reported = clean.report()
    assert reported.play.status == 0, reported.play.output
    assert reported.at("drift", "unknown") == expected, reported.notes()
    meddled = len(clean.writes())
    corrected = clean.correct()
    assert corrected.status == 0, corrected.output
    calls = [call for call in clean.writes()[meddled:] if not call.endswith("/refresh")]
    assert Counter(call.split()[0] for call in calls) == calls_for(expected), calls
    assert clean.settings() == before
    after = clean.report()
    assert after.at("drift", "unknown") == set(), after.play.output


def test_a_renamed_farm_is_missing_and_its_old_self_unmanaged(clean: Scene) -> None:
    servers = [server(clean.lab.address(host)) for host in clean.lab.backends]
    old = clean.farm
    clean.put(old, displayName="hand-made")
    clean.refresh()
    reported = clean.report()
    assert reported.drift == {*missing(FARM, *servers), *differs(FRONTEND, "default_farm")}
    unmanaged = reported.objects("unmanaged")
    moved = {name.replace("/smtp/", "/hand-made/") for name in servers}
    assert unmanaged == {"farm tcp/all/hand-made", *moved}

    assert clean.correct().status == 0
    after = clean.report()
    assert not after.content["drift_found"]
    assert after.objects("unmanaged") == unmanaged
    counted = clean.report("-e", "drift_report_unmanaged=drift", "-e", "drift_report_fail=true")
    assert counted.drift == {(BALANCER, name, None, "unmanaged") for name in unmanaged}
    assert counted.play.status != 0

    for identifier in clean.lab.api("GET", f"{{service}}/{old}/server"):
        clean.delete(f"{old}/server/{identifier}")
    clean.delete(old)
    clean.refresh()


def twin_farm(scene: Scene) -> str:
    return f"tcp/farm/{scene.post('tcp/farm', displayName='smtp', zone='all', port=25)['farmId']}"


def twin_frontend(scene: Scene) -> str:
    twin = scene.post("tcp/frontend", displayName="smtp", zone="all", port="2526")
    return f"tcp/frontend/{twin['frontendId']}"


def twin_server(scene: Scene) -> str:
    servers = f"{scene.farm}/server"
    address = scene.lab.address(scene.lab.backends[0])
    return f"{servers}/{scene.post(servers, address=address, status='active')['serverId']}"


@pytest.mark.parametrize("twin", [twin_farm, twin_frontend, twin_server], ids=lambda twin: twin.__name__)
def test_a_duplicate_is_named_with_its_ids_and_left_to_a_human(twin: Callable[[Scene], str], clean: Scene) -> None:
    path = twin(clean)
    identifier = path.rpartition("/")[2]
    reported = clean.report()
    assert (BALANCER, "configuration", None, "failed") in reported.at("unknown")
    assert identifier in reported.notes()
    before = clean.writes()
    refused = clean.correct()
    assert refused.status != 0
    assert identifier in refused.output
    assert clean.writes() == before
    clean.delete(path)
    clean.refresh()
    clean.is_clean = True


# What is no drift ----------------------------------------------------------------------------------------------------


# Comments, a folded value, a parameter at the end of main.cf and a value between blanks.
REWORDED = r"""cd /etc/postfix
printf '# a comment\n\n  # another\n' | tee -a master.cf >> main.cf
sed -i -e 's/^message_size_limit *= */message_size_limit =\n    /' -e '/^smtpd_banner/{h;d}' -e '$G' main.cf
sed -i 's/^smtp_upstream_proxy_protocol *= */smtp_upstream_proxy_protocol=  /' main.cf
"""


def test_the_same_in_other_words_is_no_drift(clean: Scene) -> None:
    """More than ten ways to say what is declared."""
    one, two = clean.lab.backends
    probe = {"type": "smtp", "interval": 30, "port": None, "match": "default", "negate": False, "forceSsl": False}
    clean.put(clean.farm, balance=None, probe=probe)
    clean.put(clean.server(one), weight=None, port=25)
    clean.put(clean.server(two), weight=1, port=None)
    clean.put(clean.frontend, allowedSource=SOURCES[::-1], deniedSource=[], dedicatedIpfo=[])
    clean.refresh()
    clean.lab.run(two, "sh", "-c", f"{REWORDED} systemctl restart postfix")
    reported = clean.report("-e", '{"smtp_load_balancer_zones": ["ALL"]}')
    assert reported.at("drift", "unknown") == set()
    corrected = clean.correct()
    assert corrected.is_idle, corrected.output


def test_a_comment_is_no_drift_even_before_postfix_reads_it(clean: Scene) -> None:
    one, two = clean.lab.backends
    for name in ("main.cf", "master.cf"):
        clean.lab.shell(one, f"printf '\\n# a comment\\n' >> /etc/postfix/{name}")
    clean.lab.shell(two, "sed -i '1i # a comment' /etc/postfix/main.cf && postfix reload")
    assert clean.report().at("drift", "unknown") == set()
    corrected = clean.correct()
    assert corrected.is_idle, corrected.output


# The report itself ---------------------------------------------------------------------------------------------------


def test_the_report_changes_nothing(clean: Scene) -> None:
    one, _two = clean.lab.backends
    clean.put(clean.server(one), weight=3)
    clean.postconf(one, "-e", "smtpd_banner=hand-made")
    writes, files = clean.writes(), clean.files()
    assert clean.report().content["drift_found"]
    assert clean.writes() == writes
    assert clean.files() == files
    assert clean.correct().status == 0


def test_a_workflow_can_branch_on_the_result(clean: Scene) -> None:
    quiet = clean.report("-e", "drift_report_fail=true", ANSIBLE_SHOW_CUSTOM_STATS="true")
    assert quiet.play.status == 0, quiet.play.output
    assert '"drift_found": false' in quiet.play.output
    host = clean.lab.backends[1]
    clean.lab.run(host, "systemctl", "stop", "ssh.service")
    # A connection of before would still be open.
    settings = {"ANSIBLE_SHOW_CUSTOM_STATS": "true", "ANSIBLE_SSH_ARGS": "-o ControlPath=none"}
    try:
        cut = clean.report("-e", "drift_report_fail=true", **settings)
    finally:
        clean.lab.run(host, "systemctl", "start", "ssh.service")
    assert cut.play.status == 2, cut.play.output
    assert "Drift was found" in cut.play.output
    assert '"drift_found": true' in cut.play.output
    assert cut.at("drift", "unknown") == {(host, "host", None, "unreachable")}
    clean.is_clean = True


def test_an_api_that_refuses_leaves_a_reason_for_every_backend(clean: Scene) -> None:
    refused = clean.report(OVH_CONSUMER_KEY="nobody")
    assert refused.play.status == 0, refused.play.output
    assert "undefined" not in refused.play.output
    unknown = {where for where, _object, _field, kind in refused.at("unknown") if kind == "failed"}
    assert unknown == {BALANCER, *clean.lab.backends}
    clean.is_clean = True


def test_a_run_with_a_limit_says_whom_it_left_out(clean: Scene) -> None:
    one, two = clean.lab.backends
    limited = clean.report("--limit", one)
    assert (two, "host", None, "unreachable") in limited.at("unknown")
    assert "did not look" in limited.notes()
    assert limited.drift == set()
    clean.is_clean = True
