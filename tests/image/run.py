#!/usr/bin/env python3
"""Tries the image of packaging/Dockerfile without a container engine.

    run.py --server PATH

The root file system is made as the Dockerfile says, from a program that is already built, and is
what a chroot sees; network, processes and mounts are apart from the machine's, as in a container,
so that the ports are those of the image. Takes Linux and root: ends with status 77 and a word why
where it cannot run. A program that needs libraries gets them into the image, with a word.
"""
import argparse
import base64
import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import dockerfile

ROOT = Path(__file__).resolve().parents[2]
SKIPPED = 77
LIMIT_S = 60


def skip(reason):
    print(f"SKIP image: {reason}")
    sys.exit(SKIPPED)


def apart(arguments):
    """Runs this script again, apart from the machine's network and mounts."""
    if sys.platform != "linux" or os.geteuid() != 0:
        skip("a chroot takes Linux and root")
    if shutil.which("unshare") is None:
        skip("unshare, of util-linux, is not installed")
    command = ["unshare", "--net", "--mount-proc", "--pid", "--fork", "--kill-child"]
    if subprocess.run([*command, "true"], capture_output=True).returncode != 0:
        skip("this machine does not let root have a network and mounts of its own")
    sys.exit(subprocess.run([*command, sys.executable, __file__, "--apart", *arguments]).returncode)


def bring_up_loopback():
    import fcntl
    import socket
    import struct

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = struct.pack("16sH", b"lo", 0x1 | 0x40)  # up, running
        fcntl.ioctl(control, 0x8914, request)  # SIOCSIFFLAGS


def build(image, program, work):
    """Does what the stages of the Dockerfile do, but for compiling; returns the root."""
    stage, root = work / "stage", work / "root"
    root.mkdir()
    steps = [step for run in image.builds for step in run.split(" && ")]
    steps = [step for step in steps if not step.startswith(("cargo ", "apk "))]
    script = " && ".join(steps).replace("/image", str(stage))
    script = script.replace("target/release/leveret", str(program))
    subprocess.run(["sh", "-euc", script], check=True)
    for source, target, owner in image.copies:
        source = stage / Path(source).relative_to("/image")
        shutil.copytree(source, root / target.lstrip("/"), symlinks=True, dirs_exist_ok=True)
        user, group = map(int, owner.split(":"))
        for path in [root / target.lstrip("/"), *(root / target.lstrip("/")).rglob("*")]:
            os.chown(path, user, group, follow_symlinks=False)
    add_libraries(program, root)
    for folder in ["proc", "dev"]:  # as an engine gives
        (root / folder).mkdir()
    os.mknod(root / "dev/null", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    os.chmod(root / "dev/null", 0o666)
    return root


def add_libraries(program, root):
    needed = subprocess.run(["ldd", program], capture_output=True, text=True).stdout
    libraries = re.findall(r"(/\S+) \(0x", needed)
    if libraries:
        print(f"note: {program} is not static: {len(libraries)} libraries are added", flush=True)
    for library in libraries:
        target = root / library.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(os.path.realpath(library), target)


class Container:
    """The image, running as the first process of its own, as engines have it."""

    def __init__(self, image, root, **environment):
        self.image, self.root = image, root
        self.environment = image.environment | environment
        start = [*image.entry_point, *image.command]
        pid = ["unshare", "--pid", "--fork", "--kill-child", f"--mount-proc={root}/proc"]
        self.process = subprocess.Popen([*pid, *self.inside(start)], env=self.environment,
                                        stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def inside(self, command):
        return [shutil.which("chroot"), f"--userspec={self.image.user}", self.root, *command]

    def run(self, command):
        return subprocess.run(self.inside(command), env=self.environment, capture_output=True,
                              text=True, timeout=LIMIT_S)

    def is_healthy(self):
        return self.run(self.image.health).returncode == 0

    def wait_until_healthy(self):
        end = time.monotonic() + LIMIT_S
        while not self.is_healthy():
            assert self.process.poll() is None, f"it ended: {self.process.communicate()}"
            assert time.monotonic() < end, "it is not healthy"
            time.sleep(0.1)

    def stop(self):
        """Tells the first process to stop; returns its status and what it wrote."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        (child,) = map(int, children.read_text().split())
        user = os.stat(f"/proc/{child}").st_uid
        os.kill(child, getattr(signal, self.image.stop_signal))
        output, errors = self.process.communicate(timeout=LIMIT_S)
        return user, self.process.returncode, output + errors

    def refusal(self):
        """How it ends by itself, and what it says."""
        output, errors = self.process.communicate(timeout=LIMIT_S)
        return self.process.returncode, output + errors


def ask(method, path, body=None, user="app", password="secret"):
    login = base64.b64encode(f"{user}:{password}".encode()).decode()
    headers = {"authorization": f"Basic {login}", "content-type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"http://127.0.0.1:15672/api/{path}", data, headers,
                                     method=method)
    try:
        with urllib.request.urlopen(request, timeout=LIMIT_S) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def listened_on():
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    fields = [line.split() for line in lines]
    return {int(field[1].split(":")[1], 16) for field in fields if field[3] == "0A"}


def login_is_as_in_rabbitmqs_image():
    assert ask("GET", "whoami")[0] == 200
    assert ask("GET", "whoami", user="guest", password="guest")[0] == 401
    assert '"shop"' in ask("GET", "vhosts")[1]


def published_message(queue):
    assert ask("PUT", f"queues/shop/{queue}", {"durable": True})[0] == 201
    publish = {"routing_key": queue, "payload": "kept", "payload_encoding": "string",
               "properties": {"delivery_mode": 2}}
    assert ask("POST", "exchanges/shop/amq.default/publish", publish) == (200, '{"routed":true}')


def try_image(image, root):
    settings = {"RABBITMQ_DEFAULT_USER": "app", "RABBITMQ_DEFAULT_PASS": "secret",
                "RABBITMQ_DEFAULT_VHOST": "shop"}
    container = Container(image, root, **settings)
    container.wait_until_healthy()
    ports = listened_on()
    assert {5672, 15672, 15692, 5552} <= ports, ports
    assert ports <= image.ports, f"{ports - image.ports} are not exposed"
    login_is_as_in_rabbitmqs_image()
    published_message("jobs")
    status = container.run(["/usr/bin/rabbitmqctl", "-q", "status"])
    assert status.returncode == 0, status
    kept = {os.stat(path).st_uid for path in (root / image.volumes[0].lstrip("/")).rglob("*")}
    assert kept == {int(image.user.split(":")[0])}, "its data are its user's"
    user, code, said = container.stop()
    assert (user, code) == (999, 0), (user, code, said)
    warned = [line for line in said.splitlines() if "WARN" in line and "'guest'" not in line]
    assert "Server startup complete" in said and not warned, said
    assert not container.is_healthy(), "it has ended"

    again = Container(image, root, **settings)
    again.wait_until_healthy()
    got = ask("POST", "queues/shop/jobs/get", {"count": 1, "ackmode": "ack_requeue_false",
                                               "encoding": "auto"})
    assert '"payload":"kept"' in got[1], got
    assert again.stop()[1] == 0

    # Nobody but guest, who is not let in from elsewhere: it says what to do.
    shutil.rmtree(root / "var/lib/leveret")
    (root / "var/lib/leveret").mkdir(mode=0o700)
    os.chown(root / "var/lib/leveret", 999, 999)
    alone = Container(image, root)
    alone.wait_until_healthy()
    said = alone.stop()[2]
    assert "RABBITMQ_DEFAULT_USER" in said, said

    # A volume of somebody else: it says what is to be done.
    os.chown(root / "var/lib/leveret", 0, 0)
    code, said = Container(image, root).refusal()
    assert code == 1 and "the data directory /var/lib/leveret: " in said, (code, said)
    assert "the user that this program runs as has to own it" in said, said


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--server", required=True, type=Path)
    parser.add_argument("--apart", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not options.apart:
        apart(sys.argv[1:])
    bring_up_loopback()
    image = dockerfile.read((ROOT / "packaging/Dockerfile").read_text())
    with tempfile.TemporaryDirectory(prefix="leveret-image-") as work:
        root = build(image, options.server.resolve(), Path(work))
        try_image(image, root)
    print("PASS image")


if __name__ == "__main__":
    main()
