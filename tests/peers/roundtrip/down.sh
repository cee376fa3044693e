#!/bin/bash
# Ends both Postfix and Dovecot, also ones that no longer listen to their own commands.
. "$(dirname "$0")/../lib.sh"
PATH=$PATH:/usr/sbin:/sbin
for one in service internet; do
    if alive "$STATE/$one/queue/pid/master.pid" >/dev/null; then
        postfix -c "$STATE/$one/etc" stop >/dev/null 2>&1 || true
    fi
    end "$STATE/$one/queue/pid/master.pid"
done
end "$STATE/dovecot/run/master.pid"
