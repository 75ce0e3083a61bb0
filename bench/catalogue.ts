/**
 * Every row of the table: what is measured, against what, and how fast it has
 * to be. The programs themselves are in `rows/`, `servers/` and `python/`.
 *
 * @module
 */

import {
  deno,
  denoServer,
  type Group,
  type Load,
  python,
  pythonServer,
  type Rival,
  type Unit,
  type Variant,
} from "./harness.ts";

function processStart(pace: "paced" | "back-to-back", name: string): Group {
  return {
    unit: "ms",
    rivals: [
      {
        name: "spawn",
        sample: python("bench_process.py", `spawn-${pace}`),
      },
      {
        name: "fork",
        sample: python("bench_process.py", `fork-${pace}`),
        target: { aim: 1 },
      },
    ],
    variants: [{
      name: `Process start→join, worker, ${name}`,
      sample: deno("process.ts", `worker-${pace}`),
      target: { least: 4 },
    }],
    bare: { name: "Worker", sample: deno("bare.ts", `worker-${pace}`) },
  };
}

/** A load on one kind of CPython's servers, beside several of ours. */
function server(
  name: string,
  load: Load,
  unit: Unit,
  theirs: string,
  ours: Record<string, Variant["target"]>,
): Group {
  const kind = theirs.startsWith("forking") ? "ForkingTCPServer" : "ThreadingTCPServer";
  return {
    unit,
    rivals: [{ sample: pythonServer("echo_server.py", theirs, load) }],
    variants: Object.entries(ours).map(([args, target]) => ({
      name: `${kind} ${name}, ${args.replace(/^(threading|forking) /, "").replace(/ (work|bulk)$/, "")}`,
      sample: denoServer("echo_server.ts", args, load),
      target,
    })),
    ...(load[0] === "idle" ? {} : {
      bare: { name: "Deno.listen, 1 thread", sample: denoServer("bare_server.ts", "echo", load) },
    }),
  };
}

function roundTrip(name: string, topic: string, target: Variant["target"]): Group {
  return {
    unit: "µs",
    rivals: [{ sample: python("bench_sync.py", topic) }],
    variants: [
      { name: `${name} round trip, child Sync`, sample: deno("sync.ts", `${topic}-sync-child`), target },
      { name: `${name} round trip, both async`, sample: deno("sync.ts", `${topic}-async-child`), target },
    ],
    bare: { name: "Atomics", sample: deno("bare.ts", "atomics-round-trip") },
  };
}

function manager(name: string, topic: string): Group {
  return {
    unit: "µs",
    rivals: [{ sample: python("bench_manager.py", topic) }],
    variants: [{ name: `Manager ${name}`, sample: deno("manager.ts", topic), target: { least: 1, aim: 2 } }],
  };
}

/** Other libraries, where the row is about calls a second. */
const PEERS: Rival[] = ["piscina", "poolifier"].map((name) => ({
  name,
  isLibrary: true,
  sample: deno("pools.ts", name, "peers"),
  target: { least: 1 },
}));

function pool(
  name: string,
  unit: Unit,
  topic: string,
  target: Variant["target"],
  peers: Rival[] = [],
): Group {
  return {
    unit,
    rivals: [{ sample: python("bench_pool.py", topic) }, ...peers],
    variants: [{ name, sample: deno("pool.ts", topic), target }],
  };
}

export const GROUPS: Group[] = [
  processStart("paced", "one at a time"),
  processStart("back-to-back", "back to back"),
  {
    unit: "ms",
    rivals: [{
      name: "spawn",
      sample: python("bench_process.py", "spawn-back-to-back"),
    }],
    variants: [{
      name: "Process start→join, spawn",
      sample: deno("process.ts", "spawn-back-to-back"),
      target: { least: 1, aim: 2 },
    }],
    bare: { name: "Deno.Command", sample: deno("bare.ts", "command") },
  },
  {
    unit: "µs",
    rivals: [{ sample: python("bench_pipe.py", "round-trip") }],
    variants: [
      {
        name: "Pipe round trip, child Sync",
        sample: deno("pipe.ts", "sync-child"),
        target: { least: 1, aim: 2 },
      },
      {
        name: "Pipe round trip, both async",
        sample: deno("pipe.ts", "async-child"),
        target: { least: 1, aim: 2 },
      },
    ],
    bare: { name: "MessagePort", sample: deno("bare.ts", "port-round-trip") },
  },
  {
    unit: "µs",
    rivals: [{ sample: python("bench_queue.py", "round-trip") }],
    variants: [
      {
        name: "Queue round trip, child Sync",
        sample: deno("queue.ts", "round-trip-sync-child"),
        target: { least: 2, aim: 3 },
      },
      {
        name: "Queue round trip, both async",
        sample: deno("queue.ts", "round-trip-async-child"),
        target: { least: 2, aim: 3 },
      },
    ],
    bare: { name: "Atomics", sample: deno("bare.ts", "atomics-round-trip") },
  },
  {
    unit: "/s",
    rivals: [{ sample: python("bench_queue.py", "one-way") }],
    variants: [
      {
        name: "Queue one way, child Sync",
        sample: deno("queue.ts", "one-way-sync-child"),
        target: { least: 2, aim: 5 },
      },
      {
        name: "Queue one way, both async",
        sample: deno("queue.ts", "one-way-async-child"),
        target: { least: 2, aim: 5 },
      },
    ],
    bare: { name: "MessagePort", sample: deno("bare.ts", "port-one-way") },
  },
  {
    unit: "µs",
    rivals: [{ sample: python("bench_lock.py", "free") }],
    variants: [
      {
        name: "Lock acquire+release, free, async form",
        sample: deno("lock.ts", "async"),
        target: { least: 0.5 },
      },
      {
        name: "Lock acquire+release, free, Sync form",
        sample: deno("lock.ts", "sync"),
        target: { aim: 1 },
      },
    ],
    bare: { name: "Atomics", sample: deno("bare.ts", "atomics-lock") },
  },
  {
    unit: "µs",
    rivals: [{ sample: python("bench_sync.py", "semaphore") }],
    variants: [
      {
        name: "Semaphore acquire+release, free, async form",
        sample: deno("sync.ts", "semaphore-async"),
        target: { least: 0.5 },
      },
      {
        name: "Semaphore acquire+release, free, Sync form",
        sample: deno("sync.ts", "semaphore-sync"),
        target: { aim: 1 },
      },
    ],
    bare: { name: "Atomics", sample: deno("bare.ts", "atomics-lock") },
  },
  roundTrip("Event", "event", { aim: 1 }),
  roundTrip("Condition", "condition", { aim: 1 }),
  roundTrip("JoinableQueue put→join", "joinable", { aim: 1 }),
  {
    unit: "µs",
    rivals: [{ sample: python("bench_memory.py", "value") }],
    variants: [
      {
        name: "Value increment, 2 children, lock, Sync form",
        sample: deno("memory.ts", "value-lock-sync"),
        target: { aim: 1 },
      },
      {
        name: "Value increment, 2 children, lock, async form",
        sample: deno("memory.ts", "value-lock-async"),
        target: { aim: 1 },
      },
      {
        name: "Value increment, 2 children, add()",
        sample: deno("memory.ts", "value-add"),
        target: { aim: 1 },
      },
    ],
    bare: { name: "Atomics.add", sample: deno("bare.ts", "atomics-add") },
  },
  {
    unit: "ms",
    rivals: [{ sample: python("bench_memory.py", "shared-memory") }],
    variants: [{
      name: "100 MB through SharedMemory",
      sample: deno("memory.ts", "shared-memory"),
      target: { aim: 1 },
    }],
    bare: { name: "SharedArrayBuffer", sample: deno("bare.ts", "shared-copy") },
  },
  {
    unit: "ms",
    rivals: [{ name: "Pipe", sample: python("bench_memory.py", "pipe") }],
    variants: [{
      name: "100 MB there and back, transfer",
      sample: deno("memory.ts", "transfer"),
      target: { aim: 1 },
    }],
    bare: { name: "postMessage", sample: deno("bare.ts", "port-transfer") },
  },
  {
    unit: "µs",
    rivals: [{ sample: python("bench_manager.py", "dict-set") }],
    variants: [
      {
        name: "Manager dict set, one at a time",
        sample: deno("manager.ts", "dict-set"),
        target: { least: 1, aim: 2 },
      },
      {
        name: "Manager dict set, together",
        sample: deno("manager.ts", "dict-set-together"),
        target: { least: 5 },
      },
    ],
  },
  manager("list append", "list-append"),
  manager("Queue put+get", "queue"),
  manager("Lock acquire+release", "lock"),
  pool("Pool.apply, one at a time", "µs", "apply", { least: 2 }),
  pool("Pool.applyAsync, 2000 at a time", "/s", "apply-async", { aim: 2 }, PEERS),
  pool("Pool.map of 200 000", "ms", "map", { least: 1 }),
  pool("Pool.map, chunksize 1", "/s", "map-singly", { least: 3 }),
  pool("ProcessPoolExecutor.submit, 2000 at a time", "/s", "submit", { least: 4 }),
  pool("Pool of 2: times faster than alone", "×", "speed-up", { aim: 1 }),
  server("echo, 1 client", ["echo", 1], "/s", "threading", {
    "threading async": { least: 1, aim: 1.5 },
    "threading blocking": { least: 1, aim: 1.5 },
    "rings async": {},
  }),
  server("echo, 16 clients", ["echo", 16], "/s", "threading", {
    "threading async": { least: 1, aim: 1.2 },
    "threading blocking": { least: 1, aim: 1.2 },
    "rings async": {},
  }),
  // 1500 connections a sample: those in TIME_WAIT stay far below the ephemeral ports.
  server("connections", ["connect", 500], "/s", "threading", {
    "threading async": { least: 1, aim: 2 },
    "threading blocking": { least: 1, aim: 2 },
    "rings async": {},
  }),
  server("1 ms of work a request, 4 clients", ["echo", 4], "/s", "threading work", {
    "threading work": { least: 1.6 },
    "rings work": {},
  }),
  server("bulk, 1 client", ["bulk", 1], "MB/s", "threading bulk", {
    "threading bulk": { least: 1 },
    "rings bulk": {},
  }),
  server("memory of an idle connection", ["idle", 50], "MB", "threading", {
    "threading async": {},
    "rings async": {},
  }),
  server("echo, 16 clients", ["echo", 16], "/s", "forking", { "forking async": { least: 1 } }),
  server("connections", ["connect", 500], "/s", "forking", { "forking async": { least: 1 } }),
];
