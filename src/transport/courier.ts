/**
 * The courier: how what bytes cannot carry (shared memory, ports, transferred buffers) goes with a frame.
 *
 * The sender leaves the attachments with the hub, the program's main thread, under a ticket, and writes the
 * ticket into the frame. Whoever takes the frame claims them. So a frame with attachments keeps its place in a
 * lane's order, whoever turns out to take it, and a lane needs no port of its own. A large payload goes the same
 * way, as shared memory, so that a lane's ring only holds small frames.
 */

import type { MessagePort } from "node:worker_threads";
import { threads } from "../platform/threads.ts";
import type { Agent } from "./agent.ts";
import { hubLine, onMessage } from "./hub_line.ts";

const waiting = new Map<number, (attachments: unknown[]) => void>();
const deposits = new Map<number, unknown[]>();
/** A blocked claimant looks up this often, because a sentence rings another bell than the one it waits on. */
const SLICE_MS = 50;

/** Leaves attachments for whoever takes the frame that carries the returned ticket. */
export function deposit(agent: Agent, attachments: unknown[], transfer: readonly Transferable[]): number {
  const ticket = agent.directory.ticket();
  if (agent.isHub) {
    // What is transferred is gone for the sender from now on, as if it had been posted.
    arrive(
      ticket,
      attachments.map((it) => it instanceof ArrayBuffer && transfer.includes(it) ? it.transfer() : it),
    );
  } else {
    hubLine().post({ kind: "deposit", ticket, attachments } as { kind: string }, [...transfer]);
  }
  return ticket;
}

/** Fetches what {@link deposit} left. */
export function claim(agent: Agent, ticket: number): Promise<unknown[]> {
  if (agent.isHub) return new Promise((resolve) => handOver(ticket, resolve));
  const { port1, port2 } = new (threads().MessageChannel)();
  hubLine().post({ kind: "claim", ticket, port: port2 } as { kind: string }, [
    port2 as unknown as Transferable,
  ]);
  return new Promise((resolve) => {
    port1.once("message", (attachments: unknown[]) => {
      port1.close();
      resolve(attachments);
    });
  });
}

/** Whether {@link claimSync} works for the ticket: on the hub the event loop brings the deposits of others. */
export function claimable(agent: Agent, ticket: number): boolean {
  return !agent.isHub || deposits.has(ticket);
}

/** As {@link claim}, blocking. */
export function claimSync(agent: Agent, ticket: number): unknown[] {
  if (agent.isHub) {
    const attachments = deposits.get(ticket)!;
    deposits.delete(ticket);
    return attachments;
  }
  const { port1, port2 } = new (threads().MessageChannel)();
  const bell = new Int32Array(new SharedArrayBuffer(4));
  const message = { kind: "claim", ticket, port: port2, bell };
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

/** What moves rather than being shared when it is posted on. */
export function movable(attachments: readonly unknown[]): Transferable[] {
  return attachments.filter((thing) => !(thing instanceof SharedArrayBuffer)) as Transferable[];
}

function arrive(ticket: number, attachments: unknown[]): void {
  const claimant = waiting.get(ticket);
  if (claimant === undefined) {
    deposits.set(ticket, attachments);
  } else {
    waiting.delete(ticket);
    claimant(attachments);
  }
}

// A claim can overtake its deposit, since the two come over different lines.
function handOver(ticket: number, claimant: (attachments: unknown[]) => void): void {
  const attachments = deposits.get(ticket);
  if (attachments === undefined) {
    waiting.set(ticket, claimant);
  } else {
    deposits.delete(ticket);
    claimant(attachments);
  }
}

onMessage("deposit", ({ ticket, attachments }: { ticket: number; attachments: unknown[] }) => {
  arrive(ticket, attachments);
});

onMessage("claim", ({ ticket, port, bell }: { ticket: number; port: MessagePort; bell?: Int32Array }) => {
  handOver(ticket, (attachments) => {
    port.postMessage(attachments, movable(attachments) as never);
    port.close(); // what was posted is delivered all the same
    if (bell === undefined) return;
    Atomics.store(bell, 0, 1);
    Atomics.notify(bell, 0);
  });
});
