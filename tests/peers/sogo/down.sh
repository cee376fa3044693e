#!/bin/bash
# Ends sogod, nginx, memcached and PostgreSQL.
. "$(dirname "$0")/../lib.sh"
end "$STATE/nginx/pid"
end "$STATE/home/sogo.pid"
end "$STATE/memcached.pid"
if [ -d "$STATE/pg/cluster" ]; then
    runuser -u postgres -- "$(pg_bin)/pg_ctl" -D "$STATE/pg/cluster" -m immediate stop \
        >/dev/null 2>&1 </dev/null || true
fi
