# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a Postfix configuration says and what a task asks of it. Private to the collection.

The whole folder is pure, text and values in, values out, but for ``host``, ``instance``, ``trial``, ``surroundings``,
``preparation``, ``journal``, ``transaction`` and ``guard_host``. A service is named as postconf names it, ``name/type``
(``smtp/inet``), and an override is an ``-o name=value`` of its master.cf entry. In every mapping a value of ``None``
means "not there": absent before, or to be removed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional

MAIN = "main.cf"
MASTER = "master.cf"
# isspace(3) in the C locale. Python's own idea of blanks holds more, such as U+00A0, which Postfix does not split at.
BLANKS = " \t\n\r\v\f"
# In a plan, where the name of a parameter stands otherwise.
MODE = "file mode"
Values = dict[str, Optional[str]]
# The line of the OVHcloud guide "Configuring SMTP on a Load Balancer service". Postfix has no parameter of that name,
# so it only works where a master.cf entry refers to it.
GUIDE_PARAMETER = "smtp_upstream_proxy_protocol"
GUIDE_REFERENCE = "$" + GUIDE_PARAMETER
PROXY_PARAMETERS = {
    "smtpd": "smtpd_upstream_proxy_protocol",
    "postscreen": "postscreen_upstream_proxy_protocol",
}
# On a listener that believes PROXY headers the client address is a claim: nobody may be trusted for it.
GUARDED_HOST_LISTS = ("smtpd_authorized_xclient_hosts", "smtpd_authorized_xforward_hosts")
# Limits by client address that a check of the load balancer can run into; it logs the load balancer's own address.
CHECK_LIMITS = (
    "smtpd_client_connection_count_limit",
    "smtpd_client_connection_rate_limit",
    "smtpd_client_new_tls_session_rate_limit",
)
LIMIT_EXCEPTIONS = "smtpd_client_event_limit_exceptions"
# A port of its own that the listener got here: tells its lines in the log apart, and that it goes with the listener.
OWN_ENTRY = {"syslog_name": "postfix/balancer"}
# The one daemon that every Postfix runs all the time, and that every reload replaces.
QUEUE_MANAGER = "qmgr/unix"
# What the code below needs to know in expanded form ("postconf -x").
EFFECTIVE = (
    "content_filter",
    "daemon_directory",
    "inet_interfaces",
    "inet_protocols",
    "mail_version",
    "myhostname",
    "mynetworks",
    "postscreen_access_list",
    "postscreen_greet_banner",
    "postscreen_upstream_proxy_protocol",
    "queue_directory",
    "smtpd_forbid_unauth_pipelining",
    "smtpd_milter_maps",
    "smtpd_milters",
    "smtpd_proxy_filter",
    "smtpd_recipient_restrictions",
    "smtpd_relay_restrictions",
    "smtpd_restriction_classes",
    "smtpd_service_name",
    "smtpd_tls_security_level",
    "smtpd_tls_wrappermode",
    "smtpd_upstream_proxy_protocol",
    "syslog_name",
)
# "postconf: warning: /etc/postfix/main.cf: unused parameter: some_name=some value"
# The members of a list that are files of members.
FILE_NAMES = re.compile(r"(?<![^,\s])/[^,\s]+")

_UNUSED = re.compile(r"warning: .*/(?P<file>main\.cf|master\.cf): unused parameter: (?P<name>[^=\s]+)=(?P<value>.*)")
# Postfix 3.7; a $name that nothing defines expands to nothing.
_UNDEFINED = re.compile(r"warning: .*/(?:main\.cf|master\.cf): undefined parameter: (?P<name>\S+)")


class PostfixError(Exception):
    """Something to tell the user: what is wrong, where, and what to do about it."""


@dataclass(frozen=True)
class Entry:
    """One service of master.cf; the field names are the column headings of master(5)."""

    service: str
    private: str = "-"
    unpriv: str = "-"
    chroot: str = "-"
    wakeup: str = "-"
    maxproc: str = "-"
    command: str = ""
    arguments: str = ""
    overrides: Mapping[str, str] = field(default_factory=dict)

    def line(self) -> str:
        """The entry without its overrides, as one line of master.cf."""
        return " ".join([*self.columns, self.arguments]).strip()

    @property
    def columns(self) -> list[str]:
        name, kind = self.service.rsplit("/", 1)
        return [name, kind, self.private, self.unpriv, self.chroot, self.wakeup, self.maxproc, self.command]


@dataclass(frozen=True)
class Settings:
    """What one configuration directory says."""

    parameters: Mapping[str, str] = field(default_factory=dict)
    """What main.cf sets, unused names included, as written there."""
    entries: Mapping[str, Entry] = field(default_factory=dict)
    expanded: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """Overrides with every $name expanded, by (service, parameter)."""
    effective: Mapping[str, str] = field(default_factory=dict)
    """The parameters of EFFECTIVE as main.cf and the defaults make them, expanded."""
    unused: tuple[tuple[str, str], ...] = ()
    """(file, name) of what nothing reads."""
    undefined: tuple[str, ...] = ()
    """Names that are referred to and that nothing defines."""
    duplicates: tuple[str, ...] = ()
    """Services that master.cf has more than once. Postfix uses the last entry; ``entries`` has that one."""
    listed: Mapping[str, str] = field(default_factory=dict)
    """What the files hold that ``mynetworks`` name, by path."""

    def value(self, service: str, parameter: str) -> str:
        """What the program behind a service sees: its override, or else main.cf or the default."""
        return self.expanded.get((service, parameter), self.effective.get(parameter, ""))

    def networks(self, service: str = "") -> str:
        """``mynetworks`` of a service, or of main.cf, with what its files hold."""
        value = self.value(service, "mynetworks") if service else self.effective.get("mynetworks", "")
        return with_files(value, self.listed)


def with_files(value: str, files: Mapping[str, str]) -> str:
    """A list with what its files hold in place of their names: their lines are members, says postconf(5)."""
    return FILE_NAMES.sub(lambda path: files.get(path[0], path[0]), value)


@dataclass(frozen=True)
class Listener:
    """What the user wants of a service that the balancer speaks to."""

    service: str = "smtp/inet"
    present: bool = True
    """The load balancer speaks to it, with a header or without one."""
    trusted_clients: tuple[str, ...] | None = None
    """Networks that keep their permission by address. None: not said. Empty: nobody."""
    allow_address_permits: bool = False
    version: str | None = "v1"
    """The version of the header; None for no header."""
    balancer_networks: tuple[str, ...] = ()
    """From where the load balancer speaks to this host."""
    balancer_ipv6: bool = False
    """The load balancer has an IPv6 address, so its headers may name IPv6 clients."""
    allow_cutover: bool = False
    """Clients that use the listener without a header today may be cut off."""
    server_address: str | None = None
    """The address at which the load balancer reaches this host."""
    checked_by_smtp: bool = False
    """The load balancer checks the listener by SMTP."""
    option: str = "proxy_listener"
    """Where the task says all this, for messages."""

    @property
    def expects_header(self) -> bool:
        return self.present and self.version is not None


@dataclass(frozen=True)
class Request:
    """What the task asks for, in Postfix's own form."""

    parameters: Values = field(default_factory=dict)
    services: Mapping[str, Values] = field(default_factory=dict)
    new_services: Mapping[str, Entry | None] = field(default_factory=dict)
    listeners: tuple[Listener, ...] = ()

    @property
    def with_header(self) -> list[Listener]:
        """The listeners that are to expect one."""
        return [listener for listener in self.listeners if listener.expects_header]

    @property
    def without_header(self) -> list[Listener]:
        """The others: those that serve without one, and those that go."""
        return [listener for listener in self.listeners if not listener.expects_header]


@dataclass(frozen=True)
class Change:
    """One difference that a plan makes.

    ``parameter`` is None where a whole entry comes or goes, and MODE for the permissions of a file.
    """

    file: str
    service: str | None
    parameter: str | None
    before: str | None
    after: str | None

    @property
    def place(self) -> str:
        owner = self.file if self.parameter == MODE else self.service
        return "/".join(part for part in (owner, self.parameter) if part)


def printable(value: Any) -> Any:
    """A result without the bytes of the files that are no UTF-8, for Ansible takes none: they become ``\\xe9``."""
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    if isinstance(value, list):
        return [printable(item) for item in value]
    if isinstance(value, dict):
        return {printable(key): printable(item) for key, item in value.items()}
    return value


def parse_settings(
    main: str,
    master: str,
    overrides: str,
    expanded: str,
    effective: str,
    warnings: str,
    directory: str,
    unused: Mapping[str, str],
) -> Settings:
    """Settings from the output of ``postconf`` -n, -M, -P, -Px and -x NAMES, and what it wrote to stderr.

    :param unused: what main.cf holds, for the parameters that "postconf -n" leaves out. Its warnings about them show
        other bytes than ASCII as question marks.
    """
    nothing_reads = {(match["file"], match["name"]) for match in _UNUSED.finditer(warnings)}
    parameters = dict(_assignments(main))
    parameters.update({name: unused.get(name, "") for file, name in nothing_reads if file == MAIN})
    # "postconf -n" always shows where it was told to look.
    if parameters.get("config_directory") == directory:
        del parameters["config_directory"]
    return Settings(
        parameters=parameters,
        entries=_parse_entries(master, overrides),
        expanded={split_override(name): value for name, value in _assignments(expanded)},
        effective=dict(_assignments(effective)),
        unused=tuple(sorted(nothing_reads)),
        undefined=tuple(sorted({match["name"] for match in _UNDEFINED.finditer(warnings)})),
        duplicates=_duplicates(master),
    )


def _assignments(output: str) -> Iterable[tuple[str, str]]:
    for line in output.split("\n"):
        name, equals, value = line.partition("=")
        if equals:
            yield name.strip(BLANKS), value.strip(BLANKS)


def split_override(name: str) -> tuple[str, str]:
    service, _slash, parameter = name.rpartition("/")
    return service, parameter


def _parse_entries(master: str, overrides: str) -> dict[str, Entry]:
    by_service: dict[str, dict[str, str]] = {}
    for name, value in _assignments(overrides):
        service, parameter = split_override(name)
        by_service.setdefault(service, {})[parameter] = value
    entries: dict[str, Entry] = {}
    for line in master.split("\n"):
        fields = words(line)
        if len(fields) < 8:
            continue
        name, kind, private, unpriv, chroot, wakeup, maxproc, command, *rest = fields
        in_order, others = split_options(rest)
        service = f"{name}/{kind}"
        values = by_service.get(service, {})
        ordered = {name: values[name] for name in sorted(values, key=[*in_order, *values].index)}
        entries.pop(service, None)  # of two entries the last counts
        arguments = " ".join(others)
        entries[service] = Entry(service, private, unpriv, chroot, wakeup, maxproc, command, arguments, ordered)
    return entries


def _duplicates(master: str) -> tuple[str, ...]:
    names = ["/".join(words(line)[:2]) for line in master.split("\n") if len(words(line)) >= 8]
    return tuple(sorted({name for name in names if names.count(name) > 1}))


def words(text: str, separators: str = " \t\r\n") -> list[str]:
    """Split at blanks, except within braces, as master(5) and postconf do."""
    found: list[str] = []
    word, depth = "", 0
    for character in text:
        if character in separators and depth == 0:
            found += [word] if word else []
            word = ""
            continue
        word += character
        if character == "{":
            depth += 1
        elif character == "}" and depth:
            depth -= 1
    return found + ([word] if word else [])


def split_options(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """The names of the ``-o name=value`` among a command's arguments, and all other words.

    Options end at the first other word, as for getopt(3).
    """
    names: list[str] = []
    others: list[str] = []
    rest = list(arguments)
    while rest and rest[0].startswith("-") and rest[0] not in ("-", "--"):
        option = rest.pop(0)
        setting = rest.pop(0) if option == "-o" and rest else ""
        name, equals, _value = setting.lstrip("{").partition("=")
        if equals and words(name) == [name.strip(BLANKS)]:
            names.append(name.strip(BLANKS))
        else:
            others += [option, setting] if setting else [option]
    return names, others + rest


def is_proxied(settings: Settings, service: str) -> bool:
    entry = settings.entries.get(service)
    parameter = PROXY_PARAMETERS.get(entry.command) if entry else None
    return parameter is not None and settings.value(service, parameter) == "haproxy"


@dataclass(frozen=True)
class Endpoint:
    """Where a local client reaches one SMTP service of master.cf."""

    service: str
    address: str
    port: str
    """A number or a name of services(5)."""
    proxied: bool
    implicit_tls: bool
    starttls: bool = False
    """STARTTLS is to be offered."""


def endpoints(settings: Settings, addresses: Mapping[str, str] | None = None) -> list[Endpoint]:
    """Every inet service of smtpd and postscreen.

    :param addresses: where to speak to a service, by its name, instead of where it listens first.
    """
    return [
        _endpoint(settings, service, entry, (addresses or {}).get(service))
        for service, entry in settings.entries.items()
        if service.endswith("/inet") and entry.command in PROXY_PARAMETERS
    ]


def _endpoint(settings: Settings, service: str, entry: Entry, address: str | None) -> Endpoint:
    listens, port = _address(service, settings)
    # Postfix takes these words in any case.
    implicit_tls = entry.command == "smtpd" and settings.value(service, "smtpd_tls_wrappermode").lower() == "yes"
    level = settings.value(service, "smtpd_tls_security_level").lower()
    offers = entry.command == "smtpd" and level in ("may", "encrypt")
    return Endpoint(
        service,
        address or listens,
        port,
        proxied=is_proxied(settings, service),
        implicit_tls=implicit_tls,
        starttls=offers and not implicit_tls,
    )


def places(settings: Settings) -> dict[str, tuple[str, str]]:
    """Address and port of every inet service, whatever it runs: the master opens them all."""
    return {service: _address(service, settings) for service in settings.entries if service.endswith("/inet")}


def _address(service: str, settings: Settings) -> tuple[str, str]:
    name = service.rsplit("/", 1)[0]
    host, colon, port = name.rpartition(":")
    if colon and host:
        return host.strip("[]"), port
    interfaces = settings.effective.get("inet_interfaces", "").replace(",", " ").split()
    interface = interfaces[0] if interfaces else "all"
    if interface not in ("all", "loopback-only"):
        return interface.strip("[]"), port
    return ("::1" if settings.effective.get("inet_protocols") == "ipv6" else "127.0.0.1"), port


def starts_by_itself(settings: Settings, service: str) -> bool:
    """Whether the master starts a service without being asked: it wakes it up regularly, and at once at its start."""
    entry = settings.entries.get(service)
    return entry is not None and entry.wakeup.isdigit() and entry.wakeup != "0"
