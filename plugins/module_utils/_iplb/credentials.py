# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where endpoint and credentials come from: one whole set, of the strongest source. Private to the collection."""

from __future__ import annotations

import configparser
import os
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

CONCURRENCY_LIMIT = 20
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
    config = _read_config(config_files)
    endpoint = (
        options.get("endpoint") or environment.get("OVH_ENDPOINT") or config.get("default", "endpoint", fallback="")
    )
    if not endpoint:
        raise InvalidInput("endpoint is missing: set the option endpoint, OVH_ENDPOINT, or endpoint in ovh.conf")
    names = [name for form in AUTH_FORMS for name in form]
    sources = (
        ("the options", {name: options.get(name) for name in names}),
        ("the environment", {name: environment.get(f"OVH_{name.upper()}") for name in names}),
        ("ovh.conf", {name: config.get(endpoint, name, fallback=None) for name in names}),
    )
    timeout = Settings.timeout if options.get("timeout") is None else float(options["timeout"])
    if timeout <= 0:
        raise InvalidInput(f"timeout: {timeout:g} must be more than 0 seconds")
    retries = Settings.retries if options.get("retries") is None else int(options["retries"])
    if retries < 0:
        raise InvalidInput(f"retries: {retries} must be 0 or more")
    concurrency = Settings.concurrency if options.get("concurrency") is None else int(options["concurrency"])
    if not 1 <= concurrency <= CONCURRENCY_LIMIT:
        raise InvalidInput(f"concurrency: {concurrency} is out of range; use 1 to {CONCURRENCY_LIMIT} calls at once")
    bulk_reads = options.get("bulk_reads") or "auto"
    if bulk_reads not in BULK_READS:
        raise InvalidInput(f'bulk_reads: "{bulk_reads}" is not one of {", ".join(BULK_READS)}')
    return Settings(endpoint, _pick_credentials(sources), timeout, retries, concurrency, bulk_reads == "auto")


def _read_config(paths: t.Sequence[str]) -> configparser.RawConfigParser:
    config = configparser.RawConfigParser()
    try:
        config.read([os.path.expanduser(path) for path in paths])
    except (configparser.Error, UnicodeDecodeError) as error:
        raise InvalidInput(f"ovh.conf can not be read: {type(error).__name__}; correct or remove the file") from None
    return config


def _pick_credentials(sources: t.Sequence[tuple[str, dict[str, str | None]]]) -> dict[str, str]:
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
        "client_secret, or access_token, as options, as OVH_* environment variables, or in ovh.conf"
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
