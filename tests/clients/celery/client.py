"""What a Celery application relies on, end to end: a worker, results over rpc://, retries."""

import os
import subprocess
import sys
import tempfile
import uuid

RUN = os.environ["RUN_NAME"] = f"clients.celery.{uuid.uuid4().hex}"

from celery import chain, group  # noqa: E402  (the application reads RUN_NAME on import)

import tasks  # noqa: E402

WAIT_S = 30
HOST = f"{RUN}@local"


def start_worker(log):
    """A worker of one thread; tasks sent before it is up wait in the queue they declared."""
    command = [sys.executable, "-m", "celery", "-A", "tasks", "worker", "--pool=solo"]
    options = ["--without-mingle", "--without-gossip", f"--hostname={HOST}", "-l", "INFO"]
    here = os.path.dirname(os.path.abspath(__file__))
    return subprocess.Popen(command + options, cwd=here, stdout=log, stderr=subprocess.STDOUT)


def run_tasks():
    got = tasks.add.delay(2, 3).get(timeout=WAIT_S)
    assert got == 5, f"add gave {got}"
    got = tasks.app.control.ping(destination=[HOST], timeout=WAIT_S)
    assert got == [{HOST: {"ok": "pong"}}], f"remote control answered {got}"
    got = tasks.succeeds_on_attempt.delay(3).get(timeout=WAIT_S)
    assert got == 2, f"{got} retries, expected 2"
    got = chain(tasks.add.s(1, 2), tasks.add.s(10), tasks.add.s(100)).delay().get(timeout=WAIT_S)
    assert got == 113, f"the chain gave {got}"
    got = group(tasks.add.s(n, n) for n in range(5)).delay().get(timeout=WAIT_S)
    assert got == [0, 2, 4, 6, 8], f"the group gave {got}"
    try:
        tasks.fails.delay().get(timeout=WAIT_S)
    except ValueError as error:
        assert str(error) == "on purpose", error
    else:
        raise AssertionError("a failing task gave a result")
    big = "x" * (1 << 20)
    assert tasks.add.delay(big, "y").get(timeout=WAIT_S) == big + "y", "the 1 MiB text changed"


def stop_worker(worker):
    """A warm shutdown: the worker acks what it did and closes its connection."""
    worker.terminate()
    status = worker.wait(timeout=WAIT_S)
    assert status == 0, f"the worker ended with status {status}"


def clean_up():
    with tasks.app.connection_for_write() as connection:
        channel = connection.channel()
        left = channel.queue_delete(RUN)
        assert left == 0, f"{left} tasks were left over"
        channel.exchange_delete(RUN)


def main():
    with tempfile.TemporaryFile("w+") as log:
        worker = start_worker(log)
        try:
            run_tasks()
            stop_worker(worker)
            clean_up()
        except BaseException:
            log.seek(0)
            sys.stderr.write(f"--- the worker's log\n{log.read()}---\n")
            raise
        finally:
            if worker.poll() is None:
                worker.kill()
                worker.wait()
    print("ok celery")


main()
