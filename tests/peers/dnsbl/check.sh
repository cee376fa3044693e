#!/bin/bash
# Proves the test points of RFC 5782 §5, each list that is broken, and that a change is seen.
. "$(dirname "$0")/../lib.sh"
need dig
dug() { dig +time=2 +tries=1 @127.0.0.1 -p "$DNSBL_PORT" "$@"; }
q() { dug +short "$@" | sort | tr '\n' ' ' | sed 's/ $//'; }
status() { dug "$@" | grep -oE 'status: [A-Z]+' | cut -d' ' -f2; }
v6() { echo "$1.0.0.0.$2.f.f.f.f.$(printf '0.%.0s' $(seq 20))" | sed 's/\.$//'; }
is "127.0.0.2 is listed" "$(q 2.0.0.127.zen.peers.test)" 127.0.0.2
is "127.0.0.1 is not" "$(status 1.0.0.127.zen.peers.test)" NXDOMAIN
is "::ffff:7f00:2 is listed" "$(q "$(v6 2 0.0.f.7).zen.peers.test")" 127.0.0.2
is "::ffff:7f00:1 is not" "$(status "$(v6 1 0.0.f.7).zen.peers.test")" NXDOMAIN
is "two codes at once" "$(q 10.2.0.192.zen.peers.test)" "127.0.0.2 127.0.0.4"
is "a range" "$(q 5.113.0.203.zen.peers.test)" 127.0.0.9
is "a TXT reason" "$(q 11.2.0.192.zen.peers.test TXT)" '"Listed by CSS, see https://check.peers.test/css/192.0.2.11"'
is "the domains' test point" "$(q test.domains.peers.test)" 127.0.1.2
is "INVALID is not listed" "$(status invalid.domains.peers.test)" NXDOMAIN
is "a domain below a listed one" "$(q mail.spam.test.domains.peers.test)" 127.0.1.2
is "a wildcarded list" "$(q 1.0.0.127.wild.peers.test)" 127.0.0.2
is "a dead list" "$(status 2.0.0.127.dead.peers.test)" NXDOMAIN
is "a list refusing the resolver" "$(q 9.2.0.192.refused.peers.test)" 127.255.255.254
is "a list with a limit" "$(q 9.2.0.192.volume.peers.test)" 127.255.255.255
is "a list asked by a wrong name" "$(q 9.2.0.192.typo.peers.test)" 127.255.255.252
is "a parked list" "$(q 9.2.0.192.parked.peers.test)" 203.0.113.80
is "a zone that is not served" "$(status 2.0.0.127.gone.peers.test)" REFUSED
echo 192.0.2.99 >>"$STATE/plain4"
for i in $(seq 1 100); do
    [ -z "$(q 99.2.0.192.plain.peers.test)" ] || break
    sleep 0.05
done
is "a new listing" "$(q 99.2.0.192.plain.peers.test)" 127.0.0.2
exit $FAILED
