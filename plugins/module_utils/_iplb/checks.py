# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Values that the API would refuse, refused with their remedy, and the canonical form of the others. Private to the
collection.

Source: OVHcloud's published schema of ``/ipLoadbalancing`` and the Load Balancer guides.
"""

from __future__ import annotations

import ipaddress
import itertools

from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.errors import InvalidInput

PORT_MIN, PORT_MAX = 1, 49151  # the API's own limits for farms, servers and frontends
CERTIFICATE_BEGINS = "-----BEGIN CERTIFICATE-----"
TEXT_LIMIT = 255  # of names and patterns of routes (guide "Configure routes")


def check_zone(value: str, where: str) -> str:
    zone = value.strip().lower()
    if not zone:
        raise InvalidInput(f"{where} is empty; name a zone of the service, such as gra, or all")
    return zone


def check_port(value: int, where: str) -> int:
    if PORT_MIN <= value <= PORT_MAX:
        return value
    raise InvalidInput(f"{where}: {value} is not a port of the load balancer; use {PORT_MIN} to {PORT_MAX}")


def check_ports(value: str, where: str) -> str:
    """Ports of a frontend: one port, a range ``a-b``, or a comma list of those; sorted, each once."""
    ranges = {_check_port_range(part, where) for part in str(value).split(",")}
    return ",".join("-".join(map(str, bounds)) for bounds in sorted(ranges))


def _check_port_range(part: str, where: str) -> tuple[int, ...]:
    bounds = [bound.strip() for bound in part.split("-")]
    if len(bounds) > 2 or not all(bound.isascii() and bound.isdigit() for bound in bounds):
        raise InvalidInput(
            f'{where}: "{part.strip()}" is not a port; use a port, a range a-b, or a comma list of those'
        )
    numbers = [check_port(int(bound), where) for bound in bounds]
    if len(numbers) == 2 and numbers[0] >= numbers[1]:
        raise InvalidInput(f'{where}: range "{part.strip()}" must increase; write the lower port first')
    return tuple(numbers)


def ports_overlap(one: str, other: str) -> bool:
    """Whether two frontends' ports, in the form of ``check_ports``, have one in common."""
    ranges = [[tuple(map(int, part.split("-"))) for part in ports.split(",")] for ports in (one, other)]
    return any(a[0] <= b[-1] and b[0] <= a[-1] for a, b in itertools.product(*ranges))


def check_ipv4(value: str, where: str) -> str:
    try:
        return str(ipaddress.IPv4Address(value))
    except ValueError:
        raise InvalidInput(
            f'{where}: "{value}" is not an IPv4 address; the API takes servers by IPv4 address only'
        ) from None


def check_networks(value: list[str], where: str) -> list[str]:
    """Networks in CIDR form, sorted, each once; a plain address becomes a /32 or /128."""
    return sorted({_check_network(item, where) for item in value})


def _check_network(item: str, where: str) -> str:
    try:
        return str(ipaddress.ip_network(str(item).strip()))
    except ValueError as error:
        raise InvalidInput(f'{where}: "{item}" is not a network in CIDR form ({error})') from None


def check_weight(value: int, where: str) -> int:
    if 0 <= value <= 256:
        return value
    raise InvalidInput(f"{where}: {value} is out of range; a weight is 0 (receives nothing) to 256")


def check_interval(value: int, where: str) -> int:
    if value >= 30:
        return value
    raise InvalidInput(f"{where}: {value} seconds is too short; the API probes every 30 seconds at the most often")


def check_id(value: int, where: str) -> int:
    # The API answers 500 to an id of 0 (terraform-provider-ovh issue 297).
    if value > 0:
        return value
    raise InvalidInput(f"{where}: {value} is not an id; use a positive id, or null to unset it")


def check_pem(value: str, where: str) -> str:
    """Never shows the value, which may be a key."""
    if value.strip():
        return value.strip()
    raise InvalidInput(f"{where} is empty; give it in PEM form")


def check_chain(value: str, where: str) -> str:
    """Certificates in PEM form, or none; the path of a file is none."""
    chain = value.strip()
    if not chain or CERTIFICATE_BEGINS in chain:
        return chain
    raise InvalidInput(f"{where} is not in PEM form; give the certificates themselves, {CERTIFICATE_BEGINS} and so on")


def check_route_weight(value: int, where: str) -> int:
    if 0 <= value <= 255:
        return value
    raise InvalidInput(f"{where}: {value} is out of range; the weight of a route is 0 (first) to 255")


def check_text(value: str, where: str) -> str:
    if len(value) <= TEXT_LIMIT:
        return value
    raise InvalidInput(f"{where} has {len(value)} characters; the API takes {TEXT_LIMIT} at most")


def check_service_name(value: str, where: str) -> str:
    if len(value) <= 50:
        return value
    raise InvalidInput(f"{where} has {len(value)} characters; the name of a service has 50 at most")


def check_network(value: str, where: str) -> str:
    """One network in CIDR form; its mask must be there."""
    if "/" not in str(value):
        raise InvalidInput(f'{where}: "{value}" has no mask; write a network, such as 10.0.0.0/24')
    return _check_network(value, where)


def lies_inside(part: str, whole: str) -> bool:
    """Whether a network is a part of another; what a newer API may answer instead of one is not ours to judge."""
    try:
        one, other = (ipaddress.ip_network(network, strict=False) for network in (part, whole))
    except ValueError:
        return True
    return one.version == other.version and one.subnet_of(other)  # type: ignore[arg-type]


def check_vlan(value: int, where: str) -> int:
    if 0 <= value <= 4094:
        return value
    raise InvalidInput(f"{where}: {value} is not a VLAN; use 1 to 4094, or 0 for none")


def check_alert(value: int, where: str) -> int:
    if value >= 0:
        return value
    raise InvalidInput(f"{where}: {value} is not a number of bytes")
