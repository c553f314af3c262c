#!/usr/bin/env bash
# Runs the standard load table against several servers and prints medians as a Markdown table.
#
#   benches/compare.sh leveret=amqp://127.0.0.1:5672=4711 rabbitmq=amqp://127.0.0.1:5673=4712
#
# A target is NAME=URI=PID; without =PID there is no CPU time. The repetitions are interleaved
# between the targets, so that what else the machine does meets all of them alike.
# A run that fails is left out, shows in the last column and makes the script end with status 1.
# ONLY: loads whose name contains this, such as persistent.
# BENCH: the load command (default: target/release/leveret bench). SECONDS_PER_RUN: 5. RUNS: 3.
set -euo pipefail

usage() { sed -n '2,11s/^# \{0,1\}//p' "$0" >&2; exit "$1"; }

[ $# -gt 0 ] || usage 2
for target in "$@"; do
    case $target in
        -h | --help) usage 0 ;;
        ?*=amqp://?*) ;;
        *) echo "'$target' is no target: write NAME=amqp://HOST:PORT, or with =PID" >&2; usage 2 ;;
    esac
done
read -r -a bench <<<"${BENCH:-target/release/leveret bench}"
if ! command -v "${bench[0]}" >/dev/null; then
    echo "there is no ${bench[0]}: cargo build --release makes it, or BENCH names another" >&2
    exit 2
fi
seconds=${SECONDS_PER_RUN:-5}
runs=${RUNS:-3}
failed=0

workloads=(
    "16 B, auto-ack|--size 16"
    "1 KiB, auto-ack|--size 1024"
    "16 B, confirms 1000, acks|--size 16 --confirm 1000 --ack --prefetch 1000"
    "1 KiB, confirms 1000, acks|--size 1024 --confirm 1000 --ack --prefetch 1000"
    "1 KiB, persistent, confirms 1000, acks|--size 1024 --confirm 1000 --ack --prefetch 1000 --persistent --durable"
    "1 KiB, persistent, a confirm for each|--size 1024 --confirm 1 --consumers 0 --persistent --durable"
)
# Only loads whose name contains this.
only=${ONLY:-}

results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT

# Prints the number that follows a key in a line of JSON; nothing when it is absent or null.
field() { sed -n "s/.*\"$1\":\([0-9.eE+-]*\)[,}].*/\1/p"; }

# Prints the median of a field over the runs in a file, in the given printf format.
median() {
    field "$2" <"$1" | sort -g | awk -v format="$3" '
        { value[NR] = $1 }
        END {
            if (NR == 0) { print "-"; exit }
            middle = int((NR + 1) / 2)
            printf format "\n", NR % 2 ? value[middle] : (value[middle] + value[middle + 1]) / 2
        }'
}

for index in "${!workloads[@]}"; do
    [[ ${workloads[$index]%%|*} == *"$only"* ]] || continue
    read -r -a options <<<"${workloads[$index]#*|}"
    for ((run = 1; run <= runs; run++)); do
        for target in "$@"; do
            IFS='=' read -r name uri pid <<<"$target"
            process=()
            [ -z "$pid" ] || process=(--pid "$pid")
            echo "${workloads[$index]%%|*}: $name, run $run of $runs" >&2
            "${bench[@]}" --uri "$uri" "${process[@]}" "${options[@]}" \
                --duration "$seconds" --json >>"$results/$index.$name" || {
                echo "$name failed, the table leaves this run out" >&2
                failed=1
            }
        done
    done
done

echo "| Load | Server | Messages/s | CPU us/message | p50 us | p99 us | Generator CPU us/message | Runs |"
echo "|---|---|---:|---:|---:|---:|---:|---:|"
for index in "${!workloads[@]}"; do
    [[ ${workloads[$index]%%|*} == *"$only"* ]] || continue
    for target in "$@"; do
        name=${target%%=*}
        file=$results/$index.$name
        echo "| ${workloads[$index]%%|*} | $name" \
            "| $(median "$file" published_per_s %.0f)" \
            "| $(median "$file" server_cpu_us_per_message %.2f)" \
            "| $(median "$file" p50_us %.0f)" \
            "| $(median "$file" p99_us %.0f)" \
            "| $(median "$file" client_cpu_us_per_message %.2f)" \
            "| $(wc -l <"$file") of $runs |"
    done
done
exit "$failed"
