# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Routes, private networks and certificates: their life through the modules, beside what refers to them."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.material import fingerprint_of
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.preflight import Preflight
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.refresher import Refresher

from simulator.pki import Authority
from simulator.state import GIVEN_CERTIFICATE
from unit.plugins.modules.harness import Service, Values

AUTHORITY = Authority()

WEB: Values = {
    "farms": [{"display_name": name, "protocol": "http", "zone": "gra", "port": 80} for name in ("web", "files")],
    "frontends": [
        {"display_name": "web", "protocol": "http", "zone": "gra", "port": "80", "default_farm": "web"},
        {"display_name": "tls", "protocol": "http", "zone": "gra", "port": "443", "ssl": True, "default_farm": "web"},
    ],
}
ROUTE: Values = {
    "display_name": "files",
    "protocol": "http",
    "frontend": "web",
    "weight": 5,
    "action": {"type": "farm", "farm": "files"},
    "rules": [
        {"field": "uri", "match": "startswith", "pattern": "/files/"},
        {"field": "header", "match": "exists", "sub_field": "Authorization"},
    ],
}


@pytest.fixture
def web(service: Service) -> Service:
    service.run("load_balancer", **WEB)
    service.forget()
    return service


def kinds(result: Values) -> list[tuple[str, str]]:
    return [(operation["action"], operation["kind"]) for operation in result["plan"]]


# Routes


def test_a_route_is_made_with_its_rules_and_changed_and_deleted_with_them(web: Service) -> None:
    planned = web.run("route", check=True, **ROUTE)
    made = web.run("route", **ROUTE)
    assert kinds(planned) == kinds(made) == [("create", "route"), ("create", "rule"), ("create", "rule")]
    assert made["refreshed_zones"] == ["gra"]
    assert not web.run("route", **ROUTE)["changed"]
    stored = web.only("http/route")
    farms = {item["displayName"]: item["farmId"] for item in web.staged("http/farm")}
    assert stored["action"]["target"] == str(farms["files"])
    changed = web.run("route", **{**ROUTE, "rules": [{"field": "uri", "match": "startswith", "pattern": "/f/"}]})
    assert kinds(changed) == [("update", "rule"), ("delete", "rule")]
    assert [rule["pattern"] for rule in web.api("GET", f"http/route/{stored['routeId']}")["rules"]] == ["/f/"]
    assert web.run("route", display_name="files", protocol="http", weight=None)["changed"]
    gone = web.run("route", display_name="files", protocol="http", state="absent")
    assert kinds(gone) == [("delete", "route")]
    assert web.staged("http/route") == []


def test_a_renamed_rule_is_the_same_rule(web: Service) -> None:
    named = {"display_name": "path", "field": "uri", "match": "startswith", "pattern": "/files/"}
    web.run("route", **{**ROUTE, "rules": [named]})
    changed = web.run("route", **{**ROUTE, "rules": [{**named, "pattern": "/downloads/"}]})
    assert kinds(changed) == [("update", "rule")]


def test_a_route_without_rules_is_refused(web: Service) -> None:
    message = web.fail("route", **{**ROUTE, "rules": []})
    assert "rules is empty, and a route without rules has no effect" in message


def test_a_farm_and_a_frontend_stay_while_a_route_needs_them(web: Service) -> None:
    web.run("route", **ROUTE)
    web.forget()
    for module, name in (("farm", "files"), ("frontend", "web")):
        message = web.fail(module, display_name=name, protocol="http", state="absent")
        assert f"{module} http/gra/{name} can not be deleted: it is what route http/files" in message
    assert web.writes() == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"frontend": "nowhere"}, 'route "files": frontend "nowhere" is not the name of a http frontend'),
        ({"action": {"type": "farm", "farm": "none"}}, 'action.farm "none" is not the name of a http farm'),
        ({"action": {"type": "reject", "farm": "web"}}, "action.farm goes with action.type: farm only"),
        (
            {"action": {"type": "farm", "farm": "web", "target": "1"}},
            "action.farm and action.target exclude each other",
        ),
        ({"action": {"type": "farm", "target": "99"}}, "action.target 99 is not a http farm of this service"),
        ({"weight": 256}, "weight: 256 is out of range; the weight of a route is 0 (first) to 255"),
    ],
)
def test_a_route_that_can_not_be_is_refused_before_anything_is_written(
    web: Service, change: Values, message: str
) -> None:
    assert message in web.fail("route", **{**ROUTE, **change})
    assert web.writes() == []


def test_one_task_declares_all_and_a_purge_takes_routes(web: Service) -> None:
    web.run("route", **{**ROUTE, "display_name": "by hand"})
    made = web.run("load_balancer", **WEB, routes=[ROUTE], purge_routes=True, purge_protocols=["http"])
    assert kinds(made) == [("create", "route"), ("create", "rule"), ("create", "rule"), ("delete", "route")]
    again = web.run("load_balancer", **WEB, routes=[ROUTE], purge_routes=True, purge_protocols=["http"])
    assert not again["changed"]
    told = web.run("load_balancer_info", gather=["routes"])["routes"]
    assert [(item["display_name"], len(item["rules"])) for item in told] == [("files", 2)]


# Private networks


def test_a_network_is_used_by_name_and_stays_while_a_farm_needs_it(service: Service) -> None:
    service.simulator.reset(vrack="active")
    network = {"display_name": "mail", "subnet": "10.9.0.0/16", "nat_ip": "10.9.1.0/24"}
    farm = {"display_name": "smtp", "zone": "gra", "port": 25, "vrack_network": "mail"}
    task: Values = {"vrack_networks": [network], "farms": [farm], "refresh": False}
    made = service.run("load_balancer", **task)
    assert kinds(made) == [("create", "vrack_network"), ("create", "farm")]
    assert not service.run("load_balancer", **task)["changed"]
    assert "subnet can not change" in service.fail("vrack_network", **{**network, "subnet": "10.0.0.0/8"})
    assert "can not be deleted: it is what farm tcp/gra/smtp" in service.fail(
        "vrack_network", display_name="mail", state="absent"
    )
    service.run("farm", display_name="smtp", vrack_network=None, refresh=False)
    gone = service.run("vrack_network", display_name="mail", state="absent", refresh=False)
    assert kinds(gone) == [("delete", "vrack_network")]


# Certificates


def certificate(*names: str, days: int = 60, **options: object) -> Values:
    issued = AUTHORITY.issue(*names, days=days)
    return {"display_name": "mail", "certificate": issued.certificate, "key": issued.key, **options}


def uploaded(service: Service) -> list[Values]:
    return [item for item in service.staged("ssl") if item["id"] != GIVEN_CERTIFICATE]


@pytest.mark.parametrize("form", ["sha1", "sha256", "sha1_colons", "sha256_colons"])
def test_the_same_material_is_uploaded_once(web: Service, form: str) -> None:
    web.simulator.switch(certificate_fingerprint=form)
    task = certificate("mail.example.com")
    assert kinds(web.run("certificate", check=True, **task)) == [("create", "certificate")]
    assert uploaded(web) == []
    assert kinds(web.run("certificate", **task)) == [("create", "certificate")]
    assert not web.run("certificate", **task)["changed"]
    assert len(uploaded(web)) == 1
    assert task["key"].splitlines()[1] not in web.output


def test_a_renewal_repoints_makes_live_and_only_then_deletes(web: Service) -> None:
    web.run("certificate", **certificate("mail.example.com", days=30))
    web.run("frontend", display_name="tls", protocol="http", default_ssl="mail")
    (old,) = uploaded(web)
    web.forget()
    task = certificate("mail.example.com", "smtp.example.com", days=90)
    planned = web.run("certificate", check=True, **task)
    made = web.run("certificate", **task)
    assert kinds(made) == [("create", "certificate"), ("update", "frontend"), ("delete", "certificate")]
    assert kinds(planned) == kinds(made)
    (new,) = uploaded(web)
    assert {item["displayName"]: item["defaultSslId"] for item in web.staged("http/frontend")}["tls"] == new["id"]
    order = [write.partition("/")[0] if "refresh" not in write else write for write in web.writes()]
    assert order == ["POST ssl", "PUT http", "POST refresh", "DELETE ssl", "POST refresh"]
    assert not web.run("certificate", **task)["changed"]
    assert old["id"] != new["id"]


def test_a_renewal_that_is_cut_is_finished_by_the_next_run(web: Service) -> None:
    web.run("certificate", **certificate("mail.example.com", days=30))
    web.run("frontend", display_name="tls", protocol="http", default_ssl="mail")
    task = certificate("mail.example.com", days=90)
    web.simulator.switch(task_outcome="error")
    web.fail("certificate", **task)
    assert len(uploaded(web)) == 2
    web.simulator.switch(task_outcome="done")
    assert kinds(web.run("certificate", **task)) == [("delete", "certificate")]
    assert len(uploaded(web)) == 1


def test_without_refresh_both_certificates_stay(web: Service) -> None:
    web.run("certificate", **certificate("mail.example.com", days=30))
    task = certificate("mail.example.com", days=90)
    assert kinds(web.run("certificate", **task, refresh=False)) == [("create", "certificate")]
    assert len(uploaded(web)) == 2
    assert kinds(web.run("certificate", **task)) == [("delete", "certificate")]


def test_a_certificate_whose_names_are_not_all_in_the_new_one_stays(web: Service) -> None:
    web.run("certificate", **certificate("mail.example.com", "imap.example.com", days=30))
    made = web.run("certificate", **certificate("mail.example.com", days=90))
    assert kinds(made) == [("create", "certificate")]
    assert "stays beside the new one: the new one has not its names: imap.example.com" in web.output
    assert len(uploaded(web)) == 2


def test_a_certificate_that_expires_earlier_is_refused(web: Service) -> None:
    web.run("certificate", **certificate("mail.example.com", days=90))
    web.forget()
    assert "expires on" in web.fail("certificate", **certificate("mail.example.com", days=30))
    assert web.writes() == []


def test_an_older_certificate_never_takes_over_from_a_newer_one(web: Service) -> None:
    """Another host that still has the old file must not lead the frontends back to it."""
    older = certificate("mail.example.com", "imap.example.com", days=30)
    web.run("certificate", **older)
    web.run("certificate", **certificate("mail.example.com", days=90))
    newer = web.run("load_balancer_info", gather=["certificates"])["certificates"][-1]["certificate_id"]
    web.run("frontend", display_name="tls", protocol="http", default_ssl_id=newer)
    web.forget()
    assert "expires on" in web.fail("certificate", **older)
    assert web.writes() == []


def test_what_names_any_older_certificate_of_the_name_is_led_to_the_new_one(web: Service) -> None:
    web.run("certificate", **certificate("mail.example.com", days=20))
    web.run("frontend", display_name="tls", protocol="http", default_ssl="mail")
    by_hand = certificate("mail.example.com", days=40)
    web.api("POST", "ssl", {"displayName": "mail", "certificate": by_hand["certificate"], "key": by_hand["key"]})
    made = web.run("certificate", **certificate("mail.example.com", days=90))
    new = made["certificates"][0]["certificate_id"]
    assert {item["displayName"]: item["defaultSslId"] for item in web.staged("http/frontend")}["tls"] == new
    assert len(uploaded(web)) == 3, "it can not be told which of them goes"


@pytest.mark.parametrize("end", ["", "\n"])
def test_a_key_that_an_answer_of_the_api_repeats_is_not_shown(web: Service, tmp_path: Path, end: str) -> None:
    task = certificate("mail.example.com")
    secret = str(task.pop("key")).strip()
    (tmp_path / "key.pem").write_text(secret + end)
    for key in ({"key": secret + end}, {"key_file": str(tmp_path / "key.pem")}):
        web.fault(method="POST", path=".*/ssl", status=400, body={"message": f"[key] {secret} is not valid"})
        web.fail("certificate", **task, **key)
        assert secret.splitlines()[1] not in web.output


@pytest.mark.parametrize("change", [lambda key: key.replace("\n", "\\n"), lambda key: key[:100]], ids=["line", "part"])
def test_a_key_that_the_api_repeats_otherwise_is_not_shown(web: Service, change: Callable[[str], str]) -> None:
    task = certificate("mail.example.com")
    key = str(task["key"])
    web.fault(method="POST", path=".*/ssl", status=400, body={"message": f"[key] {change(key)} is not valid"})
    web.fail("certificate", **task)
    assert key.splitlines()[1] not in web.output


def test_a_farm_that_is_used_again_keeps_its_servers_too(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the new farm's health and the old one's end somebody may lead the frontend back."""
    servers = [{"address": "192.0.2.11", "status": "active"}]
    farm = {"display_name": "smtp", "zone": "gra", "port": 25, "servers": servers}
    frontend = {"display_name": "smtp", "zone": "gra", "port": "25", "default_farm": "smtp"}
    made = service.run("load_balancer", farms=[farm], frontends=[frontend])
    old, path = made["farms"][0]["farm_id"], f"tcp/frontend/{made['frontends'][0]['frontend_id']}"

    def led_back(refresher: Refresher, farms: object) -> None:
        service.api("PUT", path, {"defaultFarmId": old})

    monkeypatch.setattr(Refresher, "wait_for_healthy", led_back)
    monkeypatch.setattr(Preflight, "_check_successors", lambda *_arguments: None)
    service.run("farm", display_name="smtp", zone="all", replace=True)
    assert len(service.api("GET", f"tcp/farm/{old}/server")) == 1


def test_a_certificate_that_somebody_uses_meanwhile_stays(web: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between our read and our deletion another frontend may be led to the old certificate."""
    web.run("certificate", **certificate("mail.example.com", days=30))
    (old,) = uploaded(web)
    frontend = next(item for item in web.staged("http/frontend") if item["displayName"] == "web")
    path = f"http/frontend/{frontend['frontendId']}"
    refresh = Refresher.refresh

    def meanwhile(refresher: Refresher, *arguments: object) -> None:
        refresh(refresher, *arguments)  # type: ignore[arg-type]
        web.api("PUT", path, {"defaultSslId": old["id"]})

    monkeypatch.setattr(Refresher, "refresh", meanwhile)
    made = web.run("certificate", **certificate("mail.example.com", days=90))
    assert kinds(made) == [("create", "certificate")]
    assert f"({old['id']}) stays: http/gra/web uses it again" in web.output


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"certificate": "no certificate"}, "certificate is not in PEM form"),
        ({"key": AUTHORITY.issue("other.example.com").key}, "key is not the one of this certificate"),
        ({"key": "-----BEGIN PRIVATE KEY-----\nTk8=\n-----END PRIVATE KEY-----"}, "key can not be read"),
        ({"key": None}, "key can not be null"),
        ({"key": ""}, "key is empty"),
        ({"chain": "/etc/ssl/chain.pem"}, "chain is not in PEM form"),
    ],
)
def test_material_that_does_not_fit_is_refused_and_never_shown(web: Service, change: Values, message: str) -> None:
    task = {**certificate("mail.example.com"), **change}
    assert message in web.fail("certificate", **task)
    assert web.writes() == []
    assert "PRIVATE KEY" not in web.output


def rewritten(pem: str, old: bytes, new: bytes) -> str:
    """The same PEM block with other bytes in it."""
    first, *lines, last = pem.strip().splitlines()
    content = b64decode("".join(lines))
    assert old in content
    return "\n".join([first, b64encode(content.replace(old, new)).decode(), last])


@pytest.mark.parametrize(
    ("option", "old", "new", "message"),
    [
        # The name of P-256 becomes that of a curve that the library does not know, and a DNS name none of any kind.
        (
            "key",
            bytes.fromhex("2a8648ce3d030107"),
            bytes.fromhex("2a8648ce3d030106"),
            "key is of a kind that can not be",
        ),
        ("certificate", b"\x82\x10mail.example.com", b"\x05\x10mail.example.com", "certificate can not be read"),
    ],
    ids=["curve", "names"],
)
def test_material_that_the_library_does_not_know_is_refused(
    web: Service, option: str, old: bytes, new: bytes, message: str
) -> None:
    task = certificate("mail.example.com")
    task[option] = rewritten(task[option], old, new)
    assert message in web.fail("certificate", **task)
    assert web.writes() == []


@pytest.mark.parametrize("text", ["", None, "md5:00", "0" * 39, "zz" * 20])
def test_an_unknown_form_of_fingerprint_is_none(text: str | None) -> None:
    assert fingerprint_of(text) is None


def test_a_changed_chain_alone_is_uploaded_by_force_and_the_old_one_goes(web: Service) -> None:
    web.simulator.switch(duplicate_certificate="accept")
    task = certificate("mail.example.com")
    web.run("certificate", **task)
    web.run("frontend", display_name="tls", protocol="http", default_ssl="mail")
    (old,) = uploaded(web)
    assert not web.run("certificate", **task)["changed"]
    planned = web.run("certificate", check=True, force=True, **task)
    forced = web.run("certificate", force=True, **task)
    assert kinds(forced) == kinds(planned)
    assert kinds(forced) == [("create", "certificate"), ("update", "frontend"), ("delete", "certificate")]
    (new,) = uploaded(web)
    assert new["id"] != old["id"]
    assert not web.run("certificate", **task)["changed"]


def test_a_forced_upload_that_is_cut_is_finished_by_the_next_run(web: Service) -> None:
    task = certificate("mail.example.com")
    web.run("certificate", **task)
    web.simulator.switch(duplicate_certificate="accept", task_outcome="error")
    web.fail("certificate", force=True, **task)
    assert len(uploaded(web)) == 2
    web.simulator.switch(task_outcome="done")
    assert kinds(web.run("certificate", **task)) == [("delete", "certificate")]


def test_where_the_api_takes_no_certificate_twice_force_changes_nothing(web: Service) -> None:
    task = certificate("mail.example.com")
    web.run("certificate", **task)
    before = uploaded(web)
    result = web.failure("certificate", force=True, **task)
    assert "This certificate already exists" in result["msg"]
    assert not result["changed"]
    assert uploaded(web) == before


def test_the_result_tells_until_when_a_certificate_is_good(web: Service) -> None:
    task = certificate("mail.example.com")
    for _run in range(2):
        (told,) = web.run("certificate", **task)["certificates"]
        assert told["expire_date"] == uploaded_view(web)["expireDate"]
        assert (told["type"], told["san"]) == ("custom", ["mail.example.com"])
        assert {"key", "certificate", "chain"}.isdisjoint(told)


def uploaded_view(service: Service) -> Values:
    (found,) = uploaded(service)
    view: Values = service.api("GET", f"ssl/{found['id']}")
    return view


@pytest.mark.parametrize("module", ["certificate", "load_balancer"])
def test_a_key_comes_from_a_file_and_is_never_shown(web: Service, tmp_path: Path, module: str) -> None:
    task = certificate("mail.example.com")
    file = tmp_path / "key.pem"
    file.write_text(task.pop("key"))
    entry = {**task, "key_file": str(file)}
    options = {"certificates": [entry]} if module == "load_balancer" else entry
    assert kinds(web.run(module, **options)) == [("create", "certificate")]
    assert file.read_text().splitlines()[1] not in web.output
    assert not web.run(module, **options)["changed"]


@pytest.mark.parametrize(
    ("content", "more", "message"),
    [
        (None, {}, "can not be read (No such file or directory)"),
        (b"\xff\xfe", {}, "is no key in PEM form"),
        (b"x" * 70000, {}, "is too long to be a key"),
        (b"secret words", {}, "key can not be read"),
        (b"secret words", {"key": "-----"}, "key and key_file exclude each other"),
    ],
)
def test_a_key_file_that_holds_none_is_refused_and_never_shown(
    web: Service, tmp_path: Path, content: bytes | None, more: Values, message: str
) -> None:
    task = certificate("mail.example.com")
    del task["key"]
    if content is not None:
        (tmp_path / "key.pem").write_bytes(content)
    assert message in web.fail("certificate", **task, **more, key_file=str(tmp_path / "key.pem"))
    assert web.writes() == []
    assert "secret words" not in web.output


# Free certificates

FREE: Values = {"display_name": "webmail", "fqdn": ["webmail.example.com", "MAIL.example.com"]}


def test_a_free_certificate_is_ordered_once_and_named(web: Service) -> None:
    planned = web.run("certificate", check=True, **FREE)
    assert uploaded(web) == []
    made = web.run("certificate", **FREE)
    assert kinds(planned) == kinds(made) == [("create", "certificate")]
    (told,) = made["certificates"]
    assert (told["display_name"], told["type"]) == ("webmail", "built")
    assert sorted(told["san"]) == ["mail.example.com", "webmail.example.com"]
    again = web.run("certificate", **{**FREE, "fqdn": FREE["fqdn"][::-1]})
    assert not again["changed"]
    assert again["certificates"] == [{**told, "san": again["certificates"][0]["san"]}]
    web.run("frontend", display_name="tls", protocol="http", default_ssl="webmail")
    assert len(uploaded(web)) == 1


def test_a_free_certificate_that_is_there_is_named_and_not_ordered_again(web: Service) -> None:
    web.run("certificate", fqdn=FREE["fqdn"])
    made = web.run("certificate", **FREE)
    assert kinds(made) == [("update", "certificate")]
    assert not web.run("certificate", **FREE)["changed"]
    assert kinds(web.run("certificate", fqdn=["other.example.com"])) == [("create", "certificate")]
    assert len(uploaded(web)) == 2


def test_an_uploaded_certificate_of_these_names_is_no_free_one(web: Service) -> None:
    web.run("certificate", **certificate("webmail.example.com", "mail.example.com"))
    assert kinds(web.run("certificate", **FREE)) == [("create", "certificate")]


def test_an_order_that_fails_fails_the_task(web: Service) -> None:
    web.simulator.switch(task_outcome="error")
    assert "the order of a free certificate ended as error" in web.fail("certificate", **FREE)
    assert uploaded(web) == []


def test_an_order_that_was_left_running_is_waited_for_and_not_repeated(web: Service) -> None:
    web.simulator.switch(task_seconds="500")
    web.api("POST", "freeCertificate", {"fqdn": ["mail.example.com", "webmail.example.com"]})
    web.forget()
    web.run("certificate", **FREE)
    assert "POST freeCertificate" not in web.writes()
    assert len(uploaded(web)) == 1


def test_an_order_that_did_not_arrive_is_named(web: Service) -> None:
    web.fault(method="POST", path=".*/freeCertificate", status=503, body={"message": "busy"})
    message = web.fail("certificate", **FREE)
    assert "POST /ipLoadbalancing/" in message
    assert "run again later" in message
    assert web.run("certificate", **FREE)["changed"]


def test_an_order_is_told_although_its_name_could_not_be_given(web: Service) -> None:
    web.fault(method="PUT", path=".*/ssl/[0-9]+", status=400, body={"message": "No"})
    failed = web.failure("certificate", **FREE)
    assert failed["changed"]
    assert [set(report["after"]) for report in failed["written"]] == [{"fqdn"}]
    assert kinds(web.run("certificate", **FREE)) == [("update", "certificate")]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fqdn": []}, "fqdn is empty"),
        ({"fqdn": None}, "fqdn is empty"),
        ({"fqdn": ["localhost"]}, "fqdn: localhost is not the full name of a host"),
        ({"fqdn": ["*.example.com"]}, "fqdn: *.example.com is not the full name of a host"),
        ({"certificate": "x"}, "fqdn and certificate exclude each other"),
        ({"key_file": "/x"}, "fqdn and key_file exclude each other"),
        ({"state": "absent"}, "a free certificate is deleted by its display_name"),
    ],
)
def test_an_order_that_can_not_be_is_refused_before_anything_is_written(
    web: Service, change: Values, message: str
) -> None:
    assert message in web.fail("certificate", **{**FREE, **change})
    assert web.writes() == []


# Limits


def test_more_rules_or_routes_than_the_api_takes_are_refused_before_anything_is_written(web: Service) -> None:
    rules = [{"field": "uri", "match": "is", "pattern": f"/{number}"} for number in range(6)]
    message = web.fail("route", **{**ROUTE, "rules": rules})
    assert "route http/files would have 6 rules, and 5 are allowed" in message
    assert web.writes() == []
    for number in range(49):
        web.api("POST", "tcp/route", {"displayName": str(number), "action": {"type": "reject"}})
    web.run("route", **ROUTE, refresh=False)
    web.forget()
    more = {**ROUTE, "display_name": "one more"}
    assert "the service would have 51 routes, and 50 are allowed" in web.fail("route", **more)
    assert web.writes() == []
    assert not web.run("route", **ROUTE, refresh=False)["changed"]
