#!/bin/bash
# install.sh [--check]: installs what pdf.sh and deployment.sh need: qpdf and poppler from Debian,
# and from PyPI pdfua, pikepdf, kubernetes-validate and check-jsonschema, in a virtual environment
# of their own below target/ (or $CHECKERS).
# With --check, or run by somebody else than root, it installs no Debian package; with --check
# nothing at all: it says what is missing, and exits 1 if anything is.
set -euo pipefail
cd "$(dirname "$0")/../.."
home=${CHECKERS:-$PWD/target/checkers}

missing=
for pair in qpdf:qpdf poppler-utils:pdfinfo python3:python3; do
    command -v "${pair#*:}" >/dev/null || missing="$missing ${pair%%:*}"
done
# Debian keeps what makes virtual environments apart from Python itself
! command -v python3 >/dev/null || python3 -c 'import ensurepip' 2>/dev/null || missing="$missing python3-venv"
if [ -n "$missing" ]; then
    if [ "${1:-}" = --check ] || [ "$(id -u)" != 0 ]; then
        echo "missing packages:$missing; as root: tests/checkers/install.sh" >&2
        exit 1
    fi
    command -v apt-get >/dev/null || { echo "missing:$missing; this is not a Debian, install them by hand" >&2; exit 1; }
    export DEBIAN_FRONTEND=noninteractive
    # shellcheck disable=SC2086
    apt-get install -y -qq --no-install-recommends $missing >/dev/null 2>&1 || {
        apt-get update -qq
        apt-get install -y -qq --no-install-recommends $missing
    }
fi

absent=
for name in pdfua kubernetes-validate check-jsonschema; do
    [ -x "$home/bin/$name" ] || absent="$absent $name"
done
[ -n "$absent" ] || exit 0
if [ "${1:-}" = --check ]; then
    echo "missing from PyPI:$absent; run tests/checkers/install.sh" >&2
    exit 1
fi
python3 -m venv "$home"
"$home/bin/pip" install --quiet --disable-pip-version-check pdfua==0.1.3 'pikepdf>=9' \
    kubernetes-validate==1.37.0 check-jsonschema==0.39.0
