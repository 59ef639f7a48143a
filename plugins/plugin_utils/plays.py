# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which plays and which selections of their parts keep what the roles promise. Pure. Private to the collection."""

from __future__ import annotations

import typing as t

STRATEGY = ("linear", "ansible.builtin.linear")


class PlayError(Exception):
    """A play that would break a promise: what it is, and what to write instead."""


def require_lockstep(strategy: str) -> None:
    """Each step for all hosts before the next one: the load balancer goes live after the slowest host's Postfix."""
    if strategy not in STRATEGY:
        raise PlayError(
            f"The strategy of this play is {strategy}, with which the load balancer could go live before the Postfix "
            "of a slow host. Write strategy: linear into the play, which overrides ansible.cfg and ANSIBLE_STRATEGY. "
            "Nothing was changed"
        )


def require_hosts(scope: str, batch: t.Sequence[str], play: t.Sequence[str]) -> None:
    """``scope`` is whom one run of the role speaks for: ``all`` hosts of the play at once, ``one``, or ``any`` number.

    ``batch`` and ``play`` are the hosts that have not failed, of this round of ``serial`` and of the whole play.
    """
    others = [host for host in play if host not in batch]
    if scope == "all" and others:
        raise PlayError(
            f"This role speaks for all hosts of the play at once, and serial leaves out {', '.join(others)}, whose "
            "servers are part of the farm. Take serial out of the play; the playbook mailops.ovh_iplb.rollout changes "
            "one host at a time. Nothing was changed"
        )
    if scope == "one" and len(batch) > 1:
        raise PlayError(
            f"This would act on {', '.join(batch)} at once, and nobody would take mail meanwhile. Write serial: 1 into "
            "the play. Nothing was changed"
        )


Parts = t.Mapping[str, t.Sequence[str]]


def runs(tags: t.Collection[str], only: t.Collection[str], skip: t.Collection[str]) -> bool:
    """Whether Ansible runs what has these tags, with --tags and --skip-tags. None of them is always or never."""
    chosen = not only or bool({"all", "tagged"} & set(only)) or bool(set(tags) & set(only))
    return chosen and not {"all", "tagged", *tags} & set(skip)


def require_parts(parts: Parts, inherited: t.Collection[str], only: t.Sequence[str], skip: t.Sequence[str]) -> None:
    """Refuse a selection that runs nothing, or a part without those that make it safe.

    ``parts`` names for each part those it must not run without; ``inherited`` are the tags that the play has anyway.
    """
    selection = _spell_out(only, skip)
    running = [part for part in parts if runs([part, *inherited], only, skip)]
    if not running:
        raise PlayError(
            f"{selection} leaves nothing to do. The tags of this playbook are {', '.join(parts)}. Nothing was changed"
        )
    require_checks(skip)
    for part in running:
        missing = [needed for needed in parts[part] if needed not in running]
        if missing:
            together = [name for name in parts if name in (part, *missing)]
            raise PlayError(
                f"{selection} runs {part} without {' and '.join(missing)}, and they are safe only together. Select "
                f"{','.join(together)}, or run everything, with --check where nothing is to change. Nothing was changed"
            )


def _spell_out(only: t.Sequence[str], skip: t.Sequence[str]) -> str:
    given = (("--tags", [tag for tag in only if tag != "all"]), ("--skip-tags", skip))
    return " ".join(f"{option} {','.join(tags)}" for option, tags in given if tags)


def require_checks(skip: t.Collection[str]) -> None:
    if "always" in skip:
        raise PlayError(
            "--skip-tags always leaves out the checks that come before a change. Do without it. Nothing was changed"
        )
