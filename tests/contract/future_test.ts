/**
 * Future by itself, without an executor.
 *
 * The names in the comments are those of `FutureTests` in CPython 3.13's `test_concurrent_futures/test_future.py`.
 *
 * @module
 */
import { CancelledError, InvalidStateError, PicklingError, Queue, RuntimeError } from "@multiprocessing/deno";
import { Future, TimeoutError, wait } from "@multiprocessing/deno/futures";
import assert from "node:assert/strict";
import { isPending } from "../support/gates.ts";
import { Program } from "../support/program.ts";

class Oops extends Error {}

const states = {
  pending: () => new Future<number>(),
  running() {
    const future = new Future<number>();
    future.setRunningOrNotifyCancel();
    return future;
  },
  cancelled() {
    const future = new Future<number>();
    future.cancel();
    return future;
  },
  notified() {
    const future = states.cancelled();
    future.setRunningOrNotifyCancel();
    return future;
  },
  failed() {
    const future = new Future<number>();
    future.setException(new Oops("oops"));
    return future;
  },
  successful() {
    const future = new Future<number>();
    future.setResult(42);
    return future;
  },
};

type State = keyof typeof states;

/** What each state answers to a question. */
function table<T>(question: (future: Future<number>) => T, answers: Record<State, T>): void {
  for (const [state, answer] of Object.entries(answers)) {
    assert.deepEqual(question(states[state as State]()), answer, state);
  }
}

// --- Callbacks ------------------------------------------------------------------------------------------------------

// test_done_callback_with_result, test_done_callback_with_exception, test_done_callback_with_cancel
Deno.test("Future.addDoneCallback() calls with the future at once when it is done", async () => {
  const seen: Future<number>[] = [];
  const [success, failure, cancelled] = [states.pending(), states.pending(), states.pending()];
  for (const future of [success, failure, cancelled]) future.addDoneCallback((it) => seen.push(it));
  assert.deepEqual(seen, []);
  success.setResult(5);
  assert.equal(seen.pop(), success);
  failure.setException(new Oops("test"));
  assert.equal(seen.pop(), failure);
  assert.equal(cancelled.cancel(), true);
  assert.equal(seen.pop(), cancelled);
  assert.equal(await success.result(), 5);
  assert.ok(await failure.exception() instanceof Oops);
  assert.equal(cancelled.cancelled(), true);
});

// test_done_callback_already_successful, test_done_callback_already_failed,
// test_done_callback_already_cancelled
Deno.test("Future.addDoneCallback() calls at once where the future is done already", () => {
  for (const state of ["successful", "failed", "cancelled", "notified"] as const) {
    const future = states[state]();
    let seen: unknown;
    future.addDoneCallback((it) => void (seen = it));
    assert.equal(seen, future, state);
  }
});

Deno.test("Future.addDoneCallback() calls several in the order they came, the same one as often as it came", () => {
  const future = states.pending();
  const calls: number[] = [];
  const again = () => void calls.push(1);
  future.addDoneCallback(again);
  future.addDoneCallback(() => void calls.push(2));
  future.addDoneCallback(again);
  future.setResult(5);
  assert.deepEqual(calls, [1, 2, 1]);
});

// test_done_callback_raises, test_done_callback_raises_already_succeeded
Deno.test("Future.addDoneCallback() prints what a callback throws or rejects with, and calls the others", async () => {
  await using program = Program.deno("tests/fixtures/programs/callback_raises.ts");
  const { code, stderr, lines } = await program.end();
  assert.equal(code, 0);
  assert.deepEqual(lines, ["before", "after", "the result is 5"]);
  const said = stderr.split("\n").filter((line) => /^exception calling callback|^\w*Error:/.test(line));
  const before = "exception calling callback for <Future state=finished returned number>:";
  assert.deepEqual(said, [before, "Error: doh!", before, "Error: doh again!", before, "Error: doh later!"]);
});

Deno.test("Future.addDoneCallback(): a callback may add another, or wait for the future", async () => {
  const future = states.pending();
  const results: number[] = [];
  future.addDoneCallback((it) => it.addDoneCallback(() => void results.push(1)));
  const waited = new Promise<number>((resolve) => future.addDoneCallback((it) => resolve(it.result())));
  future.setResult(5);
  assert.deepEqual(results, [1]);
  assert.equal(await waited, 5);
});

// --- States ---------------------------------------------------------------------------------------------------------

// test_repr
Deno.test("Future shows its state and what came of it", () => {
  table((future) => Deno.inspect(future), {
    pending: "<Future state=pending>",
    running: "<Future state=running>",
    cancelled: "<Future state=cancelled>",
    notified: "<Future state=cancelled>",
    failed: "<Future state=finished raised Oops>",
    successful: "<Future state=finished returned number>",
  });
});

// test_cancel
Deno.test("Future.cancel() cancels what has not begun, and changes nothing else", () => {
  table((future) => [future.cancel(), future.cancelled(), future.running(), future.done()], {
    pending: [true, true, false, true],
    running: [false, false, true, false],
    cancelled: [true, true, false, true],
    notified: [true, true, false, true],
    failed: [false, false, false, true],
    successful: [false, false, false, true],
  });
});

// test_cancelled, test_done, test_running
Deno.test("Future.cancelled(), done() and running() tell its state", () => {
  table((future) => [future.cancelled(), future.done(), future.running()], {
    pending: [false, false, false],
    running: [false, false, true],
    cancelled: [true, true, false],
    notified: [true, true, false],
    failed: [false, true, false],
    successful: [false, true, false],
  });
});

Deno.test("Future.setRunningOrNotifyCancel() begins once, and says when the call was cancelled", () => {
  const future = states.pending();
  assert.equal(future.setRunningOrNotifyCancel(), true);
  assert.equal(future.running(), true);
  const cancelled = states.cancelled();
  assert.equal(cancelled.setRunningOrNotifyCancel(), false);
  for (const begun of [future, cancelled, states.failed(), states.successful()]) {
    assert.throws(() => begun.setRunningOrNotifyCancel(), RuntimeError);
  }
});

// --- Results --------------------------------------------------------------------------------------------------------

// test_result_with_timeout
Deno.test("Future.result() with a timeout of 0 gives what is there", async () => {
  const now = (state: State) => states[state]().result({ timeout: 0 });
  await assert.rejects(now("pending"), TimeoutError);
  await assert.rejects(now("running"), TimeoutError);
  await assert.rejects(now("cancelled"), CancelledError);
  await assert.rejects(now("notified"), CancelledError);
  await assert.rejects(now("failed"), Oops);
  assert.equal(await now("successful"), 42);
});

// test_exception_with_timeout
Deno.test("Future.exception() with a timeout of 0 gives what is there", async () => {
  const now = (state: State) => states[state]().exception({ timeout: 0 });
  await assert.rejects(now("pending"), TimeoutError);
  await assert.rejects(now("running"), TimeoutError);
  await assert.rejects(now("cancelled"), CancelledError);
  await assert.rejects(now("notified"), CancelledError);
  assert.ok(await now("failed") instanceof Oops);
  assert.equal(await now("successful"), null);
});

// test_result_with_success, test_result_with_cancel, test_exception_with_success
Deno.test("Future.result() and exception() wait until the future is done", async () => {
  const success = states.pending();
  const result = success.result();
  const none = success.exception();
  assert.ok(await isPending(result));
  success.setResult(42);
  assert.equal(await result, 42);
  assert.equal(await none, null);

  const failure = states.pending();
  const exception = failure.exception();
  const thrown = failure.result();
  failure.setException(new Oops("oops"));
  assert.ok(await exception instanceof Oops);
  await assert.rejects(thrown, Oops);

  const cancelled = states.pending();
  const never = cancelled.result();
  cancelled.cancel();
  await assert.rejects(never, CancelledError);
});

Deno.test("Future.result(): an aborted signal ends the wait with its reason, and the future goes on", async () => {
  const future = states.pending();
  const stop = new AbortController();
  const result = future.result({ signal: stop.signal });
  stop.abort("enough");
  await assert.rejects(result, (reason) => reason === "enough");
  await assert.rejects(future.result({ signal: stop.signal }), (reason) => reason === "enough");
  future.setResult(1);
  assert.equal(await future.result(), 1);
});

Deno.test("Future can be awaited like a promise", async () => {
  assert.equal(await states.successful(), 42);
  await assert.rejects(async () => await states.failed(), Oops);
  await assert.rejects(async () => await states.cancelled(), CancelledError);
  const future = states.pending();
  const sum = Promise.all([future, states.successful()]);
  future.setResult(1);
  assert.deepEqual(await sum, [1, 42]);
});

Deno.test("Future gives back whatever was thrown, also what is no error", async () => {
  for (const thrown of ["text", 0, false, ""]) {
    const future = states.pending();
    future.setException(thrown);
    await assert.rejects(future.result(), (error) => error === thrown);
    assert.equal(await future.exception(), thrown);
    const { done } = await wait([future], { returnWhen: "FIRST_EXCEPTION" });
    assert.deepEqual([...done], [future]);
  }
  for (const nothing of [undefined, null]) {
    const future = states.pending();
    future.setException(nothing);
    await assert.rejects(future.result(), { name: "Error", message: String(nothing) });
  }
});

// test_multiple_set_result, test_multiple_set_exception
Deno.test("Future.setResult() and setException() settle once", async () => {
  for (const state of ["successful", "failed", "cancelled", "notified"] as const) {
    const future = states[state]();
    assert.throws(() => future.setResult(1), InvalidStateError);
    assert.throws(() => future.setException(new Error("late")), InvalidStateError);
  }
  const success = states.successful();
  assert.throws(() => success.setResult(1), /it is finished already/);
  assert.equal(await success.result(), 42);
  const failure = states.failed();
  assert.throws(() => failure.setException(new Error("late")), InvalidStateError);
  assert.ok(await failure.exception() instanceof Oops);
});

Deno.test("Future: an error that nobody asks for does not end the program", async () => {
  states.failed();
  const future = states.pending();
  future.setException(new Oops("oops"));
  assert.ok(await isPending(new Promise(() => {})), "the event loop has turned, and nothing was reported");
});

Deno.test("Future stays in its process, and says what to do instead", async () => {
  using queue = new Queue<Future<number>>();
  await assert.rejects(queue.put(states.pending()), (error) => {
    assert.ok(error instanceof PicklingError);
    assert.match(error.message, /it is a Future, which lives in one process; await it and send the result/);
    return true;
  });
});
