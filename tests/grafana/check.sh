#!/bin/bash
# check.sh DASHBOARD...: what Grafana's own types say of dashboards; see check.mjs. Exits 1 if they
# say anything.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
"$here/install.sh" --check
exec node "$here/check.mjs" "${GRAFANA_CHECKERS:-$here/../../target/grafana-checkers}/node_modules" "$@"
