#!/bin/bash
# Knot, a real name server, on 127.0.0.1:22054 (UDP and TCP), and nginx with the MTA-STS policies
# of its domains on 22447. The server's own answers stand for a resolver's; Unbound, a resolver
# that validates and knows nothing but these zones, is on 22055. Zones:
#
#   sign.test        signed; keys.txt in the state directory holds its key as a trust anchor
#   open.sign.test   not signed, and the zone above says so
#   elsewhere.test   not signed, and no keys anywhere above it; nothing in it
#   bad.sign.test    signed, but the zone above names another key
#   peers.test       signed, its key in keys.txt too; a whole mail service: MX, policies, and SRV
#                    records for the mail and mailbox peers; webmail.peers.test on 22447
#
# Domains below sign.test, one for each way to be right or wrong: good (everything, mail server
# mx.good with TLSA for $MX_PORT), none (nothing but MX), spf-*, dmarc-*, sts-*, rpt-bad, dane-*.
. "$(dirname "$0")/../lib.sh"
PATH=$PATH:/usr/sbin:/sbin
need knotd kdig unbound nginx openssl
fresh
need_free "$DNS_PORT" "$POLICY_PORT" "$RESOLVER_PORT"
make_tls
mkdir -p "$STATE"/{zones,db,run,policy}

dkim() { openssl rsa -in "$1" -pubout -outform DER 2>/dev/null | base64 -w0; }
split() { echo "\"${1:0:200}\" \"${1:200}\""; }
for bits in 512 1024 2048; do
    openssl genrsa -out "$STATE/dkim$bits.key" $bits 2>/dev/null
done
openssl genpkey -algorithm ed25519 -out "$STATE/dkim-ed.key" 2>/dev/null
ed=$(openssl pkey -in "$STATE/dkim-ed.key" -pubout -outform DER | tail -c 32 | base64 -w0)
digest() { openssl dgst -sha256 -hex | awk '{print $NF}'; }
spki=$(openssl x509 -in "$TLS/leaf.pem" -noout -pubkey | openssl pkey -pubin -outform DER | digest)
authority=$(openssl x509 -in "$TLS/ca.pem" -outform DER | digest)
zeros=$(printf '00%.0s' $(seq 32))
many=$(for i in $(seq 1 11); do printf 'include:i%s.spf-many.sign.test. ' "$i"; done)

# what a domain needs besides what it is about: a mail server
mx() { printf '%s MX 10 mx.%s\nmx.%s A 127.0.0.1\n' "$1" "$1" "$1"; }
sts() { # NAME ID
    mx "$1"
    printf '_mta-sts.%s TXT "v=STSv1; id=%s;"\nmta-sts.%s A 127.0.0.1\n' "$1" "$2" "$1"
}
soa='$TTL 60
@ SOA ns hostmaster 1 60 60 86400 60
  NS ns
ns A 127.0.0.1'
cat >"$STATE/zones/sign.test.zone" <<END
\$ORIGIN sign.test.
$soa
$(sts good 20260101)
good TXT "v=spf1 mx include:_spf.good.sign.test -all"
_spf.good TXT "v=spf1 ip4:192.0.2.0/28 ip6:2001:db8:1::/64 -all"
s1._domainkey.good TXT "v=DKIM1; k=rsa; p=" $(split "$(dkim "$STATE/dkim2048.key")")
ed._domainkey.good TXT "v=DKIM1; k=ed25519; p=$ed"
short._domainkey.good TXT "v=DKIM1; k=rsa; p=" $(split "$(dkim "$STATE/dkim1024.key")")
weak._domainkey.good TXT "v=DKIM1; k=rsa; p=$(dkim "$STATE/dkim512.key")"
gone._domainkey.good TXT "v=DKIM1; p="
bad._domainkey.good TXT "v=DKIM1; k=rsa; p=rubbish"
_dmarc.good TXT "v=DMARC1; p=reject; sp=quarantine; pct=50; rua=mailto:dmarc@good.sign.test"
below.good A 127.0.0.1
_smtp._tls.good TXT "v=TLSRPTv1; rua=mailto:tls@good.sign.test"
_$MX_PORT._tcp.mx.good TLSA 3 1 1 $spki
$(mx dane-ta)
_$MX_PORT._tcp.mx.dane-ta TLSA 2 0 1 $authority
$(mx dane-two)
_$MX_PORT._tcp.mx.dane-two TLSA 3 1 1 $zeros
_$MX_PORT._tcp.mx.dane-two TLSA 3 1 1 $spki
$(mx dane-wrong)
_$MX_PORT._tcp.mx.dane-wrong TLSA 3 1 1 $zeros
$(mx dane-pkix)
_$MX_PORT._tcp.mx.dane-pkix TLSA 1 1 1 $spki
$(mx none)
nomail MX 0 .
spf-syntax TXT "v=spf1 ipv4:192.0.2.1 -all"
spf-two TXT "v=spf1 -all"
spf-two TXT "v=spf1 ~all"
spf-many TXT "v=spf1 " "$many" "-all"
$(for i in $(seq 1 11); do echo "i$i.spf-many TXT \"v=spf1 ip4:198.51.100.$i -all\""; done)
spf-void TXT "v=spf1 a:v1.sign.test a:v2.sign.test a:v3.sign.test -all"
spf-loop TXT "v=spf1 include:spf-loop.sign.test -all"
spf-include TXT "v=spf1 include:none.sign.test -all"
spf-all TXT "v=spf1 mx +all"
spf-neutral TXT "v=spf1 ip4:192.0.2.1 ?all"
spf-redirect TXT "v=spf1 redirect=good.sign.test"
spf-wide TXT "v=spf1 ip4:10.0.0.0/8 ip4:192.0.2.200/31 -all"
_dmarc.dmarc-bad TXT "v=DMARC1; p=monitor"
_dmarc.dmarc-none TXT "v=DMARC1; p=none; rua=mailto:d@dmarc-none.sign.test"
_dmarc.dmarc-far TXT "v=DMARC1; p=reject; rua=mailto:d@reports.elsewhere.test"
$(sts sts-gone 1)
$(sts sts-moved 1)
$(sts sts-html 1)
$(sts sts-mx 1)
$(sts sts-testing 1)
$(sts sts-name 1)
$(mx sts-noid)
_mta-sts.sts-noid TXT "v=STSv1;"
_smtp._tls.rpt-bad TXT "v=TLSRPTv1; rua=http://example.test/"
open NS ns.open
ns.open A 127.0.0.1
bad NS ns.bad
ns.bad A 127.0.0.1
bad DS 12345 13 2 $zeros
END
for zone in open bad; do
    cat >"$STATE/zones/$zone.sign.test.zone" <<END
\$ORIGIN $zone.sign.test.
$soa
@ MX 10 mx
@ TXT "v=spf1 mx -all"
mx A 127.0.0.1
_dmarc TXT "v=DMARC1; p=reject"
END
done
cat >"$STATE/zones/peers.test.zone" <<END
\$ORIGIN peers.test.
$soa
@ MX 10 mail
@ TXT "v=spf1 mx -all"
mail A 127.0.0.1
mta-sts A 127.0.0.1
webmail A 127.0.0.1
autodiscover CNAME mail
selector1._domainkey TXT "v=DKIM1; k=rsa; p=" $(split "$(dkim "$STATE/dkim2048.key")")
_dmarc TXT "v=DMARC1; p=reject; rua=mailto:dmarc@peers.test"
_mta-sts TXT "v=STSv1; id=20260101;"
_smtp._tls TXT "v=TLSRPTv1; rua=mailto:tls@peers.test"
_$MX_PORT._tcp.mail TLSA 3 1 1 $spki
_imaps._tcp SRV 0 1 $IMAPS_PORT mail
_pop3s._tcp SRV 0 1 $POP3S_PORT mail
_submission._tcp SRV 0 1 $SUBMISSION_PORT mail
_submissions._tcp SRV 0 1 $SMTPS_PORT mail
END
printf '$ORIGIN elsewhere.test.\n%s\n' "$soa" >"$STATE/zones/elsewhere.test.zone"
zone() { # NAME SIGNED
    printf '  - domain: %s\n' "$1"
    [ "$2" = no ] || printf '    dnssec-signing: on\n    dnssec-policy: auto\n'
}
as=
[ "$(id -u)" != 0 ] || as="user: root:root"
cat >"$STATE/knot.conf" <<END
server:
    listen: 127.0.0.1@$DNS_PORT
    rundir: $STATE/run
    pidfile: $STATE/pid
    $as
log:
  - target: $STATE/knot.log
    any: info
database:
    storage: $STATE/db
policy:
  - id: auto
    algorithm: ecdsap256sha256
    single-type-signing: on
template:
  - id: default
    storage: $STATE/zones
    file: "%s.zone"
    zonefile-sync: -1
    journal-content: none
    zonefile-load: whole
zone:
$(zone sign.test yes)
$(zone peers.test yes)
$(zone bad.sign.test yes)
$(zone open.sign.test no)
$(zone elsewhere.test no)
END
knotd -c "$STATE/knot.conf" -d >"$STATE/start.log" 2>&1 || die "knotd did not start: $(cat "$STATE/start.log")"
wait_port "$DNS_PORT"
for zone in sign peers; do
    for i in $(seq 1 200); do
        key=$(kdig +short @127.0.0.1 -p "$DNS_PORT" $zone.test DNSKEY 2>/dev/null | head -1)
        signed=$(kdig +short +dnssec @127.0.0.1 -p "$DNS_PORT" $zone.test SOA 2>/dev/null | grep -c " $zone.test. " || true)
        [ -z "$key" ] || [ "$signed" = 0 ] || break
        sleep 0.05
    done
    [ -n "$key" ] || die "$zone.test has no key; see $STATE/knot.log"
    echo "$zone.test. 3600 IN DNSKEY $key" >>"$STATE/keys.txt"
done

# a resolver that knows these zones and no other, so that nothing is asked of the internet
cat >"$STATE/unbound.conf" <<END
server:
    interface: 127.0.0.1
    port: $RESOLVER_PORT
    directory: "$STATE"
    chroot: ""
    username: ""
    pidfile: "$STATE/unbound.pid"
    logfile: "$STATE/unbound.log"
    do-ip6: no
    do-not-query-localhost: no
    trust-anchor-file: "$STATE/keys.txt"
    local-zone: "." static
$(for zone in sign peers elsewhere; do printf '    local-zone: "%s.test." transparent\n' $zone; done)
$(for zone in sign peers elsewhere; do
    printf 'stub-zone:\n    name: "%s.test."\n    stub-addr: 127.0.0.1@%s\n' $zone "$DNS_PORT"
done)
remote-control:
    control-enable: no
END
unbound -c "$STATE/unbound.conf" >"$STATE/unbound-start.log" 2>&1 || die "Unbound did not start: $(cat "$STATE/unbound-start.log")"
wait_port "$RESOLVER_PORT"

policy() { # NAME MX MODE
    printf 'version: STSv1\nmode: %s\nmx: %s\nmax_age: 86400\n' "$3" "$2" >"$STATE/policy/$1"
}
policy good mx.good.sign.test enforce
policy sts-html mx.sts-html.sign.test enforce
policy sts-mx "*.other.test" enforce
policy sts-testing "*.sts-testing.sign.test" testing
policy sts-name mx.sts-name.sign.test enforce
policy peers mail.peers.test enforce
names=$(for n in good sts-gone sts-moved sts-html sts-mx sts-testing; do printf 'DNS:mta-sts.%s.sign.test,' "$n"; done)
(
    cd "$STATE"
    openssl req -newkey rsa:2048 -nodes -subj /CN=policies -keyout policy.key -out policy.csr
    echo "subjectAltName=${names}DNS:mta-sts.peers.test,DNS:webmail.peers.test" >policy.ext
    openssl x509 -req -in policy.csr -CA "$TLS/ca.pem" -CAkey "$TLS/ca.key" -CAcreateserial \
        -days 90 -extfile policy.ext -out policy.pem
) >"$STATE/tls.log" 2>&1 || die "the certificate could not be made; see $STATE/tls.log"
server() { # NAME CONTENT-TYPE LOCATION
    echo "server { listen 127.0.0.1:$POLICY_PORT ssl; server_name mta-sts.$1.sign.test;"
    echo "  types { } default_type $2; location = /.well-known/mta-sts.txt { $3 } }"
}
serve() { server "$1" "$2" "alias $STATE/policy/$1;"; }
cat >"$STATE/nginx.conf" <<END
$([ "$(id -u)" != 0 ] || echo "user nobody nogroup;")
pid $STATE/nginx.pid;
error_log $STATE/error.log;
worker_processes 1;
events { worker_connections 256; }
http {
  access_log off;
  client_body_temp_path $STATE/body;
  proxy_temp_path $STATE/proxy;
  fastcgi_temp_path $STATE/fastcgi;
  uwsgi_temp_path $STATE/uwsgi;
  scgi_temp_path $STATE/scgi;
  ssl_certificate $STATE/policy.pem;
  ssl_certificate_key $STATE/policy.key;
$(serve good text/plain)
  server { listen 127.0.0.1:$POLICY_PORT ssl; server_name mta-sts.peers.test;
    types { } default_type text/plain;
    location = /.well-known/mta-sts.txt { alias $STATE/policy/peers; } }
  server { listen 127.0.0.1:$POLICY_PORT ssl; server_name webmail.peers.test; default_type text/html;
    location = / { return 200 '<form><input name="csrf" value="a&amp;b/c d"><input type="password"></form>'; }
    location = /said { return 200 'you said \$arg_t'; }
    location / { return 404; } }
$(serve sts-html text/html)
$(serve sts-mx text/plain)
$(serve sts-testing text/plain)
$(serve sts-name text/plain)
$(server sts-gone text/plain "return 404;")
$(server sts-moved text/plain "return 302 https://mta-sts.good.sign.test:$POLICY_PORT/.well-known/mta-sts.txt;")
}
END
nginx -e "$STATE/error.log" -c "$STATE/nginx.conf" || die "nginx did not start; see $STATE/error.log"
wait_port "$POLICY_PORT"
say "up; state in $STATE"
