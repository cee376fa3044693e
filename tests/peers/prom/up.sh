#!/bin/bash
# Debian's prometheus-blackbox-exporter on 127.0.0.1:22115, probing the web peer as the agent's
# http probe does: GET, certificate checked against the peers' authority, name mail.peers.test.
. "$(dirname "$0")/../lib.sh"
need prometheus-blackbox-exporter
fresh
need_free "$BLACKBOX_PORT"
make_tls
cat >"$STATE/blackbox.yml" <<END
modules:
  web:
    prober: http
    timeout: 5s
    http:
      preferred_ip_protocol: ip4
      tls_config: {ca_file: $TLS/ca.pem, server_name: mail.peers.test}
END
setsid prometheus-blackbox-exporter --config.file="$STATE/blackbox.yml" \
    --web.listen-address="127.0.0.1:$BLACKBOX_PORT" >"$STATE/log" 2>&1 </dev/null &
echo $! >"$STATE/pid"
wait_port "$BLACKBOX_PORT"
say "up, process $(cat "$STATE/pid")"
