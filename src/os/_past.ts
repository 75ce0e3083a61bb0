/**
 * What the calls of this module have given so far.
 *
 * A process that {@link fork} has started runs the program again from its beginning. On its way to the call it comes
 * from, `fork` and `wait` give what they gave in its forefathers, and nothing of what it prints is seen.
 *
 * ```
 * 100: fork() → 101   wait() → [101, 0]   fork() → 102
 * 102: fork() → 101   wait() → [101, 0]   fork() → 0     from here on it is itself
 * ```
 */

import { RuntimeError } from "../base/errors.ts";
import { onProgramEnd, silence } from "../platform/again.ts";
import { claimIds, exitNow, type Ids, osParentId, osProcessId, writeStderr } from "../platform/runtime.ts";

/** A call of `fork`, with what it gave. */
export interface ForkCall {
  readonly kind: "fork";
  readonly result: number;
}

/** A call of `wait`, with what it gave, if it had anything to give when its process forked. */
export interface WaitCall {
  readonly kind: "wait";
  result?: readonly [pid: number, status: number] | "no children" | "timeout";
}

/** A call that was made. */
type Call = ForkCall | WaitCall;

/** What a child is told of its forefathers. */
interface Past {
  /** The calls in their order; those that are alike in a row, such as looks for a child that runs, are counted. */
  readonly calls: readonly (readonly [times: number, call: Call])[];
  /** Who made them: the first forefather, then his child, down to the process that has started this one. */
  readonly lineage: readonly Ids[];
}

const calls: Call[] = [];
let lineage: readonly Ids[] = [];
/** The call that comes next, while the past is relived. */
let next = 0;
let relived = 0;
let generation = 0;
const { promise: arrival, resolve: arrived } = Promise.withResolvers<void>();
let goOn: (() => void) | undefined;

/** Settles when this process has come to the call of `fork` that started it. */
export { arrival };

/** Makes this process relive a past. Called by its first module, before the program begins. */
export function relive(past: Past): void {
  for (const [times, call] of past.calls) for (let i = 0; i < times; i++) calls.push(call);
  lineage = past.lineage;
  relived = calls.length;
  claimIds(lineage[0]!);
  const speak = silence();
  const forget = onProgramEnd(() => {
    speak();
    writeStderr(
      "Cannot go on from fork(): the program ended before it came there again; what it does until then must not " +
        "depend on time, chance or input\n",
    );
    exitNow(1);
  });
  goOn = () => {
    forget();
    speak();
    arrived();
  };
}

/** What the next call gave in the past; `undefined` if this process has arrived in its present. */
export function recall<K extends Call["kind"]>(kind: K): Call & { kind: K } | undefined {
  if (next === relived) return undefined;
  const call = calls[next]!;
  if (call.kind !== kind) {
    throw new RuntimeError(
      `Cannot go on from fork(): the program, run again, calls ${kind}() where it called ${call.kind}() before; what ` +
        `it does until then must not depend on time, chance or input`,
    );
  }
  next++;
  if (call.kind === "fork" && call.result === 0) beBorn();
  return call as Call & { kind: K };
}

/** Notes a call, so that children can relive it. */
export function note<C extends Call>(call: C): C {
  calls.push(call);
  relived = next = calls.length;
  return call;
}

/** The first module of a child that goes on here. */
export function firstModuleOfChild(): string {
  const past: Past = {
    calls: counted([...calls, { kind: "fork", result: 0 }]),
    lineage: [...lineage, { pid: osProcessId(), ppid: osParentId() }],
  };
  return `import { relive } from ${JSON.stringify(import.meta.url)}; relive(${JSON.stringify(past)});`;
}

function counted(calls: readonly Call[]): [times: number, call: Call][] {
  const rows: [times: number, call: Call][] = [];
  for (const call of calls) {
    const last = rows.at(-1);
    if (last !== undefined && JSON.stringify(last[1]) === JSON.stringify(call)) last[0]++;
    else rows.push([1, call]);
  }
  return rows;
}

function beBorn(): void {
  const parent = lineage[generation++]!;
  if (generation < lineage.length) return claimIds(lineage[generation]!);
  claimIds({});
  // Running the program again has taken a while, and a parent that has ended meanwhile was there when it forked.
  if (osParentId() !== parent.pid) claimIds({ ppid: parent.pid! });
  goOn!();
}
