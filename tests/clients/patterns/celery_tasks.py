"""Celery over AMQP: retry with backoff, countdown, eta, a chord, and acks_late when the worker is
killed in the middle of a task. Results go through files, because rpc:// has no chords."""

import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from datetime import datetime, timedelta, timezone

from celery import Celery, chord

WAIT_S = 30
RUN = os.environ.setdefault("RUN_NAME", f"patterns.celery.{uuid.uuid4().hex}")
FOLDER = os.environ.setdefault("RUN_FOLDER", tempfile.mkdtemp())

app = Celery(
    "celery_tasks",
    broker=os.environ.get("AMQP_URL", "amqp://guest:guest@127.0.0.1:5672/"),
    backend=f"file://{FOLDER}",
)
app.conf.update(
    task_default_queue=RUN,
    task_default_exchange=RUN,
    task_default_routing_key=RUN,
    task_acks_late=True,
    # Tasks that wait for their eta count as prefetched, and with RabbitMQ 4.0 Celery leaves the
    # prefetch as it was when the worker began: it has to leave room for the others.
    worker_prefetch_multiplier=4,
    broker_connection_retry_on_startup=True,
    broker_connection_timeout=10,
)


@app.task
def add(left, right):
    return left + right


@app.task
def total(numbers):
    return sum(numbers)


@app.task
def now():
    return time.time()


@app.task(bind=True, max_retries=3)
def succeeds_on_attempt(self, attempt):
    if self.request.retries + 1 < attempt:
        raise self.retry(countdown=0.1 * 2**self.request.retries)
    return self.request.retries


@app.task(bind=True)
def hangs_once(self, started):
    """Hangs in its first execution; the second tells whether its delivery was a redelivery."""
    marker = pathlib.Path(started)
    if marker.exists():
        return self.request.delivery_info["redelivered"]
    marker.touch()
    time.sleep(600)


def start_worker(log):
    options = ["--pool=solo", "--without-mingle", "--without-gossip", "-l", "INFO"]
    celery = [sys.executable, "-m", "celery", "-A", "celery_tasks", "worker"]
    command = [*celery, *options, f"--hostname={RUN}@local"]
    here = os.path.dirname(os.path.abspath(__file__))
    return subprocess.Popen(command, cwd=here, stdout=log, stderr=subprocess.STDOUT)


def run_tasks():
    got = succeeds_on_attempt.delay(3).get(timeout=WAIT_S)
    assert got == 2, f"{got} retries, expected 2"
    asked = time.time()
    later = now.apply_async(countdown=0.6)
    eta = datetime.now(timezone.utc) + timedelta(seconds=0.3)
    at = now.apply_async(eta=eta)
    soon = now.delay()
    times = [result.get(timeout=WAIT_S) for result in (soon, at, later)]
    assert times == sorted(times), f"out of order: {times}"
    assert times[1] >= eta.timestamp(), "the eta was not kept"
    assert times[2] - asked >= 0.6, f"the countdown took {times[2] - asked} s"
    header = [add.s(n, n) for n in range(8)]
    got = chord(header, total.s()).delay().get(timeout=WAIT_S)
    assert got == 56, f"the chord gave {got}"


def kill_the_worker(worker, log):
    """The broker gives the unacked task to the next worker; gives that worker."""
    marker = os.path.join(FOLDER, "started")
    result = hangs_once.delay(marker)
    deadline = time.monotonic() + WAIT_S
    while not os.path.exists(marker):
        assert time.monotonic() < deadline, f"waited {WAIT_S} s for the task to start"
        time.sleep(0.02)
    worker.kill()
    assert worker.wait() == -signal.SIGKILL
    successor = start_worker(log)
    try:
        assert result.get(timeout=WAIT_S) is True, "the second delivery is not a redelivery"
    except BaseException:
        successor.kill()
        raise
    return successor


def clean_up():
    with app.connection_for_write() as connection:
        channel = connection.channel()
        left = channel.queue_delete(RUN)
        assert left == 0, f"{left} tasks were left over"
        channel.exchange_delete(RUN)


def main(log):
    worker = start_worker(log)
    try:
        run_tasks()
        worker = kill_the_worker(worker, log)
        worker.terminate()
        status = worker.wait(timeout=WAIT_S)
        assert status == 0, f"the worker ended with status {status}"
        clean_up()
    except BaseException:
        log.seek(0)
        sys.stderr.write(f"--- the workers' log\n{log.read()}---\n")
        raise
    finally:
        if worker.poll() is None:
            worker.kill()
            worker.wait()
        shutil.rmtree(FOLDER)


if __name__ == "__main__":
    with tempfile.TemporaryFile("w+") as output:
        main(output)
    print("ok celery_tasks")
