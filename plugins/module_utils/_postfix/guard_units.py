# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The systemd units that load the guard. Pure. Private to the collection."""

from __future__ import annotations

from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.guard_table import TABLE

UNIT = "mailops-ovh-iplb.service"
AGAIN_UNIT = "mailops-ovh-iplb-again.service"


def unit(nft: str, path: str) -> str:
    """The unit that loads the table of ``path`` at boot.

    nftables.service flushes every table when it is started, stopped or reloaded. This unit follows it down and through
    a restart (PartOf=) and a reload (ReloadPropagatedFrom=), always after it (After=).
    """
    return f"""\
# Written by the Ansible collection mailops.ovh_iplb, and corrected by its next run.
[Unit]
Description=Admit only the OVHcloud Load Balancer to its SMTP ports
DefaultDependencies=no
After=nftables.service
PartOf=nftables.service
ReloadPropagatedFrom=nftables.service
Wants=network-pre.target
Before=network-pre.target shutdown.target
Conflicts=shutdown.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart={nft} -f {path}
ExecReload={nft} -f {path}
ExecStop=-{nft} delete table inet {TABLE}

[Install]
WantedBy=sysinit.target nftables.service
"""


def again_unit(nft: str, path: str) -> str:
    """The unit that loads the table again when nftables.service is started and the other one is active already."""
    return f"""\
# Written by the Ansible collection mailops.ovh_iplb, and corrected by its next run.
[Unit]
Description=Admit only the OVHcloud Load Balancer to its SMTP ports, after nftables.service has flushed all rules
DefaultDependencies=no
After=nftables.service {UNIT}
Before=shutdown.target
Conflicts=shutdown.target

[Service]
Type=oneshot
ExecStart={nft} -f {path}

[Install]
WantedBy=nftables.service
"""
