# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a refresh does to real connections: HAProxy in front of small SMTP servers, everything on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import shutil
import signal
import smtplib
import socket
import threading
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP

from simulator.launcher import Running, running
from tools.waiting import eventually

from .conftest import Service
from .traffic import ADDITIONAL, CLIENT, GRA, NETWORK, OFFSET, RBX, SOURCE, STRANGER

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("haproxy") is None, reason="haproxy is not installed"),
]
PORT = 2525


@functools.cache
def loop() -> asyncio.AbstractEventLoop:
    """Where the backends run, in a thread of its own. (aiosmtpd's Controller needs a second to start with PROXY.)"""
    background = asyncio.new_event_loop()
    threading.Thread(target=background.run_forever, daemon=True).start()
    return background


class Backend:
    """An SMTP server that notes from where it was reached: by whom the PROXY header says, or by whom really."""

    def __init__(self, number: int) -> None:
        self.address = f"{NETWORK}.{20 + number}"
        self.proxied: list[str] = []  # client addresses of the header, or LOCAL
        self.peers: list[str] = []

    async def handle_PROXY(self, server: SMTP, session: Any, envelope: Any, proxy: Any) -> bool:  # noqa: N802
        self.proxied.append(str(proxy.src_addr) if proxy.src_addr else "LOCAL")
        return True

    async def handle_EHLO(  # noqa: N802
        self, server: SMTP, session: Any, envelope: Any, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        self.peers.append(session.peer[0])
        return responses

    def protocol(self, proxy: bool) -> SMTP:
        # Without a name of its own the server asks DNS for one, connection by connection.
        return SMTP(self, hostname="backend.example", loop=loop(), proxy_protocol_timeout=5 if proxy else None)


@contextlib.contextmanager
def backend(number: int, proxy: bool = True) -> Iterator[Backend]:
    found = Backend(number)
    listening = loop().create_server(lambda: found.protocol(proxy), found.address, PORT)
    server = asyncio.run_coroutine_threadsafe(listening, loop()).result(10)
    try:
        yield found
    finally:
        loop().call_soon_threadsafe(server.close)


@pytest.fixture
def simulator(balanced: Running) -> Running:
    balanced.reset()
    return balanced


def smtp_farm(service: Service, *backends: Backend, **server: Any) -> list[str]:
    """A farm with these backends and a frontend in zone gra; returns the servers' paths."""
    farm = service.farm(port=PORT, probe={"type": "smtp", "interval": 30})
    service.frontend(defaultFarmId=farm)
    options = {"probe": True, "proxyProtocolVersion": "v1", **server}
    return [service.server(farm, address=backend.address, **options) for backend in backends]


def say_hello(address: str = GRA, port: int = 25 + OFFSET, client: str = CLIENT, times: int = 1) -> None:
    """One connection after the other."""
    while times:
        times -= 1
        with smtplib.SMTP(address, port, "client.example", timeout=10, source_address=(client, 0)) as smtp:
            smtp.ehlo()


def is_served(address: str = GRA, port: int = 25 + OFFSET, client: str = CLIENT) -> bool:
    try:
        say_hello(address, port, client)
    except (OSError, smtplib.SMTPException):
        return False
    return True


def accepts(address: str, port: int) -> bool:
    with socket.socket() as connection:
        return connection.connect_ex((address, port)) == 0


def state(service: Service, server: str) -> dict[str, Any]:
    states = service.get(server)["serverState"]
    return dict(states[0]) if states else {}


def test_backend_sees_the_client(service: Service) -> None:
    with backend(1) as one:
        smtp_farm(service, one)
        assert not is_served()
        assert service.refresh()["status"] == "done"
        say_hello()
        assert CLIENT in one.proxied


@pytest.mark.parametrize("version", ["v2", "v2-ssl", "v2-ssl-cn"])
def test_second_version_of_the_header(service: Service, version: str) -> None:
    """Checks of the second version say LOCAL, those of the first give the balancer's own address."""
    with backend(1) as one:
        smtp_farm(service, one, proxyProtocolVersion=version)
        service.refresh()
        say_hello()
        assert CLIENT in one.proxied
        eventually(lambda: "LOCAL" in one.proxied)


def test_backend_without_header_sees_the_source_address(service: Service) -> None:
    with backend(1, proxy=False) as one:
        smtp_farm(service, one, proxyProtocolVersion=None)
        service.refresh()
        say_hello()
        assert one.peers
        assert set(one.peers) == {SOURCE}


def test_checks_of_the_first_version_carry_the_source_address(service: Service) -> None:
    with backend(1) as one:
        smtp_farm(service, one)
        service.refresh()
        eventually(lambda: SOURCE in one.proxied)


def test_health_follows_the_backend(service: Service) -> None:
    with backend(1) as one:
        (server,) = smtp_farm(service, one)
        assert state(service, server) == {}
        service.refresh()
        up = eventually(lambda: (found := state(service, server))["checkTime"] and found)
        assert (up["status"], up["checkStatus"], up["checkCode"][0]) == ("UP", "L7OK", "2")
    down = eventually(lambda: (found := state(service, server))["status"] == "DOWN" and found)
    assert (down["checkStatus"], down["lastCheckContent"]) == ("L4CON", "Connection refused")
    assert not is_served()
    with backend(1):
        eventually(lambda: state(service, server)["status"] == "UP")
        assert is_served()


def test_a_backend_that_expects_a_header_is_down_without(service: Service) -> None:
    with backend(1) as one:
        (server,) = smtp_farm(service, one, proxyProtocolVersion=None)
        service.refresh()
        eventually(lambda: state(service, server)["status"] == "DOWN")


def test_time_of_the_last_check_survives_a_reload(service: Service) -> None:
    """HAProxy calls a server UP before it ever checked it; the time tells the difference."""
    with backend(1) as one:
        (server,) = smtp_farm(service, one)
        service.refresh()
        eventually(lambda: state(service, server)["checkTime"])
        # The first check of the next process is half of this interval away: HAProxy spreads the checks of two servers.
        farm = service.get("tcp/farm")[0]
        service.server(farm, address=one.address, probe=True, proxyProtocolVersion="v1")
        last = service.server(farm, address=one.address, probe=True, proxyProtocolVersion="v1")
        service.put(f"tcp/farm/{farm}", probe={"type": "smtp", "interval": 3600})
        task = service.refresh()
        assert (state(service, last)["status"], state(service, last)["checkStatus"]) == ("UP", "INI")
        assert state(service, last)["checkTime"] is None
        eventually(lambda: state(service, server)["checkStatus"] == "L7OK")
        checked = datetime.fromisoformat(state(service, server)["checkTime"])
        assert checked >= datetime.fromisoformat(task["creationDate"])


def test_sources(service: Service) -> None:
    with backend(1) as one:
        smtp_farm(service, one)
        frontend = f"tcp/frontend/{service.get('tcp/frontend')[0]}"
        service.put(frontend, allowedSource=[f"{CLIENT}/32"])
        service.refresh()
        assert is_served(client=CLIENT)
        assert not is_served(client=STRANGER)
        service.put(frontend, allowedSource=[], deniedSource=[f"{CLIENT}/32"])
        service.refresh()
        assert not is_served(client=CLIENT)
        assert is_served(client=STRANGER)


def test_inactive_weight_and_backup(service: Service) -> None:
    with backend(1) as one, backend(2) as two, backend(3) as three:
        first, second, third = smtp_farm(service, one, two, three)
        service.put(first, status="inactive")
        service.put(second, weight=0)
        service.put(third, backup=True)
        service.refresh()
        assert state(service, first) == {}
        say_hello()
        assert [CLIENT in backend.proxied for backend in (one, two, three)] == [False, False, True]
        service.put(first, status="active")
        service.refresh()
        say_hello(times=4)
        assert [backend.proxied.count(CLIENT) for backend in (one, two, three)] == [4, 0, 1]


def test_round_robin(service: Service) -> None:
    with backend(1) as one, backend(2) as two:
        smtp_farm(service, one, two, probe=False)
        service.refresh()
        say_hello(times=4)
        assert (one.proxied.count(CLIENT), two.proxied.count(CLIENT)) == (2, 2)


def test_stickiness(service: Service) -> None:
    with backend(1) as one, backend(2) as two:
        smtp_farm(service, one, two, probe=False)
        service.put(f"tcp/farm/{service.get('tcp/farm')[0]}", stickiness="sourceIp")
        service.refresh()
        say_hello(times=4)
        assert sorted((one.proxied.count(CLIENT), two.proxied.count(CLIENT))) == [0, 4]


def test_ports_and_zones(service: Service) -> None:
    with backend(1) as one:
        smtp_farm(service, one)
        farm = service.farm(zone="all", port=PORT)
        service.server(farm, address=one.address, proxyProtocolVersion="v1")
        service.frontend(zone="all", port="587,2600-2601", defaultFarmId=farm)
        service.refresh()
        served = [(GRA, 25), (GRA, 587), (RBX, 587), (RBX, 2600), (RBX, 2601)]
        assert all(is_served(address, port + OFFSET) for address, port in served)
        assert not is_served(RBX, 25 + OFFSET)


def test_disabled_frontend_does_not_listen(service: Service) -> None:
    with backend(1) as one:
        smtp_farm(service, one)
        service.refresh()
        assert is_served()
        service.put(f"tcp/frontend/{service.get('tcp/frontend')[0]}", disabled=True)
        assert service.refresh()["status"] == "done"
        assert not is_served()


def test_dedicated_address(service: Service) -> None:
    with backend(1) as one:
        smtp_farm(service, one)
        service.refresh()
        assert is_served(ADDITIONAL)
        service.put(f"tcp/frontend/{service.get('tcp/frontend')[0]}", dedicatedIpfo=[f"{ADDITIONAL}/32"])
        service.refresh()
        assert is_served(ADDITIONAL)
        assert not is_served(GRA)


def test_probe_on_a_port_of_its_own_sends_no_header(service: Service) -> None:
    """The farm's port goes nowhere; the check finds a server that would not understand a header."""
    with backend(1, proxy=False) as one:
        (server,) = smtp_farm(service, one)
        service.put(server, port=PORT + 1)
        service.put(f"tcp/farm/{service.get('tcp/farm')[0]}", probe={"type": "smtp", "port": PORT})
        service.refresh()
        up = eventually(lambda: (found := state(service, server))["checkTime"] and found)
        assert (up["status"], up["checkStatus"]) == ("UP", "L7OK")


@pytest.mark.parametrize(
    ("probe", "status", "check"),
    [
        ({"type": "tcp"}, "UP", "L4OK"),
        ({"type": "tcp", "match": "contains", "pattern": "220 "}, "UP", "L7OK"),
        ({"type": "tcp", "match": "matches", "pattern": r"^220[ -].* \"?#\$'|^220"}, "UP", "L7OK"),
        ({"type": "tcp", "match": "contains", "pattern": "220 ", "negate": True}, "DOWN", "L7RSP"),
        ({"type": "http"}, "DOWN", "L7RSP"),
        ({"type": "mysql"}, "DOWN", "L7TOUT"),
        ({"type": "pgsql"}, "DOWN", "L7STS"),
        ({"type": "oco"}, "DOWN", "L4CON"),
    ],
)
def test_types_of_probes(service: Service, probe: dict[str, Any], status: str, check: str) -> None:
    with backend(1) as one:
        (server,) = smtp_farm(service, one)
        service.put(f"tcp/farm/{service.get('tcp/farm')[0]}", probe=probe)
        assert service.refresh()["status"] == "done"
        # A server goes down only after several failed checks in a row.
        settled = eventually(
            lambda: (found := state(service, server))["checkTime"] and found["status"] == status and found
        )
        assert settled["checkStatus"] == check


def test_route_by_source(service: Service) -> None:
    with backend(1) as one, backend(2) as two:
        smtp_farm(service, one, probe=False)
        other = service.farm(port=PORT)
        service.server(other, address=two.address, proxyProtocolVersion="v1")
        frontend = service.get("tcp/frontend")[0]
        to_two = {"type": "farm", "target": str(other)}
        route = service.post("tcp/route", frontendId=frontend, action=to_two)["routeId"]
        service.post(f"tcp/route/{route}/rule", field="source", match="is", pattern=STRANGER)
        reject = service.post("tcp/route", frontendId=frontend, action={"type": "reject"})["routeId"]
        service.post(f"tcp/route/{reject}/rule", field="source", match="in", pattern=f"{NETWORK}.12/32, 192.0.2.0/24")
        service.refresh()
        say_hello(client=STRANGER)
        say_hello(client=CLIENT)
        assert (one.proxied, two.proxied) == ([CLIENT], [STRANGER])
        assert not is_served(client=f"{NETWORK}.12")


def test_udp_is_left_out_and_says_so(service: Service) -> None:
    frontend = service.frontend("udp", port="53", defaultFarmId=service.farm("udp", port=53))
    assert service.refresh()["status"] == "done"
    running = service.simulator.admin("GET", "haproxy/gra")
    assert f"# udp-frontend-{frontend} is not simulated: HAProxy has no UDP" in running
    assert "    bind " not in running


def test_connections_survive_a_reload(service: Service) -> None:
    with backend(1) as one, backend(2) as two:
        (first,) = smtp_farm(service, one)
        service.refresh()
        with smtplib.SMTP(GRA, 25 + OFFSET, "client.example", timeout=10) as before:
            service.put(first, status="inactive")
            farm = service.get("tcp/farm")[0]
            service.server(farm, address=two.address, proxyProtocolVersion="v1")
            service.refresh()
            say_hello()
            assert CLIENT in two.proxied
            assert before.noop()[0] == 250


def test_a_configuration_that_cannot_run_ends_in_error(service: Service) -> None:
    with backend(1) as one, socket.create_server((GRA, 587 + OFFSET)):
        smtp_farm(service, one)
        service.refresh()
        service.frontend(port="587", defaultFarmId=service.get("tcp/farm")[0])
        assert service.refresh()["status"] == "error"
        assert "bind" in service.simulator.admin("GET", "tasks")[-1]["comment"]
        assert service.pending() == {"gra": 1}
        assert is_served()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_the_end_takes_haproxy_along(tmp_path: Path, number: signal.Signals) -> None:
    with running("--time-scale", "0.01", "--zone", f"gra={RBX}", "--state-dir", str(tmp_path)) as simulator:
        service = Service(simulator)
        service.frontend(port="2700", defaultFarmId=service.farm())
        assert service.refresh()["status"] == "done"
        assert accepts(RBX, 2700 + OFFSET)
        simulator.process.send_signal(number)
        assert simulator.process.wait(10) == (-number if number == signal.SIGKILL else 0)
        eventually(lambda: not accepts(RBX, 2700 + OFFSET))
