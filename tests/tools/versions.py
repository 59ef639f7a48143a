# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The versions of ansible-core and Python that the collection supports: what README promises, and the tests run on."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Core:
    """One release line of ansible-core.

    ``controllers`` are the Pythons that it runs on, ``modules`` those that it runs modules with, from MODULE_FLOOR on:
    the lists CONTROLLER_PYTHON_VERSIONS and REMOTE_ONLY_PYTHON_VERSIONS of its own ansible-test.
    """

    name: str
    requirement: str
    controllers: tuple[str, ...]
    modules: tuple[str, ...]
    sanity_flags: tuple[str, ...] = ()


MODULE_FLOOR, LATEST = "3.9", "3.14"  # the Pythons that are looked at

# From the oldest to the newest that is supported; CANDIDATE is tested, to know before its users do.
CORES = (
    Core("2.16", "ansible-core~=2.16.0", ("3.10", "3.11", "3.12"), ("3.9", "3.10", "3.11", "3.12")),
    Core("2.17", "ansible-core~=2.17.0", ("3.10", "3.11", "3.12"), ("3.9", "3.10", "3.11", "3.12")),
    Core("2.18", "ansible-core~=2.18.0", ("3.11", "3.12", "3.13"), ("3.9", "3.10", "3.11", "3.12", "3.13")),
    Core("2.19", "ansible-core~=2.19.0", ("3.11", "3.12", "3.13"), ("3.9", "3.10", "3.11", "3.12", "3.13")),
    Core("2.20", "ansible-core~=2.20.0", ("3.12", "3.13", "3.14"), ("3.9", "3.10", "3.11", "3.12", "3.13", "3.14")),
    Core("2.21", "ansible-core~=2.21.0", ("3.12", "3.13", "3.14"), ("3.9", "3.10", "3.11", "3.12", "3.13", "3.14")),
)
FLOOR, NEWEST = CORES[0], CORES[-1]
CANDIDATE = Core(
    "2.22",
    "ansible-core~=2.22.0rc1",
    ("3.13", "3.14"),
    ("3.9", "3.10", "3.11", "3.12", "3.13", "3.14"),
    # Its pylint needs a package that is on GitHub alone.
    sanity_flags=("--skip-test", "pylint"),
)

# Pythons of the table that the tests did not run on so far, as no machine of the project has them. Not promised.
NOT_RUN = ("3.14",)


def promise(core: Core) -> str:
    """Return the row of README for an ansible-core: what is supported because it is tested."""
    spans = ([python for python in pythons if python not in NOT_RUN] for pythons in (core.controllers, core.modules))
    return f"| {core.name} | {' | '.join(f'{span[0]} to {span[-1]}' for span in spans)} |"
