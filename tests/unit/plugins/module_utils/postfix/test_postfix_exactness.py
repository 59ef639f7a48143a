# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a change of Postfix must not cost: on a real instance, with its files as hosts have them."""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix import host
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.model import (
    Entry,
    Listener,
    PostfixError,
    Request,
    endpoints,
)
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.preparation import Prepared, prepare
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.request import read_request
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.transaction import Transaction
from ansible_collections.mailops.ovh_iplb.plugins.modules import postfix_config

from unit.plugins.module_utils.postfix.postfix_instance import PARTNER, PrivatePostfix, is_possible, private_postfix
from unit.plugins.modules.arguments import module_arguments

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not is_possible(), reason="needs root and Postfix")]

NOWHERE = "203.0.113.77"


@pytest.fixture(scope="module")
def instance() -> Iterator[PrivatePostfix]:
    with private_postfix() as postfix:
        yield postfix


@pytest.fixture
def postfix(instance: PrivatePostfix) -> PrivatePostfix:
    instance.reset()
    return instance


@pytest.fixture
def task(postfix: PrivatePostfix, tmp_path: Path) -> Task:
    return Task(postfix, tmp_path)


class Task:
    """A task of a playbook, from its options to its end."""

    def __init__(self, postfix: PrivatePostfix, scratch: Path) -> None:
        self.postfix = postfix
        self.scratch = scratch
        self.count = 0

    def plan(self, listener: Listener | None = None, apply: str = "reload", **options: Any) -> Prepared:
        self.count += 1
        copy = self.scratch / str(self.count)
        copy.mkdir()
        arguments: dict[str, Any] = {"parameters": {}, "services": {}, "new_services": {}, **options}
        request = read_request(**arguments, listeners=[listener] if listener else [])
        return prepare(self.postfix.directory, request, apply, str(copy))

    def run(self, listener: Listener | None = None, apply: str = "reload", **options: Any) -> Prepared:
        prepared = self.plan(listener, apply, **options)
        if prepared.changed:
            Transaction(prepared, 20).run()
        return prepared


def listener(postfix: PrivatePostfix) -> Listener:
    return Listener(postfix.listener, trusted_clients=())


def write(postfix: PrivatePostfix, name: str, text: str) -> None:
    host.write_text(str(postfix.file(name)), text)


def rewrite(postfix: PrivatePostfix, name: str, old: str, new: str) -> None:
    text = postfix.file(name).read_text()
    assert old in text
    write(postfix, name, text.replace(old, new))


def edit_by_hand(postfix: PrivatePostfix, name: str) -> str:
    with postfix.file(name).open("a") as file:
        file.write("# by hand\n")
    return postfix.file(name).read_text()


def value(postfix: PrivatePostfix, name: str) -> str:
    done = subprocess.run(["postconf", "-c", postfix.directory, "-h", name], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def files(postfix: PrivatePostfix) -> list[str]:
    return [postfix.file(name).read_text() for name in ("main.cf", "master.cf")]


def leftovers(postfix: PrivatePostfix) -> set[str]:
    return {path.name for path in Path(postfix.directory).iterdir()} - {"main.cf", "master.cf"}


# Files as hosts have them --------------------------------------------------------------------------------------------


def test_mail_for_the_last_domain_of_main_cf_is_still_taken(postfix: PrivatePostfix, task: Task) -> None:
    """The last line has no end, and what is added to it would become a part of the domain."""
    domains = "mydestination = backend1.example.test, localhost, example.test"
    write(postfix, "main.cf", postfix.file("main.cf").read_text() + domains)
    task.run(parameters={"smtpd_helo_required": True})
    assert value(postfix, "mydestination") == domains.partition(" = ")[2]
    assert value(postfix, "smtpd_helo_required") == "yes"
    assert not task.plan(parameters={"smtpd_helo_required": True}).plan


def test_the_last_service_of_master_cf_goes_on_beside_a_new_one(postfix: PrivatePostfix, task: Task) -> None:
    write(postfix, "master.cf", postfix.file("master.cf").read_text().rstrip("\n"))
    new = {"204/unix": {"command": "error"}}
    task.run(new_services=new)
    assert "scache     unix  -  -  n  -     1  scache\n204 " in postfix.file("master.cf").read_text()
    assert not task.plan(new_services=new).plan


def test_the_comment_about_the_next_service_stays_with_it(postfix: PrivatePostfix, task: Task) -> None:
    about = "# Our partners speak to this one. Ask them before you change it.\n"
    rewrite(postfix, "master.cf", f"\n{postfix.plain} ", f"\n{about}{postfix.plain} ")
    task.run(listener(postfix))
    assert f"\n{about}{postfix.plain} " in postfix.file("master.cf").read_text()


def test_a_file_with_nothing_to_change_keeps_every_byte(postfix: PrivatePostfix, task: Task) -> None:
    odd = postfix.file("main.cf").read_text().replace("\n", "\r\n") + "relayhost=\r\n# \xe9\n  \n#end"
    write(postfix, "main.cf", odd)
    before = files(postfix)
    task.run(parameters={"relayhost": ""})
    task.run(services={postfix.listener: {"smtpd_timeout": "60s"}})
    assert files(postfix)[0] == before[0]
    assert files(postfix)[1] != before[1]


@pytest.mark.parametrize("value_", ["postfix/lb { x", "postfix/lb } x", "{", "}{", "a}b{"])
def test_the_guard_is_not_swallowed_by_a_brace_of_a_value(postfix: PrivatePostfix, task: Task, value_: str) -> None:
    before = files(postfix)
    with pytest.raises(PostfixError, match=rf"services\.{postfix.listener}\.syslog_name has an unbalanced brace"):
        task.run(listener(postfix), services={postfix.listener: {"syslog_name": value_}})
    assert files(postfix) == before


def test_the_guard_is_not_swallowed_by_a_brace_that_stood_there(postfix: PrivatePostfix, task: Task) -> None:
    rewrite(postfix, "master.cf", "-     -  smtpd", "-     -  smtpd -o {syslog_name=postfix/lb { x}")
    before = files(postfix)
    with pytest.raises(PostfixError, match=rf"entry {postfix.listener} has an unbalanced brace.*correct it by hand"):
        task.run(listener(postfix))
    assert files(postfix) == before


def test_the_guard_stands_beside_balanced_braces(postfix: PrivatePostfix, task: Task) -> None:
    services = {postfix.listener: {"smtpd_banner": "$myhostname {a} says { b }"}}
    assert task.run(listener(postfix), services=services).changed
    assert not task.plan(listener(postfix), services=services).plan
    assert (postfix.greeting(), postfix.greeting("v1")) == (421, 220)
    assert not postfix.relays("v1", PARTNER)


@pytest.mark.parametrize("option", ["-osyslog_name=postfix/x", "{-o syslog_name=postfix/x}", "-v -vosyslog_name=x"])
def test_an_override_that_postconf_misreads_is_not_lost(postfix: PrivatePostfix, task: Task, option: str) -> None:
    """smtpd takes them all, and postconf shows ``-o sysl -o g_name`` or nothing: an edit would write that down."""
    rewrite(postfix, "master.cf", "-     -  smtpd\n", f"-     -  smtpd -o smtpd_banner=x\n  {option}\n")
    before = files(postfix)
    with pytest.raises(PostfixError, match=rf"entry {postfix.listener} has an option that postconf misreads, -v?o"):
        task.run(listener(postfix))
    assert files(postfix) == before


def test_an_override_by_hand_that_postconf_misreads_does_not_undo_the_guard(
    postfix: PrivatePostfix, task: Task
) -> None:
    task.run(listener(postfix))
    rewrite(postfix, "master.cf", "-o mynetworks=\n", "-o mynetworks=\n  -osmtpd_authorized_xclient_hosts=static:all\n")
    with pytest.raises(PostfixError, match="misreads, -osmtpd_authorized_xclient_hosts: write it as -o name=value"):
        task.plan(listener(postfix))


def test_a_header_is_not_switched_off_by_the_guides_name_on_the_service(postfix: PrivatePostfix, task: Task) -> None:
    """There it means something else than in main.cf, and the service would not read what main.cf says."""
    rewrite(postfix, "master.cf", "-     -  smtpd\n", "-     -  smtpd\n  -o smtp_upstream_proxy_protocol=\n")
    before = files(postfix)
    with pytest.raises(PostfixError, match=r"master\.cf has -o smtp_upstream_proxy_protocol=\. Remove that override"):
        task.run(listener(postfix))
    assert files(postfix) == before


def test_of_two_services_of_one_name_none_is_changed(postfix: PrivatePostfix, task: Task) -> None:
    text = postfix.file("master.cf").read_text()
    write(postfix, "master.cf", text + text.splitlines()[0] + " -o smtpd_banner=other\n")
    before = files(postfix)
    with pytest.raises(PostfixError, match=rf"2 entries {postfix.listener}"):
        task.run(services={postfix.listener: {"smtpd_timeout": "60s"}})
    assert files(postfix) == before


def test_what_a_delivery_program_is_told_stays(postfix: PrivatePostfix, task: Task) -> None:
    """Its own ``-o`` is none of Postfix's options."""
    arguments = "flags=DRhu user=nobody argv=/bin/true -o {a  b} -f ${sender}"
    write(postfix, "master.cf", postfix.file("master.cf").read_text() + f"tell unix - n n - - pipe -v\n  {arguments}\n")
    task.run(services={"tell/unix": {"syslog_name": "postfix/tell it"}})
    text = postfix.file("master.cf").read_text()
    assert text.endswith(f"pipe\n    -o {{syslog_name=postfix/tell it}}\n    -v {arguments}\n")


def test_what_postconf_damages_is_not_written(
    postfix: PrivatePostfix, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever happens to the copy between the edit and the look at it."""
    before = files(postfix)
    write_files = host.write_files

    def damage(copy: str, texts: dict[str, str]) -> None:
        if "haproxy" in texts["main.cf"]:
            texts = {
                **texts,
                "main.cf": texts["main.cf"].replace("mynetworks", "relayhost = [198.51.100.1]\nmynetworks"),
            }
        write_files(copy, texts)

    monkeypatch.setattr(host, "write_files", damage)
    with pytest.raises(PostfixError, match=r"nothing was written: main\.cf has another value of relayhost"):
        task.run(listener(postfix))
    assert files(postfix) == before


def test_a_name_in_latin_1_does_not_hide_what_was_done(
    postfix: PrivatePostfix, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ansible refuses a module's answer that is no UTF-8, after the fact. The last line shows a neighbour's secret."""
    text = postfix.file("main.cf").read_text() + "mail_name = \udce9t\udce9\nsmtp_sasl_password_maps = secret"
    write(postfix, "main.cf", text)
    options = {"config_directory": postfix.directory, "apply": "none", "parameters": {"mail_name": "plain"}}
    with module_arguments({**options, "_ansible_diff": True}), pytest.raises(SystemExit):
        postfix_config.main()
    output = capsys.readouterr().out
    result = json.loads(output)
    assert json.dumps(result, ensure_ascii=False).encode()
    assert [(change["before"], change["after"]) for change in result["plan"]] == [("\\xe9t\\xe9", "plain")]
    assert "secret" not in output


# Somebody else at the same time --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["main.cf", "master.cf"])
def test_what_somebody_edits_after_the_plan_is_not_lost(postfix: PrivatePostfix, task: Task, name: str) -> None:
    prepared = task.plan(listener(postfix))
    before = files(postfix)
    edited = edit_by_hand(postfix, name)
    with pytest.raises(PostfixError, match=rf"somebody edited .*{name}.*run it again.*Nothing was written"):
        Transaction(prepared, 20).run()
    assert postfix.file(name).read_text() == edited
    assert [text for text in files(postfix) if text != edited] == [text for text in before if text not in edited]
    assert leftovers(postfix) == set()
    assert postfix.greeting() == 220


def test_what_somebody_edits_between_the_two_files_is_not_lost(postfix: PrivatePostfix, task: Task) -> None:
    before = files(postfix)
    prepared = task.plan(listener(postfix))
    edited = ""

    def backup(path: str) -> str:
        nonlocal edited
        if path.endswith("master.cf"):
            edited = edit_by_hand(postfix, "master.cf")
        return path

    with pytest.raises(PostfixError, match=r"somebody edited .*master\.cf"):
        Transaction(prepared, 20, backup).run()
    assert files(postfix) == [before[0], edited]
    assert leftovers(postfix) == set()
    assert postfix.greeting() == 220


def test_what_somebody_edits_before_the_previous_files_return_is_kept_beside(
    postfix: PrivatePostfix, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = files(postfix)
    prepared = task.plan(listener(postfix))
    transaction = Transaction(prepared, 20)

    def fail() -> None:
        edit_by_hand(postfix, "main.cf")
        raise PostfixError("no proof")

    monkeypatch.setattr(transaction, "_prove", fail)
    with pytest.raises(PostfixError, match=r"previous files are back and Postfix runs as before.*main\.cf\.edited-"):
        transaction.run()
    assert files(postfix) == before
    (kept,) = leftovers(postfix)
    assert postfix.file(kept).read_text().endswith("# by hand\n")
    postfix.file(kept).unlink()


# What was so before --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("apply", ["reload", "restart"])
def test_an_address_that_is_gone_is_not_blamed_on_the_task(postfix: PrivatePostfix, task: Task, apply: str) -> None:
    rewrite(postfix, "main.cf", "inet_interfaces = loopback-only", f"inet_interfaces = 127.0.0.1, {NOWHERE}")
    before = files(postfix)
    with pytest.raises(PostfixError, match=rf"{NOWHERE}.*It was so before this change") as caught:
        task.run(listener(postfix), apply)
    assert "smtp_upstream_proxy_protocol" not in str(caught.value)
    assert files(postfix) == before


def test_a_task_may_mend_what_was_wrong_before(postfix: PrivatePostfix, task: Task) -> None:
    rewrite(postfix, "main.cf", "inet_interfaces = loopback-only", f"inet_interfaces = 127.0.0.1, {NOWHERE}")
    task.run(listener(postfix), "restart", parameters={"inet_interfaces": "loopback-only"})
    assert (postfix.greeting(), postfix.greeting("v1")) == (421, 220)


def test_a_second_fault_is_the_tasks_own(postfix: PrivatePostfix, task: Task) -> None:
    rewrite(postfix, "main.cf", "inet_interfaces = loopback-only", f"inet_interfaces = 127.0.0.1, {NOWHERE}")
    with pytest.raises(PostfixError, match=r"203\.0\.113\.78.*Correct: inet_interfaces"):
        task.run(parameters={"inet_interfaces": "203.0.113.78"})


def test_a_fault_from_before_is_told_where_only_files_are_written(postfix: PrivatePostfix, task: Task) -> None:
    rewrite(postfix, "main.cf", "inet_interfaces = loopback-only", f"inet_interfaces = 127.0.0.1, {NOWHERE}")
    prepared = task.run(apply="none", parameters={"smtpd_helo_required": True})
    assert NOWHERE in prepared.warnings[0]
    assert "it was so before this change" in prepared.warnings[0]


def test_postfix_is_not_restarted_where_it_could_not_come_up_before(postfix: PrivatePostfix, task: Task) -> None:
    """The master keeps the socket of an address that has gone, and only a start would end it."""
    text = postfix.file("master.cf").read_text()
    write(postfix, "master.cf", text + f"{NOWHERE}:2525 inet n - n - - qmqpd\n")
    before = files(postfix)
    with pytest.raises(PostfixError, match=rf"address of {NOWHERE}:2525/inet.*It was so before this change"):
        task.run(listener(postfix), "restart")
    assert files(postfix) == before
    assert postfix.greeting() == 220


def test_restrictions_that_were_wrong_before_are_not_blamed_on_the_task(postfix: PrivatePostfix, task: Task) -> None:
    restrictions = "smtpd_recipient_restrictions = nonsense, reject_unauth_destination\n"
    write(postfix, "main.cf", postfix.file("main.cf").read_text() + restrictions)
    prepared = task.plan(parameters={"smtpd_helo_required": True})
    assert all("it was so before this change" in warning for warning in prepared.warnings)
    assert prepared.warnings


def test_a_worse_fault_does_not_pass_for_the_one_from_before(postfix: PrivatePostfix, task: Task) -> None:
    restrictions = "smtpd_recipient_restrictions = nonsense, reject_unauth_destination\n"
    write(postfix, "main.cf", postfix.file("main.cf").read_text() + restrictions)
    with pytest.raises(PostfixError, match=r"smtpd does not start with it\. Correct: .*smtpd_timeout = soon"):
        task.run(parameters={"smtpd_timeout": "soon"})


def test_a_configuration_that_can_not_be_read_is_named_and_not_blamed(postfix: PrivatePostfix, task: Task) -> None:
    write(postfix, "master.cf", postfix.file("master.cf").read_text() + "half inet n\n")
    with pytest.raises(PostfixError, match=rf"{postfix.directory}/master\.cf.*It was so before this change"):
        task.run(parameters={"smtpd_helo_required": True})


def test_a_service_that_answered_nobody_before_is_not_blamed_on_the_task(
    postfix: PrivatePostfix, tmp_path: Path
) -> None:
    rewrite(postfix, "master.cf", "-     -  smtpd\n", "-     -  smtpd -o smtpd_banner\n")
    postfix.command("reload")
    before = files(postfix)
    request = Request(listeners=(listener(postfix),))
    with pytest.raises(PostfixError, match=rf"It was so before this change: {postfix.listener} did not answer"):
        Transaction(prepare(postfix.directory, request, "reload", str(tmp_path)), 2).run()
    assert files(postfix) == before


def test_a_plan_is_always_a_change(postfix: PrivatePostfix, task: Task) -> None:
    new = {"204/unix": {"command": "error  -v", "parameters": {"smtpd_banner": "a  b"}}}
    prepared = task.run(apply="none", new_services=new)
    assert prepared.changed
    assert prepared.plan
    again = task.plan(apply="none", new_services=new)
    assert (again.changed, again.plan) == (False, [])


# A whole entry that is given as one --------------------------------------------------------------------------------


def test_an_entry_from_a_library_of_requests_is_checked_too(postfix: PrivatePostfix, tmp_path: Path) -> None:
    """Not only what a task writes: a listener of its own takes over what port 25 has."""
    entry = Entry("2526/inet", private="n", command="smtpd", overrides={"syslog_name": "postfix/lb { x"})
    with pytest.raises(PostfixError, match="2526/inet/syslog_name has an unbalanced brace"):
        prepare(postfix.directory, Request(new_services={"2526/inet": entry}), "reload", str(tmp_path))


# Files and words as hosts have them ----------------------------------------------------------------------------------


def test_a_file_that_can_not_be_replaced_is_refused_in_check_mode_too(
    postfix: PrivatePostfix, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host, "_mount_points", lambda: {str(postfix.file("main.cf"))})
    with pytest.raises(PostfixError, match=r"main\.cf is a mount point.*mount its directory"):
        task.plan(parameters={"smtpd_helo_required": True})
    assert not task.plan(apply="none").changed


def test_an_immutable_file_is_refused_with_the_remedy(postfix: PrivatePostfix, task: Task) -> None:
    path = str(postfix.file("main.cf"))
    if subprocess.run(["chattr", "+i", path], capture_output=True, check=False).returncode != 0:
        pytest.skip("this file system has no attributes")
    try:
        with pytest.raises(PostfixError, match=r"immutable.*chattr -i"):
            task.plan(parameters={"smtpd_helo_required": True})
    finally:
        subprocess.run(["chattr", "-i", path], check=True)


def test_a_guard_of_several_networks_comes_true(postfix: PrivatePostfix, task: Task) -> None:
    assert task.plan(Listener(postfix.listener, trusted_clients=("192.0.2.201", "198.51.100.128/29"))).changed


@pytest.mark.parametrize("network", ["192.0.2.1/24", "2001:db8::/32", "10/8"])
def test_what_is_refused_of_mynetworks_is_what_postfix_can_not_read(postfix: PrivatePostfix, network: str) -> None:
    rewrite(postfix, "main.cf", f"mynetworks = {PARTNER}/32", f"mynetworks = {network}")
    postfix.command("reload")
    answers = postfix.relay("none", "192.0.2.1").replies
    assert [reply.code for reply in answers if reply.command == "RCPT"] == [451]


def test_a_trusted_ipv6_network_does_not_defer_all_mail(postfix: PrivatePostfix, task: Task) -> None:
    trusting = Listener(postfix.listener, trusted_clients=("2001:db8::/32", PARTNER))
    task.run(trusting)
    assert postfix.relays("v1", PARTNER)
    answers = postfix.relay("v1", "192.0.2.1").replies
    assert [reply.code for reply in answers if reply.command == "RCPT"] == [454]
    assert not task.plan(trusting).changed


def test_no_mail_is_relayed_for_a_load_balancer_that_a_file_of_mynetworks_names(
    postfix: PrivatePostfix, task: Task, tmp_path: Path
) -> None:
    networks = tmp_path / "networks"
    networks.write_text("# the balancer, for its checks\n198.51.100.128/29,\n  203.0.113.9\n")
    rewrite(postfix, "main.cf", f"mynetworks = {PARTNER}/32", f"mynetworks = 127.0.0.0/8 {networks}")
    balancer = Listener(postfix.listener, version=None, balancer_networks=("198.51.100.128/29",))
    with pytest.raises(PostfixError, match=r"198\.51\.100\.128/29.*could relay"):
        task.plan(balancer)
    with pytest.raises(PostfixError, match=r"relay by their address today \(198\.51\.100\.128/29, 203\.0\.113\.9\)"):
        task.plan(Listener(postfix.listener))


def test_tls_is_spoken_where_postfix_says_so_in_upper_case(postfix: PrivatePostfix, task: Task) -> None:
    """A listener that was spoken to in clear would seem dead, and the change would fail."""
    rewrite(postfix, "master.cf", "  smtpd\n", "  smtpd -o smtpd_tls_wrappermode=YES\n")
    found = {endpoint.service: endpoint for endpoint in endpoints(task.plan(apply="none").before)}
    assert found[postfix.listener].implicit_tls
    rewrite(postfix, "master.cf", "wrappermode=YES", "security_level=MAY")
    found = {endpoint.service: endpoint for endpoint in endpoints(task.plan(apply="none").before)}
    assert found[postfix.listener].starttls


@pytest.mark.parametrize(("port", "why"), [("99999", "from 1 to 65535"), ("nosuchport", "no service name")])
def test_a_port_that_no_host_has_is_told_and_not_blamed(
    postfix: PrivatePostfix, task: Task, port: str, why: str
) -> None:
    write(postfix, "master.cf", postfix.file("master.cf").read_text() + f"{port} inet n - n - - smtpd\n")
    with pytest.raises(PostfixError, match=rf"{port}/inet: .*{why}.*before this change"):
        task.run(parameters={"smtpd_helo_required": True})
    assert postfix.is_running()


@pytest.mark.parametrize(
    ("service", "command", "why"),
    [
        ("nosuchport/inet", "spawn user=nobody argv=/bin/cat", "no service name of /etc/services. Write another port"),
        ("99999/inet", "spawn user=nobody argv=/bin/cat", "they go from 1 to 65535. Write another port"),
        (f"{NOWHERE}:11026/inet", "spawn user=nobody argv=/bin/cat", "no interface of this host has the address of"),
        (f"{NOWHERE}:11026/inet", "smtpd", "no interface of this host has the address of"),
        ("11026/inet", "smptd", r"new_services.11026/inet.command: .*no program smptd in .*did you mean smtpd\?"),
        ("filter/unix", "pipee flags=R argv=/bin/cat", "no program pipee in"),
    ],
)
def test_a_new_service_that_would_end_postfix_or_never_answer_is_refused(
    task: Task, service: str, command: str, why: str
) -> None:
    with pytest.raises(PostfixError, match=why):
        task.plan(new_services={service: {"command": command}})


def test_a_port_that_a_program_holds_is_no_port_of_whatever_service(task: Task) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PostfixError, match=f"{port} is not free"):
            task.plan(new_services={f"{port}/inet": {"command": "spawn user=nobody argv=/bin/cat"}})


def test_a_new_service_on_no_port_is_refused(postfix: PrivatePostfix, task: Task) -> None:
    with pytest.raises(PostfixError, match=r"99999/inet: .*Write another port"):
        task.run(new_services={"99999/inet": {"command": "smtpd"}})
    assert postfix.is_running()


@pytest.mark.parametrize(
    ("line", "names"),
    [
        (
            "mynetworks = 127.0.0.0/8 [2001:db8::]/32 proxy:cidr:/etc/postfix/mine",
            "proxy:cidr:/etc/postfix/mine in mynetworks",
        ),
        ("smtpd_relay_restrictions = check_client_access hash:/etc/mine, reject_unauth_destination", "hash:/etc/mine"),
    ],
)
def test_a_table_that_may_relay_for_the_load_balancer_is_named(
    postfix: PrivatePostfix, task: Task, line: str, names: str
) -> None:
    write(postfix, "main.cf", postfix.file("main.cf").read_text() + line + "\n")
    balancer = Listener(postfix.listener, version=None, balancer_networks=("198.51.100.128/29",))
    (warning,) = task.plan(balancer, apply="none").warnings
    assert names in warning
    assert task.plan(replace(balancer, allow_address_permits=True), apply="none").warnings == []
