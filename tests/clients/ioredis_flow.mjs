// ioredis: commands that are scripts (defineCommand), alone, in pipelines and in transactions.

import { assert, connect, eventually } from "./node_flow.mjs";

const takeScript = `
local left = tonumber(redis.call('GET', KEYS[1]) or '0')
local count = tonumber(ARGV[1])
if left < count then
  return redis.error_reply('SOLDOUT ' .. left .. ' left')
end
redis.call('DECRBY', KEYS[1], count)
redis.call('RPUSH', KEYS[2], cjson.encode({buyer = ARGV[2], count = count}))
return {left - count, redis.call('LLEN', KEYS[2])}`;

const redis = connect({
  scripts: {
    half: { numberOfKeys: 1, lua: "return redis.call('GET', KEYS[1]) / 2", readOnly: true },
  },
});
redis.defineCommand("take", { numberOfKeys: 2, lua: takeScript });
redis.defineCommand("echoAll", { lua: "return {KEYS, ARGV, #KEYS}" });
redis.defineCommand("raw", { numberOfKeys: 0, lua: "return struct.pack('>I4', ARGV[1])" });

await redis.set("stock", 10);
assert.deepEqual(await redis.take("stock", "sales", 3, "ann"), [7, 1]);
assert.deepEqual(await redis.take("stock", "sales", 2, "bob"), [5, 2]);
await assert.rejects(redis.take("stock", "sales", 6, "eve"), /SOLDOUT 5 left/);
assert.equal(await redis.half("stock"), 2);
assert.deepEqual(await redis.echoAll(2, "a", "b", "c"), [["a", "b"], ["c"], 2]);
assert.deepEqual(await redis.rawBuffer(258), Buffer.from([0, 0, 1, 2]));

// A script that the server has lost is sent again.
await redis.script("FLUSH");
assert.deepEqual(await redis.take("stock", "sales", 1, "cyd"), [4, 3]);
await redis.script("FLUSH");
assert.deepEqual(
  await redis.pipeline().take("stock", "sales", 1, "dan").ping().exec(),
  [[null, [3, 4]], [null, "PONG"]]);
const [[failure], [, left]] =
  await redis.pipeline().take("stock", "sales", 9, "eve").get("stock").exec();
assert.match(failure.message, /SOLDOUT/);
assert.equal(left, "3");

const results = await redis.multi().incrby("stock", 2).take("stock", "sales", 5, "fay").exec();
assert.deepEqual(results, [[null, 5], [null, [0, 5]]]);
assert.deepEqual((await redis.lrange("sales", 0, -1)).map((sale) => JSON.parse(sale).buyer),
  ["ann", "bob", "cyd", "dan", "fay"]);

// With a prefix, the keys of a script have it too.
const prefixed = connect({ keyPrefix: "shop:", enableAutoPipelining: true });
prefixed.defineCommand("bump", { numberOfKeys: 1, lua: "return redis.call('INCR', KEYS[1])" });
const bumped = await Promise.all(Array.from({ length: 100 }, () => prefixed.bump("n")));
assert.deepEqual(bumped.sort((a, b) => a - b), Array.from({ length: 100 }, (_, i) => i + 1));
assert.equal(await redis.get("shop:n"), "100");

// Functions, and messages from a script.
await redis.function("LOAD", "REPLACE", `#!lua name=shop
redis.register_function('restock', function(keys, args)
  redis.call('PUBLISH', 'restocked', keys[1])
  return redis.call('INCRBY', keys[1], args[1])
end)`);
const messages = [];
const subscriber = connect();
subscriber.on("message", (channel, message) => messages.push([channel, message]));
await subscriber.subscribe("restocked");
assert.equal(await redis.fcall("restock", 1, "stock", 20), 20);
await eventually("the message arrived", () => messages.length === 1);
assert.deepEqual(messages, [["restocked", "stock"]]);

await assert.rejects(redis.eval("return redis.call('LPUSH', KEYS[1], 1)", 1, "stock"), /WRONGTYPE/);
await Promise.all([redis, prefixed, subscriber].map((client) => client.quit()));
