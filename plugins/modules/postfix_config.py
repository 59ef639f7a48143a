#!/usr/bin/python
# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: postfix_config
short_description: Set Postfix parameters in main.cf and per service in master.cf
description:
  - Sets and removes parameters of C(main.cf), parameters of single services in C(master.cf), and whole services. All
    other lines of these files stay as they are written, comments included.
  - One task is one transaction. The change is made on a copy first. What Postfix's own C(postconf) reads from it must
    be the configuration from before with exactly the planned changes. C(postfix check) and C(smtpd) itself must
    accept it and every name must be one that Postfix knows or that something refers to. Then the files are written,
    Postfix reads them, each SMTP listener concerned must answer with V(220), and the queue manager must run. When
    anything fails, the previous files return and Postfix runs as before.
  - A listener that expects a PROXY header must answer V(220) to a connection with a header, and V(421) to one without,
    also where TLS comes first.
  - Each is spoken to as far as C(MAIL FROM:<>) and C(RSET), with STARTTLS where it is offered. A listener that took a
    sender before must take one afterwards; one that did not, because a milter is down for example, is warned of.
  - What was wrong before the task and is not its doing is told as such. Where Postfix would not start with it, nothing
    is written, unless O(apply=none). A service that was broken before is a warning.
  - When somebody edits one of the files while the task is under way, the task fails and the edit stays.
  - A run that was cut half-way (killed, or a lost machine) is finished by the next run of the same task, or undone
    when the task asks for something else or has an error.
  - What is in the files already, but unknown to the running Postfix because nobody reloaded it, counts as a change,
    unless O(apply=none).
version_added: 1.0.0
author:
  - mailops.ovh_iplb contributors (@mailops)
attributes:
  check_mode:
    description: Can run in check mode and return what would change, without changing it.
    support: full
    details:
      - The plan is the real one, tried out on a copy. Only where Postfix is not installed, it is made from the task
        alone.
  diff_mode:
    description: Returns what changed, or in check mode would change, in diff mode.
    support: full
    details:
      - Shows each parameter, and the changed lines of each file without their surroundings.
  idempotent:
    description: A second run with the same options changes nothing.
    support: full
requirements:
  - Postfix 3.0 or later on the host
  - the rights to write the configuration and to restart Postfix, normally those of root
options:
  parameters:
    description:
      - Parameters of C(main.cf), by name.
      - A boolean is written as C(yes) or C(no), a list with commas. An empty text sets the parameter to nothing.
        V(null) removes it, so that Postfix's default applies.
      - Parameters that are not named here stay as they are.
      - A text of several lines becomes one line. Control characters are refused.
      - A name that Postfix does not know and that nothing refers to is refused.
    type: dict
    default: {}
  services:
    description:
      - Parameters of services that C(master.cf) has (C(-o name=value)), by name and type of the service, for example
        C(smtp/inet), as C(postconf -M) shows them. Values are written as in O(parameters). Braces in them must be
        balanced, because master(5) reads on until the last one is closed.
      - A service that C(master.cf) does not have is an error.
    type: dict
    default: {}
  new_services:
    description:
      - Whole entries of C(master.cf), by name and type of the service, for example C(10025/inet). An entry that
        exists is made the same as the one given here. V(null) removes the entry.
      - 'The fields of an entry are C(command) (required, with its arguments but without C(-o)), the columns
        C(private), C(unpriv), C(chroot) (booleans), C(wakeup) and C(maxproc) (numbers) of master(5), each with
        Postfix''s default where it is left out, and C(parameters), a dictionary written like one of O(services).'
    type: dict
    default: {}
  proxy_listener:
    description:
      - Makes one service the one that the load balancer speaks to. It then expects a PROXY protocol header, as the
        OVHcloud guide asks, and nobody is trusted there for a client address, which is only what the header claims.
      - 'This writes C(smtp_upstream_proxy_protocol = haproxy), the line of the guide, to C(main.cf), and gives the
        service C(smtpd_upstream_proxy_protocol=$smtp_upstream_proxy_protocol) (which makes the line effective there
        and nowhere else), C(mynetworks=), C(smtpd_authorized_xclient_hosts=) and
        C(smtpd_authorized_xforward_hosts=).'
      - Where postscreen serves the port, its own parameter is set, and the guard goes on the C(smtpd/pass) service
        too.
    type: dict
    suboptions: &listener
      service:
        description:
          - The service, an entry of C(master.cf) or of O(new_services) that runs smtpd or postscreen.
          - A port number that C(master.cf) does not have, such as C(10025/inet), becomes a service like that of port 25
            (the smtpd behind it where that is postscreen), which itself stays as it is.
          - A port of submission (587 and 465, by number or by name) that C(master.cf) does not have is an error that
            shows the entry to add with O(new_services).
          - What it comes down to, addresses and port, must not be served by another entry, and C(master.cf) must not
            have the entry twice. Where another entry serves the port, the error names it.
        type: str
        default: smtp/inet
      state:
        description:
          - Whether the load balancer speaks to the service. V(absent) takes back what V(present) set, and removes the
            service where it came with it, as a port like that of port 25 or in O(new_services). An entry that
            C(master.cf) had before stays and serves as before, but for a header that it expected then, which does not
            come back.
          - It is an error where the service would go on expecting a header then, because C(main.cf) or a hand-made
            override says so. Other services that inherit such a line of C(main.cf) are named in a warning.
        type: str
        choices: [present, absent]
        default: present
      proxy_protocol_version:
        description:
          - The version of the header that the load balancer sends. V(v2) and its like need Postfix 3.5.
          - V(none) is for a load balancer that sends none. The service expects no header and has no guard, and goes on
            serving.
        type: str
        choices: [v1, v2, v2-ssl, v2-ssl-cn, none]
        default: v1
      trusted_clients:
        description:
          - Addresses and networks that may relay by their address through this service. An empty list means nobody.
          - Must be given where C(mynetworks) lets other hosts relay through the service today, because they would be
            cut off. Where the service expects a header already, not given means nobody.
          - Anybody who can reach the port can claim one of these addresses. Name any only together with a firewall
            that admits nothing but the load balancer.
        type: list
        elements: str
      balancer_networks:
        description:
          - Networks from which the load balancer speaks to this host, its C(natIp), for checks before anything is
            written.
          - C(mynetworks) and O(proxy_listener.trusted_clients) must not contain them, because whatever comes through
            the load balancer without a header (its probes in version 2, or all mail with
            O(proxy_listener.proxy_protocol_version=none)) would be trusted.
        type: list
        elements: str
        default: []
      balancer_ipv6:
        description: The load balancer takes connections over IPv6, whose headers Postfix must be able to read.
        type: bool
        default: false
      server_address:
        description:
          - The address of this host to which the load balancer sends. The service must listen on it, and the proof
            speaks to it.
          - Where it is not an address of this host itself, but that of a NAT, a service on the loopback alone is only
            warned of.
        type: str
      checked_by_smtp:
        description:
          - The load balancer checks the service by SMTP, with or without a header. Where postscreen would greet its
            checks with the teaser of its tests, that is an error.
        type: bool
        default: false
      allow_address_permits:
        description:
          - Accept C(permit_inet_interfaces) and C(check_client_access) before C(reject_unauth_destination) in the
            restrictions that decide who may relay, and O(proxy_listener.balancer_networks) in C(mynetworks). They grant
            by client address and are refused otherwise.
          - With it, C(check_policy_service) there, which may do so too, is not warned of. Neither are, with
            O(proxy_listener.proxy_protocol_version=none), tables of C(mynetworks) and client maps that may permit the
            load balancer's own addresses, which every client has then.
        type: bool
        default: false
      allow_cutover:
        description:
          - Let a service that served without a header expect one, although clients outside
            O(proxy_listener.balancer_networks) have sessions on it now. They would be answered V(421) from then on.
          - Without it that is an error that names them, where O(proxy_listener.balancer_networks) is given.
        type: bool
        default: false
  proxy_listeners:
    description:
      - Several services that the load balancer speaks to, each written like O(proxy_listener), in one transaction, with
        one proof for each. Services that come and services that go may stand side by side.
      - Nothing here touches authentication. On a port of submission whoever logs in relays, and an address does not.
      - A service that is not in the list stays as it is. O(proxy_listeners[].state=absent) takes it back.
    type: list
    elements: dict
    suboptions: *listener
  mode:
    description:
      - The permissions of C(main.cf) and C(master.cf), as quoted octal digits, for example V("0644"). Programs of
        ordinary users, such as sendmail(1), read C(main.cf).
      - Left as they are when this is not given. They do not return when a run is killed.
      - In RV(plan), a change of permissions is one of a parameter C(file mode).
    type: str
  apply:
    description:
      - How Postfix learns of a change. Postfix documents which parameters, such as C(inet_interfaces), need a
        V(restart).
      - V(reload) and V(restart) start a Postfix that is not running.
      - V(auto) restarts, as the OVHcloud guide asks, unless another service goes on taking mail from the load balancer
        and nothing changes but C(master.cf). A reload is enough then, and cuts no session of the services that stay.
      - V(none) only writes the files.
    type: str
    choices: [none, auto, reload, restart]
    default: reload
  backup:
    description: Keep a copy of each changed file beside it, with the time in its name.
    type: bool
    default: false
  config_directory:
    description: The directory with C(main.cf) and C(master.cf). The default is that of the installed Postfix.
    type: path
  timeout:
    description: Seconds until Postfix must be up after O(apply).
    type: int
    default: 30
notes:
  - Values are shown in the result and in the diff. Set C(no_log) on a task that writes a password, or better, keep it
    in a table of its own.
seealso:
  - module: mailops.ovh_iplb.smtp_probe
"""

EXAMPLES = r"""
- name: Let port 25 take the PROXY header of the load balancer, in one word
  mailops.ovh_iplb.postfix_config:
    proxy_listener:
      service: smtp/inet
    apply: restart

- name: The same, written out
  mailops.ovh_iplb.postfix_config:
    parameters:
      smtp_upstream_proxy_protocol: haproxy
    services:
      smtp/inet:
        smtpd_upstream_proxy_protocol: $smtp_upstream_proxy_protocol
        mynetworks: ""
        smtpd_authorized_xclient_hosts: ""
        smtpd_authorized_xforward_hosts: ""
    apply: restart

- name: Set, empty and remove parameters
  mailops.ovh_iplb.postfix_config:
    parameters:
      smtpd_helo_required: true
      message_size_limit: 26214400
      relayhost: ""
      smtpd_banner: null
    backup: true

- name: Let the ports of mail and of submission take it, and no longer that of the time before
  mailops.ovh_iplb.postfix_config:
    proxy_listeners:
      - service: smtp/inet
        server_address: 192.0.2.11
      - service: submission/inet
        server_address: 192.0.2.11
      - service: submissions/inet
        server_address: 192.0.2.11
      - service: 10025/inet
        state: absent
    apply: auto

- name: A port of its own for the load balancer; port 25 stays as it is
  mailops.ovh_iplb.postfix_config:
    new_services:
      10025/inet:
        command: smtpd
        parameters:
          syslog_name: postfix/balancer
    proxy_listener:
      service: 10025/inet
    apply: restart
"""

RETURN = r"""
plan:
  description: What differs between the configuration and the task, in the order in which it is changed.
  returned: success
  type: list
  elements: dict
  contains:
    file:
      description: V(main.cf) or V(master.cf).
      type: str
    service:
      description: The service of C(master.cf), or V(null).
      type: str
    parameter:
      description: The parameter, or V(null) where it is the entry itself that comes, changes or goes.
      type: str
    before:
      description: The value before, or V(null) where there was none.
      type: str
    after:
      description: The value afterwards, or V(null) where there is none.
      type: str
  sample:
    - file: master.cf
      service: smtp/inet
      parameter: mynetworks
      before: null
      after: ""
applied:
  description: What was done, or would be done in check mode, to make Postfix see its files.
  returned: success
  type: str
  sample: restart
live:
  description: Whether the running Postfix had read the files as they were before this task.
  returned: when Postfix is installed
  type: bool
unused_parameters:
  description: Parameters in the files that Postfix does not know and that nothing refers to.
  returned: when Postfix is installed
  type: list
  elements: dict
  contains:
    file:
      description: V(main.cf) or V(master.cf).
      type: str
    parameter:
      description: The name.
      type: str
backup_files:
  description: The copies made for O(backup=true).
  returned: when Postfix is installed
  type: list
  elements: str
postfix_version:
  description: The version of the installed Postfix.
  returned: when Postfix is installed
  type: str
  sample: 3.7.11
"""

import dataclasses
import difflib
import os
import tempfile
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix import host, preparation, transaction
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.listener import plan_from_nothing
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.model import (
    Change,
    Listener,
    PostfixError,
    Request,
    printable,
)
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.request import read_mode, read_request

LISTENER: dict[str, Any] = {
    "service": {"type": "str", "default": "smtp/inet"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "proxy_protocol_version": {"type": "str", "choices": ["v1", "v2", "v2-ssl", "v2-ssl-cn", "none"], "default": "v1"},
    "trusted_clients": {"type": "list", "elements": "str"},
    "balancer_networks": {"type": "list", "elements": "str", "default": []},
    "balancer_ipv6": {"type": "bool", "default": False},
    "server_address": {"type": "str"},
    "checked_by_smtp": {"type": "bool", "default": False},
    "allow_address_permits": {"type": "bool", "default": False},
    "allow_cutover": {"type": "bool", "default": False},
}
ARGUMENTS: dict[str, Any] = {
    "parameters": {"type": "dict", "default": {}},
    "services": {"type": "dict", "default": {}},
    "new_services": {"type": "dict", "default": {}},
    "proxy_listener": {"type": "dict", "options": LISTENER},
    "proxy_listeners": {"type": "list", "elements": "dict", "options": LISTENER},
    "mode": {"type": "str"},
    "apply": {"type": "str", "choices": ["none", "auto", "reload", "restart"], "default": "reload"},
    "backup": {"type": "bool", "default": False},
    "config_directory": {"type": "path"},
    "timeout": {"type": "int", "default": 30},
}


def main() -> None:
    module = AnsibleModule(
        argument_spec=ARGUMENTS, mutually_exclusive=[("proxy_listener", "proxy_listeners")], supports_check_mode=True
    )
    try:
        module.exit_json(**printable(run(module)))
    except (PostfixError, OSError) as error:
        module.fail_json(msg=printable(str(error)))


def run(module: AnsibleModule) -> dict[str, Any]:
    request = read_options(module.params)
    mode = read_mode(module.params["mode"])
    if not host.is_installed():
        return would_install(request, module.params["apply"], module.check_mode)
    directory = module.params["config_directory"] or host.default_directory()
    if not os.path.isdir(directory):
        raise PostfixError(f"config_directory: {directory} is not a directory on this host")
    with host.locked(directory, exclusive=not module.check_mode) as lock:
        return configure(module, directory, request, mode, lock)


def read_options(params: dict[str, Any]) -> Request:
    one, several = params["proxy_listener"], params["proxy_listeners"]
    listeners = [read_listener("proxy_listener", one)] if one else []
    listeners += [read_listener(f"proxy_listeners[{place}]", wanted) for place, wanted in enumerate(several or [])]
    return read_request(params["parameters"], params["services"], params["new_services"], listeners)


def read_listener(option: str, wanted: dict[str, Any]) -> Listener:
    return Listener(
        service=wanted["service"],
        present=wanted["state"] == "present",
        trusted_clients=None if wanted["trusted_clients"] is None else tuple(wanted["trusted_clients"]),
        allow_address_permits=wanted["allow_address_permits"],
        version=None if wanted["proxy_protocol_version"] == "none" else wanted["proxy_protocol_version"],
        balancer_networks=tuple(wanted["balancer_networks"]),
        balancer_ipv6=wanted["balancer_ipv6"],
        allow_cutover=wanted["allow_cutover"],
        server_address=wanted["server_address"],
        checked_by_smtp=wanted["checked_by_smtp"],
        option=option,
    )


def would_install(request: Request, apply: str, check_mode: bool) -> dict[str, Any]:
    """The plan for a host where an earlier task of a check-mode run would have installed Postfix."""
    if not check_mode:
        raise PostfixError(
            "Postfix is not installed on this host: install it first, for example with ansible.builtin.package or, in "
            "the role postfix_backend, with postfix_backend_install: true"
        )
    changes = plan_from_nothing(request)
    return {
        "changed": True,
        "msg": "Postfix is not installed: would install and set",
        "plan": shown(changes),
        "applied": "restart" if apply == "auto" else apply,
        "diff": [parameter_diff(changes)],
    }


def configure(module: AnsibleModule, directory: str, request: Request, mode: int | None, lock: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(dir=module.tmpdir) as copy:
        try:
            prepared = preparation.prepare(directory, request, module.params["apply"], copy, mode)
        except (PostfixError, OSError) as error:
            undone = not module.check_mode and transaction.undo_cut_run(directory, module.params["timeout"], lock)
            raise PostfixError(f"{error}{'. A run cut earlier has been undone' if undone else ''}") from error
    for warning in prepared.warnings:
        module.warn(printable(warning))
    backup_files: list[str] = []
    if prepared.changed and not module.check_mode:
        backup = module.backup_local if module.params["backup"] else None
        change = transaction.Transaction(prepared, module.params["timeout"], backup, lock)
        change.run()
        backup_files = change.backup_files
        for warning in change.warnings:
            module.warn(warning)
    elif not module.check_mode:
        transaction.remember(prepared)
    return {
        "changed": prepared.changed,
        "plan": shown(prepared.plan),
        "applied": prepared.apply,
        "live": prepared.live,
        "unused_parameters": [{"file": file, "parameter": name} for file, name in prepared.after.unused],
        "backup_files": backup_files,
        "postfix_version": prepared.after.effective["mail_version"],
        "diff": [parameter_diff(prepared.plan), *file_diffs(directory, prepared)],
    }


def shown(changes: list[Change]) -> list[dict[str, Any]]:
    return [dataclasses.asdict(change) for change in changes]


def parameter_diff(changes: list[Change]) -> dict[str, str]:
    def lines(values: list[tuple[Change, str | None]]) -> str:
        return "".join(f"{change.place} = {value}\n" for change, value in values if value is not None)

    return {
        "before_header": "parameters",
        "after_header": "parameters",
        "before": lines([(change, change.before) for change in changes]),
        "after": lines([(change, change.after) for change in changes]),
    }


def file_diffs(directory: str, prepared: preparation.Prepared) -> list[dict[str, str]]:
    """Changed lines only: their neighbours are nobody's business, and one of them may hold a password."""
    diffs = []
    for name, target in prepared.target.items():
        path = os.path.join(directory, name)
        # Without their ends: the last line may have none, and is not shown for it.
        old, new = prepared.current[name].splitlines(), target.splitlines()
        text = "\n".join(difflib.unified_diff(old, new, path, path, n=0, lineterm=""))
        if text:
            diffs.append({"prepared": f"{text}\n"})
    return diffs


if __name__ == "__main__":
    main()
