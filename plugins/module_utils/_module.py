# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An AnsibleModule that tells absent from null. Private to the collection.

Ansible gives None for an option that is absent and for one that is null, and refuses null where an option has
choices. To this API the two differ: absent leaves a field alone, null resets it.
"""

from __future__ import annotations

import copy
import typing as t

from ansible.module_utils.basic import AnsibleModule

try:
    from ansible.module_utils.secrets import register_secrets
except ImportError:  # before ansible-core 2.22
    register_secrets = None

Spec = dict[str, dict[str, t.Any]]


class NullAwareModule(AnsibleModule):
    """AnsibleModule with ``written``: the options that stand in the task, validated, explicit nulls included."""

    def __init__(self, **kwargs: t.Any) -> None:
        self.params: dict[str, t.Any] = {}
        self._raw: dict[str, t.Any] = {}
        super().__init__(**kwargs)
        self.written: dict[str, t.Any] = only_written(self._raw, self.params, self.argument_spec)

    def hide(self, secrets: t.Iterable[str]) -> None:
        """Have these shown nowhere. Up to ansible-core 2.21 the module itself hides them, from 2.22 on its caller does,
        to which they have to be made known."""
        known = set(secrets)
        self.no_log_values.update(known)
        if register_secrets:
            register_secrets(known)

    def exit_json(self, **kwargs: t.Any) -> None:
        """Name the arguments as they were written: filled up with every option that was not, those of 10,000 servers
        took a tenth of the memory of ansible-playbook."""
        invocation = {"module_args": {**self.params, **self.written}}
        super().exit_json(**{"invocation": invocation, **kwargs})

    def _load_params(self) -> None:
        super()._load_params()
        self._raw = copy.deepcopy(self.params)
        self.params = without_nulls(self.params, self.argument_spec)


def without_nulls(value: t.Any, spec: Spec) -> t.Any:
    """The same structure with every option that is null left out, so that validation takes it for absent.

    A null under a name that no option has stays, for validation to refuse.
    """
    if isinstance(value, dict):
        options = {key: option for name, option in spec.items() for key in (name, *option.get("aliases", ()))}
        return {
            key: without_nulls(item, options.get(key, {}).get("options", {}))
            for key, item in value.items()
            if item is not None or key not in options
        }
    if isinstance(value, list):
        return [without_nulls(item, spec) for item in value]
    return value


def only_written(raw: dict[str, t.Any], validated: dict[str, t.Any], spec: Spec) -> dict[str, t.Any]:
    """Validated values of just the options that were written, by their first name, with explicit nulls put back.

    ``raw`` and ``validated`` are walked in parallel; ``spec`` says which options have options of their own.
    """
    result: dict[str, t.Any] = {}
    for name, option in spec.items():
        key = next((key for key in (name, *option.get("aliases", ())) if key in raw), None)
        if key is None:
            continue
        result[name] = _written_value(raw[key], validated.get(name), option)
    return result


def _written_value(raw: t.Any, validated: t.Any, option: dict[str, t.Any]) -> t.Any:
    if raw is None or "options" not in option:
        return None if raw is None else validated
    if isinstance(raw, dict):
        return only_written(raw, validated, option["options"])
    if isinstance(raw, list) and isinstance(validated, list):
        return [_written_value(item, checked, option) for item, checked in zip(raw, validated)]
    # Written as text (JSON or key=value): Ansible filled in None for every option that does not stand there.
    return without_nulls(validated, option["options"])
