#!/bin/bash
# A small mail service: Postfix as MX and for submission, Dovecot for its passwords; mail is accepted and thrown away.
#
#   MX          127.0.0.1:22025  STARTTLS, no AUTH, takes mail for peers.test only
#   submission  127.0.0.1:22587  STARTTLS, then AUTH PLAIN or LOGIN
#   smtps       127.0.0.1:22465  TLS from the first byte, then AUTH
#
# Mailboxes: probe@peers.test, probe2@peers.test; password: secret-1.
# Recipients at peers.test that fail: grey (450 4.2.0, for ever), newcomer (450 4.2.0 the first time), full (452 4.2.2), blocked (554 5.7.1
# naming a blocklist), broken (451 4.3.0), anybody else (550 5.1.1).
. "$(dirname "$0")/../lib.sh"
need_root
PATH=$PATH:/usr/sbin:/sbin
need postfix dovecot openssl
fresh
need_free "$MX_PORT" "$SUBMISSION_PORT" "$SMTPS_PORT" "$SASL_PORT"
make_tls
mkdir -p "$STATE"/{postfix,queue,lib,dovecot,grey}
chmod 777 "$STATE/grey"
cp "$(dirname "$0")/greylist.sh" "$STATE/"
chown postfix "$STATE/lib"
chmod 700 "$STATE/lib"

cat >"$STATE/dovecot/users" <<END
probe@peers.test:{PLAIN}secret-1::::::
probe2@peers.test:{PLAIN}secret-1::::::
END
cat >"$STATE/dovecot/dovecot.conf" <<END
base_dir = $STATE/dovecot/run
state_dir = $STATE/dovecot/state
instance_name = mailward-peers-$PEERS_PORT_BASE
log_path = $STATE/dovecot/log
listen = 127.0.0.1
protocols =
ssl = no
auth_mechanisms = plain login
auth_verbose = yes
auth_failure_delay = 1 secs
passdb {
  driver = passwd-file
  args = $STATE/dovecot/users
}
userdb {
  driver = static
  args = uid=dovenull gid=dovenull home=$STATE/none
}
service auth {
  inet_listener sasl {
    address = 127.0.0.1
    port = $SASL_PORT
  }
}
END
dovecot -c "$STATE/dovecot/dovecot.conf"

# inet_interfaces must name an address that the machine shows, or Postfix dies without a word
cat >"$STATE/postfix/main.cf" <<END
compatibility_level = 3.6
queue_directory = $STATE/queue
data_directory = $STATE/lib
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
maillog_file = $STATE/postfix/log
maillog_file_prefixes = $STATE
myhostname = mail.peers.test
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.9.9.9/32
mydestination =
alias_maps =
local_recipient_maps =
virtual_mailbox_domains = peers.test
virtual_mailbox_maps = inline:{probe@peers.test=x, probe2@peers.test=x, newcomer@peers.test=x}
smtpd_restriction_classes = greylisting
greylisting = check_policy_service unix:private/greylist
virtual_transport = discard:
default_transport = discard:
smtp_dns_support_level = disabled
biff = no
append_dot_mydomain = no
notify_classes =
smtpd_tls_cert_file = $TLS/server.pem
smtpd_tls_key_file = $TLS/server.key
smtpd_tls_security_level = may
smtpd_tls_loglevel = 1
smtpd_tls_auth_only = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = inet:127.0.0.1:$SASL_PORT
smtpd_relay_restrictions = permit_sasl_authenticated, reject_unauth_destination
smtpd_recipient_restrictions =
  check_recipient_access inline:{
    {grey@peers.test = 450 4.2.0 Greylisted, try again later},
    {newcomer@peers.test = greylisting},
    {full@peers.test = 452 4.2.2 Mailbox full},
    {broken@peers.test = 451 4.3.0 Temporary lookup failure},
    {blocked@peers.test = 554 5.7.1 Service unavailable; Client host [203.0.113.9] blocked using bl.peers.test}}
  reject_unlisted_recipient
END
postfix_services >"$STATE/postfix/master.cf"
cat >>"$STATE/postfix/master.cf" <<END
greylist unix - n n - 0 spawn user=nobody argv=$STATE/greylist.sh $STATE/grey
127.0.0.1:$MX_PORT inet n - n - - smtpd
127.0.0.1:$SUBMISSION_PORT inet n - n - - smtpd
  -o smtpd_tls_security_level=encrypt
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_client_restrictions=permit_sasl_authenticated,reject
127.0.0.1:$SMTPS_PORT inet n - n - - smtpd
  -o smtpd_tls_wrappermode=yes
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_client_restrictions=permit_sasl_authenticated,reject
END
postfix -c "$STATE/postfix" start >"$STATE/start.log" 2>&1 || die "Postfix did not start: $(cat "$STATE/start.log")"
wait_port "$MX_PORT" "$SUBMISSION_PORT" "$SMTPS_PORT" "$SASL_PORT"
say "up; logs in $STATE"
