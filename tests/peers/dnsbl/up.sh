#!/bin/bash
# rbldnsd, a real blocklist server, on 127.0.0.1:22053 (UDP only: it has no TCP). Zones:
#
#   zen.peers.test      works: IPv4 and IPv6, several codes, TXT reasons. Lists 192.0.2.10
#                       (127.0.0.2 and .4), 192.0.2.11 (.3), 203.0.113.0/25 (.9), 2001:db8:bad::/64
#   plain.peers.test    works, with one code; lists 192.0.2.10
#   domains.peers.test  a list of domains; lists spam.test and below
#   wild.peers.test     lists everything            parked.peers.test  answers 203.0.113.80
#   dead.peers.test     lists nothing at all        refused.peers.test answers 127.255.255.254
#   volume.peers.test   answers 127.255.255.255     typo.peers.test    answers 127.255.255.252
#   (any other zone is REFUSED)
#
# A zone file that changes is read again within a second.
. "$(dirname "$0")/../lib.sh"
PATH=$PATH:/usr/sbin:/sbin
need rbldnsd
fresh
soa='$SOA 300 ns.peers.test. hostmaster.peers.test. 0 600 300 86400 60
$NS 300 ns.peers.test.'
# ":code:text" is the default of the lines after it; $ in the text is the address asked for
cat >"$STATE/zen4" <<END
$soa
:127.0.0.2:Listed by SBL, see https://check.peers.test/sbl/\$
127.0.0.2
192.0.2.10
:127.0.0.3:Listed by CSS, see https://check.peers.test/css/\$
192.0.2.11
:127.0.0.4:Listed by XBL, see https://check.peers.test/xbl/\$
192.0.2.10
:127.0.0.9:Listed by DROP, see https://check.peers.test/drop/\$
203.0.113.0/25
END
cat >"$STATE/zen6" <<END
:127.0.0.2:Listed by SBL, see https://check.peers.test/sbl/\$
::ffff:7f00:2/128
2001:db8:bad::/64
END
cat >"$STATE/plain4" <<END
$soa
:127.0.0.2:Blocked, see https://check.peers.test/?\$
127.0.0.2
192.0.2.10
END
cat >"$STATE/domains" <<END
$soa
:127.0.1.2:https://check.peers.test/domain/\$
test
.spam.test
END
everything() { # CODE TEXT; only ip4trie takes 0.0.0.0/0
    printf '%s\n:%s:%s\n0.0.0.0/0\n' "$soa" "$1" "$2"
}
everything 127.0.0.2 "This list is closed" >"$STATE/wild4"
everything 203.0.113.80 "This domain is for sale" >"$STATE/parked4"
everything 127.255.255.254 "Asked by a public resolver" >"$STATE/refused4"
everything 127.255.255.255 "Too many queries" >"$STATE/volume4"
everything 127.255.255.252 "Wrong zone" >"$STATE/typo4"
printf '%s\n:127.0.0.2:never\n' "$soa" >"$STATE/dead4"

# root gives its rights up and shuts itself in; somebody else cannot, and need not
as=(-w "$STATE")
if [ "$(id -u)" = 0 ]; then
    as=(-u nobody:nogroup -r "$STATE")
fi
z=peers.test
rbldnsd "${as[@]}" -b "127.0.0.1/$DNSBL_PORT" -p "$STATE/pid" -t 1 -c 1 \
    zen.$z:ip4set:zen4 zen.$z:ip6trie:zen6 plain.$z:ip4set:plain4 domains.$z:dnset:domains \
    wild.$z:ip4trie:wild4 dead.$z:ip4set:dead4 refused.$z:ip4trie:refused4 \
    volume.$z:ip4trie:volume4 typo.$z:ip4trie:typo4 parked.$z:ip4trie:parked4 \
    >"$STATE/start.log" 2>&1 || die "rbldnsd did not start: $(cat "$STATE/start.log")"
say "up; state in $STATE"
