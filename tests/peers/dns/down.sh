#!/bin/bash
. "$(dirname "$0")/../lib.sh"
end "$STATE/nginx.pid"
end "$STATE/unbound.pid"
end "$STATE/pid"
