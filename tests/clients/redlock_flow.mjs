// redlock, the releases 4 and 5, on three servers: locks are taken, refused, extended, released,
// run out, and are still taken when one of the servers is down. That one is stopped by this flow.

import { assert, connect, eventually, load, ports, sleep } from "./node_flow.mjs";

const Redlock4 = load("redlock");
const Redlock5 = load("redlock-5").default;
assert.equal(ports.length, 3);
const clients = ports.map((port) => connect({ maxRetriesPerRequest: 0, enableOfflineQueue: false,
                                              retryStrategy: null, lazyConnect: true }, port));
for (const client of clients) {
  client.on("error", () => {});
  await client.connect();
}
const settings = { retryCount: 0, driftFactor: 0.01 };
const patient = { retryCount: 100, retryDelay: 30, retryJitter: 10 };

// Redlock is content with a majority: the last server may still be on its way.
const everywhere = (live, what, condition) =>
  eventually(what, async () =>
    (await Promise.all(clients.slice(0, live).map(condition))).every((holds) => holds));

// Of as many holders at once, one is inside at a time.
async function exclude(locked) {
  let inside = 0, entered = 0;
  await Promise.all(Array.from({ length: 5 }, () => locked(async () => {
    assert.equal(++inside, 1);
    await sleep(10);
    inside--;
    entered++;
  })));
  assert.equal(entered, 5);
}

async function release4(live) {
  const redlock = new Redlock4(clients, settings);
  redlock.on("clientError", () => assert(live < 3, "no client has an error"));
  const lock = await redlock.lock("four", 20000);
  await everywhere(live, "locked", async (client) =>
    (await client.get("four")) === lock.value && (await client.pttl("four")) > 10000);
  await assert.rejects(redlock.lock("four", 1000), { name: "LockError" });
  const extended = await lock.extend(60000);
  await everywhere(live, "extended", async (client) => (await client.pttl("four")) > 30000);
  await extended.unlock();
  await everywhere(live, "released", async (client) => (await client.exists("four")) === 0);

  const several = await redlock.lock(["four:a", "four:b"], 20000);
  await assert.rejects(redlock.lock("four:b", 1000), { name: "LockError" });
  await several.unlock();

  const short = await redlock.lock("four", 100);
  await everywhere(live, "a lock runs out", async (client) => (await client.exists("four")) === 0);
  await assert.rejects(short.extend(1000), { name: "LockError" });
  const waiting = new Redlock4(clients, patient);
  waiting.on("clientError", () => {});
  await exclude(async (body) => {
    const held = await waiting.lock("four", 10000);
    await body();
    await held.unlock();
  });
}

async function release5(live) {
  const redlock = new Redlock5(clients, settings);
  redlock.on("error", () => {});
  const lock = await redlock.acquire(["five", "five:b"], 20000);
  await everywhere(live, "locked", async (client) => (await client.get("five:b")) === lock.value);
  await assert.rejects(redlock.acquire(["five:b"], 1000), { name: "ExecutionError" });
  const extended = await lock.extend(60000);
  await everywhere(live, "extended", async (client) => (await client.pttl("five")) > 30000);
  await extended.release();
  await everywhere(live, "released", async (client) =>
    (await client.exists("five", "five:b")) === 0);
  await assert.rejects(extended.release(), { name: "ExecutionError" });

  // Extended by itself while the body runs.
  await redlock.using(["five"], 1000, { automaticExtensionThreshold: 600 }, async (signal) => {
    await sleep(1800);
    assert.equal(signal.aborted, false);
    await everywhere(live, "extended", async (client) => (await client.exists("five")) === 1);
  });
  const waiting = new Redlock5(clients, patient);
  waiting.on("error", () => {});
  await exclude((body) => waiting.using(["five"], 10000, body));
}

await Promise.all([release4(3), release5(3)]);
await clients[2].call("SHUTDOWN", "NOSAVE").catch(() => {});
await eventually("one server is down", () => clients[2].status === "end");
await Promise.all([release4(2), release5(2)]);
clients.forEach((client) => client.disconnect());
