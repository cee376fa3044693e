#!/bin/bash
# Proves each page and each certificate, and that the log tells a resumed session from a new one.
. "$(dirname "$0")/../lib.sh"
fetch() { # PORT PATH CURL-OPTION...
    curl -s --cacert "$TLS/ca.pem" --resolve "mail.peers.test:$1:127.0.0.1" \
        "https://mail.peers.test:$1$2" "${@:3}"
}
code() { local c=0; fetch "$@" >/dev/null || c=$?; echo $c; }
has "the portal" "$(fetch "$HTTPS_PORT" /)" Portal
has "the portal in the clear" "$(curl -s "http://127.0.0.1:$HTTP_PORT/portal/")" Portal
is "the health page" "$(fetch "$HTTPS_PORT" /owa/healthcheck.htm)" "200 OK<br/>PEER01.peers.test"
is "a health page that closes (curl's 52)" "$(code "$HTTPS_PORT" /down/healthcheck.htm)" 52
is "503" "$(fetch "$HTTPS_PORT" /503 -o /dev/null -w '%{http_code}')" 503
is "a slow page (curl's 28)" "$(code "$HTTPS_PORT" /slow --max-time 1)" 28
is "a loop (curl's 47)" "$(code "$HTTPS_PORT" /loop -L --max-redirs 5)" 47
is "a redirect" "$(fetch "$HTTPS_PORT" /redirect -L -o /dev/null -w '%{http_code}')" 200
for p in "$EXPIRED_PORT" "$WRONG_NAME_PORT" "$SELF_SIGNED_PORT"; do
    is "certificate on $p refused (curl's 60)" "$(code "$p" /)" 60
done
has "the log knows a full handshake" "$(tail -n 20 "$STATE/access.log")" "TLSv1.3 ."
session=$STATE/session
for option in -sess_out -sess_in; do
    { printf 'GET /portal/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'; sleep 0.5; } |
        openssl s_client -quiet -connect "127.0.0.1:$HTTPS_PORT" $option "$session" >/dev/null 2>&1 || true
done
has "and a resumed one" "$(tail -n 1 "$STATE/access.log")" "TLSv1.3 r"
exit $FAILED
