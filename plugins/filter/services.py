# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filters with which the roles read their services, and what follows from them for the two sides."""

from __future__ import annotations

import typing as t
from dataclasses import asdict

from ansible.errors import AnsibleFilterError
from ansible_collections.mailops.ovh_iplb.plugins.plugin_utils import balancer_side, postfix_side, services

Values = dict[str, t.Any]

QUESTIONS: dict[str, t.Callable[..., t.Any]] = {
    "accepts_cutover": postfix_side.accepts_cutover,
    "absent": lambda declared: [asdict(service) for service in declared if not service.is_present],
    "confirmations": balancer_side.confirmations,
    "deadly_checks": postfix_side.deadly_checks,
    "declaration": balancer_side.declaration,
    "drained": balancer_side.drained,
    "elsewhere": balancer_side.elsewhere,
    "exposed": postfix_side.exposed,
    "fragile": lambda declared: [service.name for service in postfix_side.fragile(declared)],
    "giving_up": balancer_side.giving_up,
    "guarded_ports": postfix_side.guarded_ports,
    "host_farms": balancer_side.host_farms,
    "host_status": balancer_side.host_status,
    "leaving": lambda declared: [{**asdict(service), "state": "absent"} for service in declared],
    "listeners": postfix_side.listeners,
    "only": lambda declared, names: [asdict(service) for service in services.select(declared, names)],
    "others": lambda declared, only: [asdict(service) for service in services.others(declared, only)],
    "refusals": postfix_side.refusals,
    "released_ports": postfix_side.released_ports,
    "served": lambda declared, host, farms: [asdict(found) for found in balancer_side.served(declared, host, farms)],
    "servers": balancer_side.servers,
    "session_filter": postfix_side.session_filter,
    "turned_beyond": postfix_side.turned_beyond,
}
PLAN_QUESTIONS: dict[str, t.Callable[[t.Sequence[Values]], list[str]]] = {
    "cutover": balancer_side.cutover,
    "missing_farms": balancer_side.missing_farms,
    "turned": postfix_side.turned,
}
# Arguments that are services themselves.
SERVICES = ("only", "own")


def mail_services(load_balancer: t.Mapping[str, t.Any], postfix: t.Mapping[str, t.Any] | None = None) -> list[Values]:
    """The services that the variables of the two roles declare. See mail_services.yml."""
    try:
        read = services.read_services(_plain(load_balancer), None if postfix is None else _plain(postfix))
        return [asdict(service) for service in read]
    except services.Refused as refused:
        raise AnsibleFilterError(str(refused)) from refused


def mail_decision(declared: t.Sequence[Values], question: str, **arguments: t.Any) -> t.Any:
    """What follows from services. See mail_decision.yml."""
    if question not in QUESTIONS:
        raise AnsibleFilterError(f"mail_decision: there is no question {question!r}, only {', '.join(QUESTIONS)}")
    known = {name: _services(value) if name in SERVICES else value for name, value in arguments.items()}
    try:
        return QUESTIONS[question](_services(declared), **known)
    except (services.Refused, TypeError) as error:
        raise AnsibleFilterError(f"{error}") from error


def _services(declared: t.Sequence[Values]) -> list[services.Service]:
    return [services.as_service(_plain(values)) for values in declared]


def _plain(value: t.Any) -> t.Any:
    """A value with ordinary dictionaries and lists. Ansible's own ones, which template late, can not be copied."""
    if isinstance(value, t.Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


def plan_decision(plan: t.Sequence[Values], question: str) -> list[str]:
    """What a plan of load_balancer or postfix_config means. See plan_decision.yml."""
    if question not in PLAN_QUESTIONS:
        raise AnsibleFilterError(f"plan_decision: there is no question {question!r}, only {', '.join(PLAN_QUESTIONS)}")
    return PLAN_QUESTIONS[question](plan)


class FilterModule:
    """Filters of the collection."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"mail_services": mail_services, "mail_decision": mail_decision, "plan_decision": plan_decision}
