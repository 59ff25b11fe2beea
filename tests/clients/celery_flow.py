#!/usr/bin/env python3
"""Celery: a worker with Redis as broker and as store of results. celery_flow.py PORT.

The worker imports this file too; the port is then in the environment.
"""

import os
import subprocess
import sys
import time

import celery
import redis
from celery.exceptions import TaskRevokedError

PORT = sys.argv[1] if __name__ == "__main__" else os.environ["REDOUBT_PORT"]
app = celery.Celery("celery_flow", broker=f"redis://127.0.0.1:{PORT}/0",
                    backend=f"redis://127.0.0.1:{PORT}/1")
app.conf.update(task_acks_late=True, worker_prefetch_multiplier=1, result_extended=True,
                broker_transport_options={"priority_steps": [0, 5], "visibility_timeout": 3600})
log = redis.Redis(port=int(PORT), db=2, decode_responses=True)


@app.task(name="add")
def add(a, b):
    return a + b


@app.task(name="total")
def total(numbers):
    return sum(numbers)


@app.task(name="note")
def note(text):
    log.rpush("notes", text)


@app.task(name="shaky", bind=True, max_retries=3)
def shaky(self):
    log.rpush("attempts", self.request.retries)
    if self.request.retries < 2:
        raise self.retry(countdown=0.1)
    return self.request.retries


@app.task(name="broken")
def broken():
    raise KeyError("nothing here")


def flow():
    jobs = [add.delay(n, n) for n in range(20)]
    assert [job.get(timeout=20) for job in jobs] == [2 * n for n in range(20)]

    began = time.monotonic()
    assert add.apply_async((1, 2), countdown=1).get(timeout=20) == 3
    assert time.monotonic() - began >= 0.9
    assert shaky.delay().get(timeout=20) == 2
    assert log.lrange("attempts", 0, -1) == ["0", "1", "2"]

    failed = broken.delay()
    try:
        failed.get(timeout=20)
        raise AssertionError("the task does not fail")
    except KeyError as error:
        assert "nothing here" in str(error)
    assert failed.state == "FAILURE"

    assert celery.chain(add.s(1, 2), add.s(10), add.s(100)).apply_async().get(timeout=20) == 113
    group = celery.group(add.s(n, 1) for n in range(5)).apply_async()
    assert group.get(timeout=20) == [1, 2, 3, 4, 5]
    # A chord counts the results in the store.
    chord = celery.chord((add.s(n, n) for n in range(10)), total.s()).apply_async()
    assert chord.get(timeout=20) == 90

    revoked = add.apply_async((1, 1), countdown=1.5)
    revoked.revoke()
    try:
        revoked.get(timeout=20)
        raise AssertionError("the task was not revoked")
    except TaskRevokedError:
        pass
    answers = app.control.ping(timeout=10, limit=1)
    assert [list(answer.values()) for answer in answers] == [[{"ok": "pong"}]], answers


def taken_by_lost_consumer():
    """A message that its consumer has not acknowledged in time goes back to its queue. The search
    for such messages is under a lock, which a script releases."""
    with app.connection(transport_options={"visibility_timeout": 1}) as connection:
        queue = connection.SimpleQueue("lost")
        queue.put({"n": 7})
        # On a channel of its own, it neither acknowledges nor is heard of again.
        consumer = connection.channel()
        assert consumer.basic_get("lost") is not None
        assert consumer.client.zcard("unacked_index") >= 1
        assert queue.channel.basic_get("lost") is None
        time.sleep(1.2)
        for _ in range(20):  # one call in ten looks
            queue.channel.qos.restore_visible()
        again = queue.get(timeout=5)
        assert again.payload == {"n": 7}
        again.ack()
        consumer.qos._delivered.clear()
        assert not queue.channel.client.exists("unacked_mutex")


def locks():
    """The locks of redis-py, which Celery's beat uses as well."""
    lock = log.lock("lock", timeout=5, blocking=False)
    assert lock.acquire()
    assert not log.lock("lock", timeout=5, blocking=False).acquire()
    assert lock.extend(20) and log.pttl("lock") > 20000
    assert lock.reacquire() and 4000 < log.pttl("lock") <= 5000
    log.script_flush()
    lock.release()
    assert not log.exists("lock")
    assert lock.acquire()
    log.delete("lock")
    try:
        lock.release()
        raise AssertionError("a lock that is lost can be released")
    except redis.exceptions.LockNotOwnedError:
        pass


def main():
    locks()
    taken_by_lost_consumer()
    # Before there is a worker: the order is that of the priorities.
    for text, priority in (("later", 5), ("first", 0), ("later still", 5)):
        note.apply_async((text,), priority=priority)
    worker = subprocess.Popen(
        [sys.executable, "-m", "celery", "-A", "celery_flow", "worker", "--pool=solo",
         "--without-gossip", "--without-mingle", "--loglevel=WARNING"],
        cwd=os.path.dirname(os.path.abspath(__file__)),
        env=dict(os.environ, REDOUBT_PORT=PORT, PYTHONDONTWRITEBYTECODE="1"))
    try:
        flow()
        assert log.lrange("notes", 0, -1) == ["first", "later", "later still"]
        worker.terminate()
        assert worker.wait(20) == 0
    finally:
        worker.kill()
        worker.wait()


if __name__ == "__main__":
    main()
