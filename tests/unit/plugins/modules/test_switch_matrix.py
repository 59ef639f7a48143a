# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One story under many mixed settings of what nobody outside OVHcloud knows about the API."""

from __future__ import annotations

import pytest

from simulator.switches import MIXED, mixtures
from unit.plugins.modules.harness import Service, Values

MIXTURES = mixtures(16)


def test_the_mixtures_have_every_setting() -> None:
    met = {setting for mixture in MIXTURES for setting in mixture.items()}
    assert met == {(switch.name, value) for switch in MIXED for value in switch.values}


def farm(zone: str, vrack: Values, **options: object) -> Values:
    servers = [
        {"address": "192.0.2.11", "status": "active", "probe": True, "proxy_protocol_version": "v1"},
        {"address": "192.0.2.12", "status": "inactive", "weight": 0},
    ]
    probe = {"type": "smtp", "interval": 30}
    return {
        "display_name": "smtp",
        "zone": zone,
        "port": 25,
        "probe": probe,
        "servers": servers,
        **vrack,
        **options,
    }


def frontend(zone: str, **options: object) -> Values:
    return {"display_name": "smtp", "zone": zone, "port": "25", "default_farm": "smtp", **options}


@pytest.mark.parametrize("switches", MIXTURES, ids=lambda mixture: str(MIXTURES.index(mixture)))
def test_a_service_is_built_changed_and_emptied(service: Service, switches: Values) -> None:
    service.simulator.reset(**switches)
    vrack: Values = {"vrack_network_id": 301} if switches["vrack"] == "active" else {}
    zones = ("gra", "rbx")

    def converges(task: Values) -> Values:
        planned = service.run("load_balancer", **task, check=True)
        done = service.run("load_balancer", **task)
        assert done["changed"]
        assert done["refreshed_zones"] == planned["refreshed_zones"]
        assert not service.run("load_balancer", **task)["changed"]
        assert not service.run("refresh")["changed"]
        return done

    built: Values = {
        "farms": [farm(zone, vrack) for zone in zones],
        "frontends": [frontend(zone, allowed_source=["192.0.2.0/24", "198.51.100.7"]) for zone in zones],
    }
    converges(built)
    assert [len(service.live(zone, "tcp/server")) for zone in zones] == [2, 2]

    bare = [
        {"address": "192.0.2.11", "proxy_protocol_version": None, "probe": None},
        {"address": "192.0.2.12", "status": "active", "weight": None, "backup": True},
        {"address": "192.0.2.13", "status": "active", "ssl": None},
    ]
    http = {"type": "http", "method": None, "match": None}
    changed: Values = {
        "farms": [
            farm("gra", vrack, servers=bare, probe=None, balance="source"),
            farm("rbx", vrack, servers=bare, probe=http, stickiness="sourceIp"),
        ],
        "frontends": [
            frontend("gra", allowed_source=None, dedicated_ipfo=["127.0.0.3/32"], disabled=None),
            frontend("rbx", allowed_source=[], denied_source=["203.0.113.0/24"], port="25,587"),
        ],
    }
    converges(changed)
    assert not service.run("load_balancer_info")["pending_changes"]

    everywhere = "all"
    replaced: Values = {
        "farms": [farm(everywhere, vrack, display_name="mail")],
        "frontends": [frontend(everywhere, display_name="mail", default_farm="mail", port="2525")],
        "purge_farms": True,
        "purge_frontends": True,
    }
    converges(replaced)
    assert [len(service.live(zone, "tcp/frontend")) for zone in zones] == [1, 1]
    assert service.run("load_balancer_info")["farms"][0]["display_name"] == "mail"

    emptied: Values = {
        "farms": [{"display_name": "mail", "state": "absent"}],
        "frontends": [{"display_name": "mail", "state": "absent"}],
        "refresh": False,
    }
    assert service.run("load_balancer", **emptied)["changed"]
    assert not service.run("load_balancer", **emptied)["changed"]
    assert service.everything() == {}
