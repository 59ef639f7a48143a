#!/usr/bin/python
# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: postfix_info
short_description: Read the state of Postfix and its certificates
description:
  - Returns whether Postfix is installed and running, its version, and the certificates that it shows to clients.
  - Changes nothing.
version_added: 1.0.0
author:
  - mailops.ovh_iplb contributors (@mailops)
attributes:
  check_mode:
    description: Can run in check mode and return what would change, without changing it.
    support: full
    details:
      - The module reads only, with and without check mode.
  diff_mode:
    description: Returns what changed, or in check mode would change, in diff mode.
    support: none
  idempotent:
    description: A second run with the same options changes nothing.
    support: full
requirements:
  - openssl(1) on the host, for the certificates
options:
  config_directory:
    description: The directory with C(main.cf) and C(master.cf). The default is that of the installed Postfix.
    type: path
notes:
  - Needs the rights to read the certificates, normally those of root.
seealso:
  - module: mailops.ovh_iplb.postfix_config
"""

EXAMPLES = r"""
- name: Look at Postfix
  mailops.ovh_iplb.postfix_info:
  register: postfix

- name: Fail a week before a certificate ends
  ansible.builtin.assert:
    that: postfix.certificates | selectattr('days_left', 'defined') | selectattr('days_left', 'lt', 7) | length == 0
"""

RETURN = r"""
installed:
  description: Whether Postfix is installed.
  returned: always
  type: bool
running:
  description: Whether the instance's master process runs.
  returned: always
  type: bool
version:
  description: The version of Postfix.
  returned: when Postfix is installed
  type: str
  sample: 3.7.11
listeners:
  description: The services of C(master.cf) that expect a PROXY protocol header, in the order of their names, also those
    that inherit it from C(main.cf).
  returned: when Postfix is installed
  type: list
  elements: str
  sample: [smtp/inet]
bans_by_address:
  description: Whether fail2ban runs here, whose bans see no client that comes through a load balancer.
  returned: always
  type: bool
certificates:
  description: The certificate files of the SMTP services, each once.
  returned: when Postfix is installed
  type: list
  elements: dict
  contains:
    file:
      description: Path of the file.
      type: str
    subject:
      description: Whose certificate it is.
      type: str
    not_after:
      description: When it ends, in UTC.
      type: str
    days_left:
      description: Whole days until then; negative when it has ended.
      type: int
    error:
      description: Why it could not be read, instead of the fields above.
      type: str
  sample:
    - file: /etc/ssl/certs/ssl-cert-snakeoil.pem
      subject: CN = mx1.example.com
      not_after: "2036-11-19T14:01:22Z"
      days_left: 3649
"""

import os
import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix import certificate, host
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix import instance as instances
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.model import (
    PostfixError,
    Settings,
    is_proxied,
    printable,
)


def main() -> None:
    module = AnsibleModule(argument_spec={"config_directory": {"type": "path"}}, supports_check_mode=True)
    try:
        module.exit_json(changed=False, **printable(read(module.params["config_directory"])))
    except (PostfixError, OSError) as error:
        module.fail_json(msg=printable(str(error)))


def read(directory: str | None) -> dict[str, Any]:
    if not host.is_installed():
        return {"installed": False, "running": False, "bans_by_address": bans_by_address()}
    directory = directory or host.default_directory()
    if not os.path.isdir(directory):
        raise PostfixError(f"config_directory: {directory} is not a directory on this host")
    settings = host.read_settings(directory)
    main, services = assignments(directory)
    return {
        "installed": True,
        "bans_by_address": bans_by_address(),
        "listeners": listeners(settings),
        "running": instances.instance(directory, settings).is_running(),
        "version": settings.effective["mail_version"],
        "certificates": [read_certificate(path) for path in certificate.files([*main, *services])],
    }


Assignments = list[tuple[str, str]]


def assignments(directory: str) -> tuple[Assignments, Assignments]:
    """The certificate parameters of main.cf, and all parameters of each service, expanded."""
    # An older Postfix does not know all of them, and warns.
    main = host.run("postconf", "-x", *certificate.PARAMETERS, directory=directory)
    services = host.run("postconf", "-Px", directory=directory)
    return _read(main.out), _read(services.out)


def _read(text: str) -> Assignments:
    lines = [line.partition("=") for line in text.splitlines()]
    return [(name.strip(), value.strip()) for name, _equals, value in lines]


def listeners(settings: Settings) -> list[str]:
    """The services that expect a header, also those that inherit it from main.cf."""
    return sorted(name for name in settings.entries if name.endswith("/inet") and is_proxied(settings, name))


def bans_by_address() -> bool:
    return os.path.exists("/run/fail2ban/fail2ban.sock")


def read_certificate(path: str) -> dict[str, Any]:
    if not os.access(path, os.R_OK):
        return {"file": path, "error": "the file can not be read"}
    try:
        result = host.must("openssl", "x509", "-in", path, "-noout", "-subject", "-enddate")
        return {"file": path, **certificate.parse(result.out, time.time())}
    except (PostfixError, OSError, ValueError) as error:
        return {"file": path, "error": str(error)}


if __name__ == "__main__":
    main()
