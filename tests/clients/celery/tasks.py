"""The Celery application that the worker and the programs share; RUN_NAME names one run."""

import os

from celery import Celery

RUN = os.environ["RUN_NAME"]

app = Celery(
    "tasks",
    broker=os.environ.get("AMQP_URL", "amqp://guest:guest@127.0.0.1:5672/"),
    backend="rpc://",
)
app.conf.update(
    task_default_queue=RUN,
    task_default_exchange=RUN,
    task_default_routing_key=RUN,
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
    worker_send_task_events=False,
    worker_hijack_root_logger=False,
    broker_connection_retry_on_startup=True,
    broker_connection_timeout=10,
    broker_transport_options={"confirm_publish": True},
    result_expires=60,
)


@app.task
def add(left, right):
    return left + right


@app.task
def total(numbers):
    return sum(numbers)


@app.task(bind=True, max_retries=3)
def succeeds_on_attempt(self, attempt):
    """Fails until its `attempt`-th execution; gives the number of retries it took."""
    if self.request.retries + 1 < attempt:
        raise self.retry(countdown=0.05)
    return self.request.retries


@app.task
def fails():
    raise ValueError("on purpose")
