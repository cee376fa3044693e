#!/bin/bash
# Prints the ids of the ActiveSync devices that SOGo knows, one a line.
. "$(dirname "$0")/../lib.sh"
sql() { psql -qAth 127.0.0.1 -p "$SOGO_DB_PORT" -U sogo sogo -c "$1"; }
tables=$(sql "SELECT tablename FROM pg_tables WHERE tablename LIKE 'sogo_cache_folder%'")
for table in $tables; do
    # a path is /DEVICE+FOLDER or /DEVICE
    sql "SELECT DISTINCT split_part(trim(leading '/' from c_path), '+', 1) FROM $table"
done | sort -u | sed '/^$/d'
