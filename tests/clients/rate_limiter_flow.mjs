// rate-limiter-flexible: points of a window, blocks, bursts, and a queue of requests.

import { assert, connect, eventually, load } from "./node_flow.mjs";

const { BurstyRateLimiter, RateLimiterQueue, RateLimiterRedis } = load("rate-limiter-flexible");
const storeClient = connect();
const limiter = (options) => new RateLimiterRedis({ storeClient, ...options });

// As many as allowed pass, although all come at once.
const window = limiter({ keyPrefix: "window", points: 5, duration: 60 });
const outcomes = await Promise.allSettled(Array.from({ length: 8 }, () => window.consume("ann")));
const passed = outcomes.filter((outcome) => outcome.status === "fulfilled");
assert.equal(passed.length, 5);
assert.deepEqual(passed.map((outcome) => outcome.value.remainingPoints), [4, 3, 2, 1, 0]);
for (const { reason } of outcomes.filter((outcome) => outcome.status === "rejected")) {
  assert.equal(reason.remainingPoints, 0);
  assert(reason.msBeforeNext > 50000 && reason.msBeforeNext <= 60000);
}
assert.equal((await window.consume("bob", 2)).remainingPoints, 3);
assert.equal((await window.reward("bob", 1)).consumedPoints, 1);
assert.equal((await window.penalty("bob", 3)).consumedPoints, 4);
assert.equal((await window.get("bob")).remainingPoints, 1);
assert.equal(await window.get("nobody"), null);
assert.equal(await window.delete("bob"), true);
assert.equal((await window.set("cyd", 5, 60)).consumedPoints, 5);
await assert.rejects(window.consume("cyd"), (result) => result.consumedPoints === 6);

// A window ends.
const short = limiter({ keyPrefix: "short", points: 1, duration: 2 });
await short.consume("ann");
await assert.rejects(short.consume("ann"), (result) => result.msBeforeNext <= 2000);
await eventually("another window", () => short.consume("ann").then(() => true, () => false), 5);

// Longer blocked than the window lasts; known in this process as well as in the server.
const strict = limiter({ keyPrefix: "strict", points: 1, duration: 5, blockDuration: 30,
                         inMemoryBlockOnConsumed: 2, inMemoryBlockDuration: 30 });
await strict.consume("ann");
await assert.rejects(strict.consume("ann"), (result) => result.msBeforeNext > 20000);
assert((await storeClient.pttl("strict:ann")) > 20000);
await strict.block("bob", 30);
await assert.rejects(strict.consume("bob"), (result) => result.msBeforeNext > 20000);

const bursty = new BurstyRateLimiter(
  limiter({ keyPrefix: "steady", points: 2, duration: 60 }),
  limiter({ keyPrefix: "burst", points: 3, duration: 60 }));
for (let i = 0; i < 5; i++) {
  await bursty.consume("ann");
}
await assert.rejects(bursty.consume("ann"), (result) => result.remainingPoints === 0);

// Spread over the window by the server's time to live.
const queue = new RateLimiterQueue(limiter({ keyPrefix: "queue", points: 2, duration: 1 }));
const began = Date.now();
await Promise.all(Array.from({ length: 5 }, () => queue.removeTokens(1, "ann")));
assert(Date.now() - began > 900);

// Without an expiry, and with one that is not to be moved.
const forever = limiter({ keyPrefix: "forever", points: 3, duration: 0 });
await forever.consume("ann", 2);
assert.equal(await storeClient.pttl("forever:ann"), -1);
await assert.rejects(forever.consume("ann", 2), (result) => result.consumedPoints === 4);
await storeClient.quit();
