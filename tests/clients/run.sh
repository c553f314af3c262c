#!/usr/bin/env bash
# Runs the client programs against one broker.
#
#   run.sh [--uri URI | --server PATH] [--durable] [--patterns] [--restart] [--no-skip] [NAME ...]
#
# --uri URI      the broker to test; default $AMQP_URL, else amqp://guest:guest@127.0.0.1:5672/
# --server PATH  starts `PATH serve --amqp 127.0.0.1:0 --ephemeral`, tests it, and expects it to
#                end with status 0 after SIGTERM
# --durable      with --server: on a temporary data directory, not --ephemeral
# --restart      with --server: after the others the programs in restart/, which have a server on a
#                data directory killed and started again
# --patterns     the programs in patterns/ after the client programs
# --no-skip      a skipped program counts as failed (for machines that have every toolchain)
# NAME           a client (pika, java, ...), a pattern (patterns/saga), or all of `patterns`
#
# Dependencies go to $LEVERET_CLIENT_CACHE, default ${TMPDIR:-/tmp}/leveret-clients. The Rust
# clients are cargo tests: AMQP_URL=URI cargo test --test client_lapin --test client_amqprs
set -uo pipefail

readonly all_clients=(pika aio_pika celery amqplib amqp091-go java amqp-tools php)
readonly client_limit_s=120 prepare_limit_s=300 server_limit_s=30
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly here
uri=${AMQP_URL:-amqp://guest:guest@127.0.0.1:5672/}
server='' server_pid='' running='' no_skip=no
readonly restart_clients=(restart/pika restart/java)
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
    cp "$here"/amqplib/package*.json "$1" && cd "$1" &&
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

prepare_amqplib() {
    needs node npm || return
    install "$cache/amqplib" "$here/amqplib/package-lock.json" \
        bash -c 'make_node_modules "$@"' npm "$cache/amqplib" || return
    command=(env NODE_PATH="$cache/amqplib/node_modules" node "$here/amqplib/client.js")
}

prepare_amqp091-go() {
    needs go || return
    local module=$here/amqp091-go folder=$cache/amqp091-go
    export GOWORK=off GOTOOLCHAIN=local GOMODCACHE=$folder/modules
    install "$folder" "$module/go.sum" go -C "$module" mod download -modcacherw || return
    # The build is part of the test: a program that does not compile fails.
    command=(bash -c 'go -C "$1" build -buildvcs=false -o "$2" . && exec "$2"' go "$module"
        "$folder/client")
}

prepare_java() {
    needs java mvn || return
    install "$cache/java" "$here/java/pom.xml" mvn -q -B -f "$here/java/pom.xml" \
        -Dmaven.repo.local="$cache/maven" dependency:copy-dependencies \
        -DoutputDirectory="$cache/java" || return
    command=(java -cp "$cache/java/*" "$here/java/Client.java")
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

prepare() {
    case $1 in
        pika | aio_pika | celery) python_program "$1" "$1/client.py" ;;
        php) php_program php/client.php ;;
        restart/pika) python_program pika restart/client_pika.py ;;
        restart/java) prepare_java && command=(java -cp "$cache/java/*" "$here/restart/Restart.java") ;;
        patterns/symfony*) php_program "$1.php" ;;
        patterns/celery*) python_program celery "$1.py" ;;
        patterns/*) python_program aio_pika "$1.py" ;;
        *) "prepare_$1" ;;
    esac
}

# --- Running

run_client() {
    local name=$1 log=$work/output.log status=0 reason='' command=()
    if ! prepare "$name"; then
        echo "skip $name: $reason"
        skipped=$((skipped + 1))
        return
    fi
    mkdir -p "$work/tmp"
    env AMQP_URL="$uri" TMPDIR="$work/tmp" PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
        timeout -k 5 "$client_limit_s" "${command[@]}" >"$log" 2>&1 </dev/null &
    running=$!
    wait "$running" || status=$?
    running=''
    rm -rf "$work/tmp"
    if [[ $status == 0 ]] && grep -qx "ok ${name##*/}" "$log"; then
        echo "ok $name"
        passed=$((passed + 1))
        return
    fi
    case $status in
        0) echo "FAIL $name (it did not print 'ok ${name##*/}')" ;;
        124 | 137) echo "FAIL $name (stopped after $client_limit_s s)" ;;
        *) echo "FAIL $name (status $status)" ;;
    esac
    sed 's/^/    /' "$log"
    failed=$((failed + 1))
}

server_failed() {
    echo "FAIL server ($1)"
    sed 's/^/    /' "$work/server.log"
    failed=$((failed + 1))
}

# The address that the server says it is bound to; fails while it has not said so.
bound_address() {
    local line
    # `read` fails on a last line that is not complete yet.
    while read -r line; do
        [[ $line == *'Server startup complete'* ]] || continue
        sed 's/\x1b\[[0-9;]*m//g' <<<"$line" |
            grep -oE '([0-9A-Za-z.-]+|\[[0-9A-Fa-f:]+\]):[0-9]+' | tail -1
        return
    done <"$work/server.log"
    return 1
}

# Starts the server and sets `uri` to where it listens.
start_server() {
    local tick address
    (cd "$work" && exec "$server" serve --amqp 127.0.0.1:0 "${storage[@]}") \
        >"$work/server.log" 2>&1 </dev/null &
    server_pid=$!
    for ((tick = 0; tick < server_limit_s * 20; tick++)); do
        if address=$(bound_address); then
            uri=amqp://guest:guest@$address/
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
: >"$work/server.log"
"$server" serve --amqp "\$(cat "$work/restart.address" 2>/dev/null || echo 127.0.0.1:0)" \\
    --data-dir "$work/restart.data" >"$work/server.log" 2>&1 </dev/null &
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
    local name address
    write_restart
    if ! "$work/restart" || ! address=$(bound_address); then
        server_failed 'it did not start on a data directory'
        return
    fi
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
        --server) server=$(realpath -e "${2:?--server needs a path}") || exit 2; shift ;;
        --durable) storage=(--data-dir data) ;;
        --restart) restart=yes ;;
        --patterns) patterns=yes ;;
        --no-skip) no_skip=yes ;;
        -h | --help) usage; exit ;;
        -*) die "unknown option $1 (see --help)" ;;
        patterns) mapfile -t -O "${#names[@]}" names < <(list_patterns) ;;
        *)
            [[ " ${all_clients[*]} $(list_patterns | tr '\n' ' ')" == *" ${1%/} "* ]] ||
                die "unknown client $1 (of: ${all_clients[*]}, patterns)"
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
readonly cache work
trap clean_up EXIT
trap 'exit 130' INT TERM

if [[ -z $server ]] || start_server; then
    for name in "${names[@]}"; do run_client "$name"; done
    [[ -n $server ]] && stop_server
fi
[[ -n $server && $restart == yes ]] && run_restarts
if [[ $no_skip == yes ]]; then
    failed=$((failed + skipped)) skipped=0
fi
echo "$passed passed, $failed failed, $skipped skipped"
((failed == 0))
