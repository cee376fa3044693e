#!/bin/bash
# Mailboxes: Dovecot with IMAP and POP3, passwords and access tokens, and nginx as the token
# endpoint.
#
#   IMAP  127.0.0.1:22143  STARTTLS     IMAPS  127.0.0.1:22993
#   POP3  127.0.0.1:22110  STLS         POP3S  127.0.0.1:22995
#   tokens  https://localhost:22448/good, /stale, /refused
#
# Mailboxes at peers.test, password secret-1: probe (one message), huge (100,000 messages), full
# (over its quota). token@peers.test logs on with the token of /good; that of /stale has expired.
. "$(dirname "$0")/../lib.sh"
need_root
PATH=$PATH:/usr/sbin:/sbin
need dovecot nginx openssl /usr/lib/dovecot/imap /usr/lib/dovecot/pop3
fresh
need_free "$IMAP_PORT" "$IMAPS_PORT" "$POP3_PORT" "$POP3S_PORT" "$TOKEN_PORT"
make_tls
id vmail >/dev/null 2>&1 || useradd -r -M -s /usr/sbin/nologin vmail
mkdir -p "$STATE"/dovecot/keys/default/HS256 "$STATE"/mail/{probe,full,token}/Maildir/{cur,new,tmp} \
    "$STATE"/mail/huge/mbox "$STATE"/nginx

message() { printf 'From: a@peers.test\r\nSubject: %s\r\n\r\n%s\r\n' "$1" "$2"; }
message one hello >"$STATE/mail/probe/Maildir/new/1.one.peers"
message big "$(head -c 4000 /dev/zero | tr '\0' x)" >"$STATE/mail/full/Maildir/new/1.big.peers"
awk 'BEGIN { for (i = 1; i <= 100000; i++)
    printf "From a@peers.test Sat Jan  3 01:05:34 2026\nSubject: %d\n\nx\n\n", i }' \
    >"$STATE/mail/huge/mbox/inbox"
chown -R vmail: "$STATE/mail"

cat >"$STATE/dovecot/users" <<END
probe@peers.test:{PLAIN}secret-1::::::
huge@peers.test:{PLAIN}secret-1::::::userdb_mail=mbox:$STATE/mail/huge/mbox:INBOX=$STATE/mail/huge/mbox/inbox
full@peers.test:{PLAIN}secret-1::::::userdb_quota_rule=*:bytes=1000
END

# tokens: signed statements (RFC 7519) with a key that Dovecot has too
key=$(openssl rand -hex 16)
printf %s "$key" | base64 -w0 >"$STATE/dovecot/keys/default/HS256/default"
chmod -R a+rX "$STATE/dovecot"
url64() { base64 -w0 | tr '+/' '-_' | tr -d =; }
token() { # EXPIRES
    local head body
    head=$(printf '{"alg":"HS256","typ":"JWT"}' | url64)
    body=$(printf '{"sub":"token@peers.test","iat":1700000000,"exp":%s}' "$1" | url64)
    printf '%s.%s.%s' "$head" "$body" \
        "$(printf '%s.%s' "$head" "$body" | openssl dgst -sha256 -hmac "$key" -binary | url64)"
}
now=$(date +%s)
answer() { printf '{"access_token":"%s","token_type":"Bearer","expires_in":3600}' "$1"; }

cat >"$STATE/dovecot/oauth2" <<END
introspection_mode = local
local_validation_key_dict = fs:posix:prefix=$STATE/dovecot/keys/
username_attribute = sub
END
cat >"$STATE/dovecot/dovecot.conf" <<END
base_dir = $STATE/dovecot/run
state_dir = $STATE/dovecot/state
instance_name = mailward-mailboxes-$PEERS_PORT_BASE
log_path = $STATE/dovecot/log
listen = 127.0.0.1
protocols = imap pop3
ssl = yes
ssl_cert = <$TLS/server.pem
ssl_key = <$TLS/server.key
auth_mechanisms = plain login xoauth2
auth_verbose = yes
auth_failure_delay = 1 secs
pop3_lock_session = yes
mail_location = maildir:$STATE/mail/%n/Maildir
mail_uid = vmail
mail_gid = vmail
first_valid_uid = 100
mail_plugins = quota
plugin {
  quota = count:User quota
  quota_vsizes = yes
}
namespace inbox {
  inbox = yes
}
passdb {
  driver = oauth2
  mechanisms = xoauth2
  args = $STATE/dovecot/oauth2
}
passdb {
  driver = passwd-file
  mechanisms = plain login
  args = $STATE/dovecot/users
}
userdb {
  driver = passwd-file
  args = $STATE/dovecot/users
  default_fields = uid=vmail gid=vmail home=$STATE/mail/%n
  result_failure = continue
}
userdb {
  driver = static
  args = uid=vmail gid=vmail home=$STATE/mail/%n
}
service imap-login {
  inet_listener imap {
    port = $IMAP_PORT
  }
  inet_listener imaps {
    port = $IMAPS_PORT
    ssl = yes
  }
}
service pop3-login {
  inet_listener pop3 {
    port = $POP3_PORT
  }
  inet_listener pop3s {
    port = $POP3S_PORT
    ssl = yes
  }
}
END
dovecot -c "$STATE/dovecot/dovecot.conf"

cat >"$STATE/nginx/nginx.conf" <<END
pid $STATE/nginx/pid;
error_log $STATE/nginx/log;
worker_processes 1;
events { worker_connections 64; }
http {
  access_log off;
  client_body_temp_path $STATE/nginx/body;
  proxy_temp_path $STATE/nginx/proxy;
  fastcgi_temp_path $STATE/nginx/fastcgi;
  uwsgi_temp_path $STATE/nginx/uwsgi;
  scgi_temp_path $STATE/nginx/scgi;
  default_type application/json;
  server {
    listen 127.0.0.1:$TOKEN_PORT ssl;
    ssl_certificate $TLS/server.pem;
    ssl_certificate_key $TLS/server.key;
    location = /good { return 200 '$(answer "$(token $((now + 7200)))")'; }
    location = /stale { return 200 '$(answer "$(token $((now - 7200)))")'; }
    location = /refused { return 400 '{"error":"invalid_grant"}'; }
  }
}
END
nginx -c "$STATE/nginx/nginx.conf" -e "$STATE/nginx/log"
wait_port "$IMAP_PORT" "$IMAPS_PORT" "$POP3_PORT" "$POP3S_PORT" "$TOKEN_PORT"
say "up; logs in $STATE"
