#!/bin/bash
# ActiveSync: SOGo on the mailboxes of the peer mailbox, which has to be up, behind nginx for TLS.
#
#   https://localhost:22449/Microsoft-Server-ActiveSync    probe@peers.test, password secret-1
#   sogod 127.0.0.1:22200, PostgreSQL 127.0.0.1:22154, memcached 127.0.0.1:22112
#
# sogod reads /etc/sogo/sogo.conf whatever it is told, so it is given another one there, in a
# mount namespace of its own; the machine's stays as it is.
. "$(dirname "$0")/../lib.sh"
need_root
PATH=$PATH:/usr/sbin:/sbin
PGB=$(pg_bin)
need sogod memcached nginx openssl psql unshare setpriv "$PGB/initdb"
fresh
need_free "$SOGO_PORT" "$SOGO_DB_PORT" "$SOGO_CACHE_PORT" "$EAS_PORT"
listens "$IMAP_PORT" || die "nothing listens on port $IMAP_PORT; start the peer mailbox first"
make_tls
mkdir -p "$STATE"/{pg,home,etc,spool,nginx}
chown postgres "$STATE/pg"
chown -R sogo: "$STATE/home" "$STATE/spool" "$STATE/etc"

runuser -u postgres -- "$PGB/initdb" -D "$STATE/pg/cluster" -A trust -U postgres --no-sync \
    >"$STATE/initdb.log" 2>&1 </dev/null
runuser -u postgres -- "$PGB/pg_ctl" -D "$STATE/pg/cluster" -w -l "$STATE/pg/log" \
    -o "-c listen_addresses=127.0.0.1 -c port=$SOGO_DB_PORT -c unix_socket_directories= -c fsync=off" \
    start >"$STATE/pg_ctl.log" 2>&1 </dev/null
sql() { psql -qAth 127.0.0.1 -p "$SOGO_DB_PORT" -U "$1" "$2"; }
sql postgres postgres <<'END'
CREATE ROLE sogo LOGIN;
CREATE DATABASE sogo OWNER sogo;
END
sql sogo sogo <<'END'
CREATE TABLE users (c_uid varchar PRIMARY KEY, c_name varchar, c_password varchar, c_cn varchar,
    mail varchar);
INSERT INTO users VALUES ('probe@peers.test', 'probe@peers.test', 'secret-1', 'Probe',
    'probe@peers.test');
END

db=postgresql://sogo:none@127.0.0.1:$SOGO_DB_PORT/sogo
cat >"$STATE/etc/sogo.conf" <<END
{
  SOGoProfileURL = "$db/sogo_user_profile";
  OCSFolderInfoURL = "$db/sogo_folder_info";
  OCSSessionsFolderURL = "$db/sogo_sessions_folder";
  OCSEMailAlarmsFolderURL = "$db/sogo_alarms_folder";
  OCSCacheFolderURL = "$db/sogo_cache_folder";
  OCSStoreURL = "$db/sogo_store";
  OCSAclURL = "$db/sogo_acl";
  SOGoUserSources = ( { type = sql; id = users; viewURL = "$db/users"; canAuthenticate = YES;
    isAddressBook = YES; displayName = "Users"; userPasswordAlgorithm = plain; } );
  SOGoForceExternalLoginWithEmail = YES;
  SOGoIMAPServer = "imap://127.0.0.1:$IMAP_PORT";
  SOGoMailSpoolPath = "$STATE/spool";
  SOGoMemcachedHost = "127.0.0.1:$SOGO_CACHE_PORT";
  SOGoMaximumPingInterval = 60;
  SOGoMaximumSyncInterval = 60;
  SOGoInternalSyncInterval = 5;
  SOGoMaximumFailedLoginCount = 12;
  SOGoMaximumFailedLoginInterval = 300;
  SOGoFailedLoginBlockInterval = 300;
  SxVMemLimit = 512;
}
END

setsid memcached -u nobody -l 127.0.0.1 -p "$SOGO_CACHE_PORT" -m 16 \
    >"$STATE/memcached.log" 2>&1 </dev/null &
echo $! >"$STATE/memcached.pid"
setsid unshare -m bash -c "mount --bind '$STATE/etc' /etc/sogo && exec setpriv --reuid=sogo \
    --regid=sogo --clear-groups env HOME='$STATE/home' LOGNAME=sogo sogod -WOWorkersCount 2 \
    -WOPort 127.0.0.1:$SOGO_PORT -WOLogFile - -WOPidFile '$STATE/home/sogo.pid' -WONoDetach YES" \
    >"$STATE/sogod.log" 2>&1 </dev/null &

cat >"$STATE/nginx/nginx.conf" <<END
pid $STATE/nginx/pid;
error_log $STATE/nginx/log;
worker_processes 1;
events { worker_connections 64; }
http {
  access_log $STATE/nginx/access;
  client_body_temp_path $STATE/nginx/body;
  proxy_temp_path $STATE/nginx/proxy;
  fastcgi_temp_path $STATE/nginx/fastcgi;
  uwsgi_temp_path $STATE/nginx/uwsgi;
  scgi_temp_path $STATE/nginx/scgi;
  server {
    listen 127.0.0.1:$EAS_PORT ssl;
    ssl_certificate $TLS/server.pem;
    ssl_certificate_key $TLS/server.key;
    proxy_http_version 1.1;
    proxy_buffer_size 128k;
    proxy_buffers 16 256k;
    proxy_busy_buffers_size 512k;
    proxy_read_timeout 3600;
    proxy_set_header Host \$host;
    proxy_set_header x-webobjects-server-protocol HTTP/1.0;
    proxy_set_header x-webobjects-remote-host 127.0.0.1;
    proxy_set_header x-webobjects-server-name localhost;
    proxy_set_header x-webobjects-server-url https://localhost:$EAS_PORT;
    proxy_set_header x-webobjects-server-port $EAS_PORT;
    location /Microsoft-Server-ActiveSync {
      proxy_pass http://127.0.0.1:$SOGO_PORT/SOGo/Microsoft-Server-ActiveSync;
    }
  }
}
END
nginx -c "$STATE/nginx/nginx.conf" -e "$STATE/nginx/log" >"$STATE/nginx/out" 2>&1 </dev/null
wait_port "$SOGO_PORT" "$SOGO_CACHE_PORT" "$EAS_PORT"
say "up; logs in $STATE"
