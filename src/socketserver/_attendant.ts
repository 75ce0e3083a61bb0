/** What an attendant does: accepts connections and serves them, one after the other, until it is told to leave. */

import { KernelSocket } from "../platform/kernel_socket.ts";
import { afterMs } from "../platform/runtime.ts";
import { NOBODY, SharedListener } from "../platform/shared_listener.ts";
import type { Address } from "../socket/endpoint.ts";
import { serversDoze } from "../socket/kernel_endpoint.ts";
import { thisAgent } from "../transport/agent.ts";
import {
  ACTIVITY,
  AWAY,
  closeDescriptor,
  EPOLL,
  FD,
  IDLE,
  SERVING,
  setState,
  STOP,
  WAITING,
  type Words,
} from "./_seat.ts";

/** What an attendant is told. */
export interface Post {
  /** The listening socket. */
  readonly fd: number;
  /** What ends its waits. */
  readonly alarm: number;
  /** Whether it serves more than one connection. */
  readonly recycle: boolean;
  /** How long it waits for one while others wait, too. */
  readonly idleMs: number;
  /** How many shall wait even so. */
  readonly warm: number;
}

/** What an attendant does for its connections and its server. */
export interface Duties {
  /** Serves a connection, and leaves its descriptor open. */
  serve(socket: KernelSocket, peer: Address, note: () => void): Promise<void>;
  /** Nobody waits any more. */
  onCrowd(): void;
  /** Serving that client fails. */
  onFailure(peer: Address): void;
}

/** How long the thread may block, so that its event loop has a turn and it hears that it shall end. */
const SLICE_MS = 20;
/** So many slices without a connection are blocked through before it waits with the event loop. */
const SLICES = 5;
/** A server that cannot accept is tried again after so long, rather than at once and for ever. */
const RETRY_MS = 50;

/** Throws if this thread is dead for its server, which closes what it has. */
export function checkAlive(): void {
  thisAgent().checkAlive();
}

/** Settles when the attendant has left; rejects with what a handler threw. */
export async function attend(post: Post, board: Words, seat: Words, duties: Duties): Promise<void> {
  const listener = new SharedListener(post.fd, post.alarm);
  Atomics.store(seat, EPOLL, listener.epoll + 1);
  try {
    do {
      setState(seat, WAITING);
      Atomics.add(board, IDLE, 1);
      if (!await nextConnection(listener, post, board, seat)) {
        setState(seat, AWAY);
        return;
      }
      if (Atomics.sub(board, IDLE, 1) === 1) duties.onCrowd();
      const fd = Atomics.load(seat, FD) - 1;
      const { peer } = listener;
      try {
        listener.setNoDelay(fd);
        await duties.serve(new KernelSocket(fd, checkAlive), peer, () => seat[ACTIVITY]!++);
      } catch (error) {
        duties.onFailure(peer);
        throw error; // the server closes the connection
      }
      checkAlive();
      listener.finish(fd);
      closeDescriptor(seat, (fd) => listener.closeConnection(fd));
    } while (post.recycle);
    setState(seat, AWAY);
  } finally {
    if (Atomics.exchange(seat, EPOLL, 0) !== 0) listener.close();
  }
}

/** Puts the next connection into the seat; `false` if the attendant shall leave, and is no longer counted as idle. */
async function nextConnection(
  listener: SharedListener,
  { idleMs, warm }: Post,
  board: Words,
  seat: Words,
): Promise<boolean> {
  let leaveMs = performance.now() + idleMs;
  for (let slices = 0;; slices++) {
    // After the state was set: either we see this, or the server sees us wait.
    if (Atomics.load(board, STOP) !== 0) {
      Atomics.sub(board, IDLE, 1);
      return false;
    }
    checkAlive();
    try {
      const fd = listener.accept();
      if (fd !== NOBODY) {
        Atomics.store(seat, FD, fd + 1);
        seat[ACTIVITY]!++;
        setState(seat, SERVING);
        return true;
      }
    } catch {
      await afterMs(RETRY_MS); // the client has gone already, or there is no room for it
      continue;
    }
    const turn = serversDoze.turn();
    if (turn !== undefined) await turn;
    if (slices < SLICES) {
      listener.wait(SLICE_MS);
      continue;
    }
    await listener.knock(Math.max(0, leaveMs - performance.now()));
    if (performance.now() < leaveMs) continue;
    if (mayLeave(board, warm)) return false;
    leaveMs = performance.now() + Math.max(idleMs, RETRY_MS);
  }
}

/** Whether enough others wait; if so this one is no longer counted. */
function mayLeave(board: Words, warm: number): boolean {
  if (Atomics.sub(board, IDLE, 1) > warm) return true;
  Atomics.add(board, IDLE, 1);
  return false;
}
