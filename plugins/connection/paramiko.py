# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
name: paramiko
short_description: Reach hosts by SSH without an SSH client
description:
  - Runs tasks over the SSH protocol as the Python package paramiko speaks it. No program of OpenSSH is needed.
  - Use the full name, C(mailops.ovh_iplb.paramiko). Up to ansible-core 2.20, the short one is another plugin.
  - A host key is compared with the files of O(known_hosts) in every case. With O(host_key_checking=false) a host that
    no file lists is admitted; one whose key changed or was revoked never is. Nothing asks a question.
  - A connection is kept for the tasks that follow, in a process of its own that ends with the playbook; see
    O(keep_open).
  - C(~/.ssh/config) is not read, nor are options of the program ssh, such as C(ansible_ssh_common_args).
author:
  - mailops.ovh_iplb contributors (@mailops)
requirements:
  - paramiko >= 3.4.0 for the Python that runs Ansible
extends_documentation_fragment:
  - connection_pipelining
  - mailops.ovh_iplb.ssh
options:
  pipelining:
    env:
      - name: ANSIBLE_PIPELINING
      - name: ANSIBLE_SSH_PIPELINING
    ini:
      - section: defaults
        key: pipelining
      - section: connection
        key: pipelining
      - section: ssh_connection
        key: pipelining
    vars:
      - name: ansible_pipelining
      - name: ansible_ssh_pipelining
      - name: ansible_paramiko_pipelining
"""

import contextlib
import os
import socket
import typing as t

from ansible.errors import AnsibleAuthenticationFailure, AnsibleConnectionFailure, AnsibleError
from ansible.module_utils.common.text.converters import to_bytes
from ansible.plugins.connection import ConnectionBase
from ansible.utils.display import Display
from ansible_collections.mailops.ovh_iplb.plugins.plugin_utils._ssh import errors
from ansible_collections.mailops.ovh_iplb.plugins.plugin_utils._ssh.dialogue import Dialogue, converse
from ansible_collections.mailops.ovh_iplb.plugins.plugin_utils._ssh.errors import SshError
from ansible_collections.mailops.ovh_iplb.plugins.plugin_utils._ssh.keeper import Keeper, OwnKeeper, SharedKeeper
from ansible_collections.mailops.ovh_iplb.plugins.plugin_utils._ssh.relay import ask, finish
from ansible_collections.mailops.ovh_iplb.plugins.plugin_utils._ssh.settings import Settings, settings

display = Display()

Result = t.TypeVar("Result")

EXCEPTIONS = {errors.SIGN_IN: AnsibleAuthenticationFailure, errors.FAILED: AnsibleError}


class Connection(ConnectionBase):
    transport = "mailops.ovh_iplb.paramiko"
    has_pipelining = True
    _connected = False

    def __init__(self, *args: t.Any, **kwargs: t.Any) -> None:
        super().__init__(*args, **kwargs)
        # Tasks run in children of the playbook's process; meta tasks run in itself.
        self._playbook = int(kwargs.get("ansible_playbook_pid") or os.getpid())
        self._keeper: Keeper | None = None

    def _connect(self) -> Connection:
        if not self._connected:
            with _translated():
                wanted = settings(self.get_option)
                display.vvv(f"CONNECT BY SSH TO {wanted.target}", host=wanted.target.host)
                self._keeper = self._keeper_for(wanted)
                self._keeper.connect().close()
            self._connected = True
        return self

    def _keeper_for(self, wanted: Settings) -> Keeper:
        shared = self._shared(wanted)
        return shared if self.get_option("keep_open") > 0 and shared.fits() else OwnKeeper(wanted)

    def _shared(self, wanted: Settings) -> SharedKeeper:
        return SharedKeeper(
            wanted, self.get_option("control_path_dir"), self._playbook, patience=self.get_option("keep_open")
        )

    def exec_command(self, cmd: str, in_data: bytes | None = None, sudoable: bool = True) -> tuple[int, bytes, bytes]:
        super().exec_command(cmd, in_data=in_data, sudoable=sudoable)
        host = self.get_option("remote_addr")
        display.vvv(f"EXEC {cmd}", host=host)
        pty = sudoable and not in_data and self.get_option("pty")
        become = self.become if sudoable else None
        password = become.get_option("become_pass", playcontext=self._play_context) if become else None
        data = to_bytes(in_data) if in_data else None
        with _translated(host), self._begin("run", cmd, pty=pty) as sock:
            return converse(sock, Dialogue(become, str(password or "")), data, pty, self.get_option("timeout"))

    def put_file(self, in_path: str, out_path: str) -> None:
        super().put_file(in_path, out_path)
        display.vvv(f"PUT {in_path} TO {out_path}", host=self.get_option("remote_addr"))
        self._transfer("put", os.path.abspath(in_path), out_path)

    def fetch_file(self, in_path: str, out_path: str) -> None:
        super().fetch_file(in_path, out_path)
        display.vvv(f"FETCH {in_path} TO {out_path}", host=self.get_option("remote_addr"))
        self._transfer("fetch", in_path, os.path.abspath(out_path))

    def _transfer(self, operation: str, source: str, target: str) -> None:
        words = _encoded(source, target, self.get_option("transfer_method"))
        with _translated():
            self._on_a_connection(lambda keeper: _transferred(keeper, operation, words))

    def _begin(self, operation: str, *words: str, **flags: bool) -> socket.socket:
        b_words = _encoded(*words)
        return self._on_a_connection(lambda keeper: _started(keeper, operation, b_words, flags))

    def _on_a_connection(self, action: t.Callable[[Keeper], Result]) -> Result:
        """Do something on the connection that there is, or else on a new one. Nothing is ever started twice."""
        keeper = t.cast(Keeper, self._keeper)  # the base class has connected
        try:
            return action(keeper)
        except SshError as error:
            if error.kind not in (errors.GONE, errors.BUSY):
                raise
            display.vvv(f"{error.message}; making another one", host=self.get_option("remote_addr"))
            if isinstance(keeper, OwnKeeper):
                keeper.stop()
            if error.kind == errors.BUSY or isinstance(keeper, OwnKeeper):
                self._keeper = keeper = OwnKeeper(settings(self.get_option))
        return action(keeper)

    def reset(self) -> None:
        """End the connection for all tasks; the next one makes another."""
        with _translated():
            self._shared(settings(self.get_option)).stop()
        self.close()

    def close(self) -> None:
        """Leave the connection to the tasks that follow, unless it is for this one only."""
        if isinstance(self._keeper, OwnKeeper):
            self._keeper.stop()
        self._keeper = None
        self._connected = False


def _encoded(*words: str) -> list[bytes]:
    return [to_bytes(word, errors="surrogate_or_strict") for word in words]


def _transferred(keeper: Keeper, operation: str, words: list[bytes]) -> None:
    with _started(keeper, operation, words, {}) as sock:
        finish(sock)


def _started(keeper: Keeper, operation: str, words: list[bytes], flags: dict[str, bool]) -> socket.socket:
    sock = keeper.connect()
    try:
        ask(sock, operation, *words, **flags)
    except BaseException:
        sock.close()
        raise
    return sock


@contextlib.contextmanager
def _translated(host: str = "") -> t.Iterator[None]:
    try:
        yield
    except SshError as error:
        message = error.message if not host or host in error.message else f"{host}: {error.message}"
        raise EXCEPTIONS.get(error.kind, AnsibleConnectionFailure)(message) from None
