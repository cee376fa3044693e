#!/bin/bash
# Kamailio as the edge of a conferencing service, on 127.0.0.1: 27060 SIP over TCP, 27061 over TLS
# (with the default PEERS_PORT_BASE of 22000). What it says to OPTIONS depends on whom is asked:
#
#   sip:HOST           200, with Allow        sip:auth@HOST    407, with a challenge
#   sip:nobody@HOST    404                    sip:busy@HOST    503, with Retry-After
#   sip:slow@HOST      100, and 200 after a second             sip:mute@HOST  nothing at all
#
# With Max-Forwards: 0 it says 483, to INVITE 405.
. "$(dirname "$0")/../lib.sh"
PATH=$PATH:/usr/sbin:/sbin
need kamailio openssl
fresh
need_free "$SIP_PORT" "$SIPS_PORT"
make_tls
cat >"$STATE/tls.cfg" <<END
[server:default]
method = TLSv1.2+
verify_certificate = no
require_certificate = no
private_key = $TLS/server.key
certificate = $TLS/server.pem
END
cat >"$STATE/kamailio.cfg" <<END
#!KAMAILIO
debug=2
log_stderror=yes
children=1
tcp_children=2
tcp_connection_lifetime=60
auto_aliases=no
enable_tls=yes
listen=tcp:127.0.0.1:$SIP_PORT
listen=tls:127.0.0.1:$SIPS_PORT
alias=mail.peers.test
alias=localhost
server_header="Server: kamailio (peers)"
loadmodule "tls.so"
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "siputils.so"
loadmodule "textops.so"
loadmodule "textopsx.so"
loadmodule "cfgutils.so"
modparam("tls", "config", "$STATE/tls.cfg")
request_route {
  if (!mf_process_maxfwd_header("10")) { sl_send_reply("483", "Too Many Hops"); exit; }
  if (!is_method("OPTIONS")) { sl_send_reply("405", "Method Not Allowed"); exit; }
  if (\$rU == \$null) {
    append_to_reply("Allow: INVITE, ACK, CANCEL, BYE, OPTIONS\r\n");
    sl_send_reply("200", "OK");
  } else if (\$rU == "auth") {
    append_to_reply("Proxy-Authenticate: Digest realm=\"peers.test\", nonce=\"1\"\r\n");
    sl_send_reply("407", "Proxy Authentication Required");
  } else if (\$rU == "busy") {
    append_to_reply("Retry-After: 30\r\n");
    sl_send_reply("503", "Service Unavailable");
  } else if (\$rU == "slow") {
    sl_send_reply("100", "Trying");
    sleep("1");
    sl_send_reply("200", "OK");
  } else if (\$rU != "mute") {
    sl_send_reply("404", "Not Found");
  }
  exit;
}
END
# in the foreground it stays the leader of all its processes; its log is a file
setsid kamailio -DD -E -m 16 -M 4 -P "$STATE/pid" -f "$STATE/kamailio.cfg" -Y "$STATE" \
    </dev/null >"$STATE/kamailio.log" 2>&1 &
wait_port "$SIP_PORT" "$SIPS_PORT"
say "up; logs in $STATE"
