# Shared by every script of tests/peers: where state lives, which ports are used, and how
# processes are started and ended. Sourced, never run.
#
#   PEERS_DIR        where all state lives; default: /tmp/mailward-peers-UID
#   PEERS_PORT_BASE  the ports are this plus an offset; default 22000, so that nothing listens
#                    on a standard port and two runs can stand side by side
#
# Every peer is an ordinary process on loopback; nothing in /etc is read or changed.
set -euo pipefail

PEERS_DIR=${PEERS_DIR:-/tmp/mailward-peers-$(id -u)}
PEERS_PORT_BASE=${PEERS_PORT_BASE:-22000}
PEER=$(basename "$(cd "$(dirname "$0")" && pwd)")
STATE=$PEERS_DIR/$PEER
TLS=$PEERS_DIR/tls

port() { echo $((PEERS_PORT_BASE + $1)); }
MX_PORT=$(port 25) SUBMISSION_PORT=$(port 587) SMTPS_PORT=$(port 465)
SASL_PORT=$(port 26)
IMAP_PORT=$(port 143) IMAPS_PORT=$(port 993) POP3_PORT=$(port 110) POP3S_PORT=$(port 995)
TOKEN_PORT=$(port 448)
DNSBL_PORT=$(port 53)
HTTP_PORT=$(port 80) HTTPS_PORT=$(port 443)
EXPIRED_PORT=$(port 444) WRONG_NAME_PORT=$(port 445) SELF_SIGNED_PORT=$(port 446)
DNS_PORT=$(port 54) POLICY_PORT=$(port 447) RESOLVER_PORT=$(port 55)
SOGO_PORT=$(port 200) SOGO_DB_PORT=$(port 154) SOGO_CACHE_PORT=$(port 112) EAS_PORT=$(port 449)
BLACKBOX_PORT=$(port 115)
SIP_PORT=$(port 5060) SIPS_PORT=$(port 5061)

say() { echo "[$PEER] $*"; }
die() { echo "[$PEER] $*" >&2; exit 1; }

# For check.sh: one line a finding, and an exit code at the end.
FAILED=0
ok() { echo "ok   - $*"; }
bad() { echo "FAIL - $*"; FAILED=1; }
is() { if [ "$2" = "$3" ]; then ok "$1: $2"; else bad "$1: expected [$3], got [$2]"; fi; }
has() { case $2 in *"$3"*) ok "$1" ;; *) bad "$1: expected [$3] in [$2]" ;; esac; }

need() { # COMMAND...
    local c missing=
    for c in "$@"; do command -v "$c" >/dev/null || missing="$missing $c"; done
    [ -z "$missing" ] || die "not installed:$missing; run tests/peers/install.sh as root"
}
# Where the newest PostgreSQL that is installed keeps its programs.
pg_bin() { find /usr/lib/postgresql -maxdepth 2 -name bin 2>/dev/null | sort -V | tail -1; }
need_root() { [ "$(id -u)" = 0 ] || die "this peer has to be started by root"; }

listens() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
need_free() { # PORT...
    local p
    for p in "$@"; do ! listens "$p" || die "port $p is taken; run down.sh, or set PEERS_PORT_BASE"; done
}
wait_port() { # PORT...
    local p i
    for p in "$@"; do
        for i in $(seq 1 200); do listens "$p" && continue 2; sleep 0.05; done
        die "nothing listens on port $p"
    done
}

# The process whose id stands in the file, if it still runs.
alive() { local p; [ -s "$1" ] && p=$(tr -dc 0-9 <"$1") && [ -n "$p" ] && kill -0 "$p" 2>/dev/null && echo "$p"; }

# Ends the process whose id stands in the file and waits until it is gone.
end() { # PIDFILE
    local p i
    p=$(alive "$1") || { rm -f "$1"; return 0; }
    kill "$p" 2>/dev/null || true
    for i in $(seq 1 100); do kill -0 "$p" 2>/dev/null || break; sleep 0.05; done
    kill -9 "$p" 2>/dev/null || true
    rm -f "$1"
}

# Starts afresh: what runs is ended, what was kept is gone, and a start that fails ends what
# it had started.
fresh() {
    "$(dirname "$0")/down.sh"
    rm -rf "$STATE"
    mkdir -p "$STATE"
    chmod 755 "$PEERS_DIR" "$STATE"
    trap 'code=$?; [ $code = 0 ] || "$(dirname "$0")/down.sh"; exit $code' EXIT
}

# What every Postfix runs inside itself, as master.cf has it; what it listens to and delivers by
# is its own.
postfix_services() {
    cat <<END
postlog unix-dgram n - n - 1 postlogd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
anvil unix - - n - 1 anvil
END
}

# One authority and one server certificate for every name the peers use; kept between runs.
make_tls() {
    [ ! -s "$TLS/server.pem" ] || return 0
    rm -rf "$TLS"
    mkdir -p "$TLS"
    (
        cd "$TLS"
        openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj "/CN=Peers test authority" \
            -keyout ca.key -out ca.pem
        openssl req -newkey rsa:2048 -nodes -subj "/CN=mail.peers.test" \
            -keyout server.key -out server.csr
        printf '%s\n' 'subjectAltName=DNS:mail.peers.test,DNS:localhost,IP:127.0.0.1' \
            'extendedKeyUsage=serverAuth' 'basicConstraints=CA:FALSE' >server.ext
        openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 825 \
            -extfile server.ext -out leaf.pem
        cat leaf.pem ca.pem >server.pem
    ) >"$PEERS_DIR/tls.log" 2>&1 || die "the certificates could not be made; see $PEERS_DIR/tls.log"
}
