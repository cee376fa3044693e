#!/bin/bash
# Two mail systems for messages that travel: a service with mailboxes, and the internet.
#
#   service   MX          127.0.0.1:22225  STARTTLS; mailboxes of service.test
#             submission  127.0.0.1:22258  STARTTLS, then AUTH; sink.test goes to ROUNDTRIP_SINK
#             IMAP        127.0.0.1:22243  STARTTLS     IMAPS 127.0.0.1:22293
#   internet  relay       127.0.0.1:22325  takes anything from loopback; service.test goes to the MX
#
# Mailboxes: probe@service.test, probe2@service.test; password: secret-1. junky@service.test lands
# in the Junk folder of probe, nobody@bounce.test is sent back (5.1.1).
# ROUNDTRIP_SINK: the port on loopback where sink.test is taken; default 22299.
. "$(dirname "$0")/../lib.sh"
need_root
PATH=$PATH:/usr/sbin:/sbin
need postfix dovecot openssl
MX=$(port 225) SUBMISSION=$(port 258) IMAP=$(port 243) IMAPS=$(port 293) SASL=$(port 226)
RELAY=$(port 325) SINK=${ROUNDTRIP_SINK:-$(port 299)}
fresh
need_free "$MX" "$SUBMISSION" "$IMAP" "$IMAPS" "$SASL" "$RELAY"
make_tls
mkdir -p "$STATE"/{dovecot,mail}
chown mail:mail "$STATE/mail"

cat >"$STATE/dovecot/users" <<END
probe@service.test:{PLAIN}secret-1::::::
probe2@service.test:{PLAIN}secret-1::::::
END
cat >"$STATE/dovecot/dovecot.conf" <<END
base_dir = $STATE/dovecot/run
state_dir = $STATE/dovecot/state
instance_name = mailward-roundtrip-$PEERS_PORT_BASE
log_path = $STATE/dovecot/log
listen = 127.0.0.1
protocols = imap
ssl = yes
ssl_cert = <$TLS/server.pem
ssl_key = <$TLS/server.key
disable_plaintext_auth = yes
auth_mechanisms = plain login
mail_location = maildir:$STATE/mail/%d/%n
mail_uid = mail
mail_gid = mail
first_valid_uid = 1
namespace inbox {
  inbox = yes
  separator = /
  mailbox Junk {
    auto = subscribe
    special_use = \\Junk
  }
}
passdb {
  driver = passwd-file
  args = $STATE/dovecot/users
}
userdb {
  driver = static
  args = uid=mail gid=mail home=$STATE/mail/%d/%n
}
service imap-login {
  inet_listener imap {
    port = $IMAP
  }
  inet_listener imaps {
    port = $IMAPS
    ssl = yes
  }
}
service auth {
  inet_listener sasl {
    address = 127.0.0.1
    port = $SASL
  }
}
END
dovecot -c "$STATE/dovecot/dovecot.conf"

both() { # NAME
    mkdir -p "$STATE/$1"/{etc,queue,lib}
    chown postfix "$STATE/$1/lib"
    chmod 700 "$STATE/$1/lib"
    cat >"$STATE/$1/etc/main.cf" <<END
compatibility_level = 3.6
queue_directory = $STATE/$1/queue
data_directory = $STATE/$1/lib
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
maillog_file = $STATE/$1/log
maillog_file_prefixes = $STATE
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mydestination =
alias_maps =
local_recipient_maps =
smtp_dns_support_level = disabled
smtp_host_lookup = native
biff = no
append_dot_mydomain = no
notify_classes =
delay_logging_resolution_limit = 3
smtpd_tls_cert_file = $TLS/server.pem
smtpd_tls_key_file = $TLS/server.key
smtpd_tls_security_level = may
smtpd_tls_received_header = yes
smtp_tls_security_level = may
END
    postfix_services >"$STATE/$1/etc/master.cf"
    cat >>"$STATE/$1/etc/master.cf" <<END
smtp unix - - n - - smtp
relay unix - - n - - smtp
virtual unix - n n - - virtual
scache unix - - n - 1 scache
END
}
both service
cat >>"$STATE/service/etc/main.cf" <<END
myhostname = mail.peers.test
mynetworks = 127.9.9.9/32
virtual_mailbox_domains = service.test
virtual_mailbox_base = $STATE/mail
virtual_mailbox_maps = inline:{
  {probe@service.test = service.test/probe/}
  {probe2@service.test = service.test/probe2/}
  {junky@service.test = service.test/probe/.Junk/}}
virtual_minimum_uid = 1
virtual_uid_maps = static:$(id -u mail)
virtual_gid_maps = static:$(id -g mail)
transport_maps = inline:{
  {sink.test = smtp:[127.0.0.1]:$SINK}
  {bounce.test = smtp:[127.0.0.1]:$RELAY}}
smtpd_sasl_type = dovecot
smtpd_sasl_path = inet:127.0.0.1:$SASL
smtpd_tls_auth_only = yes
smtpd_relay_restrictions = permit_sasl_authenticated, reject_unauth_destination
minimal_backoff_time = 5s
maximal_backoff_time = 5s
queue_run_delay = 5s
END
cat >>"$STATE/service/etc/master.cf" <<END
127.0.0.1:$MX inet n - n - - smtpd
127.0.0.1:$SUBMISSION inet n - n - - smtpd
  -o smtpd_tls_security_level=encrypt
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_client_restrictions=permit_sasl_authenticated,reject
END
both internet
cat >>"$STATE/internet/etc/main.cf" <<END
myhostname = relay.internet.test
mynetworks = 127.0.0.0/8
transport_maps = inline:{{service.test = smtp:[127.0.0.1]:$MX}}
smtpd_recipient_restrictions =
  check_recipient_access inline:{{nobody@bounce.test = 550 5.1.1 nobody has this address}}
END
echo "127.0.0.1:$RELAY inet n - n - - smtpd" >>"$STATE/internet/etc/master.cf"
for one in service internet; do
    postfix -c "$STATE/$one/etc" start >"$STATE/start.log" 2>&1 || die "Postfix did not start: $(cat "$STATE/start.log")"
done
wait_port "$MX" "$SUBMISSION" "$IMAP" "$IMAPS" "$SASL" "$RELAY"
say "up; logs in $STATE"
