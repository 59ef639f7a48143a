# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The drift report: what the modules said in check mode, as findings for people and programs.

Pure: no I/O, no Ansible. Private to the collection. The plans decide what is drift, so the report says exactly what a
run of the playbook would change.
"""

from __future__ import annotations

import typing as t

from ansible_collections.mailops.ovh_iplb.plugins.module_utils._drift.backends import host_findings, left_out_finding
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._drift.balancer import (
    load_balancer_findings,
    unmanaged_finding,
    unmanaged_objects,
)
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._drift.finding import (
    LEVELS,
    Host,
    Sources,
    pending_by_zone,
)
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._drift.topology import topology
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.table import Values


def build_report(sources: Sources) -> Values:
    """The whole report, ready for JSON."""
    unmanaged = unmanaged_objects(sources)
    findings = [
        *load_balancer_findings(sources),
        *(unmanaged_finding(item, sources.unmanaged) for item in unmanaged),
        *(
            finding
            for host in sources.hosts
            for finding in host_findings(host, sources.certificate_days, sources.unmanaged)
        ),
        *(left_out_finding(name) for name in sources.left_out),
    ]
    summary = {level: sum(finding["level"] == level for finding in findings) for level in LEVELS}
    return {
        "service_name": _service(sources).get("service_name") or "",
        "service": {name: _service(sources).get(name) for name in ("ipv4", "ipv6", "offer", "state")},
        "generated": sources.generated,
        "drift_found": bool(summary["drift"] or summary["unknown"]),
        "verdict": next((level for level in ("drift", "unknown") if summary[level]), "clean"),
        "summary": {**summary, "backends": len(sources.hosts) + len(sources.left_out)},
        "findings": findings,
        "zones": _zones(sources),
        "backends": [_backend(host, findings) for host in sources.hosts],
        "topology": topology(sources, unmanaged, findings),
    }


def _service(sources: Sources) -> t.Mapping[str, t.Any]:
    return sources.info.get("service") or sources.plan.get("service") or {}


def _zones(sources: Sources) -> list[Values]:
    pending = pending_by_zone(sources)
    return [{"zone": zone, "pending_changes": pending.get(zone, 0)} for zone in sources.info.get("zones") or ()]


def _backend(host: Host, findings: t.Sequence[Values]) -> Values:
    postfix = host.postfix or {}
    own = [finding for finding in findings if finding["where"] == host.name]
    return {
        "name": host.name,
        "address": host.address,
        "reachable": bool(host.postfix) and not postfix.get("unreachable"),
        "running": postfix.get("running"),
        "postfix_version": postfix.get("version"),
        "certificates": [dict(item) for item in postfix.get("certificates") or ()],
        "drift": sum(finding["level"] == "drift" for finding in own),
        "unknown": sum(finding["level"] == "unknown" for finding in own),
    }
