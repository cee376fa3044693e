#!/bin/bash
# Proves: versions for the right password, 401 for a wrong one, and that FolderSync lists an inbox
# and makes one device.
. "$(dirname "$0")/../lib.sh"
eas=https://localhost:$EAS_PORT/Microsoft-Server-ActiveSync
ask() { curl -s --cacert "$TLS/ca.pem" "$@"; }
has "versions" "$(ask -i -X OPTIONS -u probe@peers.test:secret-1 "$eas")" "14.1"
is "a wrong password" "$(ask -o /dev/null -w '%{http_code}' -X OPTIONS -u probe@peers.test:no "$eas")" 401
folders=$(printf '\003\001\152\000\000\007\126\122\0030\000\001\001' |
    ask -u probe@peers.test:secret-1 -H 'MS-ASProtocolVersion: 14.1' \
        -H 'Content-Type: application/vnd.ms-sync.wbxml' --data-binary @- \
        "$eas?Cmd=FolderSync&User=probe@peers.test&DeviceId=CHECK1&DeviceType=Check" | tr -d '\000')
has "FolderSync" "$folders" INBOX
has "devices" "$("$(dirname "$0")/devices.sh")" CHECK1
exit $FAILED
