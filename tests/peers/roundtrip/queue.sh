#!/bin/bash
# queue.sh hold|release|empty: what the service wants to send stays in its queue, goes out, or is
# thrown away.
. "$(dirname "$0")/../lib.sh"
PATH=$PATH:/usr/sbin:/sbin
ETC=$STATE/service/etc
case ${1:-} in
hold)
    postconf -c "$ETC" -e "defer_transports=smtp"
    postfix -c "$ETC" reload >/dev/null 2>&1
    ;;
release)
    postconf -c "$ETC" -X defer_transports
    postfix -c "$ETC" reload >/dev/null 2>&1
    postqueue -c "$ETC" -f
    ;;
empty) postsuper -c "$ETC" -d ALL ;;
*) die "expected hold, release or empty" ;;
esac
