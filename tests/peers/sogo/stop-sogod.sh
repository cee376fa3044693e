#!/bin/bash
# Ends sogod alone, so that nginx has nothing behind it.
. "$(dirname "$0")/../lib.sh"
end "$STATE/home/sogo.pid"
