#!/bin/bash
# deployment.sh: the compose file against the Compose Specification's schema (the copy that
# check-jsonschema brings), the Kubernetes example against Kubernetes' own (kubernetes-validate,
# which refuses fields that no schema knows). Prints what each found; exits 1 if any did.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
home=${CHECKERS:-$here/../../target/checkers}
"$here/install.sh" --check || exit 1

found=0
"$home/bin/check-jsonschema" --builtin-schema vendor.compose-spec "$here/../../deploy/compose.yaml" || found=1
"$home/bin/kubernetes-validate" --strict "$here/../../deploy/kubernetes/mailward.yaml" || found=1
exit $found
