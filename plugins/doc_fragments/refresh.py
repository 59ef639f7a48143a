# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    # How changes go live; the options of module_utils/_iplb/options.py refresh_options().
    DOCUMENTATION = r"""
options:
  refresh:
    description:
      - Make the changes live. Nothing that is written changes any traffic before a refresh.
      - Only zones with changes are refreshed, one refresh at a time, after any that already runs.
      - Changes that are waiting in the zones of the task go live too, for instance those of a run that was cut.
      - With V(false) the changes are only staged.
    type: bool
    default: true
  foreign_changes:
    description:
      - What to do about changes that were waiting before this run, in the zones of the task.
      - V(apply) publishes them with a warning, V(refuse) fails before anything is written. Unattended runs want
        V(refuse).
    type: str
    choices: [apply, refuse]
    default: apply
  wait:
    description: Wait until the refresh is done, and fail if it does not succeed.
    type: bool
    default: true
  wait_timeout:
    description: Seconds that each single wait may take.
    type: float
    default: 600.0
  wait_for_healthy:
    description:
      - After the refresh, wait until every active server of the farms was found healthy by every instance of the load
        balancer, in a check that is younger than the refresh; fail if one does not come up within O(wait_timeout).
      - Needs a probe on the farm and on each active server.
    type: bool
    default: false
  require_healthy_peers:
    description:
      - Refuse to make a server inactive, to take away its weight, or to delete it, unless another server that gets
        connections is healthy on every instance of the load balancer.
    type: bool
    default: false
  allow_cleartext_behind_tls:
    description:
      - Accept that passwords travel in clear between the load balancer and the servers.
      - Without it a task is refused that would end TLS at a frontend of a port that takes logins (110, 143, 465, 587,
        993 or 995) before servers without C(ssl).
    type: bool
    default: false
"""
