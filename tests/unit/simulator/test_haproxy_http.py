# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Real HTTP: redirections, headers, routes, stickiness, balancing, sources."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from simulator.launcher import Running

from .conftest import Service
from .traffic import CLIENT, GRA, NETWORK, SOURCE, STRANGER, WEB, Browser, Web, web

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("haproxy") is None, reason="haproxy is not installed"),
]


@pytest.fixture
def simulator(balanced: Running) -> Running:
    balanced.reset()
    return balanced


@pytest.fixture(scope="module")
def webs() -> Iterator[list[Web]]:
    with ExitStack() as stack:
        yield [stack.enter_context(web(number)) for number in (1, 2, 3)]


def web_farm(service: Service, *webs: Web, **body: Any) -> int:
    farm = service.farm("http", port=WEB, **body)
    for one in webs:
        service.server(farm, "http", address=one.address)
    return farm


def site(service: Service, *webs: Web, **body: Any) -> int:
    """A frontend on port 80 with a farm of these servers."""
    return service.frontend("http", port="80", defaultFarmId=web_farm(service, *webs), **body)


def route(service: Service, frontend: int, action: dict[str, Any], *rules: dict[str, Any], **body: Any) -> int:
    id_ = service.post("http/route", frontendId=frontend, action=action, **body)["routeId"]
    for rule in rules:
        service.post(f"http/route/{id_}/rule", **rule)
    return int(id_)


def live(service: Service) -> None:
    assert service.refresh()["status"] == "done", service.simulator.admin("GET", "tasks")[-1]["comment"]


def test_the_frontend_serves_its_farm(service: Service, webs: list[Web]) -> None:
    site(service, webs[0])
    live(service)
    answer = Browser().get("/webmail?user=a%20b")
    assert (answer.status, answer.server, answer.seen["path"]) == (200, "web1", "/webmail?user=a%20b")
    assert answer.seen["client"] == SOURCE
    assert "strict-transport-security" not in answer.headers


def test_redirect_location(service: Service, webs: list[Web]) -> None:
    service.frontend("http", port="80", redirectLocation="https://www.example/a%20b")
    live(service)
    answer = Browser().get("/elsewhere")
    assert (answer.status, answer.headers["location"]) == (302, "https://www.example/a%20b")


def test_headers_are_set_with_the_address_and_port_of_the_client(service: Service, webs: list[Web]) -> None:
    site(service, webs[0], httpHeader=["X-Ip-Header %ci", "X-Port %cp", "X-Load 50% of it", 'X-Mail it\'s "mail" #1'])
    live(service)
    seen = Browser().get("/", X_Ip_Header="192.0.2.1").seen["headers"]
    assert seen["x-ip-header"] == CLIENT
    assert seen["x-port"].isdigit()
    assert (seen["x-load"], seen["x-mail"]) == ("50% of it", 'it\'s "mail" #1')


def test_hsts_is_on_redirections_too(service: Service, webs: list[Web]) -> None:
    frontend = site(service, webs[0], hsts=True)
    live(service)
    assert "max-age=" in Browser().get().headers["strict-transport-security"]
    service.put(f"http/frontend/{frontend}", redirectLocation="https://www.example/")
    live(service)
    assert "max-age=" in Browser().get().headers["strict-transport-security"]


def test_sources(service: Service, webs: list[Web]) -> None:
    frontend = site(service, webs[0], allowedSource=[f"{CLIENT}/32"])
    live(service)
    assert Browser().get().status == 200
    with pytest.raises(OSError):  # noqa: PT011 - reset or closed, as it happens
        Browser(client=STRANGER).get()
    service.put(f"http/frontend/{frontend}", allowedSource=[], deniedSource=[f"{CLIENT}/32"])
    live(service)
    assert Browser(client=STRANGER).get().status == 200


# Stickiness and balancing


def test_cookie_keeps_a_browser_on_its_server(service: Service, webs: list[Web]) -> None:
    service.frontend("http", port="80", defaultFarmId=web_farm(service, *webs, stickiness="cookie"))
    live(service)
    browsers = [Browser() for dummy in range(3)]
    first = [browser.get().server for browser in browsers]
    assert sorted(first) == ["web1", "web2", "web3"]
    for dummy in range(3):
        assert [browser.get().server for browser in browsers] == first
    assert "cookie" not in browsers[0].get().seen["headers"]


def test_a_server_may_choose_the_value_of_its_cookie(service: Service, webs: list[Web]) -> None:
    farm = service.farm("http", port=WEB, stickiness="cookie")
    service.server(farm, "http", address=webs[0].address, cookie="blue one")
    service.server(farm, "http", address=webs[1].address)
    service.frontend("http", port="80", defaultFarmId=farm)
    live(service)
    browser = Browser()
    browser.cookies = {"SERVERID": "blue one"}
    assert {browser.get().server for dummy in range(4)} == {"web1"}


def test_source_ip_keeps_a_client_on_its_server(service: Service, webs: list[Web]) -> None:
    service.frontend("http", port="80", defaultFarmId=web_farm(service, *webs, stickiness="sourceIp"))
    live(service)
    assert len({Browser().get().server for dummy in range(5)}) == 1


@pytest.mark.parametrize("balance", [None, "roundrobin"])
def test_without_stickiness_servers_take_turns(service: Service, webs: list[Web], balance: str | None) -> None:
    service.frontend("http", port="80", defaultFarmId=web_farm(service, *webs, balance=balance))
    live(service)
    assert len({Browser().get().server for dummy in range(3)}) == 3


def test_balance_uri_sends_a_page_to_one_server(service: Service, webs: list[Web]) -> None:
    service.frontend("http", port="80", defaultFarmId=web_farm(service, *webs, balance="uri"))
    live(service)
    pages = {path: {Browser().get(path).server for dummy in range(3)} for path in [f"/page/{n}" for n in range(12)]}
    assert all(len(servers) == 1 for servers in pages.values())
    assert len(set.union(*pages.values())) > 1


def test_balance_source_and_first(service: Service, webs: list[Web]) -> None:
    farm = web_farm(service, *webs, balance="source")
    service.frontend("http", port="80", defaultFarmId=farm)
    live(service)
    assert len({Browser().get().server for dummy in range(4)}) == 1
    service.put(f"http/farm/{farm}", balance="first")
    live(service)
    assert {Browser().get().server for dummy in range(4)} == {"web1"}


# Routes


def to(farm: int) -> dict[str, Any]:
    return {"type": "farm", "target": str(farm)}


def rule(field: str, match: str = "is", pattern: str | None = None, **more: Any) -> dict[str, Any]:
    return {"field": field, "match": match, "pattern": pattern, **more}


# Rules, a request that they match, and one that they do not.
CASES: list[tuple[list[dict[str, Any]], dict[str, Any] | None, dict[str, Any] | None]] = [
    ([rule("uri", "is", "/webmail")], {"path": "/webmail?a=b"}, {"path": "/webmail/"}),
    ([rule("uri", "startswith", "/webmail")], {"path": "/webmail/inbox"}, {"path": "/"}),
    ([rule("uri", "endswith", ".png")], {"path": "/logo.png"}, {"path": "/logo.svg"}),
    ([rule("uri", "contains", "it's")], {"path": "/a/it's"}, {"path": "/a/its"}),
    ([rule("uri", "matches", "^/user/[0-9]+$")], {"path": "/user/17"}, {"path": "/user/me"}),
    ([rule("uri", "in", "/a, /b")], {"path": "/b"}, {"path": "/c"}),
    ([rule("header", "is", "-i #1", subField="X-Flag")], {"X_Flag": "-i #1"}, {"X_Flag": "1"}),
    ([rule("host", "is", "webmail.example")], {"host": "WebMail.example:80"}, {"host": "mail.example"}),
    ([rule("host", "endswith", ".example")], {"host": "a.example"}, {"host": "a.example.com"}),
    ([rule("method", "in", "POST,HEAD")], {"method": "POST"}, {"method": "GET"}),
    ([rule("param", "is", "7", subField="id")], {"path": "/?id=7"}, {"path": "/?id=8"}),
    ([rule("param", "exists", subField="id")], {"path": "/?id="}, {"path": "/?di=7"}),
    ([rule("header", "contains", "curl", subField="User-Agent")], {"User_Agent": "a curl"}, {"User_Agent": "x"}),
    ([rule("header", "exists", subField="X-Beta")], {"X_Beta": "1"}, {}),
    ([rule("cookie", "is", "yes", subField="beta")], {"Cookie": "a=b; beta=yes"}, {"Cookie": "beta=no"}),
    ([rule("source", "in", f"{STRANGER}, 192.0.2.0/24")], {"client": STRANGER}, {"client": CLIENT}),
    ([rule("protocol", "is", "http")], {}, None),
    ([rule("protocol", "in", "tls,https")], None, {}),
    ([rule("protocol", "is", "tcp")], {}, None),
    ([rule("uri", "startswith", "/a", negate=True)], {"path": "/b"}, {"path": "/a"}),
    (
        [rule("uri", "startswith", "/a"), rule("method", "is", "POST")],
        {"path": "/a", "method": "POST"},
        {"path": "/a"},
    ),
]


def test_rules(service: Service, webs: list[Web]) -> None:
    """One frontend for each case, all in one refresh."""
    default, other = web_farm(service, webs[0]), web_farm(service, webs[1])
    for number, (rules, *dummy) in enumerate(CASES):
        frontend = service.frontend("http", port=str(8000 + number), defaultFarmId=default)
        route(service, frontend, to(other), *rules)
    live(service)
    for number, (rules, hit, miss) in enumerate(CASES):
        for asked, server in ((hit, "web2"), (miss, "web1")):
            if asked is None:
                continue
            request = dict(asked)
            browser = Browser(client=request.pop("client", CLIENT))
            assert browser.get(port=8000 + number, **request).server == server, (rules, asked)


def test_the_first_route_that_matches_decides(service: Service, webs: list[Web]) -> None:
    frontend = site(service, webs[0])
    everything = rule("uri", "startswith", "/")
    heavy = route(service, frontend, to(web_farm(service, webs[1])), everything, weight=20)
    light = route(service, frontend, to(web_farm(service, webs[2])), rule("uri", "startswith", "/a"), weight=10)
    live(service)
    assert (Browser().get("/a").server, Browser().get("/b").server) == ("web3", "web2")
    service.put(f"http/route/{light}", weight=30)
    live(service)
    assert Browser().get("/a").server == "web2"
    # Refusals come before farms, whatever they weigh.
    route(service, frontend, {"type": "reject"}, everything, weight=255)
    live(service)
    assert Browser().get("/a").status == 403
    assert heavy


def test_a_route_without_rules_does_nothing(service: Service, webs: list[Web]) -> None:
    frontend = site(service, webs[0])
    route(service, frontend, {"type": "reject"})
    live(service)
    assert Browser().get().status == 200


def test_reject(service: Service, webs: list[Web]) -> None:
    frontend = site(service, webs[0])
    statuses = (None, 200, 400, 403, 405, 408, 429, 500, 502, 503, 504)
    for status in statuses:
        route(service, frontend, {"type": "reject", "status": status}, rule("uri", "is", f"/{status}"))
    live(service)
    assert [Browser().get(f"/{status}").status for status in statuses] == [status or 403 for status in statuses]
    assert Browser().get("/").server == "web1"


@pytest.mark.parametrize(
    ("target", "location"),
    [
        ("https://www.example/", "https://www.example/"),
        ("https://${host}${path}${arguments}", "https://mail.example:80/old?a=1"),
        ("${protocol}://new.${domain}:${port}${uri}", "http://new.mail.example:80/old?a=1"),
        ("https://www.example/50%25?to=${what}", "https://www.example/50%25?to=${what}"),
    ],
)
def test_redirect(service: Service, webs: list[Web], target: str, location: str) -> None:
    frontend = site(service, webs[0])
    route(service, frontend, {"type": "redirect", "target": target, "status": 308}, rule("uri", "is", "/old"))
    live(service)
    answer = Browser().get("/old?a=1", host="mail.example:80")
    assert (answer.status, answer.headers["location"]) == (308, location)
    without = Browser().get("/old", host="mail.example:80").headers["location"]
    assert without == location.replace("?a=1", "")


def test_redirect_is_302_unless_said(service: Service, webs: list[Web]) -> None:
    frontend = site(service, webs[0])
    route(service, frontend, {"type": "redirect", "target": "https://www.example"}, rule("uri", "is", "/old"))
    live(service)
    assert Browser().get("/old").status == 302


def test_routes_come_before_the_default_redirection(service: Service, webs: list[Web]) -> None:
    frontend = service.frontend("http", port="80", redirectLocation="https://www.example/")
    route(service, frontend, to(web_farm(service, webs[0])), rule("uri", "startswith", "/.well-known/"))
    live(service)
    assert Browser().get("/.well-known/acme-challenge/x").server == "web1"
    assert Browser().get("/").status == 302


def test_what_is_not_simulated_says_so(service: Service, webs: list[Web]) -> None:
    known = {"name": "tarpit", "type": "http", "destination": None, "status": None}
    actions = [*service.get("availableRouteActions"), known]
    service.simulator.admin("PUT", "catalogues", {"routeActions": actions})
    frontend = site(service, webs[0])
    id_ = route(service, frontend, {"type": "tarpit"}, rule("uri", "is", "/"))
    live(service)
    assert f"# route {id_} is not simulated" in service.simulator.admin("GET", "haproxy/gra")
    assert Browser().get("/").server == "web1"


def test_an_address_of_its_own_and_other_zones(service: Service, webs: list[Web]) -> None:
    farm = service.farm("http", port=WEB, zone="all")
    service.server(farm, "http", address=webs[0].address)
    service.frontend("http", port="80", zone="all", defaultFarmId=farm)
    live(service)
    assert {Browser(address).get().server for address in (GRA, f"{NETWORK}.2", f"{NETWORK}.3")} == {"web1"}
