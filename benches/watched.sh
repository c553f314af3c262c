#!/usr/bin/env bash
# What it costs to be watched: the rate and the CPU time of a server by itself, and while a page
# polls the HTTP API every second and Prometheus scrapes it every 5 s.
#
#   benches/watched.sh [-- further options of `leveret serve`]
#
# Starts a server of its own on free ports. Runs are interleaved, in the order ABBA, so that what
# else the machine does meets both alike. Prints the medians as a Markdown table, and with 1 as its
# status if the rate or the CPU time per message is worse by more than LIMIT percent.
# LEVERET: the program (default: target/release/leveret). SECONDS_PER_RUN: 5. RUNS: 8. LIMIT: 2.
# QUEUES: idle queues that are there besides (default: 100).
set -euo pipefail

case ${1:-} in
    -h | --help) sed -n '2,11s/^# \{0,1\}//p' "$0"; exit 0 ;;
    --) shift ;;
esac
leveret=${LEVERET:-target/release/leveret}
if ! command -v "$leveret" >/dev/null; then
    echo "there is no $leveret: cargo build --release makes it, or LEVERET names another" >&2
    exit 2
fi
seconds=${SECONDS_PER_RUN:-5} runs=${RUNS:-8} limit=${LIMIT:-2} queues=${QUEUES:-100}

work=$(mktemp -d)
server='' watcher=''
end() {
    [ -z "$watcher" ] || kill "$watcher" 2>/dev/null || true
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    wait 2>/dev/null || true
    rm -rf "$work"
}
trap end EXIT

"$leveret" serve --ephemeral --amqp 127.0.0.1:0 --management 127.0.0.1:0 --metrics 127.0.0.1:0 \
    --stream none "$@" >"$work/ready" 2>"$work/log" &
server=$!
for _ in $(seq 200); do
    grep -q 'Server startup complete' "$work/ready" && break
    kill -0 "$server" 2>/dev/null || { cat "$work/log" >&2; exit 2; }
    sleep 0.05
done
port() { sed -n "s/.*; $1 on [^;]*:\([0-9]*\)\(;.*\)\{0,1\}$/\1/p" "$work/ready"; }
amqp=$(port AMQP) http=$(port 'HTTP API') metrics=$(port metrics)

# Polls as a page does, over connections that stay: prints how often it has asked.
cat >"$work/watch.py" <<'PYTHON'
import base64, http.client, signal, sys, time
api, metrics, queues = (int(argument) for argument in sys.argv[1:])
login = {"Authorization": "Basic " + base64.b64encode(b"guest:guest").decode()}
page = http.client.HTTPConnection("127.0.0.1", api)
scraper = http.client.HTTPConnection("127.0.0.1", metrics)

def ask(connection, path, method="GET", body=None):
    connection.request(method, path, body, login)
    answer = connection.getresponse()
    answer.read()
    assert answer.status < 300, (path, answer.status)

if queues:
    for number in range(queues):
        ask(page, "/api/queues/%%2F/idle-%d" % number, "PUT", '{"durable": false}')
    sys.exit()
asked, next_at = 0, time.monotonic()
signal.signal(signal.SIGTERM, lambda *_: sys.exit("asked %d times" % asked))
while True:
    for path in ("/api/overview?lengths_age=60&lengths_incr=5&msg_rates_age=60&msg_rates_incr=5",
                 "/api/queues?page=1&page_size=100", "/api/connections", "/api/channels"):
        ask(page, path)
    if asked % 5 == 0:
        ask(scraper, "/metrics")
    asked += 1
    next_at += 1
    time.sleep(max(0.0, next_at - time.monotonic()))
PYTHON
python3 "$work/watch.py" "$http" "$metrics" "$queues"

measure() { # cell, kind, options
    local cell=$1 kind=$2
    shift 2
    if [ "$kind" = watched ]; then
        python3 "$work/watch.py" "$http" "$metrics" 0 2>>"$work/asked" &
        watcher=$!
    fi
    "$leveret" bench --uri "amqp://guest:guest@127.0.0.1:$amqp/" --pid "$server" \
        --duration "$seconds" --json "$@" >>"$work/$cell.$kind"
    if [ -n "$watcher" ]; then
        kill "$watcher" && wait "$watcher" 2>/dev/null || true
        watcher=''
    fi
}

field() { sed -n "s/.*\"$1\":\([0-9.eE+-]*\)[,}].*/\1/p"; }
median() { # cell, kind, field
    field "$3" <"$work/$1.$2" | sort -g | awk '
        { value[NR] = $1 }
        END { m = int((NR + 1) / 2); print NR % 2 ? value[m] : (value[m] + value[m + 1]) / 2 }'
}

status=0
echo "| load | messages/s | watched | loss % | CPU us/message | watched | more % |"
echo "|---|---:|---:|---:|---:|---:|---:|"
for size in 16 1024; do
    for ((run = 0; run < runs; run++)); do
        order=(alone watched)
        ((run % 2 == 0)) || order=(watched alone)
        for kind in "${order[@]}"; do
            echo "$size B: $kind, run $((run + 1)) of $runs" >&2
            measure "$size" "$kind" --size "$size"
        done
    done
    if ! awk -v size="$size" -v limit="$limit" \
        -v rate="$(median "$size" alone consumed_per_s)" \
        -v rate_watched="$(median "$size" watched consumed_per_s)" \
        -v cpu="$(median "$size" alone server_cpu_us_per_message)" \
        -v cpu_watched="$(median "$size" watched server_cpu_us_per_message)" 'BEGIN {
            loss = (1 - rate_watched / rate) * 100
            more = (cpu_watched / cpu - 1) * 100
            printf "| %d B | %.0f | %.0f | %.1f | %.3f | %.3f | %.1f |\n", \
                size, rate, rate_watched, loss, cpu, cpu_watched, more
            exit loss > limit || more > limit
        }'; then
        status=1
    fi
done
exit "$status"
