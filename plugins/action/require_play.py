# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Refuse plays with which the roles could not keep their promises. See plugins/modules/require_play.py."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.mailops.ovh_iplb.plugins.plugin_utils import options, plays

ARGUMENTS: dict[str, t.Any] = {
    "roles": {"type": "list", "elements": "str", "default": []},
    "hosts": {"type": "str", "choices": ["all", "one", "any"], "default": "any"},
    "parts": {"type": "dict"},
}


class ActionModule(ActionBase):
    """Looks at the play, which no variable describes."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: t.Any = None, task_vars: t.Mapping[str, t.Any] | None = None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        _spec, arguments = self.validate_argument_spec(argument_spec=ARGUMENTS)
        play = self._task.get_play()
        try:
            plays.require_checks(play.skip_tags)
            plays.require_lockstep(play.strategy)
            plays.require_hosts(arguments["hosts"], variables["ansible_play_batch"], variables["ansible_play_hosts"])
            if arguments["parts"]:
                inherited = set(self._task.tags) - {"always"}
                plays.require_parts(arguments["parts"], inherited, sorted(play.only_tags), sorted(play.skip_tags))
            options.check_shared(variables, self._value_of(variables))
            for role in arguments["roles"]:
                options.read(role, variables, self._value_of(variables))
        except (plays.PlayError, options.OptionError) as error:
            raise AnsibleActionFail(str(error)) from error
        return {**result, "changed": False}

    def _value_of(self, variables: t.Mapping[str, t.Any]) -> t.Callable[[str], t.Any]:
        return lambda name: self._templar.template(variables[name])
