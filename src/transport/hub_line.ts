/**
 * The lines between the hub (a program's main thread) and its worker children: one per child, for everything that
 * is not a frame in shared memory. Messages are objects with a `kind`; each room registers the kinds it serves.
 */

/** One end of a line. */
export interface Line {
  /** Sends a message. */
  post(message: { kind: string }, transfer?: Transferable[]): void;
}

/** Who sent a message. */
export interface Sender {
  /** The agent at the other end; 0 for the hub. */
  readonly agent: number;
  /** For the answer. */
  readonly line: Line;
}

// deno-lint-ignore no-explicit-any -- each kind has a shape of its own, known to its handler
type Handler = (message: any, from: Sender) => void;

const handlers = new Map<string, Handler>();
let toHub: Line | undefined;

/** Serves one kind of message in this thread. */
export function onMessage(kind: string, handler: Handler): void {
  handlers.set(kind, handler);
}

/** Gives a message that arrived to its handler. */
export function dispatch(message: { kind: string }, from: Sender): void {
  handlers.get(message.kind)!(message, from);
}

/** Names the line to the hub. Called once, by the first module of a child. */
export function connectHub(line: Line): void {
  toHub = line;
}

/** The line to the hub; children only. */
export function hubLine(): Line {
  return toHub!;
}
