# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filters with which the role drift_report makes its report."""

from __future__ import annotations

import re
import typing as t

from ansible.errors import AnsibleFilterError
from ansible.utils.unsafe_proxy import wrap_var
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._drift import finding, picture
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._drift import report as drift

Values = dict[str, t.Any]


def drift_report(sources: t.Mapping[str, t.Any]) -> Values:
    """The report, from what the tasks registered. See drift_report.yml."""
    try:
        hosts = [finding.Host(**host) for host in sources.get("hosts", ())]
        known = finding.Sources(**{**sources, "hosts": hosts})
    except TypeError as error:
        raise AnsibleFilterError(f"drift_report: {error}") from error
    # Names and messages are others': what looks like a template in them must never be run.
    report: Values = wrap_var(drift.build_report(known))
    return report


def drift_picture(topology: t.Sequence[Values], narrow: bool = False) -> Values:
    """The places of the boxes and lines of a report's topology. See drift_picture.yml."""
    return picture.draw(topology, narrow)


def markdown_code(value: t.Any) -> str:
    """A value on one line as code within Markdown, where nothing in it has a meaning. See markdown_code.yml."""
    text = " ".join(str(value).split()) or " "
    fence = "`" * (max(map(len, re.findall("`+", text)), default=0) + 1)
    padding = " " if text[0] == "`" or text[-1] == "`" else ""
    return f"{fence}{padding}{text}{padding}{fence}"


class FilterModule:
    """Filters of the collection."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {
            "drift_report": drift_report,
            "drift_picture": drift_picture,
            "markdown_code": markdown_code,
        }
