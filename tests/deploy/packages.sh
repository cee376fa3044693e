#!/bin/bash
# packages.sh DIR: in a mount namespace of its own, installs the packages of DIR (0.1.0 and 0.1.1)
# into a copy of this system that nobody else sees, and says what it finds, a line each.
set -euo pipefail
packages=$(cd "$1" && pwd)

# whatever is mounted from here on is ours alone
mount --make-rprivate /
work=$(mktemp -d)
mount -t tmpfs tmpfs "$work"
mkdir "$work/upper" "$work/work" "$work/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$work/upper,workdir=$work/work" "$work/root"
root=$work/root
# no running system, none of this machine's own settings, no manual left out
mount -t tmpfs tmpfs "$root/run"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
rm -rf "$root/etc/mailward" "$root"/var/lib/mailward* "$root"/etc/dpkg/dpkg.cfg.d/docker*
mkdir "$root/run/packages"
mount --bind "$packages" "$root/run/packages"

inside() { chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive "$@"; }
install() { inside sh -c "dpkg --force-confold -i /run/packages/$1_$2_*.deb" 2>&1; }
found() { echo "found: $*"; }
evidence=/var/lib/mailward-agent/outbox/1
kept() { [ "$(cat "$root$evidence")" = evidence ] && found "its evidence is kept"; }

install mailward-agent 0.1.0
found "installed agent: $(inside mailward --version)"
found "its user: $(inside id -un mailward-agent)"
for file in man/man1/mailward.1.gz man/man1/mailward-agent.1.gz bash-completion/completions/mailward \
    zsh/vendor-completions/_mailward fish/vendor_completions.d/mailward.fish; do
    [ -s "$root$(inside readlink -f "/usr/share/$file")" ] || { echo "no $file"; exit 1; }
done
inside zcat /usr/share/man/man1/mailward.1.gz | grep -q '^\.TH mailward'
found "its manual and completions are there"
unit=/usr/lib/systemd/system/mailward-agent.service
inside systemd-analyze verify --man=no "$unit"
found "its unit runs $(sed -n 's/^ExecStart=\([^ ]*\) .*/\1/p' "$root$unit")"
[ -z "$(find "$root/etc/systemd/system" -name 'mailward*')" ] && found "nothing was enabled"

install mailward-reporter 0.1.0
found "both installed: $(inside update-alternatives --query mailward | grep -c '^Alternative:') alternatives"

echo MAILWARD_REPORTER=https://status.example.net >"$root/etc/mailward/agent.env"
echo secret >"$root/etc/mailward/token"
mkdir -p "$root${evidence%/*}"
echo evidence >"$root$evidence"
install mailward-agent 0.1.1
found "upgraded agent: the reporter's is meant, $(inside readlink -f /usr/bin/mailward)"
found "its settings are kept: $(cat "$root/etc/mailward/agent.env")"
kept

inside dpkg -r mailward-agent 2>&1
[ -d "$root/etc/mailward/secrets" ] || { echo "the reporter lost its directory"; exit 1; }
found "removed agent: $(inside mailward --version) by $(inside readlink -f /usr/bin/mailward)"
kept
inside dpkg -P mailward-agent mailward-reporter 2>&1
[ ! -e "$root/usr/bin/mailward" ] && [ ! -L "$root/usr/bin/mailward" ] && found "purged both: no program"
kept
[ "$(cat "$root/etc/mailward/token")" = secret ] && found "what a person wrote is kept"
[ -z "$(find "$root/etc/mailward" -name '*.env*')" ] && found "no settings of the packages"
