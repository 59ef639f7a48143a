# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tasks of the pages on resources do what they say, and do nothing when they run again."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.schema import RESOURCES

from simulator.pki import Authority
from unit.plugins.modules.harness import Service, Values

PAGES = Path(__file__).parents[4] / "docs" / "resources"
FILE_LOOKUP = re.compile(r"\{\{ lookup\('ansible\.builtin\.file', '[^']+/cert\.pem'\) \}\}")
WITHOUT_PAGE = {"rule"}  # stands on the page of its route


def tasks_of(page: str) -> list[tuple[str, Values]]:
    """Modules and options of the page's tasks."""
    (block,) = re.findall(r"^```yaml$(.*?)^```$", (PAGES / page).read_text(), re.DOTALL | re.MULTILINE)
    found = []
    for task in yaml.safe_load(block):
        ((module, options),) = [(key, value) for key, value in task.items() if key.startswith("mailops.ovh_iplb.")]
        found.append((module.rpartition(".")[2], options))
    return found


def rendered(value: Any, key_file: Path, certificate: str) -> Any:
    """The options with the certificate and the key that the page's reader has in files."""
    if isinstance(value, dict):
        return {
            name: str(key_file) if name == "key_file" else rendered(item, key_file, certificate)
            for name, item in value.items()
        }
    if isinstance(value, list):
        return [rendered(item, key_file, certificate) for item in value]
    return certificate if isinstance(value, str) and FILE_LOOKUP.fullmatch(value) else value


def test_every_resource_has_a_page() -> None:
    expected = {resource.kind for resource in RESOURCES} - WITHOUT_PAGE | {"service"}
    assert {page.stem for page in PAGES.glob("*.md")} == expected


@pytest.mark.parametrize("page", sorted(page.name for page in PAGES.glob("*.md")))
def test_the_tasks_of_a_page_run_and_keep_what_they_made(service: Service, tmp_path: Path, page: str) -> None:
    issued = Authority().issue("mail.example.com", days=60)
    (tmp_path / "key.pem").write_text(issued.key)
    tasks = [
        (module, rendered(options, tmp_path / "key.pem", issued.certificate)) for module, options in tasks_of(page)
    ]
    assert page.removesuffix(".md") in {module for module, _options in tasks}
    for module, options in tasks:
        planned = service.run(module, check=True, **options)
        done = service.run(module, **options)
        assert done["changed"]
        assert [item["key"] for item in done["plan"]] == [item["key"] for item in planned["plan"]]
        assert not service.run(module, **options)["changed"], f"the second run of {module}"
