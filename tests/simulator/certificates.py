# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``…/ssl`` and ``…/freeCertificate``: a certificate's whole life."""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import Any

from .call import Call, Operation
from .configuration import ALL, Record
from .errors import ApiError, bad_field
from .field_types import Values, check, known_keys
from .listing import listed
from .material import BadMaterial, count, fit, load, read
from .pki import self_signed
from .resources import change_record, refuse_during_refresh, wanted
from .schema import CERTIFICATE, CERTIFICATE_MATERIAL, Field
from .state import Simulator

FQDN = re.compile(r"(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}", re.IGNORECASE)
FREE_FIELDS = {"fqdn": Field("fqdn", "string[]", nullable=False, required=True)}


def operations(base: str) -> list[Operation]:
    action = "loadbalancer:apiovh:ssl"
    return [
        Operation("GET", f"{base}/ssl", list_certificates, f"{action}/get"),
        Operation("POST", f"{base}/ssl", post_certificate, f"{action}/create"),
        Operation("GET", f"{base}/ssl/{{id}}", get_certificate, f"{action}/get"),
        Operation("PUT", f"{base}/ssl/{{id}}", put_certificate, f"{action}/edit"),
        Operation("DELETE", f"{base}/ssl/{{id}}", delete_certificate, f"{action}/delete"),
        Operation("POST", f"{base}/freeCertificate", post_free_certificate, "loadbalancer:apiovh:freeCertificate"),
    ]


def view(sim: Simulator, record: Record) -> Values:
    """Material is never answered."""
    found = read(record.values["certificate"])
    return {
        "displayName": record.values["displayName"],
        "expireDate": sim.date(found.expires.timestamp()),
        "fingerprint": found.fingerprint(sim.switches["certificate_fingerprint"]),
        "id": record.id,
        "san": sim.shuffled(list(found.names)),
        "serial": found.serial,
        "subject": found.subject,
        "type": record.values["type"],
    }


async def list_certificates(call: Call) -> list[Any]:
    records = call.sim.state.staged.select(CERTIFICATE.name)
    return listed(call, {record.id: view(call.sim, record) for record in records}, CERTIFICATE.filters)


async def get_certificate(call: Call) -> Values:
    return view(call.sim, wanted(call, CERTIFICATE))


async def post_certificate(call: Call) -> Values:
    sim = call.sim
    refuse_during_refresh(call)
    values = uploaded(call.body, sim)
    fingerprint = read(values["certificate"]).sha256
    for other in sim.state.staged.select(CERTIFICATE.name):
        same = read(other.values["certificate"]).sha256 == fingerprint
        if same and sim.switches["duplicate_certificate"] == "refuse":
            raise ApiError(409, f"This certificate already exists (id = {other.id})")
    return view(sim, add(sim, values))


def uploaded(body: Values, sim: Simulator) -> Values:
    """The values to store. Raises ApiError."""
    fields = {entry.name: entry for entry in CERTIFICATE_MATERIAL}
    body = known_keys(body, fields, sim)
    values: Values = dict.fromkeys(fields) | {
        name: check(fields[name], value, None, sim) for name, value in body.items()
    }
    missing = [name for name, entry in fields.items() if entry.required and not values[name]]
    if missing:
        raise bad_field(missing[0], "text", "Missing required parameter")
    try:
        load(values["certificate"], "certificate")
        if count(values["certificate"]) > 1 and sim.switches["certificate_bundle"] == "refuse":
            raise BadMaterial("certificate", "holds more than the certificate")
        fit(values["certificate"], values["key"], values["chain"])
    except BadMaterial as error:
        raise bad_field(error.field, "text", str(error)) from error
    return {**values, "type": "custom"}


def add(sim: Simulator, values: Values) -> Record:
    record = Record(CERTIFICATE, next(sim.ids), None, values)
    sim.state.staged.add(record)
    sim.touch(record, ALL)
    return record


async def put_certificate(call: Call) -> None:
    """The name alone can change."""
    record = wanted(call, CERTIFICATE)
    change_record(call, record, view(call.sim, record))


async def delete_certificate(call: Call) -> None:
    sim = call.sim
    record = wanted(call, CERTIFICATE)
    refuse_during_refresh(call)
    if record.values["type"] != "custom" and sim.switches["delete_built_certificate"] == "refuse":
        raise ApiError(400, "Only a custom certificate can be deleted")
    users = [other for other in sim.state.staged.kind("frontend") if other.values.get("defaultSslId") == record.id]
    if users and sim.switches["delete_used_certificate"] == "refuse":
        raise ApiError(409, f"This certificate is used by frontend {', '.join(str(user.id) for user in users)}")
    for user in users:
        user.values = {**user.values, "defaultSslId": None}
    sim.touch(record, ALL)
    sim.state.staged.remove(record)


async def post_free_certificate(call: Call) -> Values:
    """Nobody checks here that the domains point at the service."""
    sim = call.sim
    body = known_keys(call.body, FREE_FIELDS, sim)
    names = check(FREE_FIELDS["fqdn"], body.get("fqdn"), None, sim)
    bad = [name for name in names if not FQDN.fullmatch(name)]
    if bad or not names:
        raise bad_field("fqdn", "string", f"Given data ({', '.join(bad)}) is not a list of domain names")

    async def deliver() -> None:
        add(sim, {**asdict(self_signed(*names)), "chain": None, "displayName": None, "type": "built"})

    return call.context.runner.start("orderFreeCertificate", deliver).view()
