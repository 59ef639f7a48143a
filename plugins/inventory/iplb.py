# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
name: iplb
short_description: Servers of an OVHcloud Load Balancer as hosts
description:
  - Makes a host of each address that a load balancer sends traffic to, as the API has it, live or staged.
  - Reads only. The number of calls grows with the number of farms and servers; see O(cache).
  - The name of the source file ends in C(iplb.yml) or C(iplb.yaml).
  - "Every host is in the group C(iplb), and in C(iplb_farm_NAME), C(iplb_protocol_NAME), C(iplb_zone_NAME),
    C(iplb_status_NAME) and C(iplb_health_NAME) for what its servers are. A farm in zone V(all) is in every zone of the
    service. The groups of farms and zones are there without hosts too."
  - "A host has these variables: C(ansible_host) is the address. C(iplb_service_name) is the load balancer.
    C(iplb_farms), C(iplb_protocols), C(iplb_zones) and C(iplb_statuses) are lists of what the groups are named after.
    C(iplb_health) is V(up) if every check of every instance of the load balancer says so, V(down) if none does,
    V(degraded) if some do, V(unknown) if nothing was checked. C(iplb_servers) is a list of the servers with this
    address, each with its fields, C(server_id), C(server_state) and C(health), and with its C(farm), in the shape that
    M(mailops.ovh_iplb.load_balancer_info) returns."
options:
  plugin:
    description: Marks the file as a source of this plugin.
    type: str
    required: true
    choices: [mailops.ovh_iplb.iplb]
  service_name:
    description: Name of the load balancer, such as C(loadbalancer-0123456789abcdef).
    type: str
    env:
      - name: OVH_IPLB_SERVICE
  hostnames:
    description:
      - What to name a host after; the first that it has.
      - A display name that several addresses share, or that means another machine, is no name. The address is the last
        resort.
    type: list
    elements: str
    choices: [display_name, address]
    default: [display_name, address]
extends_documentation_fragment:
  - mailops.ovh_iplb.connection
  - constructed
  - inventory_cache
notes:
  - Options of the connection may be templates, for instance look-ups in a secret store, or encrypted with Vault.
author:
  - mailops.ovh_iplb contributors (@mailops)
seealso:
  - module: mailops.ovh_iplb.load_balancer_info
"""

EXAMPLES = r"""
---
# smtp.iplb.yml; with the credentials in OVH_* of the environment, these two options are enough
plugin: mailops.ovh_iplb.iplb
service_name: loadbalancer-0123456789abcdef

# An access token instead
access_token: "{{ lookup('ansible.builtin.env', 'VAULTED_OVH_TOKEN') }}"

# The servers of the farm "smtp" in the group that the roles and playbooks of this collection work on, and groups by the
# PROXY protocol that they get
hostnames: [address]
strict: true
groups:
  smtp_backends: "'smtp' in iplb_farms"
keyed_groups:
  - key: iplb_servers | map(attribute='proxy_protocol_version') | map('default', 'none', true) | list
    prefix: proxy
compose:
  instances_up: iplb_servers | map(attribute='server_state') | flatten | selectattr('status', 'eq', 'UP') | length

# Kept for ten minutes
cache: true
cache_plugin: ansible.builtin.jsonfile
cache_connection: /var/cache/ansible/iplb
cache_timeout: 600
"""

import hashlib
import re
import typing as t
from collections import Counter, defaultdict

from ansible.constants import LOCALHOST
from ansible.errors import AnsibleParserError
from ansible.plugins.inventory import BaseInventoryPlugin, Cacheable, Constructable
from ansible.utils.unsafe_proxy import wrap_var
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.api import OVH_IMPORT_ERROR, Api
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.credentials import Settings, find_settings
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.errors import (
    InvalidInput,
    IplbError,
    library_missing,
)
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.info import gather
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.options import connection_options
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.snapshot import Reader
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.table import ALL_ZONES, Values

# HAProxy's words for a server that answers its checks; one without weight drains.
UP = ("UP", "DRAIN")
# A name that is no template, no path and no pattern of hosts.
HOST_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?")
# What HAProxy says of a server that is not checked.
NOT_CHECKED = "no check"


class InventoryModule(BaseInventoryPlugin, Constructable, Cacheable):
    NAME = "mailops.ovh_iplb.iplb"

    def verify_file(self, path: str) -> bool:
        return bool(super().verify_file(path)) and path.endswith(("iplb.yml", "iplb.yaml"))

    def parse(self, inventory: t.Any, loader: t.Any, path: str, cache: bool = True) -> None:
        super().parse(inventory, loader, path, cache)
        self._check_names(path, self._read_config_data(path))
        try:
            data = self._cached_or_read(path, cache)
        except IplbError as error:
            raise AnsibleParserError(f"{path}: {error.message}") from None
        self._add_groups(data)
        for name, variables in hosts(data, self.get_option("hostnames")).items():
            self._add_host(name, variables)

    def _check_names(self, path: str, config: Values) -> None:
        """Ansible passes over what no option is called: a misspelt service_name would show another load balancer."""
        unknown = sorted(set(config) - set(self.option_definitions))
        if unknown:
            raise AnsibleParserError(
                f"{path}: {', '.join(unknown)} is not an option of {self.NAME}; correct the name or remove it"
            )

    def _cached_or_read(self, path: str, may_be_cached: bool) -> Values:
        """The load balancer, from the cache if it is there; ``may_be_cached`` is false to have the cache renewed."""
        service_name = self._connection_option("service_name")
        if not service_name:
            raise InvalidInput("service_name is empty: set the option, or OVH_IPLB_SERVICE in the environment")
        settings = find_settings({name: self._connection_option(name) for name in connection_options()})
        if not self.get_option("cache"):
            return self._read(service_name, settings)
        # One file can stand for several load balancers, APIs and users: all may come from the environment.
        key = self.get_cache_key(f"{path} {service_name} {settings.endpoint} {_digest(settings)}")
        if may_be_cached and key in self._cache:
            return self._cache[key]
        self._cache[key] = data = self._read(service_name, settings)
        return data

    def _read(self, service_name: str, settings: Settings) -> Values:
        if OVH_IMPORT_ERROR:
            raise AnsibleParserError(library_missing(OVH_IMPORT_ERROR, "run Ansible with a Python that has it"))
        api = Api(settings)
        return gather(api, Reader(api, service_name, settings.bulk_reads), ["farms"])

    def _connection_option(self, name: str) -> t.Any:
        value = self.get_option(name)
        if value is None or isinstance(value, (int, float)):
            return value
        # Text of its own, also of a value that Vault encrypted.
        return str(self.templar.template(value)).strip()

    def _add_groups(self, data: Values) -> None:
        self.inventory.add_group("iplb")
        for kind, names in (("farm", map(farm_name, data["farms"])), ("zone", data["zones"])):
            for name in sorted(names):
                self._add_group(kind, name)

    def _add_group(self, kind: str, name: str) -> str:
        group = self.inventory.add_group(self._sanitize_group_name(f"iplb_{kind}_{name}"))
        self.inventory.add_child("iplb", group)
        return group

    def _add_host(self, name: str, variables: Values) -> None:
        host = self.inventory.add_host(name, "iplb")
        for kind, values in (
            ("farm", variables["iplb_farms"]),
            ("protocol", variables["iplb_protocols"]),
            ("zone", variables["iplb_zones"]),
            ("status", variables["iplb_statuses"]),
            ("health", [variables["iplb_health"]]),
        ):
            for value in values:
                self.inventory.add_child(self._add_group(kind, value), host)
        # Display names are text that others wrote: never a template, nor in what compose makes of them.
        variables = {key: wrap_var(value) for key, value in variables.items()}
        for key, value in variables.items():
            self.inventory.set_variable(host, key, value)
        strict = self.get_option("strict")
        self._set_composite_vars(self.get_option("compose"), variables, host, strict=strict)
        self._add_host_to_composed_groups(self.get_option("groups"), variables, host, strict=strict)
        self._add_host_to_keyed_groups(self.get_option("keyed_groups"), variables, host, strict=strict)


def _digest(settings: Settings) -> str:
    """Tells credentials apart without telling them."""
    text = "\0".join(f"{name}={value}" for name, value in sorted(settings.credentials.items()))
    return hashlib.sha256(text.encode()).hexdigest()


def hosts(data: Values, hostnames: t.Sequence[str]) -> dict[str, Values]:
    """Variables by host name. ``data`` is what ``gather`` returns; a host is an address."""
    by_address: dict[str, list[Values]] = defaultdict(list)
    # The API lists in no order.
    for farm in sorted(data["farms"], key=lambda farm: (farm["protocol"], farm["farm_id"])):
        fields = {name: value for name, value in farm.items() if name != "servers"}
        for server in sorted(farm["servers"], key=lambda server: server["server_id"]):
            if not server["address"]:
                continue  # which no API that is known answers, and which is no host
            health = health_of([server])
            by_address[server["address"]].append({**server, "health": health, "farm": fields})
    names = _names(by_address, hostnames)
    return {
        names[address]: _variables(address, servers, data)
        for address, servers in sorted(by_address.items(), key=lambda item: names[item[0]])
    }


def _names(by_address: dict[str, list[Values]], hostnames: t.Sequence[str]) -> dict[str, str]:
    """A name of its own for each address."""
    labels = {
        address: next((server["display_name"] for server in servers if server["display_name"]), None)
        for address, servers in by_address.items()
    }
    times = Counter(labels.values())
    by_label = hostnames[:1] == ["display_name"]
    return {
        address: label if label and by_label and times[label] == 1 and not _is_taken(label, by_address) else address
        for address, label in labels.items()
    }


def _is_taken(label: str, addresses: t.Container[str]) -> bool:
    """Whether a display name is no name for a host, or that of another; tasks for the controller go to localhost."""
    return label in addresses or label in LOCALHOST or not HOST_NAME.fullmatch(label)


def _variables(address: str, servers: list[Values], data: Values) -> Values:
    zones = {zone for server in servers for zone in _zones(server["farm"], data["zones"])}
    return {
        "ansible_host": address,
        "iplb_service_name": data["service"]["service_name"],
        "iplb_farms": sorted({farm_name(server["farm"]) for server in servers}),
        "iplb_protocols": sorted({server["farm"]["protocol"] for server in servers}),
        "iplb_zones": sorted(zones),
        "iplb_statuses": sorted({server["status"] for server in servers if server["status"]}),
        "iplb_health": health_of(servers),
        "iplb_servers": servers,
    }


def _zones(farm: Values, zones: list[str]) -> list[str]:
    if farm["zone"] == ALL_ZONES:
        return zones
    return [farm["zone"]] if farm["zone"] else []


def farm_name(farm: Values) -> str:
    return farm["display_name"] or str(farm["farm_id"])


def health_of(servers: t.Sequence[Values]) -> str:
    """``up``, ``down``, ``degraded`` or ``unknown``, from the checks of every instance of the load balancer.

    Before its first check HAProxy shows a server as UP, with the check status INI.
    """
    states = [state for server in servers for state in server["server_state"] if isinstance(state, dict)]
    statuses = [state.get("status") for state in states if state.get("check_status") != "INI"]
    up = [status in UP for status in statuses if status and status != NOT_CHECKED]
    if not up:
        return "unknown"
    if all(up):
        return "up"
    return "degraded" if any(up) else "down"
