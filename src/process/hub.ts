/**
 * The hub: a program's main thread as the place where every child of the program is started, watched and ended.
 *
 * Whoever starts a process, the main program or one of its children, makes an {@link Order} and hands it to the
 * hub; worker threads and operating-system processes are only ever created here. (A worker that creates workers
 * itself waits half a second for each in Deno 2.9.)
 *
 * ```
 * Process.start ─▶ Order ─▶ hub ─▶ "worker": a spare worker, or a new one ── line ──▶ child/worker.ts
 *                              └─▶ "spawn":  an OS process ─────────────── link ──▶ child/spawn.ts
 * end of the child ─▶ directory.bury ─▶ every bell rings ─▶ the Process that started it knows its exit code
 * ```
 *
 * Invariants:
 * - A child whose starter died is stopped: nobody would be left to join it.
 * - When the main program has nothing left to do, daemons are stopped, other children are awaited, and only then
 *   the spare worker is let go.
 */

import { ProcessError } from "../base/errors.ts";
import { startChildProcess } from "../platform/command.ts";
import { requireModule } from "../platform/permissions.ts";
import { afterMs, keepAlive, onProgramIdle, writeStderr } from "../platform/runtime.ts";
import { WorkerThread } from "../platform/worker.ts";
import { thisAgent } from "../transport/agent.ts";
import { decode, encode } from "../transport/codec.ts";
import { movable } from "../transport/courier.ts";
import { dispatch, hubLine, type Line, onMessage } from "../transport/hub_line.ts";
import { Link, unlinkWorker } from "../transport/remote.ts";
import type { Address } from "./target.ts";

/** A start method. */
export type StartMethod = "worker" | "spawn";

/** What a child is told about itself. */
export interface Identity {
  readonly name: string;
  /** Its number among its parent's children, after its parent's own numbers. */
  readonly numbers: readonly number[];
  readonly daemon: boolean;
  /** Of a worker; an operating-system process knows its own. */
  readonly pid: number;
  readonly authkey: Uint8Array;
  /** The process that started it. */
  readonly parent: { readonly name: string; readonly pid: number };
  readonly startMethod: StartMethod;
  /** What the child uses for processes of its own. */
  readonly defaultStartMethod: StartMethod;
}

/** A value as it travels. */
export interface PackedValue {
  readonly bytes: Uint8Array;
  /** What goes with the bytes. */
  readonly attachments: unknown[];
}

/** What a child shall do, with everything it needs. Values are packed: their classes may be known only in there. */
export interface Order {
  /** The agent id that was taken for the child. */
  readonly agent: number;
  readonly identity: Identity;
  /** `target`: a function; `subclass`: a subclass of Process. */
  readonly kind: "target" | "subclass";
  /** Where the function is found, or the class and then its target, if it has one. */
  readonly addresses: readonly Address[];
  /** The arguments. */
  readonly args: PackedValue;
  /** The own fields of a subclass instance. */
  readonly fields: PackedValue;
  /** What a `"spawn"` child may do, as flags. */
  readonly permissions: readonly string[];
  /** How large its heap may become, in MiB. */
  readonly memoryMb: number | undefined;
}

/** What the hub knows of a child. */
interface Child {
  readonly agent: number;
  readonly starter: number;
  readonly daemon: boolean;
  readonly line: Line;
  /** Whether it shares memory with us. */
  readonly worker: boolean;
  /** The code it was asked to end with. */
  sentence: number;
  stop(code: number): void;
}

const children = new Map<number, Child>();
const idleThreads = new Set<WorkerThread>();
/** Threads of the reserve that were told to end. */
let leaving = 0;
let sparesKept = 1;
let started = 0;
let refilling = false;
let watching = false;

/** How long after a start the reserve is filled up: long enough for the starter to go on first. */
const REFILL_MS = 5;

const bootModule = (name: "worker" | "spawn") => import.meta.resolve(`../child/${name}.ts`);

/**
 * Says how many booted, never used workers are kept in reserve once a second process has been started; 1 when
 * nothing is said. A start that finds one costs a message instead of 30 ms. They end with the program.
 *
 * @param count How many; 0 to keep none.
 *
 * @example Four at a time, again and again
 * ```ts
 * import { Process, setSpareWorkers } from "@multiprocessing/deno";
 * import { square } from "examples/targets.ts";
 * import assert from "node:assert/strict";
 *
 * setSpareWorkers(4);
 * for (let round = 0; round < 2; round++) {
 *   const children = [1, 2, 3, 4].map((n) => new Process({ target: square, args: [n] }));
 *   for (const child of children) child.start();
 *   for (const child of children) await child.join();
 *   assert.ok(children.every((child) => child.exitcode === 0));
 * }
 * setSpareWorkers(0); // the rest of the program starts no more
 * ```
 */
export function setSpareWorkers(count: number): void {
  sparesKept = count;
  for (const thread of idleThreads) {
    if (idleThreads.size <= count) break;
    discard(thread);
  }
}

/** Starts a worker child. */
export function startWorker(order: Order, transfer: Transferable[]): void {
  const me = thisAgent();
  if (me.isHub) runWorker(order, me.id, transfer);
  else hubLine().post({ kind: "startWorker", order } as { kind: string }, transfer);
}

/** Starts a `"spawn"` child, whose values are packed for the link that {@link newLink} made; on the hub only. */
export function startSpawn(order: Order, link: Link): void {
  runSpawn(order, thisAgent().id, link);
}

/** Starts a `"spawn"` child from a worker: the hub packs the values anew, for the link. */
export function orderSpawn(order: Order, transfer: Transferable[]): void {
  hubLine().post({ kind: "startSpawn", order } as { kind: string }, transfer);
}

onMessage("startWorker", ({ order }: { order: Order }, from) => {
  runWorker(order, from.agent, movable([...order.args.attachments, ...order.fields.attachments]));
});

onMessage("startSpawn", ({ order }: { order: Order }, from) => {
  const { agent } = order;
  const link = newLink(agent);
  const repack = ({ bytes, attachments }: PackedValue, root: string): PackedValue => {
    const options = { wire: true, context: link, root, receiver: `process "${order.identity.name}"` };
    const value = decode(bytes, attachments, undefined, true);
    return { bytes: encode(value, options).bytes.slice(), attachments: [] };
  };
  try {
    const wired = { ...order, args: repack(order.args, "args"), fields: repack(order.fields, "this") };
    runSpawn(wired, from.agent, link);
  } catch (error) {
    from.line.post({ kind: "findTarget", agent, final: true, error } as { kind: string });
    thisAgent().directory.bury(agent, 1);
  }
});

/** The link to a `"spawn"` child that is about to be started: what is sent waits until it has connected. */
export function newLink(agent: number): Link {
  return new BufferedLink(agent);
}

class BufferedLink extends Link {
  readonly #early: Uint8Array[] = [];
  #out: ((bytes: Uint8Array) => void) | undefined;

  constructor(peer: number) {
    super(peer, (bytes) => this.#out === undefined ? void this.#early.push(bytes) : this.#out(bytes));
  }

  connect(out: (bytes: Uint8Array) => void): void {
    this.#out = out;
    this.#early.splice(0).forEach(out);
  }
}

function runWorker(order: Order, starter: number, transfer: Transferable[]): void {
  requireModule(bootModule("worker"));
  watchProgram();
  const { agent, identity } = order;
  const thread = takeThread(order.memoryMb);
  const line: Line = { post: (message, moved) => thread.post(message, moved) };
  thread.onMessage = (message) => dispatch(message, { agent, line });
  thread.onOutOfMemory = () =>
    writeStderr(`Process ${identity.name}: out of memory: its heap is limited to ${order.memoryMb} MiB\n`);
  thread.onDeath = (code) => ended(agent, code);
  children.set(agent, {
    agent,
    starter,
    daemon: identity.daemon,
    line,
    worker: true,
    sentence: 0,
    stop: (code) => thread.stop(code),
  });
  line.post({ kind: "run", directory: thisAgent().directory.buffer, order } as { kind: string }, transfer);
}

function runSpawn(order: Order, starter: number, link: Link): void {
  watchProgram();
  const { agent, identity } = order;
  const process = startChildProcess(
    bootModule("spawn"),
    order.addresses.map(({ module }) => module),
    order.permissions,
    order.memoryMb,
  );
  thisAgent().directory.setPid(agent, process.pid);
  const line: Line = { post: (message) => link.control(message) };
  link.onControl = (message) => dispatch(message, { agent, line });
  children.set(agent, {
    agent,
    starter,
    daemon: identity.daemon,
    line,
    worker: false,
    sentence: 0,
    stop: (code) => process.signal(code === SIGKILL ? "SIGKILL" : "SIGTERM"),
  });
  line.post({ kind: "run", order } as { kind: string });
  const heardOut = process.line.then(async (socket) => {
    (link as BufferedLink).connect((bytes) => socket.send(bytes));
    try {
      for await (const bytes of socket.frames()) link.receive(bytes);
    } catch (error) {
      // What it says cannot be understood: nothing good can come of it any more.
      link.end(error as Error);
      process.signal("SIGKILL");
    }
  }, () => {/* it ended before it was ready; its status says how */});
  process.status.then(async (code) => {
    await heardOut; // what it said with its last breath counts
    link.end(new ProcessError(`Cannot reach process "${identity.name}": it ended with exit code ${code}`));
    ended(agent, code);
  });
}

const SIGKILL = -9;
const SIGTERM = -15;

/** Ends a child; its exit code will be `code`, −15 or −9, unless it ends by itself first. */
export function stop(agent: number, code: number): void {
  const me = thisAgent();
  me.directory.condemn(agent, code);
  if (me.isHub) stopChild(agent, code);
  else hubLine().post({ kind: "stop", agent, code } as { kind: string });
}

onMessage("stop", ({ agent, code }: { agent: number; code: number }) => stopChild(agent, code));

function stopChild(agent: number, code: number): void {
  const child = children.get(agent);
  if (child === undefined) return;
  child.sentence = code;
  child.stop(code);
}

function ended(agent: number, code: number): void {
  const { directory } = thisAgent();
  const child = children.get(agent)!;
  children.delete(agent);
  // A child that left by itself has entered its own exit code already, which then stands.
  directory.bury(agent, code === 1 && child.sentence !== 0 ? child.sentence : code);
  unlinkWorker(agent, new ProcessError(`the process has ended with exit code ${code}`));
  for (const orphan of directory.childrenOf(agent)) {
    if (directory.isGuest(orphan)) directory.bury(orphan, code);
    if (directory.alive(orphan)) {
      directory.condemn(orphan, SIGTERM);
      stopChild(orphan, SIGTERM);
    } else directory.release(orphan);
  }
  if (!directory.alive(child.starter)) directory.release(agent);
  whenFewer?.();
}

// --- The reserve ----------------------------------------------------------------------------------------------

function takeThread(memoryMb: number | undefined): WorkerThread {
  started++;
  if (memoryMb !== undefined) return new WorkerThread(bootModule("worker"), memoryMb);
  const [ready] = idleThreads;
  if (ready !== undefined) idleThreads.delete(ready);
  // One program in two starts a single process; a reserve is for the others.
  if (started >= 2) refill();
  return ready ?? newThread();
}

async function refill(): Promise<void> {
  if (refilling) return;
  refilling = true;
  for (;;) {
    await afterMs(REFILL_MS);
    if (idleThreads.size >= sparesKept || closing) break;
    idleThreads.add(newThread());
  }
  refilling = false;
}

function newThread(): WorkerThread {
  const thread = new WorkerThread(bootModule("worker"));
  thread.onDeath = () => {
    idleThreads.delete(thread);
    whenFewer?.();
  };
  return thread;
}

function discard(thread: WorkerThread): void {
  idleThreads.delete(thread);
  leaving++;
  thread.onDeath = () => {
    leaving--;
    whenFewer?.();
  };
  thread.stop(0);
}

// --- The end of the program -----------------------------------------------------------------------------------

let whenFewer: (() => void) | undefined;
let closing = false;

/** Waits at the end of the program for its children, as Python does, and takes its daemons down. */
function watchProgram(): void {
  if (watching) return;
  watching = true;
  onProgramIdle(() => {
    const me = thisAgent();
    for (const child of children.values()) {
      if (child.daemon && child.starter === me.id && child.sentence === 0) stop(child.agent, SIGTERM);
    }
    // A thread that is interrupted while it boots can panic the runtime, so the end waits for the reserve as well.
    if (children.size === 0) {
      closing = true;
      for (const thread of idleThreads) discard(thread);
    }
    if (children.size + leaving === 0) {
      closing = false;
      return false;
    }
    if (whenFewer === undefined) {
      keepAlive.hold();
      whenFewer = () => {
        whenFewer = undefined;
        keepAlive.drop();
      };
    }
    return true;
  });
}

// --- Targets that were not where they were looked for ------------------------------------------------------------

/** Sends the message of a child about its target on to whoever started it, and the answer back. */
onMessage("unresolved", (message: { kind: string; which: number; final: boolean }, from) => {
  const question = { ...message, agent: from.agent, kind: "findTarget" };
  const starter = children.get(from.agent)?.starter;
  if (starter === thisAgent().id) dispatch(question, from);
  else if (starter !== undefined) children.get(starter)?.line.post(question);
});

/** Gives a value to a worker child at once, even while our own event loop has no turn. Says whether it is one. */
export function giveToWorker(agent: number, kind: string, value: unknown): boolean {
  const child = children.get(agent);
  if (child === undefined || !child.worker) return false;
  const { bytes, attachments, transfer } = encode(value, { context: { destination: agent } });
  child.line.post({ kind, bytes: bytes.slice(), attachments } as { kind: string }, transfer);
  return true;
}

/** Tells a child where its target is. */
export function answerAddress(agent: number, address: Address | undefined): void {
  const message = { kind: "address", agent, address } as { kind: string };
  if (thisAgent().isHub) children.get(agent)?.line.post(message);
  else hubLine().post({ ...message, kind: "forwardAddress" });
}

onMessage(
  "forwardAddress",
  ({ agent, address }: { agent: number; address?: Address }) => answerAddress(agent, address),
);
