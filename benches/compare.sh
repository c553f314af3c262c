#!/usr/bin/env bash
# Runs the standard loads (`leveret bench --suite`) against several servers, prints the medians as a
# Markdown table, and draws them.
#
#   benches/compare.sh leveret=amqp://127.0.0.1:5672=4711 rabbitmq=amqp://127.0.0.1:5673=4712
#
# A target is NAME=URI=PID; without =PID there is neither CPU time nor memory. The repetitions are
# interleaved between the targets, so that what else the machine does meets all of them alike.
# A suite that fails is left out, shows in the last column and makes the script end with status 1.
# ONLY: loads whose name contains this, such as "confirms". SVG: the picture, such as compare.svg.
# BENCH: the load command (default: target/release/leveret bench). SECONDS_PER_RUN: 5. RUNS: 3.
set -euo pipefail

usage() { sed -n '2,13s/^# \{0,1\}//p' "$0" >&2; exit "$1"; }

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
runs=${RUNS:-3}
failed=0

results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT

for ((run = 1; run <= runs; run++)); do
    for target in "$@"; do
        IFS='=' read -r name uri pid <<<"$target"
        process=()
        [ -z "$pid" ] || process=(--pid "$pid")
        echo "$name, run $run of $runs" >&2
        "${bench[@]}" "--suite=${ONLY:-}" --uri "$uri" "${process[@]}" \
            --duration "${SECONDS_PER_RUN:-5}" --json >>"$results/$name" || {
            echo "$name failed, the table leaves the rest of this run out" >&2
            failed=1
        }
    done
done

# Prints one line for each load and server: their names, medians, and how many runs there were, with
# tabs in between.
medians() {
    for target in "$@"; do
        name=${target%%=*}
        [ -f "$results/$name" ] || continue
        awk -v server="$name" '
            function field(key,    found) {
                found = match($0, "\"" key "\":[^,}]*")
                if (!found) return "null"
                return substr($0, RSTART + length(key) + 3, RLENGTH - length(key) - 3)
            }
            function median(load, key,    count, values, i, j, value) {
                count = 0
                for (i = 1; i <= seen[load]; i++) {
                    if (result[load, key, i] == "null") continue
                    value = result[load, key, i] + 0
                    for (j = ++count; j > 1 && values[j - 1] > value; j--) values[j] = values[j - 1]
                    values[j] = value
                }
                if (count == 0) return "-"
                j = int((count + 1) / 2)
                return count % 2 ? values[j] : (values[j] + values[j + 1]) / 2
            }
            BEGIN {
                CONVFMT = "%.10g"
                keys = split("published_per_s consumed_per_s backlog server_cpu_us_per_message " \
                    "server_memory_bytes p50_us p99_us", key, " ")
            }
            {
                match($0, "\"load\":\"[^\"]*\"")
                load = substr($0, RSTART + 8, RLENGTH - 9)
                if (!(load in seen)) order[++loads] = load
                seen[load]++
                for (k = 1; k <= keys; k++) result[load, key[k], seen[load]] = field(key[k])
                if (field("keeps_up") == "false") behind[load] = 1
            }
            END {
                for (l = 1; l <= loads; l++) {
                    load = order[l]
                    line = l "\t" load "\t" server
                    for (k = 1; k <= keys; k++) line = line "\t" median(load, key[k])
                    print line "\t" (load in behind ? "(!)" : "") "\t" seen[load]
                }
            }' "$results/$name"
    done | sort -s -n -k 1,1
}

# Draws bars for the messages received a second: for each load, those of all servers.
draw() {
    awk -F '\t' '
        function text(x, y, anchor, words) {
            gsub("&", "\\&amp;", words)
            gsub("<", "\\&lt;", words)
            printf "<text x=\"%d\" y=\"%d\" text-anchor=\"%s\">%s</text>\n", x, y, anchor, words
        }
        { row[NR] = $0; if ($5 > most[$2]) most[$2] = $5 }
        END {
            height = 16
            for (r = 1; r <= NR; r++) {
                split(row[r], f, "\t")
                height += (f[2] == last ? 18 : 46)
                last = f[2]
            }
            print "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"760\" height=\"" height \
                "\" font-family=\"sans-serif\" font-size=\"12\">"
            print "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>"
            colors = split("#2f6f4f #d08030 #7060a0 #808080", color, " ")
            y = 0
            last = ""
            for (r = 1; r <= NR; r++) {
                split(row[r], f, "\t")
                if (f[2] != last) { y += 28; text(10, y, "start", f[2]); at = 0 }
                last = f[2]
                if (!(f[3] in number)) number[f[3]] = servers++
                y += 18
                width = most[f[2]] > 0 ? f[5] / most[f[2]] * 460 : 0
                printf "<rect x=\"110\" y=\"%d\" width=\"%.1f\" height=\"13\" fill=\"%s\"/>\n", \
                    y - 11, width, color[number[f[3]] % colors + 1]
                text(104, y, "end", f[3])
                text(116 + width, y, "start", sprintf("%.0f/s, %s us CPU %s", f[5], \
                    f[7] == "-" ? "-" : sprintf("%.2f", f[7]), f[11]))
            }
            print "</svg>"
        }'
}

medians "$@" >"$results/table"
echo "| Load | Server | Published/s | Received/s | Waiting | CPU us | MiB | p50 us | p99 us | Runs |"
echo "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|"
awk -F '\t' -v runs="$runs" -v CONVFMT=%.10g '
    function number(value, format) { return value == "-" ? "-" : sprintf(format, value) }
    {
        memory = $8 == "-" ? "-" : $8 / 1048576
        print "| " $2 " | " $3 " | " number($4, "%.0f") " | " number($5, "%.0f") " " $11 " | " \
            number($6, "%.0f") " | " number($7, "%.2f") " | " number(memory, "%.0f") " | " \
            number($9, "%.0f") " | " number($10, "%.0f") " | " $12 " of " runs " |"
    }' "$results/table"
[ -z "${SVG:-}" ] || draw <"$results/table" >"$SVG"
exit "$failed"
