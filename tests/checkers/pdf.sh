#!/bin/bash
# pdf.sh FILE...: independent checkers look at PDFs: qpdf (syntax), pdfua (PDF/UA-1), poppler
# (fonts, structure, order of reading), archive.py (PDF/A-2a). Prints what each found; exits 1 if
# any found anything.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
home=${CHECKERS:-$here/../../target/checkers}
"$here/install.sh" --check || exit 1

found=0
complain() {
    echo "$*"
    found=1
}
for file in "$@"; do
    # exits 3 on a warning
    out=$(qpdf --check "$file" 2>&1) || complain "$file: qpdf: $out"
    out=$("$home/bin/pdfua" check "$file" 2>&1) || complain "$file: pdfua: $out"
    out=$("$home/bin/python" "$here/archive.py" "$file" 2>&1) || complain "$file: archive.py: $out"
    pdfinfo "$file" | grep -q '^Tagged: *yes' || complain "$file: pdfinfo: not tagged"
    # embedded, subset, mapped to Unicode
    out=$(pdffonts "$file" | tail -n +3 | grep -v 'yes yes yes') && complain "$file: pdffonts: $out"
    # a broken tree or text outside the page is told on standard error
    out=$(pdfinfo -struct-text "$file" 2>&1 >/dev/null)
    [ -z "$out" ] || complain "$file: pdfinfo -struct-text: $out"
    out=$(pdftotext -layout "$file" - 2>&1 >/dev/null)
    [ -z "$out" ] || complain "$file: pdftotext: $out"
done
exit $found
