#!/usr/bin/env python3
"""limits, and Flask-Limiter which stands on it: every strategy. limits_flow.py PORT."""

import sys
import threading
import time

import flask
import limits
import redis
from flask_limiter import Limiter

URL = f"redis://127.0.0.1:{sys.argv[1]}"


def strategies():
    store = limits.storage.storage_from_string(URL)
    assert store.check()
    rate = limits.parse("5/minute")
    for kind in (limits.strategies.FixedWindowRateLimiter,
                 limits.strategies.FixedWindowElasticExpiryRateLimiter,
                 limits.strategies.MovingWindowRateLimiter):
        limiter, name = kind(store), kind.__name__
        hits = [limiter.hit(rate, name) for _ in range(7)]
        assert hits == [True] * 5 + [False] * 2, (name, hits)
        assert not limiter.test(rate, name)
        reset, remaining = limiter.get_window_stats(rate, name)
        assert remaining == 0 and 0 < reset - time.time() <= 61, (name, reset, remaining)
        limiter.clear(rate, name)
        assert limiter.hit(rate, name, cost=5) and not limiter.hit(rate, name), name

    moving, short = limits.strategies.MovingWindowRateLimiter(store), limits.parse("2/2 seconds")
    assert moving.hit(short, "a") and moving.hit(short, "a") and not moving.hit(short, "a")
    time.sleep(2.05)
    assert moving.hit(short, "a")

    # Of many at once, as many pass as may.
    passed = []

    def hit():
        own = limits.storage.storage_from_string(URL)
        limiter = limits.strategies.MovingWindowRateLimiter(own)
        passed.extend(limiter.hit(limits.parse("50/minute"), "crowd") for _ in range(20))

    threads = [threading.Thread(target=hit) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert passed.count(True) == 50 and len(passed) == 100, passed.count(True)
    assert store.reset() > 0


def requests(strategy):
    app = flask.Flask("limits_flow")
    limiter = Limiter(lambda: flask.request.headers.get("X-User", "nobody"), app=app,
                      storage_uri=URL, strategy=strategy, headers_enabled=True,
                      key_prefix=strategy)

    @app.route("/dear")
    @limiter.limit("3/minute")
    def dear():
        return "dear"

    shared = limiter.shared_limit("4/minute", scope="both")
    app.route("/a", endpoint="a")(shared(lambda: "a"))
    app.route("/b", endpoint="b")(shared(lambda: "b"))
    client = app.test_client()

    def get(path, user):
        return client.get(path, headers={"X-User": user})

    answers = [get("/dear", "ann") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429], strategy
    assert [answer.headers["X-RateLimit-Remaining"] for answer in answers] == ["2", "1", "0", "0"]
    assert 0 < int(answers[3].headers["Retry-After"]) <= 61
    assert get("/dear", "bob").status_code == 200
    codes = [get(path, "ann").status_code for path in ("/a", "/b", "/a", "/b", "/a", "/b")]
    assert codes == [200] * 4 + [429] * 2, codes
    assert get("/a", "bob").status_code == 200


def main():
    strategies()
    for strategy in ("fixed-window", "fixed-window-elastic-expiry", "moving-window"):
        requests(strategy)
    # Limits are kept with a time to live.
    store = redis.Redis.from_url(URL)
    assert all(store.pttl(key) > 0 for key in store.scan_iter("*")) and store.dbsize() > 0


if __name__ == "__main__":
    main()
