/**
 * The baselines: what Deno itself allows, without the library. Each case is the
 * least code that does the same job with a Worker, MessagePort or Atomics.
 */

import { once } from "node:events";
import { isMainThread, type MessagePort, parentPort, Worker, workerData } from "node:worker_threads";
import { type Budget, msEach, msPerOperation, report } from "../measure.ts";

const BLOCK = 20_000;
const PING = 0;
const PONG = 1;

type Job = "nothing" | "echo-port" | "count-port" | "echo-atomics";

interface WorkerData {
  job: Job;
  words?: Int32Array<SharedArrayBuffer>;
}

function startWorker(data: WorkerData): Worker {
  return new Worker(new URL(import.meta.url), { workerData: data });
}

async function workerStart(pauseMs: number, budget: Budget): Promise<number> {
  return await msEach(
    async () => {
      await once(startWorker({ job: "nothing" }), "exit");
    },
    pauseMs,
    budget,
  );
}

async function commandStart(budget: Budget): Promise<number> {
  const command = new Deno.Command(Deno.execPath(), {
    args: ["eval", ""],
    stdin: "null",
  });
  return await msEach(
    async () => {
      await command.spawn().status;
    },
    0,
    budget,
  );
}

async function portRoundTrip(budget: Budget): Promise<number> {
  const worker = startWorker({ job: "echo-port" });
  let answered = (): void => {};
  worker.on("message", () => answered());
  const ms = await msPerOperation(
    async (n) => {
      for (let i = 0; i < n; i++) {
        const answer = new Promise<void>((resolve) => answered = resolve);
        worker.postMessage(i);
        await answer;
      }
    },
    200,
    budget,
  );
  await worker.terminate();
  return ms * 1e3;
}

async function portOneWay(budget: Budget): Promise<number> {
  const worker = startWorker({ job: "count-port" });
  const ms = await msPerOperation(
    async (n) => {
      const seen = once(worker, "message");
      for (let i = 0; i < n; i++) worker.postMessage(i);
      await seen;
    },
    BLOCK,
    budget,
  );
  await worker.terminate();
  return 1e3 / ms;
}

async function atomicsRoundTrip(budget: Budget): Promise<number> {
  const words = new Int32Array(new SharedArrayBuffer(8));
  const worker = startWorker({ job: "echo-atomics", words });
  let turn = 0;
  const ms = await msPerOperation(
    async (n) => {
      for (let i = 0; i < n; i++) {
        turn++;
        Atomics.store(words, PING, turn);
        Atomics.notify(words, PING);
        while (Atomics.load(words, PONG) !== turn) {
          const wait = Atomics.waitAsync(words, PONG, turn - 1);
          if (wait.async) await wait.value;
        }
      }
    },
    200,
    budget,
  );
  Atomics.store(words, PING, -1);
  Atomics.notify(words, PING);
  await once(worker, "exit");
  return ms * 1e3;
}

async function atomicsLock(budget: Budget): Promise<number> {
  const words = new Int32Array(new SharedArrayBuffer(4));
  const ms = await msPerOperation(
    (n) => {
      for (let i = 0; i < n; i++) {
        if (Atomics.compareExchange(words, 0, 0, 1) !== 0) {
          throw new Error("Cannot happen: nobody else holds the lock");
        }
        Atomics.store(words, 0, 0);
      }
    },
    50_000,
    budget,
  );
  return ms * 1e3;
}

function runInWorker(port: MessagePort, { job, words }: WorkerData): void {
  switch (job) {
    case "nothing":
      return;
    case "echo-port":
      port.on("message", (value) => port.postMessage(value));
      return;
    case "count-port": {
      let count = 0;
      port.on("message", () => {
        if (++count % BLOCK === 0) port.postMessage(count);
      });
      return;
    }
    case "echo-atomics":
      for (let seen = 0;;) {
        Atomics.wait(words!, PING, seen);
        seen = Atomics.load(words!, PING);
        if (seen < 0) return;
        Atomics.store(words!, PONG, seen);
        Atomics.notify(words!, PONG);
      }
  }
}

// A Worker's own entry module counts as main, so the thread is asked first.
if (!isMainThread && parentPort) {
  runInWorker(parentPort, workerData as WorkerData);
} else if (import.meta.main) {
  await report({
    "worker-paced": (budget) => workerStart(80, budget),
    "worker-back-to-back": (budget) => workerStart(0, budget),
    "command": commandStart,
    "port-round-trip": portRoundTrip,
    "port-one-way": portOneWay,
    "atomics-round-trip": atomicsRoundTrip,
    "atomics-lock": atomicsLock,
  });
}
