# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Debian image of the backends: built once for a release and a recipe, then shared by every host and checkout."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from .layout import CACHE
from .system import LabError, run, say, tail

RECIPE = Path(__file__).with_name("provision.sh")
PACKAGES = (
    "ca-certificates",
    "dbus",
    "iproute2",
    "libsasl2-modules",
    "netbase",
    "nftables",
    "openssh-server",
    "postfix",
    "procps",
    "python3",
    "python3-apt",
    "rsyslog",
    "sasl2-bin",
    "ssl-cert",
    "sudo",
    "systemd-sysv",
)
# Where the image keeps the packages it was made of, as an archive apt can install from without a network.
ARCHIVE = "srv/packages"

# A build step gets a world of its own: its mounts vanish and its processes die with it, whatever ends the lab.
CONTAINED = ("setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--fork", "--kill-child")
# Package scripts also get a network of their own (Postfix wants a loopback), for what they start must not listen here.
OFFLINE = (*CONTAINED, "--net", "--uts", "--ipc", "sh", "-euc")
IN_IMAGE = 'ip link set lo up; hostname image; mount -t proc proc "$0/proc"; exec chroot "$0" "$@"'


def path(release: str) -> Path:
    recipe = RECIPE.read_text() + " ".join(PACKAGES)
    return CACHE / f"{release}-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}"


def ensure(release: str) -> Path:
    """The image's root directory, built now if it is not in the cache. The caller holds the lab's lock."""
    image = path(release)
    if image.is_dir():
        return image
    CACHE.mkdir(parents=True, exist_ok=True)
    remove_abandoned()
    log = CACHE / f"{release}.log"
    say(f"building the {release} image, once, in a minute or two (log: {log})")
    started = time.monotonic()
    build = Path(tempfile.mkdtemp(prefix=".build-", dir=CACHE))
    try:
        _build(release, build, log)
        build.rename(image)
    finally:
        _remove(build)
    say(f"image {image} built in {time.monotonic() - started:.0f} s")
    return image


def remove_abandoned() -> None:
    """Remove what builds that were killed have left. The caller holds the lab's lock, so none is under way."""
    for build in CACHE.glob(".build-*"):
        _remove(build)


def _build(release: str, root: Path, log: Path) -> None:
    root.chmod(0o755)
    log.unlink(missing_ok=True)
    include = f"--include={','.join(PACKAGES)}"
    say("  downloading and unpacking")
    _step(log, *CONTAINED, "debootstrap", "--foreign", "--variant=minbase", include, release, str(root))
    (root / "etc/dpkg/dpkg.cfg.d/unsafe-io").write_text("force-unsafe-io\n")
    say("  configuring")
    _step(log, *OFFLINE, IN_IMAGE, str(root), "/debootstrap/debootstrap", "--second-stage")
    say("  setting up mail")
    _keep_packages(root)
    shutil.copy(RECIPE, root / "provision.sh")
    _step(log, *OFFLINE, IN_IMAGE, str(root), "sh", "/provision.sh")
    (root / "provision.sh").unlink()


def _keep_packages(root: Path) -> None:
    archive = root / ARCHIVE
    (root / "var/cache/apt/archives").rename(archive)
    index = subprocess.run(["apt-ftparchive", "packages", "."], cwd=archive, capture_output=True, check=True)
    (archive / "Packages").write_bytes(index.stdout)


def _step(log: Path, *command: str) -> None:
    with log.open("ab") as output:
        done = subprocess.run(command, check=False, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    if done.returncode:
        raise LabError(f"the image could not be built; the end of {log}:\n{tail(log)}")


def _remove(build: Path) -> None:
    if build.exists():
        run("rm", "-rf", "--one-file-system", str(build))
