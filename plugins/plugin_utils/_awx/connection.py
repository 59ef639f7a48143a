# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The connection to AWX where no module of awx.awx makes it. Private to this collection."""

from __future__ import annotations

import base64
import typing as t

from ansible.module_utils.parsing.convert_bool import boolean

# Options of the awx.awx modules, and what the lookup awx.awx.controller_api calls them.
LOOKUP = {
    "controller_host": "host",
    "controller_username": "username",
    "controller_password": "password",
    "controller_oauthtoken": "oauth_token",
    "validate_certs": "verify_ssl",
    "request_timeout": "request_timeout",
}
ENVIRONMENT = {
    "host": "CONTROLLER_HOST",
    "username": "CONTROLLER_USERNAME",
    "password": "CONTROLLER_PASSWORD",
    "oauth_token": "CONTROLLER_OAUTH_TOKEN",
    "verify_ssl": "CONTROLLER_VERIFY_SSL",
}


def lookup_options(connection: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """What the lookup is to be told; the rest it takes from the environment, as the modules do.

    :raises ValueError: names an option that it has not.
    """
    unknown = sorted(set(connection) - set(LOOKUP))
    if unknown:
        raise ValueError(f"iplb_awx_connection has {', '.join(unknown)}; it takes {', '.join(LOOKUP)}")
    options = {LOOKUP[name]: value for name, value in connection.items() if value is not None}
    token = options.get("oauth_token")
    # As the module awx.awx.token returns it.
    if isinstance(token, t.Mapping):
        options["oauth_token"] = token["token"]
    return options


def endpoint(connection: t.Mapping[str, t.Any], environment: t.Mapping[str, str]) -> dict[str, t.Any]:
    """Where to send a request, the headers that sign it in, and whether to check AWX's certificate.

    :raises ValueError: where nothing says so.
    """
    given = {name: environment[variable] for name, variable in ENVIRONMENT.items() if environment.get(variable)}
    options = {**given, **lookup_options(connection)}
    if "host" not in options or not ("oauth_token" in options or {"username", "password"} <= set(options)):
        raise ValueError("set CONTROLLER_HOST and CONTROLLER_OAUTH_TOKEN, or iplb_awx_connection")
    host = options["host"].rstrip("/")
    signed = f"{options.get('username')}:{options.get('password')}".encode()
    basic = f"Basic {base64.b64encode(signed).decode()}"
    return {
        "url": host if host.startswith(("http://", "https://")) else f"https://{host}",
        "headers": {"Authorization": f"Bearer {options['oauth_token']}" if "oauth_token" in options else basic},
        "validate_certs": boolean(options.get("verify_ssl", True)),
    }
