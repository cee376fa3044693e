#!/bin/bash
# Proves: the relay passes a message on to a mailbox, and one that nobody takes comes back.
. "$(dirname "$0")/../lib.sh"
need curl
IMAPS=$(port 293) RELAY=$(port 325)
send() { # TO
    printf 'From: probe@service.test\r\nTo: %s\r\nSubject: check\r\n\r\nhello\r\n' "$1" |
        curl -sS --url "smtp://127.0.0.1:$RELAY" --mail-from probe@service.test --mail-rcpt "$1" -T -
}
folder() { # FOLDER
    curl -sS --cacert "$TLS/ca.pem" --resolve "mail.peers.test:$IMAPS:127.0.0.1" \
        -u probe@service.test:secret-1 "imaps://mail.peers.test:$IMAPS/$1?ALL" 2>&1 | tr -d '\r'
}
until_there() { # WHAT FOLDER
    local i
    for i in $(seq 1 100); do
        case $(folder "$2") in *"SEARCH "[0-9]*) ok "$1"; return ;; esac
        sleep 0.1
    done
    bad "$1: nothing in $2"
}
send probe@service.test
until_there "a message arrives" INBOX
send junky@service.test
until_there "a message arrives in junk" Junk
exit $FAILED
