#!/bin/bash
# Proves that the exporter sees the web peer up over http and https, and a port without
# listener down, and that promtool reads metrics.
. "$(dirname "$0")/../lib.sh"
need promtool
probe() {
    curl -s "http://127.0.0.1:$BLACKBOX_PORT/probe?module=web&target=$1" | grep '^probe_success ' || true
}
is "https" "$(probe "https://127.0.0.1:$HTTPS_PORT/portal/")" "probe_success 1"
is "http" "$(probe "http://127.0.0.1:$HTTP_PORT/portal/")" "probe_success 1"
is "nobody there" "$(probe "http://127.0.0.1:1/")" "probe_success 0"
if printf '# HELP x_total x\n# TYPE x_total counter\nx_total 1\n' | promtool check metrics; then
    ok "promtool reads metrics"
else
    bad "promtool"
fi
exit $FAILED
