#!/bin/bash
# Proves: greeting, STARTTLS under the peers' authority, what needs what, AUTH right and wrong,
# and the recipients that fail.
. "$(dirname "$0")/../lib.sh"
talk() { # PORT COMMAND...: a conversation over STARTTLS
    local p=$1
    shift
    { for line in "$@" QUIT; do sleep 0.2; printf '%s\r\n' "$line"; done; sleep 0.3; } |
        timeout 20 openssl s_client -quiet -crlf -starttls smtp -connect "127.0.0.1:$p" \
            -CAfile "$TLS/ca.pem" -verify_return_error -verify_hostname mail.peers.test 2>&1 |
        tr -d '\r'
}
plain() { # PORT COMMAND...: a conversation in the clear
    local p=$1 line answer
    shift
    exec 3<>"/dev/tcp/127.0.0.1/$p"
    IFS= read -r -t 5 answer <&3 && echo "$answer"
    for line in "$@"; do
        printf '%s\r\n' "$line" >&3
        while IFS= read -r -t 5 answer <&3; do
            echo "$answer"
            [ "${answer:3:1}" = - ] || break
        done
    done
    exec 3<&- 3>&-
}
auth() { printf 'AUTH PLAIN %s' "$(printf '\0probe@peers.test\0%s' "$1" | base64)"; }

has "the MX greets" "$(plain "$MX_PORT")" "220 mail.peers.test ESMTP"
has "the MX offers STARTTLS" "$(plain "$MX_PORT" "EHLO check.test")" STARTTLS
sender=("EHLO check.test" "MAIL FROM:<check@elsewhere.test>")
has "the MX takes a recipient over TLS" "$(talk "$MX_PORT" "${sender[@]}" "RCPT TO:<probe@peers.test>")" "250 2.1.5"
has "and not somebody it does not know" "$(talk "$MX_PORT" "${sender[@]}" "RCPT TO:<nobody@peers.test>")" "550 5.1.1"
has "and not somebody elsewhere" "$(talk "$MX_PORT" "${sender[@]}" "RCPT TO:<x@elsewhere.test>")" "554 5.7.1"
for pair in "grey:450 4.2.0" "full:452 4.2.2" "broken:451 4.3.0" "blocked:554 5.7.1"; do
    answer=$(plain "$MX_PORT" "${sender[@]}" "RCPT TO:<${pair%%:*}@peers.test>")
    has "RCPT ${pair%%:*}" "$answer" "${pair#*:}"
done
has "submission wants TLS" "$(plain "$SUBMISSION_PORT" "${sender[@]}")" "530 5.7.0"
has "submission offers AUTH" "$(talk "$SUBMISSION_PORT" "EHLO check.test")" "AUTH PLAIN LOGIN"
has "the right password" "$(talk "$SUBMISSION_PORT" "EHLO check.test" "$(auth secret-1)")" "235 2.7.0"
{ printf 'EHLO check.test\r\n%s\r\n' "$(auth wrong)"; sleep 2; printf 'QUIT\r\n'; sleep 0.3; } |
    timeout 20 openssl s_client -quiet -crlf -connect "127.0.0.1:$SMTPS_PORT" -CAfile "$TLS/ca.pem" \
        >"$STATE/smtps" 2>&1 || true
has "smtps greets over TLS" "$(cat "$STATE/smtps")" "220 mail.peers.test"
has "the wrong password" "$(cat "$STATE/smtps")" "535 5.7.8"
exit $FAILED
