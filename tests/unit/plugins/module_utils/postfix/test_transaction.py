# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Transactions on a real Postfix instance: carried out, refused, failing, and cut after every step."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix import host
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.journal import JOURNAL_NAME
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.model import (
    Entry,
    Listener,
    PostfixError,
    Request,
    Values,
)
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.preparation import Prepared, prepare
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.transaction import (
    Transaction,
    remember,
    undo_cut_run,
)
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._smtp import greeting

from tools.waiting import eventually
from unit.plugins.module_utils.postfix.postfix_instance import PARTNER, PrivatePostfix, is_possible, private_postfix

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not is_possible(), reason="needs root and Postfix")]

TIMEOUT = 20


@pytest.fixture(scope="module")
def instance() -> Iterator[PrivatePostfix]:
    with private_postfix() as postfix:
        yield postfix


@pytest.fixture
def postfix(instance: PrivatePostfix) -> PrivatePostfix:
    instance.reset()
    return instance


def enable(postfix: PrivatePostfix) -> Request:
    return Request(listeners=(Listener(postfix.listener, trusted_clients=()),))


def disable(postfix: PrivatePostfix) -> Request:
    return Request(listeners=(Listener(postfix.listener, present=False),))


@pytest.fixture
def plan(tmp_path: Path, postfix: PrivatePostfix) -> Planner:
    return Planner(tmp_path, postfix.directory)


class Planner:
    def __init__(self, scratch: Path, directory: str) -> None:
        self.scratch = scratch
        self.directory = directory
        self.count = 0

    def __call__(self, request: Request, apply: str = "reload", mode: int | None = None) -> Prepared:
        self.count += 1
        copy = self.scratch / str(self.count)
        copy.mkdir()
        return prepare(self.directory, request, apply, str(copy), mode)

    def run(
        self, request: Request, apply: str = "reload", mode: int | None = None, timeout: float = TIMEOUT
    ) -> Prepared:
        prepared = self(request, apply, mode)
        if prepared.changed:
            Transaction(prepared, timeout).run()
        return prepared

    def cut(self, request: Request, steps: int, apply: str = "reload") -> None:
        """Carry out the first steps in a process that is then killed."""
        child = os.fork()
        if child == 0:
            try:
                for _name, step in Transaction(self(request, apply), TIMEOUT).steps()[:steps]:
                    step()
            finally:
                os.kill(os.getpid(), signal.SIGKILL)
        self.count += 1
        assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL


def files(postfix: PrivatePostfix) -> list[str]:
    return [postfix.file(name).read_text() for name in ("main.cf", "master.cf")]


def leftovers(postfix: PrivatePostfix) -> set[str]:
    return {path.name for path in Path(postfix.directory).iterdir()} - {"main.cf", "master.cf"}


def assert_plain(postfix: PrivatePostfix) -> None:
    assert (postfix.greeting(), postfix.greeting("v1")) == (220, 220)
    assert not postfix.relays("v1", PARTNER)


def assert_proxied(postfix: PrivatePostfix) -> None:
    assert (postfix.greeting(), postfix.greeting("v1"), postfix.greeting("v2")) == (421, 220, 220)
    assert postfix.greeting(port=postfix.plain) == 220
    assert postfix.relay("v1", PARTNER).replies[-3].code == 454
    assert not postfix.relays("v2", "127.0.0.1")


@pytest.mark.parametrize("apply", ["reload", "restart"])
def test_the_listener_expects_a_header_and_trusts_nobody(postfix: PrivatePostfix, plan: Planner, apply: str) -> None:
    assert_plain(postfix)
    assert plan.run(enable(postfix), apply).changed
    assert_proxied(postfix)
    assert "smtp_upstream_proxy_protocol = haproxy\n" in postfix.file("main.cf").read_text()
    assert "# A comment that stays.\n" in postfix.file("main.cf").read_text()
    assert not plan(enable(postfix), apply).changed
    assert plan.run(disable(postfix), apply).changed
    assert_plain(postfix)
    assert not plan(disable(postfix), apply).changed
    assert leftovers(postfix) == set()


def test_postscreen_is_guarded_by_the_smtpd_behind_it(postfix: PrivatePostfix, plan: Planner) -> None:
    service = f"{postfix.screen}/inet"
    plan.run(Request(listeners=(Listener(service, trusted_clients=()),)))
    assert (postfix.greeting(port=postfix.screen), postfix.greeting("v1", postfix.screen)) == (421, 220)
    assert not postfix.relays("v1", PARTNER, postfix.screen)
    assert not plan(Request(listeners=(Listener(service),))).changed


def test_without_the_guard_the_same_claim_would_relay(postfix: PrivatePostfix, plan: Planner) -> None:
    plan.run(Request(services={postfix.listener: {"smtpd_upstream_proxy_protocol": "haproxy"}}))
    assert postfix.relays("v1", PARTNER)


STEPS = range(9)


@pytest.mark.parametrize("steps", STEPS)
def test_turning_on_cut_after_any_step_is_safe_and_finished_by_the_next_run(
    postfix: PrivatePostfix, plan: Planner, steps: int
) -> None:
    plan.cut(enable(postfix), steps)
    assert postfix.is_running()
    assert not postfix.relays("v1", PARTNER)
    assert 220 in (postfix.greeting(), postfix.greeting("v1"))

    plan.run(enable(postfix))
    assert_proxied(postfix)
    assert leftovers(postfix) == set()
    assert not plan(enable(postfix)).changed


@pytest.mark.parametrize("steps", STEPS)
def test_turning_off_cut_after_any_step_is_safe_and_finished_by_the_next_run(
    postfix: PrivatePostfix, plan: Planner, steps: int
) -> None:
    plan.run(enable(postfix))
    plan.cut(disable(postfix), steps)
    # As before, or as declared: a listener that waits for no header also asks for none.
    assert (postfix.greeting(), postfix.greeting("v1")) in {(421, 220), (220, 220)}
    assert not postfix.relays("v1", PARTNER)

    plan.run(disable(postfix))
    assert_plain(postfix)
    assert leftovers(postfix) == set()
    assert not plan(disable(postfix)).changed


@pytest.mark.parametrize("steps", [1, 3, 4, 5, 8])
def test_a_cut_run_is_undone_when_the_next_one_wants_something_else(
    postfix: PrivatePostfix, plan: Planner, steps: int
) -> None:
    before = files(postfix)
    plan.cut(enable(postfix), steps)
    finished = not leftovers(postfix) and files(postfix) != before
    plan.run(Request(parameters={"smtpd_helo_required": "yes"}))
    if not finished:
        assert_plain(postfix)
        assert files(postfix) == [before[0] + "smtpd_helo_required = yes\n", before[1]]
    assert leftovers(postfix) == set()


def test_every_step_was_cut(postfix: PrivatePostfix, plan: Planner) -> None:
    turning_on = [name for name, _step in Transaction(plan(enable(postfix)), TIMEOUT).steps()]
    plan.run(enable(postfix))
    turning_off = [name for name, _step in Transaction(plan(disable(postfix)), TIMEOUT).steps()]
    assert turning_on == ["journal", "backup", "main.cf", "master.cf", "reload", "prove", "record", "close"]
    assert turning_off == [*turning_on[:6], "leftovers", *turning_on[6:]]
    assert len(turning_on) < len(STEPS) == len(turning_off)


def test_a_cut_run_is_undone_even_by_a_run_that_has_an_error(postfix: PrivatePostfix, plan: Planner) -> None:
    before = files(postfix)
    plan.cut(enable(postfix), 5)
    assert postfix.greeting() == 421
    with pytest.raises(PostfixError):
        plan.run(Request(services={"nothing/inet": {}}))
    assert undo_cut_run(postfix.directory, TIMEOUT)
    assert files(postfix) == before
    assert_plain(postfix)
    assert not undo_cut_run(postfix.directory, TIMEOUT)


def test_a_cut_restart_is_made_good(postfix: PrivatePostfix, plan: Planner) -> None:
    plan.cut(enable(postfix), 4, "restart")
    postfix.command("stop")
    plan.run(enable(postfix), "none")
    assert_proxied(postfix)


def append(postfix: PrivatePostfix, name: str, text: str) -> None:
    with postfix.file(name).open("a") as file:
        file.write(text)


def reload(postfix: PrivatePostfix) -> None:
    """As an administrator does, who then waits a little."""
    before = postfix.queue_manager()
    postfix.command("reload")
    eventually(lambda: postfix.queue_manager() not in (None, before))


def test_a_lost_connection_does_not_stop_half_way(postfix: PrivatePostfix, plan: Planner) -> None:
    child = os.fork()
    if child == 0:
        try:
            plan.run(enable(postfix), "restart")
        finally:
            os.kill(os.getpid(), signal.SIGKILL)
    eventually(lambda: not postfix.is_running())
    for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
        os.kill(child, number)
    os.waitpid(child, 0)
    assert_proxied(postfix)
    assert leftovers(postfix) == set()


def test_a_run_killed_while_postfix_restarts_leaves_it_running(postfix: PrivatePostfix, plan: Planner) -> None:
    child = os.fork()
    if child == 0:
        plan.run(enable(postfix), "restart")
    eventually(lambda: not postfix.is_running())
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    eventually(postfix.is_running)
    assert JOURNAL_NAME in leftovers(postfix)
    plan.count += 1
    plan.run(enable(postfix))
    assert_proxied(postfix)


def test_what_somebody_edits_after_a_cut_run_is_kept(postfix: PrivatePostfix, plan: Planner) -> None:
    plan.cut(enable(postfix), 4)
    main = postfix.file("main.cf")
    main.write_text(main.read_text() + "smtpd_banner = by hand\n")
    prepared = plan.run(enable(postfix))
    assert "main.cf" in prepared.warnings[0]
    assert "smtpd_banner = by hand\n" in main.read_text()
    assert_proxied(postfix)


def test_what_is_written_but_not_live_is_a_change(postfix: PrivatePostfix, plan: Planner) -> None:
    plan.run(enable(postfix), "none")
    assert_plain(postfix)
    assert not plan(enable(postfix), "none").changed
    prepared = plan.run(enable(postfix))
    assert (prepared.changed, prepared.changes, prepared.live) == (True, [], False)
    assert_proxied(postfix)


@pytest.mark.parametrize("name", ["main.cf", "master.cf"])
def test_a_comment_needs_no_reload(postfix: PrivatePostfix, plan: Planner, name: str) -> None:
    plan.run(enable(postfix))
    append(postfix, name, "\n# a comment\n")
    assert not plan(enable(postfix)).changed
    reload(postfix)
    reread = plan(enable(postfix))
    assert not reread.changed
    remember(reread)
    append(postfix, name, "# another\n")
    assert not plan(enable(postfix)).changed


def test_a_comment_needs_no_reload_of_a_postfix_that_somebody_else_started(
    postfix: PrivatePostfix, plan: Planner
) -> None:
    plan.run(enable(postfix))
    postfix.command("stop")
    postfix.command("start")
    unchanged = plan(enable(postfix))
    assert not unchanged.changed
    remember(unchanged)
    append(postfix, "main.cf", "# a comment\n")
    assert not plan(enable(postfix)).changed


def test_what_was_reloaded_and_then_edited_back_is_not_live(postfix: PrivatePostfix, plan: Planner) -> None:
    plan.run(enable(postfix))
    declared = files(postfix)
    append(postfix, "master.cf", f"{postfix.smtp} inet n - n - - smtpd\n")
    reload(postfix)
    postfix.file("master.cf").write_text(declared[1])
    prepared = plan.run(enable(postfix))
    assert (prepared.changes, prepared.live) == ([], False)
    assert_proxied(postfix)


def test_an_entry_comes_back_whose_port_postfix_still_holds(postfix: PrivatePostfix, plan: Planner) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    own = Request(listeners=(Listener(f"{port}/inet", trusted_clients=()),))
    plan.run(own)
    entry = files(postfix)[1]
    kept = [line for line in entry.splitlines() if not line.startswith((f"{port} ", "    -o"))]
    postfix.file("master.cf").write_text("\n".join(kept) + "\n")
    assert postfix.greeting("v1", port) == 220
    assert plan.run(own).changed
    assert (postfix.greeting("v1", port), postfix.greeting(port=port)) == (220, 421)


def test_permissions_are_set_and_return_after_a_failure(postfix: PrivatePostfix, plan: Planner) -> None:
    main = postfix.file("main.cf")
    main.chmod(0o600)
    with pytest.raises(PostfixError):
        plan.run(Request(new_services=IMPOSSIBLE), mode=0o644)
    assert main.stat().st_mode & 0o777 == 0o600
    prepared = plan.run(Request(), mode=0o644)
    assert [(change.place, change.before, change.after) for change in prepared.plan] == [
        ("main.cf/file mode", "0600", "0644")
    ]
    assert prepared.apply == "none"
    assert main.stat().st_mode & 0o777 == 0o644
    assert not plan(Request(), mode=0o644).changed
    assert leftovers(postfix) == set()


def test_permissions_are_no_reason_to_reload_a_postfix_that_somebody_else_started(
    postfix: PrivatePostfix, plan: Planner
) -> None:
    postfix.command("stop")
    postfix.command("start")
    assert plan.run(Request(), mode=0o640).apply == "none"
    assert not plan(Request(), mode=0o640).changed


def test_a_queue_manager_that_nobody_wakes_is_not_waited_for(postfix: PrivatePostfix, plan: Planner) -> None:
    master = postfix.file("master.cf")
    host.write_text(str(master), files(postfix)[1].replace("300   1  qmgr", "0     1  qmgr"))
    plan.run(Request(parameters={"smtpd_helo_required": "yes"}), timeout=3)
    assert_plain(postfix)


def test_the_next_run_waits_for_a_restart_that_outlives_a_killed_one(postfix: PrivatePostfix, plan: Planner) -> None:
    child = os.fork()
    if child == 0:
        with host.locked(postfix.directory, exclusive=True) as lock, contextlib.suppress(PostfixError):
            Transaction(plan(Request(new_services=IMPOSSIBLE), "restart"), TIMEOUT, lock=lock).run()
    eventually(lambda: not postfix.is_running())
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with host.locked(postfix.directory, exclusive=True):
        assert postfix.is_running()
    # The Postfix that it started does not hold the lock.
    with host.locked(postfix.directory, exclusive=True):
        assert postfix.greeting() == 220


def test_a_value_that_only_the_queue_manager_reads_is_taken_back(postfix: PrivatePostfix, plan: Planner) -> None:
    before = files(postfix)
    with pytest.raises(PostfixError, match=r"queue manager does not run.*The previous files are back and Postfix runs"):
        plan.run(Request(parameters={"qmgr_message_active_limit": "plenty"}), timeout=2)
    assert files(postfix) == before
    assert_plain(postfix)
    eventually(lambda: postfix.queue_manager() is not None)


def test_a_postfix_that_is_down_is_started(postfix: PrivatePostfix, plan: Planner) -> None:
    postfix.command("stop")
    assert plan.run(enable(postfix), "none").changed
    assert not postfix.is_running()
    assert plan.run(enable(postfix)).changed
    assert_proxied(postfix)


# A socket whose path is too long for any system, at which only the master looks.
IMPOSSIBLE = {f"{'x' * 200}/unix": Entry(f"{'x' * 200}/unix", command="error")}


@pytest.mark.parametrize("apply", ["reload", "restart"])
def test_when_postfix_does_not_come_up_everything_returns(postfix: PrivatePostfix, plan: Planner, apply: str) -> None:
    before = files(postfix)
    with pytest.raises(PostfixError, match="previous files are back and Postfix runs as before"):
        plan.run(Request(new_services=IMPOSSIBLE, listeners=enable(postfix).listeners), apply)
    assert files(postfix) == before
    assert_plain(postfix)
    assert leftovers(postfix) == set()
    assert not plan(disable(postfix)).changed


def test_a_run_killed_while_postfix_does_not_come_up_leaves_it_as_before(
    postfix: PrivatePostfix, plan: Planner
) -> None:
    before = files(postfix)
    child = os.fork()
    if child == 0:
        plan.run(Request(new_services=IMPOSSIBLE), "restart")
    eventually(lambda: not postfix.is_running())
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    eventually(lambda: postfix.is_running() and postfix.greeting() == 220)
    assert files(postfix) == before
    plan.count += 1
    plan.run(enable(postfix))
    assert_proxied(postfix)
    assert leftovers(postfix) == set()


def test_a_postfix_that_was_down_is_not_left_half_started(postfix: PrivatePostfix, plan: Planner) -> None:
    postfix.command("stop")
    with pytest.raises(PostfixError, match="is stopped, as before"):
        plan.run(Request(new_services=IMPOSSIBLE), "restart")
    assert not postfix.is_running()


def test_a_file_that_can_not_be_written_changes_nothing(
    postfix: PrivatePostfix, plan: Planner, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = files(postfix)
    write_text = host.write_text
    prepared = plan(enable(postfix))

    def full_disk(path: str, text: str, mode: int = 0o600, like: str | None = None) -> None:
        if path.endswith("/master.cf") and text != before[1]:
            raise OSError(28, "No space left on device")
        write_text(path, text, mode, like)

    monkeypatch.setattr(host, "write_text", full_disk)
    with pytest.raises(PostfixError, match=r"No space left on device.*The previous files are back"):
        Transaction(prepared, TIMEOUT).run()
    assert files(postfix) == before
    assert leftovers(postfix) == set()
    assert not plan(disable(postfix)).changed


@pytest.mark.parametrize(
    ("request_", "names"),
    [
        (Request(parameters={"smtp_upstream_proxy_protocl": "haproxy"}), "parameters.smtp_upstream_proxy_protocl"),
        (Request(parameters={"smtp_upstream_proxy_protocol": "haproxy"}), "together with the entry"),
        (Request(parameters={"smtpd_upstream_proxy_protocol": "proxy"}), "parameters.smtpd_upstream_proxy_protocol"),
        (Request(parameters={"smtpd_timeout": "abc", "smtpd_helo_required": "yes"}), "smtpd_timeout = abc$"),
        (Request(parameters={"smtpd_delay_reject": "maybe"}), "smtpd_delay_reject = maybe"),
        (Request(parameters={"smtpd_recipient_restrictions": "nonsense, reject_unauth_destination"}), "nonsense"),
        (Request(parameters={"smtpd_relay_restrictions": "permit"}), "smtpd_relay_restrictions"),
        (Request(parameters={"inet_interfaces": "203.0.113.77"}), "no local interface found for 203.0.113.77"),
        (Request(parameters={"default_process_limit": "many"}), "default_process_limit = many"),
    ],
)
def test_what_postfix_would_not_take_is_refused_and_nothing_is_written(
    postfix: PrivatePostfix, plan: Planner, request_: Request, names: str
) -> None:
    before = files(postfix)
    with pytest.raises(PostfixError, match=names):
        plan(request_)
    assert files(postfix) == before


def test_the_restrictions_of_a_listener_with_a_header_are_tried_too(postfix: PrivatePostfix, plan: Planner) -> None:
    restrictions: Values = {"smtpd_recipient_restrictions": "nonsense, reject_unauth_destination"}
    with pytest.raises(PostfixError, match=f"{postfix.listener}/smtpd_recipient_restrictions = nonsense"):
        plan(Request(services={postfix.listener: restrictions}, listeners=enable(postfix).listeners))


def test_a_port_that_is_taken_is_refused(postfix: PrivatePostfix, plan: Planner) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(PostfixError, match=f"port {port} is not free"):
            plan(Request(new_services={f"{port}/inet": Entry(f"{port}/inet", command="smtpd")}))


def test_an_undefined_name_is_refused(postfix: PrivatePostfix, plan: Planner) -> None:
    with pytest.raises(PostfixError, match=r"\$no_such_name"):
        plan(Request(services={postfix.listener: {"smtpd_upstream_proxy_protocol": "$no_such_name"}}))


def test_a_link_is_refused(postfix: PrivatePostfix, plan: Planner) -> None:
    main = postfix.file("main.cf")
    main.rename(main.with_name("real.cf"))
    main.symlink_to("real.cf")
    try:
        with pytest.raises(PostfixError, match=r"symbolic link to .*real\.cf"):
            plan(enable(postfix))
    finally:
        main.with_name("real.cf").rename(main)


def test_owner_and_mode_of_the_files_stay(postfix: PrivatePostfix, plan: Planner) -> None:
    main = postfix.file("main.cf")
    main.chmod(0o640)
    os.chown(main, 0, 12)
    plan.run(enable(postfix))
    assert (main.stat().st_mode & 0o777, main.stat().st_gid) == (0o640, 12)


def test_unused_names_of_others_are_reported(postfix: PrivatePostfix, plan: Planner) -> None:
    main = postfix.file("main.cf")
    main.write_text(main.read_text() + "theirs = 1\n")
    assert plan.run(enable(postfix)).after.unused == (("main.cf", "theirs"),)
    assert "theirs = 1\n" in main.read_text()


def test_values_with_blanks_and_whole_services_are_stable(postfix: PrivatePostfix, plan: Planner) -> None:
    entry = Entry("204/unix", private="y", command="error", overrides={"x_note": "a  b", "syslog_name": "$x_note"})
    request = Request(
        parameters={"relayhost": "", "smtpd_banner": "$myhostname says  hello"},
        services={postfix.listener: {"smtpd_banner": "one, two three", "smtpd_timeout": "60s"}},
        new_services={"204/unix": entry},
    )
    assert plan.run(request).changed
    assert not plan(request).changed
    assert "one, two three" in greeting("127.0.0.1", postfix.smtp)[1]


def test_two_runs_do_not_change_one_directory_at_once(postfix: PrivatePostfix, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "LOCK_TIMEOUT", 0.0)
    other = os.open(postfix.directory, os.O_RDONLY)
    fcntl.flock(other, fcntl.LOCK_EX)
    try:
        with pytest.raises(PostfixError, match="another run"), host.locked(postfix.directory, exclusive=True):
            pass
    finally:
        os.close(other)
    with host.locked(postfix.directory, exclusive=True):
        pass
