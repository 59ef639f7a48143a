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
    # What ansible-test can not do on this release: options for its command sanity, and why.
    sanity_flags: tuple[str, ...] = ()
    reason: str = ""


MODULE_FLOOR = "3.9"

# From the oldest to the newest that is supported; CANDIDATE is tested, to know before its users do.
CORES = (
    Core("2.16", "ansible-core~=2.16.0", ("3.10", "3.11", "3.12"), ("3.9", "3.10", "3.11", "3.12")),
    Core("2.17", "ansible-core~=2.17.0", ("3.10", "3.11", "3.12"), ("3.9", "3.10", "3.11", "3.12")),
    Core("2.18", "ansible-core~=2.18.0", ("3.11", "3.12", "3.13"), ("3.9", "3.10", "3.11", "3.12", "3.13")),
    Core("2.19", "ansible-core~=2.19.0", ("3.11", "3.12", "3.13"), ("3.9", "3.10", "3.11", "3.12", "3.13")),
    Core("2.20", "ansible-core~=2.20.0", ("3.12", "3.13", "3.14"), ("3.9", "3.10", "3.11", "3.12", "3.13", "3.14")),
    Core("2.21", "ansible-core~=2.21.0", ("3.12", "3.13", "3.14"), ("3.9", "3.10", "3.11", "3.12", "3.13", "3.14")),
)
FLOOR = CORES[0]
NEWEST = CORES[-1]
CANDIDATE = Core(
    "2.22",
    "ansible-core~=2.22.0rc1",
    ("3.13", "3.14"),
    ("3.9", "3.10", "3.11", "3.12", "3.13", "3.14"),
    sanity_flags=("--skip-test", "pylint"),
    reason="its pylint needs a package from GitHub",
)

# Named in the tables above, and on no machine of the project so far: the documentation says so.
NOT_RUN = ("3.14",)


def minor(python: str) -> int:
    return int(python.partition(".")[2])
