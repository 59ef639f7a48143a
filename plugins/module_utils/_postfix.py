# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Postfix configuration says and what a task asks of it. Private to the collection.

Everything here is pure: text and values in, values out. The host (files, postconf, sockets) is in ``_postfix_host``.
A service is named as postconf names it, ``name/type`` (``smtp/inet``), and an override is an ``-o name=value`` of its
master.cf entry. In every mapping a value of ``None`` means "not there": absent before, or to be removed.
"""

from __future__ import annotations

import difflib
import hashlib
import ipaddress
import re
from collections.abc import Collection, Container, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Callable, Optional

MAIN = "main.cf"
MASTER = "master.cf"
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
# A port of its own that the listener got here: tells its lines in the log apart, and that it goes with the listener.
OWN_ENTRY = {"syslog_name": "postfix/balancer"}

# The one daemon that every Postfix runs all the time, and that every reload replaces.
QUEUE_MANAGER = "qmgr/unix"

# What the code below needs to know in expanded form ("postconf -x").
EFFECTIVE = (
    "daemon_directory",
    "inet_interfaces",
    "inet_protocols",
    "mail_version",
    "myhostname",
    "mynetworks",
    "postscreen_upstream_proxy_protocol",
    "queue_directory",
    "smtpd_forbid_unauth_pipelining",
    "smtpd_milters",
    "smtpd_recipient_restrictions",
    "smtpd_relay_restrictions",
    "smtpd_restriction_classes",
    "smtpd_service_name",
    "smtpd_tls_wrappermode",
    "smtpd_upstream_proxy_protocol",
    "syslog_name",
)

_PARAMETER_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]*")
_SERVICE_NAME = re.compile(r"[^\s*/=]+/(inet|unix|unix-dgram|fifo|pass)")
# "postconf: warning: /etc/postfix/main.cf: unused parameter: some_name=some value"
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
        return " ".join([*self._columns(), self.arguments]).strip()

    def definition(self) -> str:
        """The whole entry as ``postconf -Me`` takes it. Options come before a command's own arguments: pipe(8)."""
        options = [f"-o {{{name}={value}}}" for name, value in self.overrides.items()]
        return f"{self.service}=" + " ".join([*self._columns(), *options, self.arguments]).strip()

    def _columns(self) -> list[str]:
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

    def value(self, service: str, parameter: str) -> str:
        """What the program behind a service sees: its override, or else main.cf or the default."""
        return self.expanded.get((service, parameter), self.effective.get(parameter, ""))


@dataclass(frozen=True)
class Listener:
    """What the user wants of the service that the balancer speaks to."""

    service: str = "smtp/inet"
    enabled: bool = True
    trusted_clients: tuple[str, ...] | None = None
    """Networks that keep their permission by address. None: not said. Empty: nobody."""
    allow_address_permits: bool = False
    version: str = "v1"
    balancer_networks: tuple[str, ...] = ()
    """From where the load balancer speaks to this host."""
    balancer_ipv6: bool = False
    """The load balancer has an IPv6 address, so its headers may name IPv6 clients."""
    allow_cutover: bool = False
    """Clients that use the listener without a header today may be cut off."""


@dataclass(frozen=True)
class Request:
    """What the task asks for, in Postfix's own form."""

    parameters: Values = field(default_factory=dict)
    services: Mapping[str, Values] = field(default_factory=dict)
    new_services: Mapping[str, Entry | None] = field(default_factory=dict)
    listener: Listener | None = None


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


# What the task says -------------------------------------------------------------------------------------------------


def value_text(option: str, value: Any) -> str | None:
    """A value as Postfix writes it; ``option`` names it in the error.

    A list is joined with commas. A text of several lines becomes one, so a value never starts a line of its own.
    """
    if value is None:
        return None
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, list):
        return ", ".join(value_text(option, item) or "" for item in value)
    if isinstance(value, str):
        return re.sub(r"\s*[\r\n]\s*", " ", value.strip())
    raise PostfixError(f"{option} must be a text, a number, a boolean, a list of these, or null to remove it")


def read_mode(value: str | None) -> int | None:
    """Permissions from octal digits."""
    if value is None:
        return None
    mode = int(value, 8) if re.fullmatch(r"0?[0-7]{3}", value) else 0
    if mode & 0o600 != 0o600 or mode & 0o022:
        raise PostfixError(
            f"mode: {value!r} is not a mode for main.cf and master.cf. Write octal digits in quotes, such as '0644': "
            "only root may write these files"
        )
    return mode


def read_request(
    parameters: Mapping[str, Any] | None,
    services: Mapping[str, Any] | None,
    new_services: Mapping[str, Any] | None,
    listener: Listener | None = None,
) -> Request:
    """Check the shape of the task's options and write every value the way Postfix does."""
    request = Request(
        parameters=_values("parameters", parameters or {}),
        services={_service("services", name): _overrides("services", name, v) for name, v in (services or {}).items()},
        new_services={
            _service("new_services", name): _new_entry(name, value) for name, value in (new_services or {}).items()
        },
        listener=_checked_listener(listener),
    )
    both = sorted(set(request.services) & set(request.new_services))
    if both:
        raise PostfixError(f"{both[0]} is both in services and in new_services: write it in one of them")
    return request


def _values(option: str, values: Mapping[str, Any]) -> Values:
    for name in values:
        if not _PARAMETER_NAME.fullmatch(str(name)):
            raise PostfixError(f"{option}: {name!r} is not the name of a Postfix parameter")
    return {str(name): value_text(f"{option}.{name}", value) for name, value in values.items()}


def _service(option: str, name: Any) -> str:
    if not _SERVICE_NAME.fullmatch(str(name)):
        raise PostfixError(
            f"{option}: {name!r} is not a service of master.cf; write its name and its type, for example smtp/inet"
        )
    return str(name)


def _overrides(option: str, service: str, value: Any) -> Values:
    if not isinstance(value, dict):
        raise PostfixError(f"{option}.{service} must be a dictionary of parameters and values")
    return _values(f"{option}.{service}", value)


def _new_entry(service: str, value: Any) -> Entry | None:
    """An entry from ``{command: smtpd, chroot: true, maxproc: 10, parameters: {…}}``; null removes the entry."""
    if value is None:
        return None
    option = f"new_services.{service}"
    if not isinstance(value, dict) or not value.get("command"):
        raise PostfixError(f"{option} must be a dictionary with at least a command, or null to remove the entry")
    flags = {"private", "unpriv", "chroot"}
    counts = {"wakeup", "maxproc"}
    unknown = sorted(set(value) - flags - counts - {"command", "parameters"})
    if unknown:
        raise PostfixError(
            f"{option}: unknown field {unknown[0]!r}; there are private, unpriv, chroot, wakeup, maxproc, command, "
            "parameters"
        )
    columns = {name: _flag(f"{option}.{name}", value.get(name)) for name in flags}
    columns.update({name: _count(f"{option}.{name}", value.get(name)) for name in counts})
    if service.endswith("/inet"):
        if columns["private"] == "y":
            raise PostfixError(f"{option}.private must not be true: a network service can not be private")
        columns["private"] = "n"  # Postfix's default is "y", with which it would not start
    command, _space, arguments = str(value_text(f"{option}.command", value["command"])).partition(" ")
    overrides = _overrides(option, "parameters", value.get("parameters") or {})
    return Entry(
        service=service,
        command=command,
        arguments=arguments.strip(),
        overrides={name: text for name, text in overrides.items() if text is not None},
        **columns,
    )


def _flag(option: str, value: Any) -> str:
    texts = {None: "-", True: "y", False: "n", "y": "y", "n": "n", "-": "-"}
    if not isinstance(value, (bool, str, type(None))) or value not in texts:
        raise PostfixError(f"{option} must be true, false, or left out for Postfix's default")
    return texts[value]


def _count(option: str, value: Any) -> str:
    if value is None or value == "-":
        return "-"
    if isinstance(value, bool) or not re.fullmatch(r"\d+\??", str(value)):
        raise PostfixError(f"{option} must be a number of 0 or more, or left out for Postfix's default")
    return str(value)


def _checked_listener(listener: Listener | None) -> Listener | None:
    if listener is None:
        return None
    _service("proxy_listener.service", listener.service)
    for client in listener.trusted_clients or ():
        try:
            network = ipaddress.ip_network(client.replace("[", "").replace("]", ""))
        except ValueError as error:
            raise PostfixError(f"proxy_listener.trusted_clients: {error}; write addresses or networks") from error
        if network.is_loopback or network.prefixlen == 0:
            raise PostfixError(
                f"proxy_listener.trusted_clients: {client} would let everybody who can reach the port relay mail, for "
                "any client can claim such an address in a PROXY header; name the senders' own addresses"
            )
    return listener


# What postconf says --------------------------------------------------------------------------------------------------


def parse_settings(
    main: str, master: str, overrides: str, expanded: str, effective: str, warnings: str, directory: str
) -> Settings:
    """Settings from the output of ``postconf`` -n, -M, -P, -Px and -x NAMES, and what it wrote to stderr."""
    unused = {(match["file"], match["name"]): match["value"] for match in _UNUSED.finditer(warnings)}
    parameters = dict(_assignments(main))
    # "postconf -n" leaves unused parameters out, and always shows where it was told to look.
    parameters.update({name: value for (file, name), value in unused.items() if file == MAIN})
    if parameters.get("config_directory") == directory:
        del parameters["config_directory"]
    return Settings(
        parameters=parameters,
        entries=_parse_entries(master, overrides),
        expanded={_split_override(name): value for name, value in _assignments(expanded)},
        effective=dict(_assignments(effective)),
        unused=tuple(sorted(unused)),
        undefined=tuple(sorted({match["name"] for match in _UNDEFINED.finditer(warnings)})),
    )


def _assignments(output: str) -> Iterable[tuple[str, str]]:
    for line in output.splitlines():
        name, equals, value = line.partition("=")
        if equals:
            yield name.strip(), value.strip()


def _split_override(name: str) -> tuple[str, str]:
    service, _slash, parameter = name.rpartition("/")
    return service, parameter


def _parse_entries(master: str, overrides: str) -> dict[str, Entry]:
    by_service: dict[str, dict[str, str]] = {}
    for name, value in _assignments(overrides):
        service, parameter = _split_override(name)
        by_service.setdefault(service, {})[parameter] = value
    entries = {}
    for line in master.splitlines():
        if len(line.split(None, 7)) < 8:
            continue
        name, kind, private, unpriv, chroot, wakeup, maxproc, command_line = line.split(None, 7)
        command, *words = _words(command_line)
        arguments = " ".join(_without_options(words))
        service = f"{name}/{kind}"
        overrides_here = by_service.get(service, {})
        entries[service] = Entry(service, private, unpriv, chroot, wakeup, maxproc, command, arguments, overrides_here)
    return entries


def _words(text: str) -> list[str]:
    """Split at blanks, except within braces."""
    words: list[str] = []
    depth = 0
    for piece in text.split():
        if depth:
            words[-1] += f" {piece}"
        else:
            words.append(piece)
        depth += piece.count("{") - piece.count("}")
    return words


def _without_options(words: list[str]) -> list[str]:
    options = {place for place, word in enumerate(words) if word == "-o"}
    return [word for place, word in enumerate(words) if place not in options and place - 1 not in options]


# The plan ------------------------------------------------------------------------------------------------------------


def plan_changes(before: Settings, request: Request) -> list[Change]:
    """Everything the request changes, in the order main.cf, services, new services.

    Raises PostfixError for a service that master.cf does not have.
    """
    changes = _value_changes(MAIN, None, before.parameters, request.parameters)
    for service, values in request.services.items():
        if service not in before.entries:
            raise PostfixError(
                f"services: master.cf has no entry {service}{_suggestion(service, before.entries)}; "
                "add a whole entry with new_services"
            )
        changes += _value_changes(MASTER, service, before.entries[service].overrides, values)
    for service, entry in request.new_services.items():
        changes += _entry_changes(service, before.entries.get(service), entry)
    return changes


def plan_from_nothing(request: Request) -> list[Change]:
    """The changes for a host without Postfix: what a fresh installation would be given."""
    listener = request.listener
    if listener and listener.enabled:
        entries = {listener.service: Entry(listener.service, command="smtpd")}
        request = with_listener(Settings(entries=entries), request, lambda _address: True)
    services = {name: Entry(name) for name in request.services}
    return plan_changes(Settings(entries=services), request)


def _value_changes(file: str, service: str | None, before: Mapping[str, str], wanted: Values) -> list[Change]:
    return [
        Change(file, service, name, before.get(name), value)
        for name, value in wanted.items()
        if _one_space(before.get(name)) != _one_space(value)
    ]


def _one_space(value: str | None) -> str | None:
    """Postfix does not care how a value is folded or spaced, so a difference in that is none."""
    return None if value is None else " ".join(value.split())


def _entry_changes(service: str, before: Entry | None, wanted: Entry | None) -> list[Change]:
    old_line = before.line() if before else None
    new_line = wanted.line() if wanted else None
    changes = [Change(MASTER, service, None, old_line, new_line)] if old_line != new_line else []
    old = before.overrides if before else {}
    new = wanted.overrides if wanted else {}
    return changes + _value_changes(MASTER, service, old, {name: new.get(name) for name in {**old, **new}})


def _suggestion(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.8)
    return f" (did you mean {close[0]}?)" if close else ""


def edits(before: Settings, request: Request, changes: list[Change], late: list[str]) -> list[list[str]]:
    """The ``postconf`` calls (arguments) that carry out the changes on a copy, without the removals of ``late``."""
    whole = set(request.new_services)
    in_main = {change.place: change.after for change in changes if change.file == MAIN}
    in_services = {change.place: change.after for change in changes if change.service and change.service not in whole}
    # "postconf -Pe does not accept whitespace in parameter value": such an override is written with its whole entry.
    spaced = {place for place, value in in_services.items() if value and re.search(r"\s", value)}
    calls = [
        ["-e", *(f"{name}={value}" for name, value in in_main.items() if value is not None)],
        ["-X", *(name for name, value in in_main.items() if value is None and name not in late)],
        ["-PX", *(place for place, value in in_services.items() if value is None)],
        ["-Pe", *(f"{p}={value}" for p, value in in_services.items() if value is not None and p not in spaced)],
    ]
    for service in sorted({_split_override(place)[0] for place in spaced}):
        calls.append(["-Me", _with_overrides(before.entries[service], request.services[service]).definition()])
    for service in sorted({change.service for change in changes if change.service in whole}):
        wanted = request.new_services[service]
        calls.append(["-Me", wanted.definition()] if wanted else ["-MX", service])
    return [call for call in calls if len(call) > 1]


def _with_overrides(entry: Entry, changes: Values) -> Entry:
    """The entry with these overrides set, and without those that are None."""
    overrides = {**entry.overrides, **changes}
    return replace(entry, overrides={name: value for name, value in overrides.items() if value is not None})


def removed_last(before: Settings, changes: list[Change]) -> list[str]:
    """The names to take out of main.cf only when the new master.cf is live.

    smtpd reads main.cf whenever a process starts, and master.cf only tells it so after a reload: while the old entry
    still says ``$some_name`` the old definition has to stay. Nothing reads such a name afterwards.
    """
    used = {name for entry in before.entries.values() for name in _references(entry.overrides.values())}
    return [c.place for c in changes if c.file == MAIN and c.after is None and c.place in used]


def _references(values: Iterable[str]) -> set[str]:
    return {name for value in values for name in re.findall(r"\$[({]?([A-Za-z_][A-Za-z0-9_.:-]*)", value)}


# The balancer-facing listener ----------------------------------------------------------------------------------------


def with_listener(
    before: Settings,
    request: Request,
    is_own_address: Callable[[str], bool],
    replaced: Mapping[str, Values] | None = None,
) -> Request:
    """The request plus what its ``listener`` comes down to on this host.

    :param replaced: what ``replaced_overrides`` told when the listener came, to be put back when it goes.
    """
    listener = request.listener
    if listener is None:
        return request
    if not listener.enabled:
        return _without_listener(before, request, listener, replaced or {})
    request = _with_own_entry(before, request, listener)
    entry = _listener_entry(before, request, listener)
    if entry is None:
        raise PostfixError(
            f"proxy_listener.service: master.cf has no entry {listener.service}"
            f"{_suggestion(listener.service, before.entries)}; add it with new_services"
        )
    if entry.command not in PROXY_PARAMETERS:
        raise PostfixError(
            f"proxy_listener.service: {listener.service} runs {entry.command}; only smtpd and postscreen understand "
            "the PROXY protocol"
        )
    services = _listener_services(before, entry, listener)
    _refuse_version(before.effective.get("mail_version", ""), listener.version)
    missing = sorted(set(services) - set(before.entries) - set(request.new_services))
    if missing:
        raise PostfixError(f"{listener.service} runs postscreen, and master.cf has no entry {missing[0]} for it")
    # Nobody uses a port that is new, and a guard that stands admits nobody but whom somebody let in by hand.
    asks = listener.service in before.entries and not _is_guarded(before, services)
    if listener.trusted_clients is None and asks:
        _refuse_cut_off(before, sorted(services), is_own_address)
    return _merge(request, {GUIDE_PARAMETER: "haproxy"}, services)


def _listener_entry(before: Settings, request: Request, listener: Listener) -> Entry | None:
    return before.entries.get(listener.service) or request.new_services.get(listener.service)


def _with_own_entry(before: Settings, request: Request, listener: Listener) -> Request:
    """Add the listener's entry where it is a port number that master.cf does not have: port 25, and a header."""
    if _listener_entry(before, request, listener) or not re.fullmatch(r"(.+:)?\d+/inet", listener.service):
        return request
    smtp = before.entries.get("smtp/inet", Entry("smtp/inet", command="smtpd"))
    model = smtp if smtp.command == "smtpd" else before.entries.get("smtpd/pass", smtp)
    settings = {**model.overrides, **OWN_ENTRY, **request.services.get(listener.service, {})}
    proxied = {PROXY_PARAMETERS["smtpd"], "mynetworks", *GUARDED_HOST_LISTS}
    own = Entry(
        service=listener.service,
        private="n",
        unpriv=model.unpriv,
        chroot=model.chroot,
        maxproc=model.maxproc,
        command="smtpd",
        overrides={name: value for name, value in settings.items() if value is not None and name not in proxied},
    )
    return _as_whole_entry(request, listener.service, own)


def _as_whole_entry(request: Request, service: str, entry: Entry | None) -> Request:
    """The request with a whole entry, or its removal, in place of single overrides of that service."""
    services = {name: values for name, values in request.services.items() if name != service}
    return replace(request, services=services, new_services={**request.new_services, service: entry})


def _without_listener(
    before: Settings, request: Request, listener: Listener, replaced: Mapping[str, Values]
) -> Request:
    """Take back what the listener got: all of an entry that exists for it alone, or else its share of the entry."""
    entry = before.entries.get(listener.service)
    is_own = entry is not None and OWN_ENTRY.items() <= entry.overrides.items()
    if is_own or entry is None or listener.service in request.new_services:
        request = replace(request, parameters={**request.parameters, **_guides_line(before, {listener.service})})
        return _as_whole_entry(request, listener.service, None)
    if entry.command not in PROXY_PARAMETERS:
        return request
    return _merge(request, *_without_proxy(before, _listener_services(before, entry, listener), replaced))


def replaced_overrides(before: Settings, request: Request, known: Mapping[str, Values]) -> dict[str, Values]:
    """The overrides, by service, that stood where a listener has put, or is about to put, its own."""
    listener = request.listener
    if listener is None:
        return dict(known)
    entry = before.entries.get(listener.service)
    if entry is None or entry.command not in PROXY_PARAMETERS:
        return dict(known)
    services = _listener_services(before, entry, listener)
    others = {name: values for name, values in known.items() if name not in services}
    if not listener.enabled:
        return others
    if _is_marked(before, services):
        return dict(known)
    found: dict[str, Values] = {
        name: {key: value for key, value in _overrides_of(before, name).items() if key in values}
        for name, values in services.items()
    }
    return {**others, **{name: values for name, values in found.items() if values}}


def _refuse_version(mail_version: str, version: str) -> None:
    """Postfix release notes: v1 since 2.10, v2 since 3.5."""
    numbers = [int(number) for number in re.findall(r"\d+", mail_version)[:2]]
    if version != "v1" and numbers and numbers < [3, 5]:
        raise PostfixError(
            f"proxy_listener.proxy_protocol_version: Postfix {mail_version} does not understand {version}, which needs "
            "Postfix 3.5; let the load balancer send v1"
        )


def _listener_services(before: Settings, entry: Entry, listener: Listener) -> dict[str, Values]:
    """The overrides of every entry that a connection to the listener goes through.

    Behind postscreen, smtpd decides who may relay (so the guard goes there) and must not look for a header itself.
    """
    networks = ", ".join(listener.trusted_clients or ())
    guard: Values = {"mynetworks": networks, **dict.fromkeys(GUARDED_HOST_LISTS, "")}
    proxy: Values = {PROXY_PARAMETERS[entry.command]: GUIDE_REFERENCE}
    if entry.command == "smtpd":
        return {listener.service: {**proxy, **guard}}
    behind = before.value(listener.service, "smtpd_service_name") or "smtpd"
    # postscreen_access_list: the clients of mynetworks skip postscreen's tests, and gain nothing else by it. The load
    # balancer's probes must skip them, for they do not wait.
    skipping = ", ".join((*(listener.trusted_clients or ()), *listener.balancer_networks))
    return {listener.service: {**proxy, "mynetworks": skipping}, f"{behind}/pass": guard}


def _is_guarded(before: Settings, services: Collection[str]) -> bool:
    """Whether a listener of this collection is here, with its guard."""
    guarded = any(_overrides_of(before, name).keys() & set(GUARDED_HOST_LISTS) for name in services)
    return guarded and _is_marked(before, services)


def _is_marked(before: Settings, services: Iterable[str]) -> bool:
    """Whether a listener of this collection is here: the reference to the guide's line is the mark of it."""
    return any(GUIDE_REFERENCE in _overrides_of(before, name).values() for name in services)


def _without_proxy(
    before: Settings, services: dict[str, Values], replaced: Mapping[str, Values]
) -> tuple[Values, dict[str, Values]]:
    """Take back what ``_listener_services`` gave, where it did."""
    found = services if _is_marked(before, services) else {}
    removed = {name: {**dict.fromkeys(values), **replaced.get(name, {})} for name, values in found.items()}
    return _guides_line(before, removed), removed


def _guides_line(before: Settings, left: Container[str]) -> Values:
    """Remove the guide's line, unless a service other than those that are ``left`` uses it."""
    others = [entry for name, entry in before.entries.items() if name not in left]
    still_used = GUIDE_PARAMETER in _references(value for entry in others for value in entry.overrides.values())
    return {} if still_used else {GUIDE_PARAMETER: None}


def _overrides_of(before: Settings, service: str) -> Mapping[str, str]:
    return before.entries[service].overrides if service in before.entries else {}


def _merge(request: Request, parameters: Values, services: Mapping[str, Values]) -> Request:
    """Add what the listener implies; a new entry takes its overrides into itself."""
    _refuse_conflict("parameters", request.parameters, parameters)
    merged = dict(request.services)
    entries = dict(request.new_services)
    for name, values in services.items():
        entry = entries.get(name)
        if entry is None:
            _refuse_conflict(f"services.{name}", merged.get(name, {}), values)
            merged[name] = {**merged.get(name, {}), **values}
        else:
            _refuse_conflict(f"new_services.{name}.parameters", entry.overrides, values)
            entries[name] = _with_overrides(entry, values)
    parameters = {**request.parameters, **parameters}
    return replace(request, parameters=parameters, services=merged, new_services=entries)


def _refuse_conflict(option: str, written: Mapping[str, str | None], implied: Values) -> None:
    for name in written:
        if name in implied and written[name] != implied[name]:
            raise PostfixError(f"{option}.{name} contradicts proxy_listener, which sets it to {implied[name]!r}")


def _refuse_cut_off(before: Settings, services: list[str], is_own_address: Callable[[str], bool]) -> None:
    for service in services:
        wide = wide_networks(before.value(service, "mynetworks"), is_own_address)
        if wide:
            raise PostfixError(
                f"{service} lets senders of mynetworks relay by their address today ({', '.join(wide)}); behind the "
                "load balancer an address is only a claim. Say what is meant with proxy_listener.trusted_clients "
                "(role: postfix_backend_trusted_clients): [] when nobody needs it any more, or the addresses that keep "
                "the permission while a firewall admits only the load balancer"
            )


def wide_networks(mynetworks: str, is_own_address: Callable[[str], bool]) -> list[str]:
    """The members of mynetworks that are neither loopback nor this host itself. What can not be judged counts."""
    members = [member for member in re.split(r"[,\s]+", mynetworks) if member and not member.startswith("!")]
    return [member for member in members if not _is_local(member, is_own_address)]


def _is_local(member: str, is_own_address: Callable[[str], bool]) -> bool:
    try:
        network = ipaddress.ip_network(member.replace("[", "").replace("]", ""), strict=False)
    except ValueError:
        return False
    mapped = ipaddress.ip_network("::ffff:127.0.0.0/104")
    if network.is_loopback or (network.version == 6 and network.subnet_of(mapped)):  # type: ignore[arg-type]
        return True
    return network.num_addresses == 1 and is_own_address(str(network.network_address))


def address_permits(after: Settings, service: str) -> list[str]:
    """What grants relaying by client address on a service in spite of an empty mynetworks.

    A message must pass smtpd_relay_restrictions and smtpd_recipient_restrictions, so the first that is not empty
    decides what relays. After *_unauth_destination only mail for this host's own domains is left to permit.
    The other client lookups are harmless: Postfix ignores their OK ("for safety reasons", postconf(5)).
    """
    for parameter in ("smtpd_relay_restrictions", "smtpd_recipient_restrictions"):
        words = _restrictions(after, after.value(service, parameter))
        if words:
            return [f"{word} in {parameter}" for word in _permits(words)]
    return []


def _restrictions(after: Settings, value: str, depth: int = 0) -> list[str]:
    """The words of a restriction list, with restriction classes replaced by what they stand for."""
    classes = set(after.effective.get("smtpd_restriction_classes", "").replace(",", " ").split())
    words: list[str] = []
    for word in re.findall(r"[^\s,{}]+", value):
        if word in classes and depth < 10:
            words += _restrictions(after, after.parameters.get(word, ""), depth + 1)
        else:
            words.append(word)
    return words


def _permits(words: list[str]) -> list[str]:
    found = []
    for word in words:
        if word in ("reject_unauth_destination", "defer_unauth_destination", "reject", "defer"):
            break
        if word in ("permit_inet_interfaces", "check_client_access"):
            found.append(word)
    return found


# Judging the result --------------------------------------------------------------------------------------------------


def refuse_unsound(after: Settings, request: Request, known: Iterable[str]) -> None:
    """Raise for what the edited copy shows to be wrong with the request. ``known``: every name Postfix knows."""
    _refuse_unused(after, request, known)
    _refuse_undefined(after, request)
    _refuse_misplaced(after, request)
    _refuse_protocol(after, request)
    if request.listener and request.listener.enabled:
        _refuse_unguarded(after, request.listener)


@dataclass(frozen=True)
class _Setting:
    """One parameter that the request sets."""

    option: str
    service: str | None
    name: str
    value: str


def _requested(request: Request) -> Iterable[_Setting]:
    for name, value in request.parameters.items():
        if value is not None:
            yield _Setting(f"parameters.{name}", None, name, value)
    for service, values in request.services.items():
        for name, value in values.items():
            if value is not None:
                yield _Setting(f"services.{service}.{name}", service, name, value)
    for service, entry in request.new_services.items():
        for name, text in (entry.overrides if entry else {}).items():
            yield _Setting(f"new_services.{service}.parameters.{name}", service, name, text)


def _refuse_unused(after: Settings, request: Request, known: Iterable[str]) -> None:
    for setting in _requested(request):
        if (MASTER if setting.service else MAIN, setting.name) not in after.unused:
            continue
        hint = _suggestion(setting.name, set(known) - {name for _file, name in after.unused})
        if setting.name == GUIDE_PARAMETER:
            hint = (
                f"; set it together with the entry that uses it, services: {{smtp/inet: "
                f"{{smtpd_upstream_proxy_protocol: {GUIDE_REFERENCE}}}}}, or with proxy_listener"
            )
        raise PostfixError(f"{setting.option}: Postfix has no such parameter and nothing refers to it{hint}")


def _refuse_undefined(after: Settings, request: Request) -> None:
    for setting in _requested(request):
        undefined = sorted(_references([setting.value]) & set(after.undefined))
        if undefined:
            raise PostfixError(
                f"{setting.option}: nothing defines ${undefined[0]}{_suggestion(undefined[0], after.parameters)}; "
                "set it with parameters"
            )


def _refuse_misplaced(after: Settings, request: Request) -> None:
    """The parameter of one daemon on the entry of another does nothing, and looks as if it did."""
    readers = {parameter: command for command, parameter in PROXY_PARAMETERS.items()}
    for setting in _requested(request):
        reader = readers.get(setting.name)
        entry = after.entries.get(setting.service or "")
        if entry is None or reader is None or not setting.value:
            continue
        if entry.command != reader:
            raise PostfixError(f"{setting.option} is read by {reader}, but {entry.service} runs {entry.command}")
        if entry.service.endswith("/pass"):
            raise PostfixError(f"{setting.option}: behind postscreen the PROXY header is postscreen's to read")


def _refuse_protocol(after: Settings, request: Request) -> None:
    """``postfix check`` accepts any value here; smtpd and postscreen then die at once."""
    options = {(setting.service, setting.name): setting.option for setting in _requested(request)}
    for service, entry in after.entries.items():
        parameter = PROXY_PARAMETERS.get(entry.command)
        value = after.value(service, parameter) if parameter else ""
        if parameter and value not in ("", "haproxy"):
            own, general = options.get((service, parameter)), options.get((None, parameter))
            raise PostfixError(
                f"{own or general or parameter}: {service} can not start with {value!r}; write haproxy, or an empty "
                "text for no PROXY header"
            )


def _refuse_unguarded(after: Settings, listener: Listener) -> None:
    if not is_proxied(after, listener.service):
        raise PostfixError(
            f"proxy_listener: {listener.service} would not expect a PROXY header; remove {GUIDE_PARAMETER} and "
            "the *_upstream_proxy_protocol parameters from parameters and services"
        )
    if listener.allow_address_permits:
        return
    entry = after.entries[listener.service]
    for service in _listener_services(after, entry, listener):
        permits = address_permits(after, service) if after.entries[service].command == "smtpd" else []
        if permits:
            raise PostfixError(
                f"{service} would relay for a forged client address: {'; '.join(permits)}. Move it behind "
                "reject_unauth_destination, or accept it with proxy_listener.allow_address_permits"
            )


def is_proxied(settings: Settings, service: str) -> bool:
    entry = settings.entries.get(service)
    parameter = PROXY_PARAMETERS.get(entry.command) if entry else None
    return parameter is not None and settings.value(service, parameter) == "haproxy"


# Listeners -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Endpoint:
    """Where a local client reaches one SMTP service of master.cf."""

    service: str
    address: str
    port: str
    """A number or a name of services(5)."""
    proxied: bool
    implicit_tls: bool


def endpoints(settings: Settings) -> list[Endpoint]:
    """Every inet service of smtpd and postscreen."""
    return [
        Endpoint(
            service,
            *_address(service, settings),
            proxied=is_proxied(settings, service),
            implicit_tls=settings.value(service, "smtpd_tls_wrappermode") == "yes",
        )
        for service, entry in settings.entries.items()
        if service.endswith("/inet") and entry.command in PROXY_PARAMETERS
    ]


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


# Live or not ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Stamp:
    """Which files a running master has: identities that change whenever a file does, or another master starts."""

    master: tuple[int, int]
    """Process id, and time (ns) of the pid file that the master wrote when it started."""
    files: tuple[tuple[int, int], ...]
    """(inode, change time in ns) of main.cf and master.cf."""
    digests: tuple[str, ...]
    """What the files say, by ``meaning_digest``."""
    queue_manager: tuple[int, int] | None = None
    """Process id and start (clock ticks after boot), or None where it does not run or can not be seen."""
    queue_manager_since: int = field(default=0, compare=False)
    """Its start as a time of files (ns); only as good as the clock, and so nothing to compare."""


def meaning_digest(text: str) -> str:
    """The same for all texts of main.cf or master.cf that differ in comments and blank lines only: postconf(5)."""
    lines = [line.rstrip() for line in text.splitlines()]
    said = "\n".join(line for line in lines if line and not line.lstrip().startswith("#"))
    return hashlib.sha256(said.encode("utf-8", "surrogateescape")).hexdigest()


def is_live(now: Stamp, applied: Stamp | None) -> bool:
    """Whether the running master has read what the files say.

    It has when it started after their last change, and when this collection reloaded it with exactly these. It has
    too when they say the same as then, and no reload can have shown it anything else between: every reload starts
    another queue manager.
    """
    last_change = max(changed for _inode, changed in now.files)
    if last_change < now.master[1]:
        return True
    if applied is None or now.master != applied.master:
        return False
    if now.files == applied.files:
        return True
    if now.queue_manager is None or now.digests != applied.digests:
        return False
    return now.queue_manager == applied.queue_manager or last_change < now.queue_manager_since
