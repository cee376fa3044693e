#!/bin/bash
. "$(dirname "$0")/../lib.sh"
end "$STATE/pid"
