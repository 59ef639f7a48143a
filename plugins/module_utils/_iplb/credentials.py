# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where endpoint and credentials come from: one whole set, of the strongest source. Private to the collection."""

from __future__ import annotations

import configparser
import math
import os
import re
import typing as t
from dataclasses import dataclass, field

from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.errors import InvalidInput

# Authentication forms, each complete by itself (python-ovh README; access_token as in Terraform's provider).
AUTH_FORMS: tuple[tuple[str, ...], ...] = (
    ("application_key", "application_secret", "consumer_key"),
    ("client_id", "client_secret"),
    ("access_token",),
)
# Strongest last, the order in which configparser reads them (python-ovh config.py).
CONFIG_FILES = ("/etc/ovh.conf", "~/.ovh.conf", "./ovh.conf")

_PLAIN = re.compile(r"[!-~]+")
COUNTED_BY = ("consumer_key", "client_id", "access_token")
CONCURRENCY_LIMIT = 20
TIMEOUT_LIMIT = 86400
SLOWEST_PACE = 1 / 60  # calls a minute
BULK_READS = ("auto", "never")


@dataclass(frozen=True)
class Settings:
    """How to reach the API. ``credentials`` is exactly one of AUTH_FORMS; it is kept out of repr."""

    endpoint: str
    credentials: dict[str, str] = field(repr=False)
    timeout: float = 60.0
    retries: int = 5
    concurrency: int = 10
    bulk_reads: bool = True
    calls_per_minute: float = 0.0
    """0: no pace is kept."""

    @property
    def counted_by(self) -> str:
        """What OVHcloud counts calls by."""
        return next(self.credentials[name] for name in COUNTED_BY if name in self.credentials)


def find_settings(
    options: dict[str, t.Any],
    environment: t.Mapping[str, str] | None = None,
    config_files: t.Sequence[str] = CONFIG_FILES,
) -> Settings:
    """Settings from module options, ``OVH_*`` environment and ovh.conf, strongest first.

    The endpoint and the credentials are looked up apart. Keys of one source are never mixed with a client id of
    another.

    :raises InvalidInput: without endpoint or credentials, with half a set, with two sets in one source, or with limits
        that make no sense.
    """
    environment = os.environ if environment is None else environment
    files = _read_config(config_files)
    endpoint = clean(
        "endpoint", options.get("endpoint") or environment.get("OVH_ENDPOINT") or files.get("default", "endpoint") or ""
    )
    if not endpoint:
        raise InvalidInput("endpoint is missing: set the option endpoint, OVH_ENDPOINT, or endpoint in ovh.conf")
    names = [name for form in AUTH_FORMS for name in form]
    sources = (
        ("the options", {name: _cleaned(name, options.get(name)) for name in names}),
        ("the environment", {name: _from_environment(name, environment) for name in names}),
        ("ovh.conf", {name: _cleaned(f"{name} in ovh.conf", files.get(endpoint, name)) for name in names}),
    )
    timeout = Settings.timeout if options.get("timeout") is None else float(options["timeout"])
    if not 0 < timeout <= TIMEOUT_LIMIT:
        raise InvalidInput(f"timeout: {timeout:g} must be more than 0 seconds, and {TIMEOUT_LIMIT} (a day) at most")
    retries = Settings.retries if options.get("retries") is None else int(options["retries"])
    if retries < 0:
        raise InvalidInput(f"retries: {retries} must be 0 or more")
    concurrency = Settings.concurrency if options.get("concurrency") is None else int(options["concurrency"])
    if not 1 <= concurrency <= CONCURRENCY_LIMIT:
        raise InvalidInput(f"concurrency: {concurrency} is out of range; use 1 to {CONCURRENCY_LIMIT} calls at once")
    bulk_reads = options.get("bulk_reads") or "auto"
    if bulk_reads not in BULK_READS:
        raise InvalidInput(f'bulk_reads: "{bulk_reads}" is not one of {", ".join(BULK_READS)}')
    calls_per_minute = float(options.get("calls_per_minute") or 0)
    if not 0 <= calls_per_minute < math.inf:
        raise InvalidInput(f"calls_per_minute: {calls_per_minute:g} must be more than 0, or left out for no limit")
    if 0 < calls_per_minute < SLOWEST_PACE:
        raise InvalidInput(
            f"calls_per_minute: {calls_per_minute:g} is less than a call in an hour; OVHcloud advises to stay below 60"
        )
    credentials = _pick_credentials(sources, files.missing_section(endpoint))
    return Settings(endpoint, credentials, timeout, retries, concurrency, bulk_reads == "auto", calls_per_minute)


def clean(name: str, value: str) -> str:
    """A setting without the blanks around it, such as the line break of a file or of a YAML block.

    :raises InvalidInput: naming the setting, never its value, when a character is left that no such setting has.
    """
    text = str(value).strip()
    if text and not _PLAIN.fullmatch(text):
        raise InvalidInput(
            f"{name} holds a line break, a blank or another character that it can not have; give it as one plain word"
        )
    return text


def _cleaned(name: str, value: t.Any) -> str | None:
    return None if value is None else clean(name, value) or None


def _from_environment(name: str, environment: t.Mapping[str, str]) -> str | None:
    variable = f"OVH_{name.upper()}"
    return _cleaned(variable, environment.get(variable))


class _Files:
    """What the configuration files say together, and which there are."""

    def __init__(self, config: configparser.RawConfigParser, paths: list[str]) -> None:
        self._config = config
        self._paths = paths

    def get(self, section: str, name: str) -> str | None:
        return self._config.get(section, name, fallback=None)

    def missing_section(self, section: str) -> str:
        """A hint where there are files and none of them knows the endpoint; else empty."""
        if not self._paths or self._config.has_section(section):
            return ""
        return f"; {', '.join(self._paths)} has no section [{section}]"


def _read_config(paths: t.Sequence[str]) -> _Files:
    config = configparser.RawConfigParser()
    try:
        found = config.read([place for path in paths for place in _places(path)])
    except (configparser.Error, UnicodeDecodeError) as error:
        raise InvalidInput(f"ovh.conf can not be read: {type(error).__name__}; correct or remove the file") from None
    return _Files(config, found)


def _places(path: str) -> list[str]:
    """Where a configuration file may be, strongest last.

    A module's working directory is that of the playbook, which may be within a collection: where Ansible itself was
    started counts too, and more.
    """
    if not path.startswith("./"):
        return [os.path.expanduser(path)]
    started = started_in()
    return [path, *([os.path.join(started, path[2:])] if started else [])]


def started_in(process: int | None = None) -> str | None:
    """The working directory of the Ansible that this process belongs to; None where that can not be told."""
    number = os.getppid() if process is None else process
    for _generation in range(8):
        try:
            with open(f"/proc/{number}/cmdline", "rb") as file:
                words = file.read().split(b"\0")
            with open(f"/proc/{number}/stat", encoding="utf-8", errors="replace") as file:
                parent = int(file.read().rpartition(")")[2].split()[1])
            if any(os.path.basename(word).startswith(b"ansible") for word in words[:2]):
                return os.readlink(f"/proc/{number}/cwd")
        except (OSError, ValueError, IndexError):
            return None
        number = parent
    return None


def _pick_credentials(sources: t.Sequence[tuple[str, dict[str, str | None]]], hint: str) -> dict[str, str]:
    """The credentials of the strongest source that has any.

    A weaker source may complete the form that a stronger one began, as in "keys in ovh.conf, consumer key in the
    environment"; it never brings in another form.
    """
    for index, (name, values) in enumerate(sources):
        begun = [form for form in AUTH_FORMS if any(values[key] for key in form)]
        if not begun:
            continue
        if len(begun) > 1:
            raise InvalidInput(
                f"more than one kind of credentials in {name}: {'; '.join(', '.join(form) for form in begun)}; keep one"
            )
        return _complete(begun[0], [source[1] for source in sources[index:]])
    raise InvalidInput(
        "credentials are missing: give application_key, application_secret and consumer_key, or client_id and "
        f"client_secret, or access_token, as options, as OVH_* environment variables, or in ovh.conf{hint}"
    )


def _complete(form: tuple[str, ...], sources: list[dict[str, str | None]]) -> dict[str, str]:
    found = {key: next((values[key] for values in sources if values[key]), None) for key in form}
    missing = [key for key, value in found.items() if not value]
    if missing:
        given = [key for key in found if key not in missing]
        raise InvalidInput(
            f"credentials are incomplete: {', '.join(missing)} missing beside {', '.join(given)}; give the rest as "
            "options, as OVH_* environment variables, or in ovh.conf"
        )
    return {key: value for key, value in found.items() if value}
