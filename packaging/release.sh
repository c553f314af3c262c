#!/usr/bin/env bash
# Packs the program for one platform: a wheel, an npm package and the archive that `cargo binstall`
# fetches, from a program that was built for it. Run it once for each platform, on a machine of that
# platform or with a cross compiler (README.md beside this file says with which).
#
#   packaging/release.sh TARGET PROGRAM [OUT]
#
# TARGET is a target of rustc, PROGRAM the program that `cargo build --release --target TARGET`
# built, OUT a folder (default: target/packages). It takes Python 3.11 or later. The targets:
#
#   x86_64-unknown-linux-musl    manylinux and musllinux: the program needs no C library
#   aarch64-unknown-linux-musl   the same
#   x86_64-apple-darwin, aarch64-apple-darwin, x86_64-pc-windows-msvc, x86_64-pc-windows-gnu
#
# The wheels go to PyPI with `twine upload OUT/*.whl`, the packages to npm with `npm publish`: those
# of the platforms first, then clients/node with them as optionalDependencies, which this prints. The
# archives are attached to the release of the tag vVERSION. packaging/try.sh tries what is in OUT.
set -euo pipefail

if [ $# -lt 2 ] || [ "$1" = --help ]; then
    sed -n '2,20s/^# \{0,1\}//p' "$0" >&2
    exit 2
fi
target=$1 program=$2 out=${3:-target/packages}
cd "$(dirname "$0")/.."
version=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml)
[ -f "$program" ] || { echo "there is no program $program" >&2; exit 1; }

name=leveret
case $target in
    x86_64-unknown-linux-musl) tag=manylinux2014_x86_64.musllinux_1_1_x86_64 os=linux cpu=x64 ;;
    aarch64-unknown-linux-musl) tag=manylinux2014_aarch64.musllinux_1_1_aarch64 os=linux cpu=arm64 ;;
    x86_64-unknown-linux-gnu) tag=linux_x86_64 os=linux cpu=x64 ;;
    aarch64-unknown-linux-gnu) tag=linux_aarch64 os=linux cpu=arm64 ;;
    x86_64-apple-darwin) tag=macosx_10_12_x86_64 os=darwin cpu=x64 ;;
    aarch64-apple-darwin) tag=macosx_11_0_arm64 os=darwin cpu=arm64 ;;
    x86_64-pc-windows-*) tag=win_amd64 os=win32 cpu=x64 name=leveret.exe ;;
    *) echo "nothing is packed for $target" >&2; exit 2 ;;
esac
mkdir -p "$out"

# A wheel is a zip of a known shape.
python3 - "$program" "$name" "$version" "$tag" "$out" <<'PYTHON'
import base64, hashlib, pathlib, sys, tomllib, zipfile

program, name, version, tag, out = sys.argv[1:]
client = pathlib.Path("clients/python")
info, files = f"leveret-{version}.dist-info", {}
for source in sorted((client / "src/leveret").iterdir()):
    if source.suffix == ".py" or source.name == "py.typed":
        files[f"leveret/{source.name}"] = source.read_bytes()
files[f"leveret-{version}.data/scripts/{name}"] = pathlib.Path(program).read_bytes()
project = tomllib.loads((client / "pyproject.toml").read_text(encoding="utf-8"))["project"]
readme = (client / "README.md").read_text(encoding="utf-8")
files[f"{info}/METADATA"] = (
    f"Metadata-Version: 2.4\nName: leveret\nVersion: {version}\n"
    f"Summary: {project['description']}\nAuthor: {project['authors'][0]['name']}\n"
    f"Requires-Python: {project['requires-python']}\nLicense-Expression: {project['license']}\n"
    "License-File: LICENSE-MIT\nLicense-File: LICENSE-APACHE\n"
    f"Keywords: {','.join(project['keywords'])}\n"
    + "".join(f"Classifier: {one}\n" for one in project["classifiers"])
    + "".join(f"Project-URL: {name}, {url}\n" for name, url in project["urls"].items())
    + f"Description-Content-Type: text/markdown\n\n{readme}"
).encode()
tags = "".join(f"Tag: py3-none-{one}\n" for one in tag.split("."))
files[f"{info}/WHEEL"] = (
    f"Wheel-Version: 1.0\nGenerator: leveret\nRoot-Is-Purelib: false\n{tags}"
).encode()
files[f"{info}/entry_points.txt"] = b"[pytest11]\nleveret = leveret.plugin\n"
for licence in ("LICENSE-MIT", "LICENSE-APACHE"):
    files[f"{info}/licenses/{licence}"] = pathlib.Path(licence).read_bytes()
record = f"{info}/RECORD"
lines = [
    f"{path},sha256={base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b'=').decode()},"
    f"{len(data)}\n"
    for path, data in files.items()
]
files[record] = "".join([*lines, f"{record},,\n"]).encode()
wheel = pathlib.Path(out) / f"leveret-{version}-py3-none-{tag}.whl"
with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
    for path, data in files.items():
        entry = zipfile.ZipInfo(path, (1980, 1, 1, 0, 0, 0))
        entry.compress_type = zipfile.ZIP_DEFLATED
        entry.external_attr = (0o100755 if ".data/scripts/" in path else 0o100644) << 16
        archive.writestr(entry, data)
print(wheel)
PYTHON

# What `cargo binstall` fetches, as Cargo.toml tells it.
archive=$out/leveret-$target
rm -rf "$archive" && mkdir -p "$archive"
install -m 0755 "$program" "$archive/$name"
cp LICENSE-MIT LICENSE-APACHE "$archive"
tar -C "$out" --owner 0 --group 0 --numeric-owner -czf "$archive.tgz" "leveret-$target"
rm -r "$archive"
echo "$archive.tgz"

# What npm installs where os and cpu are these, and clients/node finds.
folder=$out/npm-$os-$cpu
rm -rf "$folder" && mkdir -p "$folder"
install -m 0755 "$program" "$folder/$name"
cp LICENSE-MIT LICENSE-APACHE "$folder"
cat >"$folder/package.json" <<JSON
{
  "name": "@leveret/$os-$cpu",
  "version": "$version",
  "description": "The program of leveret for $os on $cpu",
  "license": "(MIT OR Apache-2.0)",
  "repository": { "type": "git", "url": "https://github.com/leveret-mq/leveret" },
  "os": ["$os"],
  "cpu": ["$cpu"],
  "files": ["$name", "LICENSE-*"]
}
JSON
echo "$folder"
echo "clients/node: npm pkg set 'optionalDependencies.@leveret/$os-$cpu=$version'"
