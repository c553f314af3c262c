#!/usr/bin/env bash
# Tries what release.sh has packed for this machine: installs the wheel into a fresh environment and
# the npm packages into a fresh folder, and runs the first test of each README there.
#
#   packaging/try.sh [OUT]
#
# OUT is the folder that release.sh wrote to (default: target/packages). Takes Python 3 and Node.js,
# and PyPI and npm for the clients (pika, amqplib) and for pytest.
set -euo pipefail
cd "$(dirname "$0")/.."
out=$(realpath "${1:-target/packages}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unset LEVERET_BINARY PYTHONPATH NODE_PATH

# The first block of code of a language in a README.
first_test() { awk -v fence="\`\`\`$2" '$0 == fence { on = 1; next } /^```/ { if (on) exit } on' "$1"; }

echo "-- the wheel"
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --no-index --find-links "$out" leveret
"$work/venv/bin/pip" install -q pytest pika
mkdir "$work/python"
first_test clients/python/README.md python >"$work/python/test_codes.py"
(cd "$work/python" && PATH=$work/venv/bin:/usr/bin:/bin pytest -q -p no:cacheprovider)
"$work/venv/bin/leveret" --version
# Where the program is not on the path, and not where this Python has its own.
"$work/venv/bin/pip" install -q --no-index --find-links "$out" --target "$work/target" leveret
python3 -m venv --without-pip "$work/other"
PYTHONPATH=$work/target PATH=/usr/bin:/bin "$work/other/bin/python" -c \
    'import leveret; leveret.Broker().close()'

echo "-- the npm packages"
platform=$(node -p 'process.platform + "-" + process.arch')
mkdir "$work/node"
(cd clients/node && npm pack --silent --pack-destination "$work" >/dev/null)
echo '{"type": "module", "private": true}' >"$work/node/package.json"
first_test clients/node/README.md js >"$work/node/codes.test.js"
(cd "$work/node" &&
    npm install --silent --no-audit --no-fund "$work"/leveret-*.tgz amqplib@0.10 &&
    # Of all platforms npm takes the one of this machine.
    npm install --silent --no-audit --no-fund --install-links --save-optional "$out"/npm-* &&
    [ "$(ls node_modules/@leveret)" = "$platform" ] &&
    PATH=$(dirname "$(command -v node)"):/usr/bin:/bin node --test)

echo "-- the archives, where \`cargo binstall\` looks for the program"
cargo metadata --locked --no-deps --format-version 1 | python3 -c '
import json, pathlib, re, sys, tarfile

package = next(p for p in json.load(sys.stdin)["packages"] if p["name"] == "leveret")
binstall = package["metadata"]["binstall"]
archives = sorted(pathlib.Path(sys.argv[1]).glob("leveret-*.tgz"))
assert archives, f"there is no archive in {sys.argv[1]}"
for archive in archives:
    target = archive.name.removeprefix("leveret-").removesuffix(".tgz")
    values = {
        "repo": package["repository"], "version": package["version"], "target": target,
        "bin": "leveret", "binary-ext": ".exe" if "windows" in target else "",
    }
    fill = lambda text: re.sub(r"\{ ([a-z-]+) \}", lambda name: values[name[1]], text)
    url, program = fill(binstall["pkg-url"]), fill(binstall["bin-dir"])
    assert url.endswith("/v" + package["version"] + "/" + archive.name), url
    with tarfile.open(archive) as files:
        assert files.getmember(program).mode & 0o111, f"{program} in {archive} cannot be run"
    print(f"{url}: {program}")
' "$out"
