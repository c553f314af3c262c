#!/usr/bin/env bash
# What a shell script written with amqp-tools relies on, end to end. The tools have no publisher
# confirms, no mandatory flag and no reply consumer, so these parts of the list are left out.
set -euo pipefail

url=${AMQP_URL:-amqp://guest:guest@127.0.0.1:5672/}
# librabbitmq takes a bare trailing slash for the virtual host "".
[[ $url =~ ^amqps?://[^/]*/$ ]] && url=${url%/}
run=clients.amqp-tools.$$.$(od -An -N8 -tx1 /dev/urandom | tr -d ' \n')
queue=$run.queue
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() { echo "$*" >&2; exit 1; }
amqp() { local tool=$1; shift; timeout 10 "amqp-$tool" -u "$url" "$@"; }
equal() { [[ $1 == "$2" ]] || fail "$3: expected '$2', got '$1'"; }

equal "$(amqp declare-queue -q "$queue")" "$queue" 'declare-queue'

# A message through the default exchange; an empty queue makes amqp-get exit with 2.
amqp publish -r "$queue" -C text/plain -H 'attempt: 7' -b hello
equal "$(amqp get -q "$queue")" hello 'get'
status=0
amqp get -q "$queue" >"$work/empty" || status=$?
equal "$status" 2 'status of get on an empty queue'

# One message per line, taken in order under a prefetch of 3 and acked one by one.
seq 0 9 | amqp publish -r "$queue" -l
amqp consume -q "$queue" -p 3 -c 10 cat >"$work/lines"
equal "$(tr -d '\n' <"$work/lines")" 0123456789 'consumed lines'
status=0
amqp get -q "$queue" >"$work/empty" || status=$?
equal "$status" 2 'status of get after all was acked'

# A command that fails does not ack: the message is back after the consumer has gone.
amqp publish -r "$queue" -b again
amqp consume -q "$queue" -c 1 false || true
equal "$(amqp get -q "$queue")" again 'get after a failed command'

# A body of 1 MiB.
head -c 1048576 /dev/urandom >"$work/sent"
amqp publish -r "$queue" -p <"$work/sent"
amqp get -q "$queue" >"$work/got"
cmp "$work/sent" "$work/got" || fail 'the 1 MiB body changed'

# An exclusive queue that amqp-consume declares and binds itself.
amqp consume -e amq.topic -r "$run.*" -c 1 cat >"$work/topic" 2>"$work/topic.log" &
consumer=$!
delivered=no
for _ in $(seq 100); do
    amqp publish -e amq.topic -r "$run.news" -b news
    if [[ -s $work/topic ]]; then delivered=yes; break; fi
    sleep 0.05
done
wait "$consumer" || fail "consume from amq.topic: $(cat "$work/topic.log")"
equal "$delivered $(cat "$work/topic")" 'yes news' 'consume from amq.topic'

equal "$(amqp delete-queue -q "$queue")" 0 'messages left in the deleted queue'
if amqp get -q "$queue" >"$work/gone" 2>&1; then fail 'the deleted queue still exists'; fi
grep -q 404 "$work/gone" || fail "get from a deleted queue: $(cat "$work/gone")"
echo 'ok amqp-tools'
