# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a drift report finds on the backends. Pure. Private to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.mailops.ovh_iplb.plugins.module_utils._drift.finding import Host, as_text, make_finding
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.table import Values
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._reason import reason

ADMITS_ANYBODY = (
    "postfix_backend_firewall is none: whoever reaches the port can claim any address in a PROXY header, and take "
    "smtpd before Postfix 3.11 down with version 2 and the command LOCAL"
)
FORGOTTEN = (
    "it expects a PROXY header, is in no entry of smtp_load_balancer_services, and goes on serving. An entry with "
    "state: absent takes it back"
)
NO_BAN = (
    "its bans see the client's address in the log, but the packets come from the load balancer: denied_source of the "
    "frontend is the place for a ban (smtp_load_balancer_frontend_options)"
)


def host_findings(host: Host, certificate_days: int, unmanaged: str = "notice") -> list[Values]:
    postfix = host.postfix or {}
    if postfix.get("unreachable") or not postfix:
        note = reason(postfix) if postfix else "the host was not looked at"
        return [make_finding(host.name, "host", "unreachable", "unknown", note=note)]
    findings = [finding for step in host.steps for finding in step_findings(host, step["object"], step["result"])]
    failure = host.failure or ("" if "installed" in postfix else reason(postfix))
    if failure and not any(finding["level"] == "unknown" for finding in findings):
        findings.append(make_finding(host.name, "host", "failed", "unknown", note=failure))
    findings += _listener_findings(host, postfix.get("listeners") or (), unmanaged)
    if postfix.get("bans_by_address") and host.listeners:
        findings.append(make_finding(host.name, "fail2ban", "stale", "notice", note=NO_BAN))
    for certificate in postfix.get("certificates") or ():
        findings += _certificate_findings(host.name, certificate, certificate_days)
    return findings


def _listener_findings(host: Host, expecting: t.Sequence[str], unmanaged: str) -> list[Values]:
    forgotten = [name for name in expecting if host.listeners and name not in host.listeners]
    findings = [
        make_finding(host.name, f"listener {name}", "unmanaged", unmanaged, note=FORGOTTEN) for name in forgotten
    ]
    if host.firewall == "none" and expecting:
        findings.append(make_finding(host.name, "firewall", "missing", "notice", note=ADMITS_ANYBODY))
    return findings


def step_findings(host: Host, name: str, result: t.Mapping[str, t.Any]) -> list[Values]:
    """What one module would change on a host: field by field where it says so, as a whole where it does not."""
    if result.get("unreachable"):
        return [make_finding(host.name, name, "unreachable", "unknown", note=reason(result))]
    if result.get("failed"):
        return [make_finding(host.name, name, "failed", "unknown", note=reason(result))]
    if not result.get("changed"):
        return []
    plan = result.get("plan") or ()
    findings = [postfix_change(host.name, change) for change in plan]
    if result.get("live") is False:
        findings.append(_service_finding(host))
    if not findings:
        findings = [_diff_finding(host.name, name, entry) for entry in _diffs(result)]
    return findings or [make_finding(host.name, name, "changed", "drift", note=as_text(result.get("msg")))]


def _diffs(result: t.Mapping[str, t.Any]) -> list[t.Mapping[str, t.Any]]:
    diff = result.get("diff") or ()
    return [diff] if isinstance(diff, t.Mapping) else [entry for entry in diff if entry]


def _diff_finding(host: str, name: str, diff: t.Mapping[str, t.Any]) -> Values:
    """A difference that a module shows as text: the lines that only one side has."""
    found, declared = (as_text(diff.get(side)).splitlines() for side in ("before", "after"))
    kind = "changed" if found and declared else "missing" if declared else "surplus"
    field = as_text(diff.get("after_header") or diff.get("before_header")) or None
    return make_finding(
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
    return make_finding(host, name, kind, "drift", None, change["parameter"], after, before)


def _service_finding(host: Host) -> Values:
    if not (host.postfix or {}).get("running", True):
        return make_finding(host.name, "Postfix", "stopped", "drift", None, "service", "running", "stopped")
    found = "may still run with other files"
    return make_finding(host.name, "Postfix", "stale", "drift", None, "service", "running with its files", found)


def _certificate_findings(host: str, certificate: t.Mapping[str, t.Any], certificate_days: int) -> t.Iterator[Values]:
    name = f"certificate {certificate['file']}"
    if certificate.get("error"):
        yield make_finding(host, name, "failed", "notice", note=as_text(certificate["error"]))
        return
    days = certificate["days_left"]
    if days >= certificate_days:
        return
    note = "it has expired" if days < 0 else f"it expires in {days} {'day' if days == 1 else 'days'}"
    limit = f"{certificate_days} days or more"
    yield make_finding(host, name, "certificate", "notice", None, "not_after", limit, certificate["not_after"], note)


def left_out_finding(name: str) -> Values:
    note = "the run did not look at this host (--limit, or an earlier failure)"
    return make_finding(name, "host", "unreachable", "unknown", note=note)
