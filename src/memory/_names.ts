/**
 * The names of shared memory. They are kept by the main program's hub, so that all its processes mean the same by them;
 * a worker asks the hub and blocks until it answers. A name holds its memory until it is unlinked.
 *
 * A `"spawn"` child can neither block until an answer comes nor share memory: it has the main program construct what it
 * constructs, and is sent that. Meanwhile it has a handle without anything behind it.
 *
 * ```
 * main program and its workers:   new SharedMemory(…) ─▶ names
 * "spawn" child and its workers:  new SharedMemory(…) ─▶ request ─▶ next process on the way: new SharedMemory(…) ─▶ …
 * ```
 */

import type { MessagePort } from "node:worker_threads";
import { threads } from "../platform/threads.ts";
import { thisAgent } from "../transport/agent.ts";
import { hubLine, onMessage } from "../transport/hub_line.ts";
import { type Caller, linkHomeward, offerService } from "../transport/remote.ts";

/** The services that construct for `"spawn"` children: their numbers on every link. */
export const SERVICES = { block: 1, list: 2 } as const;

/** Constructs something where the names are, of the arguments that `args` gives; nothing if that is here. */
export function constructThere<T>(service: number, args: () => readonly unknown[]): Promise<T> | undefined {
  const link = linkHomeward();
  return link && link.call(service, "construct", args()) as Promise<T>;
}

/** Takes a name away where the names are, after everything that was asked there before. */
export function takeNameThere(name: string): void {
  linkHomeward()!.post(SERVICES.block, "unlink", [name]);
}

/** Constructs for those who ask; what it gives is sent to them once it is attached. */
export function offerConstruction<A extends unknown[]>(
  service: number,
  construct: (...args: A) => { attached(): Promise<unknown> },
): void {
  offerService(service, {
    invoke(method: string, args: readonly unknown[], _caller: Caller): unknown {
      if (method === "construct") return construct(...args as A).attached();
      const [name] = args as [string];
      if (linkHomeward() !== undefined) return takeNameThere(name);
      return void takeName(name); // told without answer: that the name is gone already is nobody's error any more
    },
  });
}

/** A name that nobody has. */
export function randomName(digits = 8): string {
  return `psm_${crypto.randomUUID().replaceAll("-", "").slice(0, digits)}`;
}

const names = new Map<string, SharedArrayBuffer>();
/** Whoever is blocked looks up this often, because a sentence rings another bell than the one it waits on. */
const SLICE_MS = 50;

/** `create` gives nothing if the name is taken, `find` and `unlink` give nothing if there is no such name. */
interface Question {
  readonly what: "create" | "find" | "unlink";
  readonly name: string;
  /** What to call by the name. */
  readonly memory?: SharedArrayBuffer | undefined;
}

/** Gives `memory` a name; `false` if the name is taken. */
export function giveName(name: string, memory: SharedArrayBuffer): boolean {
  return ask({ what: "create", name, memory }) !== undefined;
}

/** The memory of that name. */
export function findName(name: string): SharedArrayBuffer | undefined {
  return ask({ what: "find", name });
}

/** Takes a name away; `false` if there is no such name. */
export function takeName(name: string): boolean {
  return ask({ what: "unlink", name }) !== undefined;
}

function answer({ what, name, memory }: Question): SharedArrayBuffer | undefined {
  const found = names.get(name);
  if (what === "unlink") names.delete(name);
  if (what !== "create") return found;
  if (found !== undefined) return undefined;
  names.set(name, memory!);
  return memory;
}

function ask(question: Question): SharedArrayBuffer | undefined {
  const agent = thisAgent();
  if (agent.isHub) return answer(question);
  const { port1, port2 } = new (threads().MessageChannel)();
  const bell = new Int32Array(new SharedArrayBuffer(4));
  const message = { kind: "memoryName", question, port: port2, bell };
  hubLine().post(message as { kind: string }, [port2 as unknown as Transferable]);
  for (;;) {
    agent.checkSentence();
    const received = threads().receiveMessageOnPort(port1);
    if (received !== undefined) {
      port1.close();
      return received.message;
    }
    Atomics.wait(bell, 0, 0, SLICE_MS);
  }
}

onMessage(
  "memoryName",
  ({ question, port, bell }: { question: Question; port: MessagePort; bell: Int32Array }) => {
    port.postMessage(answer(question));
    port.close(); // what was posted is delivered all the same
    Atomics.store(bell, 0, 1);
    Atomics.notify(bell, 0);
  },
);
