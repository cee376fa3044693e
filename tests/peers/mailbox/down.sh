#!/bin/bash
# Ends Dovecot and nginx.
. "$(dirname "$0")/../lib.sh"
end "$STATE/dovecot/run/master.pid"
end "$STATE/nginx/pid"
