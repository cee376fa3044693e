#!/bin/bash
# Proves: greetings, encryption under the peers' authority, passwords right and wrong, a
# maildrop in use, a mailbox of 100,000 messages, tokens good, stale and refused.
. "$(dirname "$0")/../lib.sh"
talk() { # SCHEME PORT COMMAND...: a conversation over TLS from the first byte
    local p=$1
    shift
    { for line in "$@"; do sleep 0.3; printf '%s\n' "$line"; done; sleep 1.5; } |
        timeout 30 openssl s_client -quiet -crlf -connect "127.0.0.1:$p" \
            -CAfile "$TLS/ca.pem" -verify_return_error -verify_hostname mail.peers.test 2>&1 |
        tr -d "\r\000"
}
imap() { talk "$IMAPS_PORT" "$@" "z LOGOUT"; }
pop() { talk "$POP3S_PORT" "$@" QUIT; }

has "IMAP greets" "$(imap)" "* OK"
starttls() { # PROTOCOL PORT
    echo | timeout 10 openssl s_client -starttls "$1" -connect "127.0.0.1:$2" -CAfile "$TLS/ca.pem" \
        -verify_return_error -verify_hostname mail.peers.test 2>&1 || true
}
has "IMAP offers STARTTLS" "$(starttls imap "$IMAP_PORT")" "Verification: OK"
has "POP3 offers STLS" "$(starttls pop3 "$POP3_PORT")" "Verification: OK"
has "the right password" "$(imap "a LOGIN probe@peers.test secret-1" "b EXAMINE INBOX")" "* 1 EXISTS"
has "the wrong password" "$(imap "a LOGIN probe@peers.test wrong")" "AUTHENTICATIONFAILED"
has "many messages" "$(imap "a LOGIN huge@peers.test secret-1" "b EXAMINE INBOX")" "* 100000 EXISTS"
has "POP3 greets" "$(pop)" "+OK"
has "POP3 counts" "$(pop "USER probe@peers.test" "PASS secret-1" STAT)" "+OK 1 "
has "POP3 knows the wrong password" "$(pop "USER probe@peers.test" "PASS wrong")" "-ERR [AUTH]"
token() { curl -s --cacert "$TLS/ca.pem" -d x=y "https://localhost:$TOKEN_PORT/$1"; }
has "a refused client" "$(token refused)" invalid_grant
xoauth2() { # a message for XOAUTH2 with the token of this place
    local t
    t=$(token "$1" | sed 's/.*"access_token":"\([^"]*\)".*/\1/')
    printf 'user=token@peers.test\001auth=Bearer %s\001\001' "$t" | base64 -w0
}
has "a good token" "$(imap "a AUTHENTICATE XOAUTH2 $(xoauth2 good)")" "a OK"
has "a stale token" "$(imap "a AUTHENTICATE XOAUTH2 $(xoauth2 stale)" "")" "a NO"
exit $FAILED
