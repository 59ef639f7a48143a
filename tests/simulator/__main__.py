# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Command line: ``PYTHONPATH=tests python -m simulator --help``."""

from __future__ import annotations

import argparse
import contextlib
import ipaddress
import logging
import shutil
import signal
import socket
import sys
import tempfile
from pathlib import Path

import uvicorn

from . import credentials
from .app import build
from .connections import Connections, Server, listening_socket
from .state import DEFAULT_ZONES, Settings, Simulator, Zone
from .switches import Switches


def zone(text: str) -> Zone:
    """NAME=BIND_ADDRESS[,SOURCE_ADDRESS[,NAT_CIDR...]]"""
    name, rest = text.partition("=")[::2]
    bind, source, *nat_ip = [*rest.split(","), ""] if "," not in rest else rest.split(",")
    ipaddress.IPv4Address(bind)
    if source:
        ipaddress.IPv4Address(source)
    nat_ip = [block for block in nat_ip if ipaddress.ip_network(block)] or default_nat_ip(name, source)
    return Zone(name, bind, source or None, tuple(nat_ip))


def default_nat_ip(name: str, source: str) -> list[str]:
    known = [block for zone in DEFAULT_ZONES if zone.name == name for block in zone.nat_ip]
    return [f"{source}/32"] if source else known or ["198.51.100.144/29"]


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("simulator", description="A local /ipLoadbalancing API with a real HAProxy.")
    parser.add_argument("--host", default="127.0.0.1", help="address of the API (default %(default)s)")
    parser.add_argument("--port", type=int, default=8080, help="port of the API; 0 takes a free one")
    parser.add_argument("--state-dir", type=Path, help="directory for HAProxy's files (default: a temporary one)")
    parser.add_argument("--time-scale", type=float, default=1.0, help="multiplies probe intervals and task durations")
    parser.add_argument(
        "--zone",
        type=zone,
        action="append",
        metavar="NAME=BIND_ADDRESS[,SOURCE_ADDRESS[,NAT_CIDR...]]",
        help="a zone of the service; repeatable (default gra=127.0.0.1 and rbx=127.0.0.2)",
    )
    parser.add_argument("--port-offset", type=int, default=10000, help="added to frontend ports (default %(default)s)")
    parser.add_argument("--service", default=Settings.service, help="service name (default %(default)s)")
    parser.add_argument("--service-address", default=Settings.address, help="its IPv4 address (default %(default)s)")
    parser.add_argument(
        "--failover",
        action="append",
        metavar="CIDR",
        help="an Additional IP routed to the service; repeatable (default 127.0.0.3/32)",
    )
    parser.add_argument("--no-haproxy", action="store_true", help="no balancer; health comes from the administration")
    parser.add_argument("--switch", action="append", default=[], metavar="NAME=VALUE", help="see README.md; repeatable")
    return parser


def exports(url: str, base: str, service: str) -> str:
    lines = [
        f"export OVH_ENDPOINT={url}",
        f"export OVH_APPLICATION_KEY={credentials.APPLICATION_KEY}",
        f"export OVH_APPLICATION_SECRET={credentials.APPLICATION_SECRET}",
        f"export OVH_CONSUMER_KEY={credentials.CONSUMER_KEY}",
        f"export OVH_IPLB_SERVICE={service}",
        f"# export OVH_CLIENT_ID={credentials.CLIENT_ID} OVH_CLIENT_SECRET={credentials.CLIENT_SECRET}",
        f"# token endpoint: {base}/auth/oauth2/token",
        f"# export OVH_ACCESS_TOKEN={credentials.ACCESS_TOKEN}",
    ]
    return "\n".join(lines)


def main() -> int:
    parser = arguments()
    options = parser.parse_args()
    try:
        switches = Switches(dict(text.partition("=")[::2] for text in options.switch))
    except ValueError as error:
        parser.error(str(error))
    if not options.no_haproxy and shutil.which("haproxy") is None:
        parser.error("haproxy is not installed; install it or use --no-haproxy")
    try:
        listener = listening_socket(options.host, options.port)
    except OSError as error:
        parser.error(f"can not listen on {options.host} port {options.port}: {error.strerror}")
    # uvicorn shuts down in order, then raises the signal again: leave through the context manager below.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *details: sys.exit(0))
    with contextlib.ExitStack() as stack:
        if not options.state_dir:
            options.state_dir = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="iplb-simulator-")))
        options.state_dir = options.state_dir.resolve()
        options.state_dir.mkdir(parents=True, exist_ok=True)
        serve(settings_of(options), switches, listener)
    return 0


def settings_of(options: argparse.Namespace) -> Settings:
    return Settings(
        service=options.service,
        address=options.service_address,
        zones=tuple(options.zone or DEFAULT_ZONES),
        failover=tuple(options.failover or Settings.failover),
        port_offset=options.port_offset,
        time_scale=options.time_scale,
        directory=options.state_dir,
        haproxy=not options.no_haproxy,
    )


def serve(settings: Settings, switches: Switches, listener: socket.socket) -> None:
    host, port = listener.getsockname()[:2]
    base = f"http://{host}:{port}"
    app = build(Simulator(settings, switches))
    config = uvicorn.Config(
        app, http=Connections, log_level="warning", access_log=False, timeout_graceful_shutdown=2, ws="none"
    )
    # Faults end answers in the middle on purpose.
    logging.getLogger("uvicorn.error").addFilter(lambda record: "ASGI callable returned" not in record.getMessage())
    print(exports(f"{base}/1.0", base, settings.service), flush=True)
    Server(config).run(sockets=[listener])


if __name__ == "__main__":
    sys.exit(main())
