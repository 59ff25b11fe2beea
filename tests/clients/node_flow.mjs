// What the flows that run in Node share. Packages are those of build/clients, which install.sh
// fills; the ports of the servers are the arguments of the flow.

import assert from "node:assert/strict";
import { createRequire } from "node:module";

export { assert };

export const load = createRequire(new URL("../../build/clients/", import.meta.url));
export const ports = process.argv.slice(2).map(Number);

const Redis = load("ioredis");

export function connect(options = {}, port = ports[0]) {
  return new Redis(port, "127.0.0.1", { maxRetriesPerRequest: null, ...options });
}

export const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

// Waits until the condition, which may be a promise, holds.
export async function eventually(what, condition, seconds = 15) {
  const deadline = Date.now() + seconds * 1000;
  while (!(await condition())) {
    assert(Date.now() < deadline, `still not so after ${seconds} s: ${what}`);
    await sleep(20);
  }
}
