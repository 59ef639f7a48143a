#!/bin/sh
# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Runs once, inside the new image and without a network: makes it the mail host an administrator has before the
# collection comes. The packages debootstrap downloaded are the archive from which apt installs and reinstalls.
set -eux
export DEBIAN_FRONTEND=noninteractive

echo "deb [trusted=yes lang=none] file:/srv/packages ./" > /etc/apt/sources.list
rm -rf /var/lib/apt/lists/*
mkdir -p /var/cache/apt/archives/partial
apt-get update

# Installed again with the answers of an administrator, which also proves that it can be without a network.
apt-get purge --yes postfix
echo example.test > /etc/mailname
debconf-set-selections << ANSWERS
debconf debconf/frontend select Noninteractive
postfix postfix/main_mailer_type select Internet Site
postfix postfix/mailname string example.test
ANSWERS
apt-get install --yes postfix

for user in alice bob; do
    useradd --create-home --shell /bin/bash "$user"
done

# Authenticated submission: Cyrus SASL's own database needs no further daemon. The chroot would hide it.
postconf -M "submission/inet=submission inet n - n - - smtpd"
postconf -P submission/inet/syslog_name=postfix/submission \
    submission/inet/smtpd_tls_security_level=encrypt \
    submission/inet/smtpd_tls_auth_only=yes \
    submission/inet/smtpd_sasl_auth_enable=yes \
    submission/inet/smtpd_sasl_local_domain=example.test \
    submission/inet/smtpd_relay_restrictions=permit_sasl_authenticated,reject
mkdir -p /etc/postfix/sasl
cat > /etc/postfix/sasl/smtpd.conf << SASL
pwcheck_method: auxprop
auxprop_plugin: sasldb
mech_list: PLAIN LOGIN
SASL
for user in alice bob; do
    echo "$user-password" | saslpasswd2 -c -p -u example.test "$user"
done
chgrp postfix /etc/sasldb2
chmod 640 /etc/sasldb2

# A container has no kernel log of its own.
sed -i '/imklog/s/^/#/' /etc/rsyslog.conf
# Every host gets keys and an identity of its own.
rm -f /etc/ssh/ssh_host_* /etc/hostname /etc/hosts
: > /etc/machine-id
: > /etc/resolv.conf

systemctl mask apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service \
    fstrim.timer console-getty.service systemd-pstore.service saslauthd.service
