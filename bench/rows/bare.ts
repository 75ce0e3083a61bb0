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

const SIZE = 100 * 2 ** 20;

type Job = "nothing" | "echo-port" | "count-port" | "echo-atomics" | "add-atomics" | "give-back" | "copy-out";

interface WorkerData {
  job: Job;
  words?: Int32Array<SharedArrayBuffer>;
  memory?: SharedArrayBuffer;
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

async function atomicsAdd(budget: Budget): Promise<number> {
  const words = new Int32Array(new SharedArrayBuffer(4));
  const workers = [1, 2].map(() => startWorker({ job: "add-atomics", words }));
  const ms = await msPerOperation(
    async (n) => {
      const done = workers.map((worker) => once(worker, "message"));
      for (const worker of workers) worker.postMessage(n / workers.length);
      await Promise.all(done);
    },
    40_000,
    budget,
  );
  for (const worker of workers) await worker.terminate();
  return ms * 1e3;
}

async function sharedCopy(budget: Budget): Promise<number> {
  const memory = new SharedArrayBuffer(SIZE);
  const worker = startWorker({ job: "copy-out", memory });
  const data = new Uint8Array(SIZE);
  const shared = new Uint8Array(memory);
  const ms = await msEach(
    async () => {
      shared.set(data);
      const copied = once(worker, "message");
      worker.postMessage(1);
      await copied;
    },
    0,
    budget,
  );
  await worker.terminate();
  return ms;
}

// The buffer itself: Deno takes seconds to post a Uint8Array of this size, though its buffer is transferred.
async function portTransfer(budget: Budget): Promise<number> {
  const worker = startWorker({ job: "give-back" });
  let buffer = new ArrayBuffer(SIZE);
  const ms = await msEach(
    async () => {
      const back = once(worker, "message");
      worker.postMessage(buffer, [buffer]);
      [buffer] = await back;
    },
    0,
    budget,
  );
  await worker.terminate();
  return ms;
}

function runInWorker(port: MessagePort, { job, words, memory }: WorkerData): void {
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
    case "add-atomics":
      port.on("message", (n: number) => {
        for (let i = 0; i < n; i++) Atomics.add(words!, 0, 1);
        port.postMessage(n);
      });
      return;
    case "give-back":
      port.on("message", (buffer: ArrayBuffer) => port.postMessage(buffer, [buffer]));
      return;
    case "copy-out": {
      const copy = new Uint8Array(SIZE);
      port.on("message", () => {
        copy.set(new Uint8Array(memory!));
        port.postMessage(copy[SIZE - 1]);
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
    "atomics-add": atomicsAdd,
    "shared-copy": sharedCopy,
    "port-transfer": portTransfer,
  });
}
