// BullMQ: jobs are added, processed, delayed, retried, ordered by priority, limited in rate,
// scheduled, deduplicated, taken over from a worker that is gone, and depend on one another.
// The second argument is the package: bullmq, or bullmq-5 for the release before.

import { assert, eventually, load, ports, sleep } from "./node_flow.mjs";

const { FlowProducer, Queue, QueueEvents, UnrecoverableError, Worker } = load(process.argv[3]);
const connection = { host: "127.0.0.1", port: ports[0], maxRetriesPerRequest: null };
const prefix = process.argv[3];
const open = [];

function make(Type, ...parts) {
  const options = { connection, prefix, ...(typeof parts.at(-1) === "object" ? parts.pop() : {}) };
  const made = new Type(...parts, options);
  made.on("error", (error) => { throw error; });
  open.push(made);
  return made;
}
const queueOf = (name, options) => make(Queue, name, options ?? {});
const workerOf = (name, body, options) => make(Worker, name, body, options ?? {});
const counts = (queue) => queue.getJobCounts();
const finished = (queue, count) =>
  eventually(`${queue.name}: ${count} jobs are completed`, async () =>
    (await queue.getJobCounts("completed")).completed === count);

async function results() {
  const queue = queueOf("results");
  const events = make(QueueEvents, "results", {});
  await events.waitUntilReady();
  const progress = [];
  events.on("progress", ({ data }) => progress.push(data));
  workerOf("results", async (job) => {
    await job.updateProgress(50);
    await job.log(`squares ${job.data.n}`);
    if (job.name === "bad") throw new UnrecoverableError("no such thing");
    return job.data.n ** 2;
  }, { concurrency: 4 });
  const jobs = await queue.addBulk(
    Array.from({ length: 20 }, (_, n) => ({ name: "square", data: { n, text: "é\u0000" } })));
  const values = await Promise.all(jobs.map((job) => job.waitUntilFinished(events, 15000)));
  assert.deepEqual(values, Array.from({ length: 20 }, (_, n) => n * n));
  await eventually("progress is told", () => progress.length === 20);
  assert.deepEqual((await queue.getJobLogs(jobs[3].id)).logs, ["squares 3"]);
  assert.equal((await queue.getJob(jobs[3].id)).data.text, "é\u0000");

  const bad = await queue.add("bad", { n: 1 }, { attempts: 5 });
  await assert.rejects(bad.waitUntilFinished(events, 15000), /no such thing/);
  assert.equal(await bad.getState(), "failed");
  assert.equal((await queue.getJob(bad.id)).attemptsMade, 1);
  const state = await counts(queue);
  assert.equal(state.completed, 20);
  assert.equal(state.failed, 1);
  assert.equal((await queue.clean(0, 100, "completed")).length, 20);
  assert.equal((await counts(queue)).completed, 0);
}

async function delaysAndRetries() {
  const queue = queueOf("later");
  const seen = [];
  workerOf("later", async (job) => {
    seen.push([job.name, Date.now()]);
    if (job.name === "shaky" && job.attemptsMade < 2) throw new Error("not yet");
  });
  const began = Date.now();
  const late = await queue.add("late", {}, { delay: 600 });
  const never = await queue.add("never", {}, { delay: 3600000 });
  const shaky = await queue.add("shaky", {},
    { attempts: 3, backoff: { type: "exponential", delay: 50 } });
  await queue.add("now", {});
  assert.equal(await never.getState(), "delayed");
  await finished(queue, 3);
  assert.equal(seen.filter(([name]) => name === "shaky").length, 3);
  assert.equal((await queue.getJob(shaky.id)).stacktrace.length, 2);
  assert(seen.find(([name]) => name === "late")[1] - began >= 590);
  await never.changeDelay(1);
  await finished(queue, 4);
  assert.equal(await late.getState(), "completed");
}

async function priorities() {
  const queue = queueOf("ordered");
  await queue.pause();
  for (const [name, priority] of [["c", 9], ["b", 5], ["d", 100], ["a", 1]]) {
    await queue.add(name, {}, { priority });
  }
  const first = await queue.add("first", {});
  const dear = await queue.add("e", {}, { priority: 50 });
  await dear.changePriority({ priority: 200 });
  const order = [];
  workerOf("ordered", async (job) => { order.push(job.name); });
  await sleep(100);
  assert.deepEqual(order, []);
  assert.equal(await queue.isPaused(), true);
  await queue.resume();
  await finished(queue, 6);
  assert.deepEqual(order, ["first", "a", "b", "c", "d", "e"]);
  await first.remove();
  assert.equal(await queue.getJob(first.id), undefined);
}

async function rate() {
  const queue = queueOf("limited");
  workerOf("limited", async () => {}, { limiter: { max: 2, duration: 400 } });
  const began = Date.now();
  await queue.addBulk(Array.from({ length: 6 }, () => ({ name: "call", data: {} })));
  await finished(queue, 6);
  const took = Date.now() - began;
  assert(took >= 790, `6 jobs, 2 in 400 ms, took ${took} ms`);
}

async function families() {
  const flow = make(FlowProducer, {});
  workerOf("children", async (job) => job.data.n * 10);
  workerOf("parents", async (job) =>
    Object.values(await job.getChildrenValues()).reduce((sum, n) => sum + n, 0));
  const queue = queueOf("parents");
  const tree = await flow.add({
    name: "sum", queueName: "parents",
    children: [1, 2, 3].map((n) => ({ name: "part", queueName: "children", data: { n } })),
  });
  await finished(queue, 1);
  assert.equal((await queue.getJob(tree.job.id)).returnvalue, 60);
  assert.equal((await tree.job.getDependencies()).unprocessed?.length ?? 0, 0);
}

async function schedules() {
  const queue = queueOf("ticks");
  let ticks = 0;
  workerOf("ticks", async () => { ticks++; });
  await queue.upsertJobScheduler("tick", { every: 150 }, { name: "tick", data: { of: "clock" } });
  await queue.upsertJobScheduler("yearly", { pattern: "0 0 1 1 *" }, { name: "yearly" });
  await eventually("it ticks", () => ticks >= 3);
  assert.equal((await queue.getJobSchedulers()).length, 2);
  assert.equal(await queue.removeJobScheduler("tick"), true);
  assert.equal((await queue.getJobSchedulers()).length, 1);
}

async function deduplication() {
  const queue = queueOf("once");
  await queue.add("a", { n: 1 }, { jobId: "same" });
  await queue.add("a", { n: 2 }, { jobId: "same" });
  await queue.add("b", {}, { deduplication: { id: "b", ttl: 60000 } });
  await queue.add("b", {}, { deduplication: { id: "b", ttl: 60000 } });
  assert.equal((await counts(queue)).waiting, 2);
  assert.equal((await queue.getJob("same")).data.n, 1);
  await queue.drain();
  assert.equal((await counts(queue)).waiting, 0);
  await queue.obliterate();
}

async function takeover() {
  const queue = queueOf("stalled");
  const events = make(QueueEvents, "stalled", {});
  await events.waitUntilReady();
  let told = 0;
  events.on("stalled", () => told++);
  let started = false;
  // This one gets a job and is gone.
  const lost = workerOf("stalled", () => { started = true; return sleep(3000); },
    { lockDuration: 300, skipLockRenewal: true, skipStalledCheck: true });
  const job = await queue.add("long", {});
  await eventually("it has begun", () => started);
  await lost.close(true);
  workerOf("stalled", async () => "taken over", { stalledInterval: 200 });
  await finished(queue, 1);
  assert.equal((await queue.getJob(job.id)).returnvalue, "taken over");
  await eventually("that it stalled is told", () => told === 1);
}

async function failuresAreTriedAgain() {
  const queue = queueOf("again");
  let broken = true;
  workerOf("again", async () => { if (broken) throw new Error("broken"); });
  await queue.addBulk(Array.from({ length: 5 }, (_, n) => ({ name: "x", data: { n } })));
  await eventually("all failed", async () => (await counts(queue)).failed === 5);
  broken = false;
  const [one] = await queue.getFailed(0, 0);
  await one.retry();
  await finished(queue, 1);
  await queue.retryJobs({ count: 2 });
  await finished(queue, 5);
}

await Promise.all([results(), delaysAndRetries(), priorities(), rate(), families(), schedules(),
                   deduplication(), takeover(), failuresAreTriedAgain()]);
await Promise.all(open.filter((made) => made instanceof Worker).map((made) => made.close()));
await Promise.all(open.filter((made) => !(made instanceof Worker)).map((made) => made.close()));
// The job that its worker left still sleeps.
process.exit(0);
