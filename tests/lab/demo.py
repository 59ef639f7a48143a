# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The whole story on this machine: build, mail, no change, drift, correction. ``make demo`` runs it."""

from __future__ import annotations

import os
import sys

from .driver import SERVICE_ADDRESS, Lab, Play, await_result

CLIENTS = ("203.0.113.10", "203.0.113.11")
PLAYBOOK = "playbooks/smtp.yml"


def main() -> int:
    done: list[str] = []
    try:
        tell(Lab.up(), done)
    except DemoFailed as failure:
        title("The demo failed")
        print(failure)
        return 1
    finally:
        close()
    title("In short")
    for line in done:
        print(f"  - {line}")
    return 0


class DemoFailed(Exception):
    pass


def tell(lab: Lab, done: list[str]) -> None:
    title("1. Two Debian hosts with Postfix, a load balancer that is not configured, two clients")
    print(f"backends {', '.join(f'{name} {lab.address(name)}' for name in lab.backends)}; service {SERVICE_ADDRESS}")
    refused = lab.send(CLIENTS[0], "too early")
    expect(not refused["accepted"], "nothing answers on the service's address yet", done, refused["reply"])

    title(f"2. ansible-playbook {PLAYBOOK}")
    converge(lab, done)

    title("3. Mail from two clients, through the load balancer, into the backends' mailboxes")
    for client in CLIENTS:
        deliver(lab, client, done)

    title("4. The same playbook again: nothing to do")
    again = play(lab)
    expect(not any(again.changed.values()), "the second run changed nothing", done, str(again.changed))

    title("5. Somebody changes a server's weight at the API, and an override of Postfix on a backend, by hand")
    drift(lab)
    seen = play(lab, "--check", "--diff")
    for fact in ('"weight": 7', "smtpd_upstream_proxy_protocol"):
        expect(fact in seen.output, f"--check --diff shows {fact.strip()}", done)

    title("6. The playbook corrects both")
    corrected = play(lab)
    expect(any(corrected.changed.values()), "the run corrected the drift", done, str(corrected.changed))
    last = play(lab)
    expect(not any(last.changed.values()), "and after it there is nothing to do", done, str(last.changed))
    deliver(lab, CLIENTS[1], done)


def converge(lab: Lab, done: list[str]) -> None:
    first = play(lab)
    expect(any(first.changed.values()), "the first run configured Postfix and the load balancer", done)


def play(lab: Lab, *arguments: str) -> Play:
    played = lab.play(PLAYBOOK, *arguments, show=True, ANSIBLE_FORCE_COLOR=os.environ.get("ANSIBLE_FORCE_COLOR", ""))
    if played.status:
        raise DemoFailed(f"ansible-playbook ended with {played.status}")
    return played


def deliver(lab: Lab, client: str, done: list[str]) -> None:
    subject = f"from {client}, message {len(done)}"
    answer = lab.send(client, subject)
    expect(answer["accepted"], f"the load balancer took mail from {client}", done, answer["reply"])
    host, message = await_result(lambda: lab.find(subject))
    received = " ".join(str(message["Received"]).split())
    print(f"  {host}: {received}")
    expect(f"[{client}]" in received, f"{host} knows {client} as the client", done, received)


def drift(lab: Lab) -> None:
    farm = lab.api("GET", "{service}/tcp/farm")[0]
    server = lab.api("GET", f"{{service}}/tcp/farm/{farm}/server")[0]
    lab.api("PUT", f"{{service}}/tcp/farm/{farm}/server/{server}", {"weight": 7, "probe": False})
    print(f"  PUT tcp/farm/{farm}/server/{server} weight 7, probe false")
    command = ("postconf", "-PX", "smtp/inet/smtpd_upstream_proxy_protocol")
    lab.run(lab.backends[0], *command)
    print(f"  {lab.backends[0]}: {' '.join(command)}")


def expect(condition: bool, fact: str, done: list[str], seen: str = "") -> None:
    if not condition:
        raise DemoFailed(f"expected that {fact}" + (f", but: {seen}" if seen else ""))
    print(f"  OK: {fact}")
    done.append(fact)


def close() -> None:
    if os.environ.get("KEEP"):
        print("\nThe lab stays up. Look around with `tests/lab/lab status`; remove it with `tests/lab/lab down`.")
        return
    title("The lab goes down")
    Lab.down()


def title(text: str) -> None:
    print(f"\n\033[1m{text}\033[0m" if sys.stdout.isatty() else f"\n== {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
