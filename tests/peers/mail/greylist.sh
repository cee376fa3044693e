#!/bin/bash
# greylist.sh DIRECTORY: a policy service for Postfix (SMTPD_POLICY_README). Whoever comes for
# the first time is asked to come back in a second, and let in when it does.
directory=$1
while true; do
    key=
    while IFS= read -r line && [ -n "$line" ]; do
        case $line in sender=* | recipient=* | client_address=*) key="$key $line" ;; esac
    done
    [ -n "$key" ] || exit 0 # Postfix has gone
    met=$directory/$(printf %s "$key" | sha256sum | cut -c1-32)
    if [ -e "$met" ] && [ $(($(date +%s%N) - $(cat "$met"))) -ge 1000000000 ]; then
        printf 'action=DUNNO\n\n'
    else
        [ -e "$met" ] || date +%s%N >"$met"
        printf 'action=450 4.2.0 Greylisted, please come back in 1 second\n\n'
    fi
done
