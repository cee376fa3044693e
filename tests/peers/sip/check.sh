#!/bin/bash
# Proves each answer, over TCP and over TLS.
. "$(dirname "$0")/../lib.sh"
asked() { # USER MAX-FORWARDS
    printf '%s\r\n' "OPTIONS sip:${1}localhost SIP/2.0" \
        "Via: SIP/2.0/TCP 127.0.0.1:9;branch=z9hG4bK$RANDOM;rport" "Max-Forwards: $2" \
        "From: <sip:check@localhost>;tag=$RANDOM" "To: <sip:${1}localhost>" \
        "Call-ID: $RANDOM$RANDOM" "CSeq: 1 OPTIONS" "Content-Length: 0" ""
}
answer() { # USER MAX-FORWARDS
    {
        exec 3<>"/dev/tcp/127.0.0.1/$SIP_PORT"
        asked "$1" "$2" >&3
        timeout 2 cat <&3 || true
        exec 3<&-
    } | tr -d '\r'
}
has "200 for the edge" "$(answer "" 70)" "SIP/2.0 200 OK"
has "and what it allows" "$(answer "" 70)" "Allow: INVITE"
has "404" "$(answer nobody@ 70)" "SIP/2.0 404"
has "407 with a challenge" "$(answer auth@ 70)" "Proxy-Authenticate: Digest"
has "503 with Retry-After" "$(answer busy@ 70)" "Retry-After: 30"
has "100 first" "$(answer slow@ 70 | head -n 1)" "SIP/2.0 100"
is "nothing" "$(answer mute@ 70)" ""
has "483" "$(answer "" 0)" "SIP/2.0 483"
has "over TLS" "$({ asked "" 70; sleep 1; } | timeout 3 openssl s_client -quiet -CAfile "$TLS/ca.pem" \
    -verify_return_error -connect "127.0.0.1:$SIPS_PORT" 2>/dev/null)" "SIP/2.0 200 OK"
exit $FAILED
