#!/bin/bash
# Ends Postfix and Dovecot, also ones that no longer listen to their own commands.
. "$(dirname "$0")/../lib.sh"
PATH=$PATH:/usr/sbin:/sbin
if alive "$STATE/queue/pid/master.pid" >/dev/null; then
    postfix -c "$STATE/postfix" stop >/dev/null 2>&1 || true
fi
end "$STATE/queue/pid/master.pid"
end "$STATE/dovecot/run/master.pid"
