#!/usr/bin/env bash
# Runs the client programs against one broker.
#
#   run.sh [--uri URI] [--stream ADDR] [NAME ...]
#   run.sh --server PATH [--durable] [--patterns] [--restart] [--no-skip] [NAME ...]
#
# --uri URI      the broker to test; default $AMQP_URL, else amqp://guest:guest@127.0.0.1:5672/
# --stream ADDR  where it serves the stream protocol; default $LEVERET_STREAM, else 127.0.0.1:5552
# --server PATH  starts `PATH serve --amqp 127.0.0.1:0 --ephemeral`, tests it, and expects it to
#                end with status 0 after SIGTERM
# --durable      with --server: on a temporary data directory, not --ephemeral
# --restart      with --server: after the others the programs in restart/, which have a server on a
#                data directory killed and started again
# --patterns     the programs in patterns/ after the client programs
# --no-skip      a skipped program counts as failed (for machines that have every toolchain)
# With --server and openssl the programs in tls/ connect over TLS, with certificates that are made
# for them, and log in by password and by certificate.
# NAME           a client (pika, java, ...), one of the stream protocol (streams/rstream), a
#                pattern (patterns/saga), all of `streams`, or all of `patterns`
#
# Clients of the stream protocol run twice: after all programs each of them reads what all of them
# have written to one stream.
#
# Dependencies go to $LEVERET_CLIENT_CACHE, default ${TMPDIR:-/tmp}/leveret-clients. The Rust
# clients are cargo tests: AMQP_URL=URI cargo test --test client_lapin --test client_amqprs
set -uo pipefail

readonly stream_clients=(
    streams/rstream streams/stream-js streams/stream-go streams/stream-java streams/stream-rust)
# A group of consumers of the stream protocol.
readonly group_clients=(groups/killed_member)
readonly tls_clients=(tls/pika tls/amqplib tls/java tls/rstream)
readonly all_clients=(
    pika aio_pika celery amqplib amqp091-go java amqp-tools php "${stream_clients[@]}"
    "${group_clients[@]}" "${tls_clients[@]}")
readonly client_limit_s=120 build_limit_s=900 prepare_limit_s=300 server_limit_s=30
readonly server_lines=20
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly here
uri=${AMQP_URL:-amqp://guest:guest@127.0.0.1:5672/}
stream=${LEVERET_STREAM:-127.0.0.1:5552}
amqps='' streams_tls='' over_tls=()
server='' server_pid='' running='' no_skip=no
readonly restart_clients=(restart/pika restart/java restart/event_store)
passed=0 failed=0 skipped=0 restart=no storage=(--ephemeral)

usage() { sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"; }

die() { echo "run.sh: $*" >&2; exit 2; }

list_patterns() {
    local file
    for file in "$here"/patterns/[a-z]*.*; do
        file=${file##*/}
        echo "patterns/${file%.*}"
    done
}

# --- Preparation: each prepare_* leaves what it installs in $cache and sets `command`; it gives
# --- a status other than 0 and a `reason` when the program cannot run on this machine.

needs() {
    local tool
    for tool in "$@"; do
        command -v "$tool" >/dev/null || { reason="$tool is not installed"; return 1; }
    done
}

# The first line of a log that tells of an error, else its last line, without colours.
first_error() {
    sed 's/\x1b\[[0-9;]*m//g' "$1" | awk 'NF { last = $0 }
        tolower($0) ~ /error/ { last = $0; exit }
        END { print substr(last, 1, 200) }'
}

# install FOLDER INPUT_FILE COMMAND...: runs the command unless FOLDER holds its result already.
install() {
    local folder=$1 input=$2 key
    shift 2
    key=$(printf '%s\n' "$@" | cat - "$input" | sha256sum)
    [[ -f $folder/.installed && $(<"$folder/.installed") == "$key" ]] && return
    rm -rf "$folder"
    mkdir -p "$folder"
    if ! timeout -k 5 "$prepare_limit_s" "$@" >"$work/prepare.log" 2>&1; then
        reason="its packages could not be installed: $(first_error "$work/prepare.log")"
        return 1
    fi
    printf '%s' "$key" >"$folder/.installed"
}

make_venv() {
    python3 -m venv "$1" &&
        "$1/bin/python" -m pip install --quiet --disable-pip-version-check -r "$2"
}

make_node_modules() {
    cp "$1"/package*.json "$2" && cd "$2" &&
        npm ci --no-audit --no-fund --ignore-scripts
}

make_vendor() { cp "$here/php/composer.json" "$1" && composer --working-dir="$1" install -n; }

export -f make_venv make_node_modules make_vendor
export here

# python_program VENV PROGRAM: a program that runs in the environment of VENV's requirements.
python_program() {
    local venv=$cache/$1 requirements=$here/$1/requirements.txt
    needs python3 || return
    install "$venv" "$requirements" bash -c 'make_venv "$@"' "$(python3 --version)" \
        "$venv" "$requirements" || return
    command=("$venv/bin/python" "$here/$2")
}

# In each of these the program is of the folder of that name.

node_program() {
    local folder=$cache/$1
    needs node npm || return
    install "$folder" "$here/$1/package-lock.json" \
        bash -c 'make_node_modules "$@"' npm "$here/$1" "$folder" || return
    command=(env NODE_PATH="$folder/node_modules" node "$here/$1/client.js")
}

# The build is part of the test: a program that does not compile fails.
go_program() {
    needs go || return
    local module=$here/$1 folder=$cache/$1
    export GOWORK=off GOTOOLCHAIN=local GOMODCACHE=$cache/amqp091-go/modules
    install "$folder" "$module/go.sum" go -C "$module" mod download -modcacherw || return
    command=(bash -c 'go -C "$1" build -buildvcs=false -o "$2" . && exec "${@:2}"' go "$module"
        "$folder/client")
}

java_program() {
    local folder=$cache/$1
    needs java mvn || return
    install "$folder" "$here/$1/pom.xml" mvn -q -B -f "$here/$1/pom.xml" \
        -Dmaven.repo.local="$cache/maven" dependency:copy-dependencies \
        -DoutputDirectory="$folder" || return
    command=(java -cp "$folder/*" "$here/$1/Client.java")
}

# Its dependencies are compiled with it, and that takes minutes the first time.
cargo_program() {
    local module=$here/$1 folder=$cache/$1
    needs cargo cc || return
    install "$folder" "$module/Cargo.lock" cargo fetch --locked \
        --manifest-path "$module/Cargo.toml" || return
    limit=$build_limit_s
    command=(bash -c 'cargo build --quiet --locked --manifest-path "$1/Cargo.toml" \
        --target-dir "$2" && exec "$2/debug/${1##*/}" "${@:3}"' cargo "$module" "$folder/target")
}

prepare_amqp-tools() {
    needs amqp-declare-queue amqp-publish amqp-get amqp-consume amqp-delete-queue || return
    command=(bash "$here/amqp-tools/client.sh")
}

# php_program PROGRAM: a program that gets the autoloader of the library as its argument.
php_program() {
    needs php || return
    local extension autoload=PhpAmqpLib/autoload.php
    for extension in mbstring sockets; do
        php -r "exit((int) !extension_loaded('$extension'));" ||
            { reason="PHP's extension $extension is not installed"; return 1; }
    done
    # A library on PHP's include path (Debian's php-amqplib) comes before Composer's.
    if ! php -r "exit((int) !stream_resolve_include_path('$autoload'));"; then
        needs composer || return
        install "$cache/php" "$here/php/composer.json" \
            bash -c 'make_vendor "$@"' composer "$cache/php" || return
        autoload=$cache/php/vendor/autoload.php
    fi
    command=(php "$here/$1" "$autoload")
}

# tls_program CLIENT: a program that connects over TLS, with what CLIENT needs.
prepare_tls() {
    [[ -n $amqps ]] || { reason='the server does not speak TLS, or openssl is not installed'; return 1; }
    case $1 in
        pika) python_program pika tls/client_pika.py ;;
        amqplib)
            node_program amqplib &&
                command=(env NODE_PATH="$cache/amqplib/node_modules" node "$here/tls/client.js")
            ;;
        java) java_program java && command=(java -cp "$cache/java/*" "$here/tls/Tls.java") ;;
        rstream) python_program streams/rstream tls/client_rstream.py ;;
    esac
}

# Makes an authority, a certificate for 127.0.0.1 and localhost, and one for the user guest.
make_certificates() {
    local folder=$work/tls name
    command -v openssl >/dev/null && mkdir -p "$folder" && cd "$folder" || return
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -keyout ca.key \
        -out ca.pem -subj '/CN=leveret tests' 2>/dev/null || return
    for name in server guest; do
        printf 'basicConstraints=CA:FALSE\nsubjectAltName=DNS:localhost,IP:127.0.0.1\n' >"$name.ext"
        openssl req -newkey rsa:2048 -nodes -keyout "$name.key" -out "$name.csr" \
            -subj "/CN=$name" 2>/dev/null &&
            openssl x509 -req -in "$name.csr" -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 \
                -extfile "$name.ext" -out "$name.pem" 2>/dev/null || return
    done
    openssl pkcs12 -export -in guest.pem -inkey guest.key -out guest.p12 -passout pass:secret
}

prepare() {
    case $1 in
        pika | aio_pika | celery | streams/rstream) python_program "$1" "$1/client.py" ;;
        amqplib | streams/stream-js) node_program "$1" ;;
        amqp091-go | streams/stream-go) go_program "$1" ;;
        java | streams/stream-java) java_program "$1" ;;
        streams/stream-rust) cargo_program "$1" ;;
        php) php_program php/client.php ;;
        groups/*) python_program streams/rstream "streams/rstream/${1#groups/}.py" ;;
        tls/*) prepare_tls "${1#tls/}" ;;
        restart/pika) python_program pika restart/client_pika.py ;;
        restart/event_store) python_program pika restart/event_store.py ;;
        restart/java) java_program java && command=(java -cp "$cache/java/*" "$here/restart/Restart.java") ;;
        patterns/symfony*) php_program "$1.php" ;;
        patterns/celery*) python_program celery "$1.py" ;;
        patterns/*) python_program aio_pika "$1.py" ;;
        *) "prepare_$1" ;;
    esac
}

# --- Running

# run_client NAME [ARGUMENT ...]: prints and counts how it ended; fails if it has not passed.
run_client() {
    local name=$1 log=$work/output.log status=0 reason='' command=() limit=$client_limit_s
    local title="$*"
    if ! prepare "$name"; then
        echo "skip $name: $reason"
        skipped=$((skipped + 1))
        return 1
    fi
    mkdir -p "$work/tmp"
    env AMQP_URL="$uri" LEVERET_STREAM="$stream" AMQPS="$amqps" \
        STREAMS_TLS="$streams_tls" TLS_DIR="$work/tls" LEVERET_EVENTS="$events" TMPDIR="$work/tmp" \
        PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
        timeout -k 5 "$limit" "${command[@]}" "${@:2}" >"$log" 2>&1 </dev/null &
    running=$!
    wait "$running" || status=$?
    running=''
    rm -rf "$work/tmp"
    if [[ $status == 0 ]] && grep -qx "ok ${name##*/}" "$log"; then
        echo "ok $title"
        passed=$((passed + 1))
        return
    fi
    case $status in
        0) echo "FAIL $title (it did not print 'ok ${name##*/}')" ;;
        124 | 137) echo "FAIL $title (stopped after $limit s)" ;;
        *) echo "FAIL $title (status $status)" ;;
    esac
    sed 's/^/    /' "$log"
    if [[ -s $work/server.log ]]; then
        echo "    -- what the server said last"
        tail -n "$server_lines" "$work/server.log" | sed 's/^/    /'
    fi
    failed=$((failed + 1))
    return 1
}

# Runs programs; then those of the stream protocol that passed read the events of one another.
run_clients() {
    local name writers=()
    for name in "$@"; do
        run_client "$name" && [[ $name == streams/* ]] && writers+=("$name")
    done
    for name in "${writers[@]}"; do run_client "$name" "${writers[@]##*/}"; done
}

server_failed() {
    echo "FAIL server ($1)"
    sed 's/^/    /' "$work/server.log"
    failed=$((failed + 1))
}

# What the server says when it is up, among it where it is bound; fails while it has not said so.
startup_line() {
    local line
    # `read` fails on a last line that is not complete yet.
    while read -r line; do
        [[ $line == *'Server startup complete'* ]] || continue
        sed 's/\x1b\[[0-9;]*m//g' <<<"$line"
        return
    done <"$work/server.log"
    return 1
}

amqp_address() { grep -oE '([0-9A-Za-z.-]+|\[[0-9A-Fa-f:]+\]):[0-9]+' <<<"$1" | tail -1; }

# Starts the server and sets `uri` and `stream` to where it listens.
start_server() {
    local tick line
    if (make_certificates); then
        over_tls=(--amqps 127.0.0.1:0 --streams-tls 127.0.0.1:0 --tls-cert tls/server.pem --tls-key tls/server.key
            --tls-ca tls/ca.pem --tls-verify --tls-login-from common_name)
    fi
    (cd "$work" && exec "$server" serve --amqp 127.0.0.1:0 "${storage[@]}" "${over_tls[@]}") \
        >"$work/server.log" 2>&1 </dev/null &
    server_pid=$!
    for ((tick = 0; tick < server_limit_s * 20; tick++)); do
        if line=$(startup_line); then
            uri=amqp://guest:guest@$(amqp_address "$line")/
            stream=$(sed -E 's/.*streams on ([^;]+);.*/\1/' <<<"$line")
            if ((${#over_tls[@]})); then
                amqps=$(sed -E 's/.*AMQPS on ([^;]+);.*/\1/' <<<"$line")
                streams_tls=$(sed -E 's/.*streams over TLS on ([^;]+);.*/\1/' <<<"$line")
            fi
            return
        fi
        kill -0 "$server_pid" 2>/dev/null || break
        sleep 0.05
    done
    server_failed "it ended, or printed no bound address within $server_limit_s s"
    return 1
}

# Waits for the server to end after SIGTERM and checks its status.
stop_server() {
    local status=0 tick pid=$server_pid
    kill -TERM "$pid" 2>/dev/null
    for ((tick = 0; tick < server_limit_s * 20; tick++)); do
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.05
    done
    kill -KILL "$pid" 2>/dev/null
    server_pid=''
    wait "$pid" || status=$?
    case $status in
        0) ;;
        137) server_failed "still running $server_limit_s s after SIGTERM" ;;
        *) server_failed "status $status, expected 0 after SIGTERM" ;;
    esac
}

# Writes the script that kills the server, if there is one, and starts it on its directory again.
# The server is its child and not ours: its id is in a file.
write_restart() {
    cat >"$work/restart" <<END
#!/usr/bin/env bash
pid=\$(cat "$work/restart.pid" 2>/dev/null)
[[ -n \$pid ]] && kill -KILL "\$pid"
while [[ -n \$pid ]] && kill -0 "\$pid" 2>/dev/null; do sleep 0.05; done
cd "$work" || exit
# They are for the programs: the server takes them for settings that are misspelt.
unset "\${!LEVERET_@}"
: >"$work/server.log"
"$server" serve --amqp "\$(cat "$work/restart.address" 2>/dev/null || echo 127.0.0.1:0)" \\
    --stream none --data-dir "$work/restart.data" >"$work/server.log" 2>&1 </dev/null &
echo \$! >"$work/restart.pid"
for ((tick = 0; tick < $server_limit_s * 20; tick++)); do
    grep -q 'Server startup complete' "$work/server.log" && exit
    sleep 0.05
done
exit 1
END
    chmod +x "$work/restart"
}

# Runs the programs that have the server restarted.
run_restarts() {
    local name line address
    write_restart
    if ! "$work/restart" || ! line=$(startup_line); then
        server_failed 'it did not start on a data directory'
        return
    fi
    address=$(amqp_address "$line")
    echo "$address" >"$work/restart.address"
    uri=amqp://guest:guest@$address/
    export LEVERET_RESTART=$work/restart
    for name in "${restart_clients[@]}"; do run_client "$name"; done
    kill -TERM "$(<"$work/restart.pid")"
}

clean_up() {
    [[ -f $work/restart.pid ]] && kill -KILL "$(<"$work/restart.pid")" 2>/dev/null
    [[ -n $running ]] && kill -TERM "$running" 2>/dev/null && wait "$running"
    [[ -n $server_pid ]] && kill -KILL "$server_pid" 2>/dev/null
    rm -rf "$work"
}

# --- Arguments

names=() patterns=no
while (($#)); do
    case $1 in
        --uri) uri=${2:?--uri needs a value}; shift ;;
        --stream) stream=${2:?--stream needs a value}; shift ;;
        --server) server=$(realpath -e "${2:?--server needs a path}") || exit 2; shift ;;
        --durable) storage=(--data-dir data) ;;
        --restart) restart=yes ;;
        --patterns) patterns=yes ;;
        --no-skip) no_skip=yes ;;
        -h | --help) usage; exit ;;
        -*) die "unknown option $1 (see --help)" ;;
        streams) names+=("${stream_clients[@]}" "${group_clients[@]}") ;;
        patterns) mapfile -t -O "${#names[@]}" names < <(list_patterns) ;;
        *)
            [[ " ${all_clients[*]} $(list_patterns | tr '\n' ' ')" == *" ${1%/} "* ]] ||
                die "unknown client $1 (of: ${all_clients[*]}, streams, patterns)"
            names+=("${1%/}")
            ;;
    esac
    shift
done
((${#names[@]})) || names=("${all_clients[@]}")
[[ $patterns == yes ]] && mapfile -t -O "${#names[@]}" names < <(list_patterns)

cache=${LEVERET_CLIENT_CACHE:-${TMPDIR:-/tmp}/leveret-clients}
mkdir -p "$cache" && cache=$(cd "$cache" && pwd) || die "no cache folder $cache"
work=$(mktemp -d) || die 'no temporary folder'
events=clients.events.${work##*.}
readonly cache work events
trap clean_up EXIT
trap 'exit 130' INT TERM

if [[ -z $server ]] || start_server; then
    run_clients "${names[@]}"
    [[ -n $server ]] && stop_server
fi
[[ -n $server && $restart == yes ]] && run_restarts
if [[ $no_skip == yes ]]; then
    failed=$((failed + skipped)) skipped=0
fi
echo "$passed passed, $failed failed, $skipped skipped"
((failed == 0))
