#!/bin/bash
# nginx with pages that work and pages and certificates that do not, all on 127.0.0.1:
#
#   22443  TLS, right: / and /portal/ ("Portal"), /owa/healthcheck.htm ("200 OK<br/>…"),
#          /down/healthcheck.htm (closed without an answer), /503 (Retry-After: 30),
#          /slow (2 bytes a second, 5 s in all), /redirect (to /portal/), /loop (to itself)
#   22444  expired certificate      22445  certificate for another name
#   22446  self-signed, TLS 1.2     22080  the same pages as 22443 in the clear
#
# Sessions may be resumed, and the access log says of each request whether its session was:
# $ssl_session_reused is "r" if so, "." if the handshake was a full one.
. "$(dirname "$0")/../lib.sh"
PATH=$PATH:/usr/sbin:/sbin
need nginx openssl
fresh
need_free "$HTTP_PORT" "$HTTPS_PORT" "$EXPIRED_PORT" "$WRONG_NAME_PORT" "$SELF_SIGNED_PORT"
make_tls
mkdir -p "$STATE/tls/ca"
(
    cd "$STATE/tls"
    openssl req -newkey rsa:2048 -nodes -subj /CN=other.test -keyout other.key -out other.csr
    echo 'subjectAltName=DNS:other.test' >other.ext
    openssl x509 -req -in other.csr -CA "$TLS/ca.pem" -CAkey "$TLS/ca.key" -CAcreateserial \
        -days 90 -extfile other.ext -out other.pem
    openssl req -x509 -newkey rsa:2048 -nodes -days 90 -subj /CN=mail.peers.test \
        -addext 'subjectAltName=DNS:mail.peers.test,IP:127.0.0.1' -keyout self.key -out self.pem
    # "x509 -days" takes no negative number, so an expired certificate is made by "ca"
    : >ca/index.txt
    echo 1000 >ca/serial
    cat >ca.cnf <<END
[ca]
default_ca=d
[d]
database=ca/index.txt
serial=ca/serial
new_certs_dir=ca
default_md=sha256
policy=p
x509_extensions=x
[p]
commonName=supplied
[x]
subjectAltName=DNS:mail.peers.test,DNS:localhost,IP:127.0.0.1
END
    openssl ca -batch -config ca.cnf -cert "$TLS/ca.pem" -keyfile "$TLS/ca.key" \
        -in "$TLS/server.csr" -startdate 20180101000000Z -enddate 20190218140000Z \
        -out expired.pem -notext
) >"$STATE/tls.log" 2>&1 || die "the certificates could not be made; see $STATE/tls.log"

bad_certificate() { # PORT CERTIFICATE KEY EXTRA
    echo "server { listen 127.0.0.1:$1 ssl; ssl_certificate $2; ssl_certificate_key $3; $4"
    echo "  location / { return 200 \"ok\\n\"; } }"
}
cat >"$STATE/nginx.conf" <<END
$([ "$(id -u)" != 0 ] || echo "user nobody nogroup;")
pid $STATE/pid;
error_log $STATE/error.log;
worker_processes 1;
events { worker_connections 1024; }
http {
  log_format peers '\$server_port \$status \$request_uri \$ssl_protocol \$ssl_session_reused';
  access_log $STATE/access.log peers;
  client_body_temp_path $STATE/body;
  proxy_temp_path $STATE/proxy;
  fastcgi_temp_path $STATE/fastcgi;
  uwsgi_temp_path $STATE/uwsgi;
  scgi_temp_path $STATE/scgi;
  default_type text/html;
  ssl_session_cache shared:peers:1m;
  ssl_session_tickets on;
  ssl_protocols TLSv1.2 TLSv1.3;
  server {
    listen 127.0.0.1:$HTTPS_PORT ssl;
    listen 127.0.0.1:$HTTP_PORT;
    ssl_certificate $TLS/server.pem;
    ssl_certificate_key $TLS/server.key;
    location = / { return 200 "<title>Portal</title>\\n"; }
    location = /portal/ { return 200 "<title>Portal</title>\\n"; }
    location = /owa/healthcheck.htm { return 200 "200 OK<br/>PEER01.peers.test"; }
    location = /down/healthcheck.htm { return 444; }
    location = /503 { add_header Retry-After 30 always; return 503; }
    location = /slow { limit_rate 2; return 200 "0123456789"; }
    location = /redirect { return 302 /portal/; }
    location = /loop { return 302 /loop; }
  }
$(bad_certificate "$EXPIRED_PORT" "$STATE/tls/expired.pem" "$TLS/server.key" "")
$(bad_certificate "$WRONG_NAME_PORT" "$STATE/tls/other.pem" "$STATE/tls/other.key" "")
$(bad_certificate "$SELF_SIGNED_PORT" "$STATE/tls/self.pem" "$STATE/tls/self.key" "ssl_protocols TLSv1.2;")
}
END
nginx -e "$STATE/error.log" -c "$STATE/nginx.conf" || die "nginx did not start; see $STATE/error.log"
wait_port "$HTTPS_PORT" "$HTTP_PORT" "$EXPIRED_PORT" "$WRONG_NAME_PORT" "$SELF_SIGNED_PORT"
say "up; logs in $STATE"
