#!/usr/bin/env bash
# Fills a stream on disk, kills the server, and tells how long the starts after that take, each
# beside one with an empty directory, in milliseconds until the server is there.
#
#   benches/stream_open.sh [MEGABYTES]
#
# MEGABYTES: 10000 by default; so much room is needed for a while. FOLDER: where (default: a new one
# below TMPDIR). PROGRAM: default target/release/leveret. RUNS: 7.
set -euo pipefail

megabytes=${1:-10000}
program=${PROGRAM:-target/release/leveret}
folder=$(mktemp -d -p "${FOLDER:-${TMPDIR:-/tmp}}")
server=
trap '[ -z "$server" ] || kill -9 "$server" 2>/dev/null; rm -rf "$folder"' EXIT

# Starts a server on a directory, and tells when it is there.
start() {
    local begun=${EPOCHREALTIME/./} line
    mkfifo -m 600 "$folder/said"
    "$program" serve --data-dir "$folder/$1" --amqp 127.0.0.1:5692 --stream none --management none \
        --metrics none >"$folder/said" 2>&1 &
    server=$!
    while read -r line; do
        case $line in *'startup complete'*) break ;; esac
    done <"$folder/said"
    rm "$folder/said"
    took_ms=$(((${EPOCHREALTIME/./} - begun) / 1000))
}

stop() { kill -9 "$server"; wait "$server" 2>/dev/null || true; server=; }

start full
"$program" bench --uri amqp://guest:guest@127.0.0.1:5692 --stream --size 1000000 --publishers 2 \
    --consumers 0 --confirm 20 --duration 3600 >/dev/null 2>&1 &
bench=$!
until [ "$(du -sm "$folder/full" | cut -f1)" -ge "$megabytes" ]; do sleep 1; done
# Before it can delete what it has filled.
kill -9 "$bench"
stop
echo "$(du -sm "$folder/full" | cut -f1) MB in $(ls "$folder/full/streams" | wc -l) files"
for ((run = 0; run < ${RUNS:-7}; run++)); do
    for directory in full empty; do
        start "$directory"
        echo "$directory: $took_ms ms"
        stop
    done
done
