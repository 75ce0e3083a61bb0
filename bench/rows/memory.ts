/**
 * Shared memory: two children that increment one Value (microseconds for each increment), and 100 MB to a child
 * (milliseconds): through SharedMemory, and there and back by `transfer`.
 */

import { type Connection, Pipe, Process, SharedMemory, Value } from "@multiprocessing/deno";
import { type Budget, msEach, msPerOperation, report } from "../measure.ts";

// --- Value --------------------------------------------------------------------------------------------------------

/** Increments of both children together, between two looks at the clock. */
const BLOCK = 40_000;
const CHILDREN = 2;

/** Increments as often as it is told, and says when it is done. */
type Incrementer = (value: Value, orders: Connection<number>) => void | Promise<void>;

/** The CPU-bound child's way: it blocks. */
export function lockSync(value: Value, orders: Connection<number>): void {
  const lock = value.getLock();
  for (let n; (n = orders.recvSync()) > 0; orders.sendSync(n)) {
    for (let i = 0; i < n; i++) {
      lock.acquireSync();
      value.value += 1;
      lock.release();
    }
  }
}

/** The usual way: it awaits. */
export async function lock(value: Value, orders: Connection<number>): Promise<void> {
  const lock = value.getLock();
  for (let n; (n = await orders.recv()) > 0; await orders.send(n)) {
    for (let i = 0; i < n; i++) {
      await lock.acquire();
      value.value += 1;
      lock.release();
    }
  }
}

/** Without the lock, which one step does not need. */
export async function add(value: Value, orders: Connection<number>): Promise<void> {
  for (let n; (n = await orders.recv()) > 0; await orders.send(n)) {
    for (let i = 0; i < n; i++) await value.add(1);
  }
}

function increments(target: Incrementer): (budget: Budget) => Promise<number> {
  return async (budget) => {
    const value = new Value("i", 0);
    const children = Array.from({ length: CHILDREN }, () => {
      const [orders, theirs] = Pipe<number>();
      return { orders, process: new Process({ target, args: [value, theirs] }) };
    });
    for (const { process } of children) process.start();
    let total = 0;
    const ms = await msPerOperation(
      async (n) => {
        for (const { orders } of children) await orders.send(n / CHILDREN);
        for (const { orders } of children) await orders.recv();
        total += n;
      },
      BLOCK,
      budget,
    );
    for (const { orders } of children) await orders.send(0);
    for (const { process } of children) await process.join();
    if (value.value !== total) {
      throw new Error(`Cannot count increments: ${total} were made and the value is ${value.value}`);
    }
    return ms * 1e3;
  };
}

// --- 100 MB -------------------------------------------------------------------------------------------------------

const SIZE = 100 * 2 ** 20;

/** Copies what is in the block into memory of its own: always the same, so that no allocator is measured. */
export async function copyOut(block: SharedMemory, orders: Connection<number>): Promise<void> {
  const copy = new Uint8Array(SIZE);
  while (await orders.recv() > 0) {
    copy.set(block.buf);
    await orders.send(copy[SIZE - 1]!);
  }
}

async function sharedMemory(budget: Budget): Promise<number> {
  using block = new SharedMemory({ create: true, size: SIZE });
  const [orders, theirs] = Pipe<number>();
  const child = new Process({ target: copyOut, args: [block, theirs] });
  child.start();
  const data = new Uint8Array(SIZE);
  let turn = 0;
  const ms = await msEach(
    async () => {
      data[SIZE - 1] = ++turn;
      block.buf.set(data);
      await orders.send(1);
      if (await orders.recv() !== data[SIZE - 1]) throw new Error("Cannot count a copy of something else");
    },
    0,
    budget,
  );
  await orders.send(0);
  await child.join();
  block.unlink();
  return ms;
}

/** Sends back what it gets. */
export async function giveBack(connection: Connection<Uint8Array<ArrayBuffer>>): Promise<void> {
  for (let data; (data = await connection.recv()).length > 0;) {
    await connection.send(data, { transfer: [data.buffer] });
  }
}

async function transfer(budget: Budget): Promise<number> {
  const [ours, theirs] = Pipe<Uint8Array<ArrayBuffer>>();
  const child = new Process({ target: giveBack, args: [theirs] });
  child.start();
  let data = new Uint8Array(SIZE);
  let turn = 0;
  const ms = await msEach(
    async () => {
      data[SIZE - 1] = ++turn;
      await ours.send(data, { transfer: [data.buffer] });
      data = await ours.recv();
      if (data[SIZE - 1] !== turn % 256) throw new Error("Cannot count other bytes than were sent");
    },
    0,
    budget,
  );
  await ours.send(new Uint8Array(0));
  await child.join();
  return ms;
}

if (import.meta.main) {
  await report({
    "value-lock-sync": increments(lockSync),
    "value-lock-async": increments(lock),
    "value-add": increments(add),
    "shared-memory": sharedMemory,
    transfer,
  });
}
