# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    # How a host is reached and entered by SSH, and what is kept of that.
    DOCUMENTATION = r"""
---
options:
  remote_addr:
    description: Name or address of the host, also the name that is looked up in O(known_hosts).
    type: str
    default: inventory_hostname
    vars:
      - name: inventory_hostname
      - name: ansible_host
      - name: ansible_ssh_host
      - name: ansible_paramiko_host
  port:
    description: Port that the host listens on.
    type: int
    default: 22
    env:
      - name: ANSIBLE_REMOTE_PORT
      - name: ANSIBLE_REMOTE_PARAMIKO_PORT
    ini:
      - section: defaults
        key: remote_port
      - section: paramiko_connection
        key: remote_port
    vars:
      - name: ansible_port
      - name: ansible_ssh_port
      - name: ansible_paramiko_port
    keyword:
      - name: port
  remote_user:
    description: User to sign in as. By default the one who runs Ansible.
    type: str
    env:
      - name: ANSIBLE_REMOTE_USER
      - name: ANSIBLE_PARAMIKO_REMOTE_USER
    ini:
      - section: defaults
        key: remote_user
      - section: paramiko_connection
        key: remote_user
    vars:
      - name: ansible_user
      - name: ansible_ssh_user
      - name: ansible_paramiko_user
    keyword:
      - name: remote_user
    cli:
      - name: user
  password:
    description:
      - Password of the user, also for a host that asks for it by C(keyboard-interactive).
      - Tried after the keys, and never shown to a jump host.
    type: str
    vars:
      - name: ansible_password
      - name: ansible_ssh_pass
      - name: ansible_ssh_password
      - name: ansible_paramiko_pass
      - name: ansible_paramiko_password
  private_key_file:
    description: File of the private key to try first. A certificate beside it, C(NAME-cert.pub), is tried before it.
    type: str
    env:
      - name: ANSIBLE_PRIVATE_KEY_FILE
      - name: ANSIBLE_PARAMIKO_PRIVATE_KEY_FILE
    ini:
      - section: defaults
        key: private_key_file
      - section: paramiko_connection
        key: private_key_file
    vars:
      - name: ansible_private_key_file
      - name: ansible_ssh_private_key_file
      - name: ansible_paramiko_private_key_file
    cli:
      - name: private_key_file
        option: "--private-key"
  private_key:
    description: The private key itself, as text, for instance from a secret store.
    type: str
    env:
      - name: ANSIBLE_PRIVATE_KEY
    vars:
      - name: ansible_private_key
      - name: ansible_ssh_private_key
      - name: ansible_paramiko_private_key
  private_key_passphrase:
    description: Passphrase of O(private_key_file) or O(private_key).
    type: str
    env:
      - name: ANSIBLE_PRIVATE_KEY_PASSPHRASE
    vars:
      - name: ansible_private_key_passphrase
      - name: ansible_ssh_private_key_passphrase
      - name: ansible_paramiko_private_key_passphrase
  use_agent:
    description: Whether to try the keys of the agent that the environment variable E(SSH_AUTH_SOCK) names.
    type: bool
    default: true
    env:
      - name: ANSIBLE_PARAMIKO_USE_AGENT
    ini:
      - section: paramiko_connection
        key: use_agent
    vars:
      - name: ansible_paramiko_use_agent
  look_for_keys:
    description: Whether to try C(id_ed25519), C(id_ecdsa) and C(id_rsa) in C(~/.ssh) too.
    type: bool
    default: true
    env:
      - name: ANSIBLE_PARAMIKO_LOOK_FOR_KEYS
    ini:
      - section: paramiko_connection
        key: look_for_keys
    vars:
      - name: ansible_paramiko_look_for_keys
  known_hosts:
    description:
      - Files of known host keys, in the format of C(ssh). One that is not there lists nothing.
      - Read for every connection, whatever O(host_key_checking) says.
    type: list
    elements: str
    default: [~/.ssh/known_hosts, /etc/ssh/ssh_known_hosts]
    env:
      - name: ANSIBLE_PARAMIKO_KNOWN_HOSTS
    ini:
      - section: paramiko_connection
        key: known_hosts
    vars:
      - name: ansible_paramiko_known_hosts
  host_key_checking:
    description:
      - Whether a host has to be listed in O(known_hosts).
      - With V(false) a host that is not listed is admitted. A host that is listed still has to show one of its keys.
    type: bool
    default: true
    env:
      - name: ANSIBLE_HOST_KEY_CHECKING
      - name: ANSIBLE_SSH_HOST_KEY_CHECKING
      - name: ANSIBLE_PARAMIKO_HOST_KEY_CHECKING
    ini:
      - section: defaults
        key: host_key_checking
      - section: paramiko_connection
        key: host_key_checking
    vars:
      - name: ansible_host_key_checking
      - name: ansible_ssh_host_key_checking
      - name: ansible_paramiko_host_key_checking
  host_key_auto_add:
    description: Whether to admit a host that is not listed although O(host_key_checking) is on.
    type: bool
    default: false
    env:
      - name: ANSIBLE_PARAMIKO_HOST_KEY_AUTO_ADD
    ini:
      - section: paramiko_connection
        key: host_key_auto_add
    vars:
      - name: ansible_paramiko_host_key_auto_add
  record_host_keys:
    description: Whether to add the key of a host that was not listed, and was admitted, to the first of O(known_hosts).
    type: bool
    default: false
    env:
      - name: ANSIBLE_PARAMIKO_RECORD_HOST_KEYS
    ini:
      - section: paramiko_connection
        key: record_host_keys
    vars:
      - name: ansible_paramiko_record_host_keys
  proxy_jump:
    description:
      - "Hosts to go through, in order, as C(ssh -J) takes them: C([USER@]HOST[:PORT],…)."
      - They are signed in to with the same keys, and their host keys are checked as the host's own is.
      - Where no user is written, it is O(remote_user).
    type: str
    default: ''
    env:
      - name: ANSIBLE_PARAMIKO_PROXY_JUMP
    ini:
      - section: paramiko_connection
        key: proxy_jump
    vars:
      - name: ansible_paramiko_proxy_jump
  proxy_command:
    description:
      - Program whose input and output lead to the host, instead of a connection to its port.
      - V(%h), V(%p) and V(%r) stand for host, port and user. No shell is involved.
    type: str
    default: ''
    env:
      - name: ANSIBLE_PARAMIKO_PROXY_COMMAND
    ini:
      - section: paramiko_connection
        key: proxy_command
    vars:
      - name: ansible_paramiko_proxy_command
  timeout:
    description:
      - Seconds that the host may take to answer the call to its port, to begin a session, and, after that, to ask for
        the become password.
    type: int
    default: 10
    env:
      - name: ANSIBLE_TIMEOUT
      - name: ANSIBLE_SSH_TIMEOUT
      - name: ANSIBLE_PARAMIKO_TIMEOUT
    ini:
      - section: defaults
        key: timeout
      - section: ssh_connection
        key: timeout
      - section: paramiko_connection
        key: timeout
    vars:
      - name: ansible_ssh_timeout
      - name: ansible_paramiko_timeout
    cli:
      - name: timeout
  banner_timeout:
    description: Seconds that the host may take for each step until a user has signed in.
    type: float
    default: 30
    env:
      - name: ANSIBLE_PARAMIKO_BANNER_TIMEOUT
    ini:
      - section: paramiko_connection
        key: banner_timeout
    vars:
      - name: ansible_paramiko_banner_timeout
  keepalive_interval:
    description:
      - After how many seconds without data to send a sign of life; V(0) for none.
      - On Linux a connection is taken for lost when nothing arrived for three times as long.
    type: int
    default: 15
    env:
      - name: ANSIBLE_PARAMIKO_KEEPALIVE_INTERVAL
    ini:
      - section: paramiko_connection
        key: keepalive_interval
    vars:
      - name: ansible_paramiko_keepalive_interval
  keep_open:
    description:
      - For how many seconds a connection that no task uses stays open for the next one. It ends with the playbook in
        any case.
      - With V(0) each task makes its own.
    type: int
    default: 60
    env:
      - name: ANSIBLE_PARAMIKO_KEEP_OPEN
    ini:
      - section: paramiko_connection
        key: keep_open
    vars:
      - name: ansible_paramiko_keep_open
  control_path_dir:
    description:
      - Directory for the sockets by which tasks find a connection that was kept. Nobody else may write to it.
      - Where its path is too long for a socket, connections are not kept.
    type: str
    default: ~/.ansible/cp
    env:
      - name: ANSIBLE_SSH_CONTROL_PATH_DIR
    ini:
      - section: ssh_connection
        key: control_path_dir
    vars:
      - name: ansible_control_path_dir
  transfer_method:
    description:
      - How files are moved. V(smart) uses SFTP, and V(piped) where the host has none.
      - V(piped) runs C(cat) on the host.
    type: str
    choices: [smart, sftp, piped]
    default: smart
    env:
      - name: ANSIBLE_PARAMIKO_TRANSFER_METHOD
    ini:
      - section: paramiko_connection
        key: transfer_method
    vars:
      - name: ansible_paramiko_transfer_method
  pty:
    description: Whether a command gets a terminal where Ansible allows one. Some ways to become another user need it.
    type: bool
    default: true
    env:
      - name: ANSIBLE_PARAMIKO_PTY
    ini:
      - section: paramiko_connection
        key: pty
    vars:
      - name: ansible_paramiko_pty
"""
