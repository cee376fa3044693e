#!/bin/bash
# install.sh [--check] [GROUP...]: installs the Debian packages that the peers need, and starts
# nothing. GROUP: mail mailbox web dnsbl dns rules sip plugins sogo deploy faults prom; without one all but prom
# (which is for bench/).
# Run by somebody else than root, or with --check, it only says what is missing, and exits 1
# if anything is.
set -euo pipefail

check=
[ "${1:-}" != --check ] || { check=1; shift; }
[ $# -gt 0 ] || set -- mail mailbox web dnsbl dns rules sip plugins sogo deploy faults

# package:command, where the command, or a file by its whole path, shows that the package is there
wanted="openssl:openssl curl:curl python3:python3"
for group in "$@"; do
    case $group in
    mail) wanted="$wanted postfix:postfix dovecot-core:dovecot" ;;
    mailbox) wanted="$wanted dovecot-imapd:/usr/lib/dovecot/imap dovecot-pop3d:/usr/lib/dovecot/pop3 nginx-light:nginx" ;;
    web) wanted="$wanted nginx-light:nginx" ;;
    dnsbl) wanted="$wanted rbldnsd:rbldnsd bind9-dnsutils:dig" ;;
    dns) wanted="$wanted knot:knotd knot-dnsutils:kdig unbound:unbound nginx-light:nginx" ;;
    rules) wanted="$wanted prometheus:promtool prometheus-alertmanager:amtool" ;;
    sip) wanted="$wanted kamailio:kamailio kamailio-tls-modules:/usr/share/doc/kamailio-tls-modules/copyright iproute2:ip" ;;
    plugins) wanted="$wanted monitoring-plugins-basic:/usr/lib/nagios/plugins/check_dummy" ;;
    sogo) wanted="$wanted sogo:sogod sogo-activesync:/usr/lib/GNUstep/SOGo/ActiveSync.SOGo memcached:memcached postgresql:/usr/share/doc/postgresql/copyright nginx-light:nginx" ;;
    faults) wanted="$wanted iproute2:ip libfaketime:/usr/share/doc/libfaketime/copyright e2fsprogs:mkfs.ext4 mount:losetup gcc:cc libc6-dev:/usr/include/stdio.h zstd:zstd" ;;
    deploy) wanted="$wanted systemd:systemd-analyze strace:strace buildah:buildah" ;;
    prom) wanted="$wanted prometheus:promtool prometheus-blackbox-exporter:prometheus-blackbox-exporter" ;;
    *) echo "install.sh: unknown group $group; expected mail, mailbox, web, dnsbl, dns, rules, sip, plugins, sogo, deploy, faults or prom" >&2; exit 64 ;;
    esac
done

PATH=$PATH:/usr/sbin:/sbin
missing=
for pair in $wanted; do
    command -v "${pair#*:}" >/dev/null || [ -e "${pair#*:}" ] || missing="$missing ${pair%%:*}"
done
[ -n "$missing" ] || exit 0

if [ -n "$check" ] || [ "$(id -u)" != 0 ]; then
    echo "missing packages:$missing" >&2
    echo "as root: tests/peers/install.sh $*" >&2
    exit 1
fi
command -v apt-get >/dev/null || { echo "missing:$missing; this is not a Debian, install them by hand" >&2; exit 1; }

# Debian starts a daemon when its package is installed, unless this script forbids it.
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
    printf '#!/bin/sh\nexit 101\n' >$policy
    chmod 755 $policy
    trap 'rm -f $policy' EXIT
fi
export DEBIAN_FRONTEND=noninteractive
echo "postfix postfix/main_mailer_type select No configuration" | debconf-set-selections
echo "installing:$missing"
# shellcheck disable=SC2086
apt-get install -y -qq --no-install-recommends $missing >/dev/null 2>&1 || {
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends $missing
}
