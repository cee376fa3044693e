#!/bin/bash
# Proves that the zones are signed, unsigned and broken as they should be, and the policies there.
. "$(dirname "$0")/../lib.sh"
PATH=$PATH:/usr/sbin:/sbin
need kdig curl
q() { kdig +short +time=2 @127.0.0.1 -p "$DNS_PORT" "$@" | tr '\n' ' '; }
has "a trust anchor" "$(cat "$STATE/keys.txt")" "sign.test. 3600 IN DNSKEY 257 3 13"
has "answers are signed" "$(q +dnssec good.sign.test MX)" "MX 13"
has "denials are signed" "$(kdig +dnssec @127.0.0.1 -p "$DNS_PORT" no.sign.test TXT)" "NSEC"
is "an unsigned zone" "$(q +dnssec open.sign.test MX)" "10 mx.open.sign.test. "
has "a zone with a foreign key above it" "$(q bad.sign.test DS)" "12345 13 2"
has "TCP" "$(q +tcp good.sign.test TXT)" "v=spf1"
has "TLSA" "$(q "_$MX_PORT._tcp.mx.good.sign.test" TLSA)" "3 1 1"
policy() {
    curl -s -m 5 --cacert "$TLS/ca.pem" --resolve "mta-sts.$1.sign.test:$POLICY_PORT:127.0.0.1" \
        "https://mta-sts.$1.sign.test:$POLICY_PORT/.well-known/mta-sts.txt"
}
has "a policy" "$(policy good)" "mode: enforce"
is "a policy under a foreign certificate" "$(policy sts-name || true)" ""
has "a resolver that validates" "$(kdig @127.0.0.1 -p "$RESOLVER_PORT" +adflag peers.test MX)" " ad"
has "and knows nothing else" "$(kdig @127.0.0.1 -p "$RESOLVER_PORT" example.org MX)" "NXDOMAIN"
exit $FAILED
