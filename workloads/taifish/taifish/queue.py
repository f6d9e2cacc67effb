"""Celery: the messages, who sends them and when. A message holds a task's id and nothing else."""

from __future__ import annotations

import os
import socket
import uuid
from datetime import datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from celery import Celery
from celery.schedules import crontab
from kombu.entity import Queue
from kombu.exceptions import OperationalError
from redis import RedisError
from sqlalchemy.exc import SQLAlchemyError

from . import broker, database
from .doing import do
from .ledger import Ledger
from .logs import log
from .settings import Settings, load

SWEEP = 5.0  # seconds
CROWDED = 1000  # messages that already wait


@cache
def settings() -> Settings:
    """Of this process."""
    return load()


@cache
def ledger() -> Ledger:
    """Of this process: made at its first task, never before a fork."""
    here = settings()
    return Ledger(database.connect(here, pool=2), lease=here.lease, attempts=here.attempts)


def build(here: Settings) -> Celery:
    """The queue and its schedule."""
    queue = Celery("taifish", set_as_current=False)
    queue.conf.update(
        broker.queue_options(here),
        result_backend=None,  # results are in the ledger
        task_ignore_result=True,
        task_default_queue=broker.QUEUE,
        task_queues=[Queue(broker.QUEUE, routing_key=broker.QUEUE)],  # type: ignore[no-untyped-call]
        task_serializer="json",
        accept_content=["json"],
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        worker_prefetch_multiplier=1,
        task_soft_time_limit=here.task_seconds,
        task_time_limit=here.task_seconds + 30,
        # Longer than any task runs: only a dead worker's message comes back. The sweep is faster anyway.
        broker_transport_options={
            "visibility_timeout": here.task_seconds + 120,
            "socket_connect_timeout": 3,
            "socket_timeout": 10,
            "socket_keepalive": True,
            "health_check_interval": 10,
            "retry_on_timeout": True,
            "max_retries": 1,
        },
        broker_connection_timeout=3,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        # A lost broker is no reason to stop a task: its row is what counts.
        worker_cancel_long_running_tasks_on_connection_loss=False,
        task_publish_retry=True,
        task_publish_retry_policy={"max_retries": 1, "interval_start": 0.1, "interval_max": 0.1},
        # A worker that comes back would otherwise take fewer tasks than it can do for a while.
        worker_enable_prefetch_count_reduction=False,
        worker_concurrency=here.concurrency,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_enable_remote_control=False,
        timezone=here.timezone,
        enable_utc=True,
        beat_schedule={
            "sweep": {
                "task": "taifish.sweep",
                "schedule": timedelta(seconds=SWEEP),
                "options": {"expires": 30},
            },
            "nightly": {"task": "taifish.nightly", "schedule": crontab(minute="0", hour="2")},
        },
    )
    queue.task(run, name="taifish.run")
    queue.task(sweep, name="taifish.sweep")
    queue.task(nightly, name="taifish.nightly")
    return queue


def worker_name() -> str:
    """Tells containers and their processes apart."""
    return f"{socket.gethostname()}:{os.getpid()}"


def announce(queue: Celery, id: uuid.UUID) -> None:
    """Says that there is something to do."""
    queue.send_task("taifish.run", args=[str(id)])


def run(id: str) -> str:
    """Does the task with this id, unless somebody does or did."""
    try:
        return do(settings(), ledger(), uuid.UUID(id), worker_name())
    except SQLAlchemyError as error:
        # The lease ends, or the row still waits: the sweep brings it back once the database answers.
        log("database-trouble", severity="warning", task=id, error=database.reason(error))
        return "later"


def sweep() -> None:
    """Brings back what was lost."""
    here = settings()
    queue = process_queue()
    try:
        with broker.client(here) as redis:
            if redis.llen(broker.QUEUE) > CROWDED:
                return
        announced, given_up = ledger().sweep(lambda id: announce(queue, id))
    except (SQLAlchemyError, RedisError, OperationalError) as error:
        log("sweep-trouble", severity="warning", error=database.reason(error))
        return
    if announced or given_up:
        log("swept", announced=announced, given_up=given_up)


def nightly() -> str:
    """Once a day, however often it is asked for."""
    day = datetime.now(ZoneInfo(settings().timezone)).date()
    task = ledger().submit("cleanup", {"day": day.isoformat()}, key=f"cleanup-{day}")
    return do(settings(), ledger(), task.id, worker_name())


@cache
def process_queue() -> Celery:
    """The queue of this process."""
    return build(settings())
