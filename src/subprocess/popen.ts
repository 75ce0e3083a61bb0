/** Popen: a program that runs beside this one, with pipes to it. */

import { ValueError } from "../base/errors.ts";
import { waitMs, type WaitOptions } from "../base/options.ts";
import { joinBytes, type Part } from "../base/reading.ts";
import { type OsProcess, startProcess } from "../platform/os_process.ts";
import { settledWithin } from "../platform/runtime.ts";
import { staysHome } from "../transport/registry.ts";
import { Carrier, feed, held } from "./_carry.ts";
import { checkInput, planOf } from "./_plan.ts";
import { TimeoutExpired } from "./errors.ts";
import type { Args, Input, Only, OutputOf, PipeOf, PopenOptions, ResultOf } from "./options.ts";
import { finish, gather, type Gathering, ReadPipe } from "./read_pipe.ts";
import { WritePipe } from "./write_pipe.ts";

/** What {@link Popen.communicate} is told, where nothing is to be sent or a timeout is meant. */
export interface CommunicateOptions extends WaitOptions {
  /** What is sent to the child. */
  input?: Input | null | undefined;
}

/** An exchange with a child, which may outlast several calls of {@link Popen.communicate}. */
interface Exchange<Result> {
  readonly stdout: Gathering | undefined;
  readonly stderr: Gathering | undefined;
  readonly result: Promise<Result>;
}

/** Kills a child and lets go of everything between it and us, whoever else may hold its pipes. */
export let abandon: (child: Popen) => Promise<void>;

/**
 * A program that runs beside this one. The constructor starts it and returns at once.
 *
 * - A program that cannot be started is told by the constructor, with an {@link OSError}.
 * - However it ends, every wait settles: `returncode` is its exit code, or −N after signal N.
 * - Output is never lost by giving up on a wait: {@link Popen.communicate} may be called again.
 * - It does not keep this program up, unless somebody awaits something of it; it goes on when this program ends.
 * - `await using` closes the pipes and waits for its end, as Python's `with` does.
 *
 * Python: {@link https://docs.python.org/3/library/subprocess.html#subprocess.Popen | subprocess.Popen}.
 * Here times are milliseconds; its `argv[0]` is the full path of the program; `executable`, `preexec_fn`, `pass_fds`
 * and whatever else concerns file descriptors, users and groups does not exist. `poll` learns of the child's end with
 * the event loop, so it changes only between awaits.
 *
 * @typeParam O Its options, from which follows which pipes there are and what they give.
 *
 * @example
 * ```ts
 * import { PIPE, Popen } from "@multiprocessing/deno/subprocess";
 * import assert from "node:assert/strict";
 *
 * await using child = new Popen(["tr", "a-z", "A-Z"], { stdin: PIPE, stdout: PIPE, text: true });
 * const [stdout] = await child.communicate("bread");
 * assert.equal(stdout, "BREAD");
 * assert.equal(child.returncode, 0);
 * ```
 *
 * @example A pipeline
 * ```ts
 * import { PIPE, Popen } from "@multiprocessing/deno/subprocess";
 * import assert from "node:assert/strict";
 *
 * await using first = new Popen(["printf", "milk\\nbread\\n"], { stdout: PIPE });
 * await using second = new Popen(["sort"], { stdin: first.stdout, stdout: PIPE, text: true });
 * assert.deepEqual(await second.communicate(), ["bread\nmilk\n", null]);
 * ```
 */
// deno-lint-ignore no-explicit-any -- a Popen of any options at all; each of its pipes may then be there or not
export class Popen<const O extends PopenOptions = any> implements AsyncDisposable {
  /** What runs. */
  readonly args: Args;
  /** The pipe to its stdin, with `stdin: PIPE`; `null` otherwise. */
  readonly stdin: PipeOf<O, "stdin", WritePipe>;
  /** The pipe from its stdout, with `stdout: PIPE`; `null` otherwise. */
  readonly stdout: PipeOf<O, "stdout", ReadPipe<OutputOf<O>>>;
  /** The pipe from its stderr, with `stderr: PIPE`; `null` otherwise. */
  readonly stderr: PipeOf<O, "stderr", ReadPipe<OutputOf<O>>>;
  readonly #process: OsProcess;
  readonly #carriers: readonly Carrier[];
  /** Settles when it has ended and what we carry for it has arrived. */
  readonly #end: Promise<unknown>;
  /** Whether that is settled, well or not. */
  #over = false;
  /** Whether somebody has been told that it went wrong. */
  #told = false;
  #returncode: number | null = null;
  #exchange: Exchange<ResultOf<O>> | undefined;

  /**
   * Starts a program.
   *
   * @param args The program and its arguments; a string is the program's name alone, or with `shell` the command line.
   * @param options Its streams, its surroundings, and how its output is read.
   * @throws {OSError} If there is no such program or directory (`code` is `ENOENT`), or the program cannot be run;
   * `filename` names what is meant.
   * @throws {ValueError} If an option or argument is impossible.
   * @throws {TypeError} If there is no such option, or an argument is no string.
   */
  constructor(args: Args, options?: Only<O, PopenOptions>) {
    const plan = planOf(args, options ?? {});
    this.args = args;
    const process = this.#process = startProcess(plan.process);
    const reader = (end: OsProcess["stdout"]) => end && new ReadPipe<Part>(end, plan.codec?.decoder());
    const writer = process.stdin && new WritePipe(process.stdin, plan.codec?.encoder());
    const carrying: Promise<void>[] = [];
    if (plan.source !== undefined) carrying.push(held(feed(writer!, plan.source, process.ended)));
    this.#carriers = [
      ...(plan.stdoutSink === undefined ? [] : [new Carrier(process.stdout!, plan.stdoutSink)]),
      ...(plan.stderrSink === undefined ? [] : [new Carrier(process.stderr!, plan.stderrSink)]),
    ];
    this.stdin = (plan.source === undefined ? writer : null) as typeof this.stdin;
    this.stdout = (plan.stdoutSink === undefined ? reader(process.stdout) : null) as typeof this.stdout;
    this.stderr = (plan.stderrSink === undefined ? reader(process.stderr) : null) as typeof this.stderr;
    this.#end = Promise.all([process.ended, ...carrying, ...this.#carriers.map((carrier) => carrier.end)]);
    const over = () => void (this.#over = true);
    this.#end.then(over, over);
  }

  /** Its process id. */
  get pid(): number {
    return this.#process.pid;
  }

  /**
   * Its exit code, −N if it was ended by signal N; `null` until {@link Popen.poll}, {@link Popen.wait} or
   * {@link Popen.communicate} has found it ended.
   */
  get returncode(): number | null {
    return this.#returncode;
  }

  /**
   * Looks whether it has ended, without waiting. A loop over this must await something, or nothing can change.
   *
   * Python: {@link https://docs.python.org/3/library/subprocess.html#subprocess.Popen.poll | Popen.poll}.
   *
   * @returns Its exit code; `null` while it runs.
   *
   * @example
   * ```ts
   * import { PIPE, Popen } from "@multiprocessing/deno/subprocess";
   * import assert from "node:assert/strict";
   *
   * const child = new Popen(["cat"], { stdin: PIPE });
   * assert.equal(child.poll(), null); // it waits for its input to end
   * await child.stdin.close();
   * await child.wait();
   * assert.equal(child.poll(), 0);
   * ```
   */
  poll(): number | null {
    if (this.#returncode === null && this.#over && this.#process.code !== undefined) {
      this.#process.reap();
      this.#returncode = this.#process.code;
    }
    return this.#returncode;
  }

  /**
   * Waits until it has ended, and until what it wrote into a stream or file given as `stdout` or `stderr` has arrived
   * there. With a pipe that nobody reads a child may never end; {@link Popen.communicate} reads.
   *
   * Python: {@link https://docs.python.org/3/library/subprocess.html#subprocess.Popen.wait | Popen.wait}.
   *
   * @param options How long to wait; for ever when left out.
   * @returns Its exit code.
   * @throws {TimeoutExpired} If it takes longer; it goes on. An aborted `signal` throws its own reason.
   *
   * @example
   * ```ts
   * import { Popen, TimeoutExpired } from "@multiprocessing/deno/subprocess";
   * import assert from "node:assert/strict";
   *
   * await using child = new Popen(["sleep", "60"]);
   * await assert.rejects(child.wait({ timeout: 10 }), TimeoutExpired);
   * child.terminate();
   * assert.equal(await child.wait(), -15);
   * ```
   */
  async wait(options?: WaitOptions): Promise<number> {
    const ms = waitMs(options);
    options?.signal?.throwIfAborted();
    if (this.poll() === null && !await settledWithin(this.#end, ms, options?.signal)) {
      throw new TimeoutExpired(this.args, ms);
    }
    await this.#telling(this.#end);
    return this.poll()!;
  }

  /**
   * Sends it `input` and closes its stdin, reads its output to the end, and waits for its own end, all at the same
   * time, so that however much goes either way nobody waits for the other for ever.
   *
   * After a {@link TimeoutExpired} it may be called again, and gives everything from the beginning; input is sent by
   * the first call only. Once it has given its result it gives the same again.
   *
   * Python: {@link https://docs.python.org/3/library/subprocess.html#subprocess.Popen.communicate | Popen.communicate}.
   * Here input without a pipe is refused, where Python drops it.
   *
   * @param input What to send; a string as UTF-8, or in the encoding of this Popen.
   * @param options How long to wait; for ever when left out.
   * @returns What came from stdout and stderr: bytes, or text with `text` or an encoding; `null` for what is no pipe.
   * @throws {TimeoutExpired} If it takes longer, with what has come so far; it goes on. An aborted `signal` throws its
   * own reason.
   * @throws {ValueError} If there is input after the first call or without `stdin: PIPE`, or the output is no text in
   * its encoding.
   *
   * @example Give up, end it, and still have what it said
   * ```ts
   * import { PIPE, Popen, TimeoutExpired } from "@multiprocessing/deno/subprocess";
   * import assert from "node:assert/strict";
   *
   * await using child = new Popen("echo bread; exec sleep 60", { shell: true, stdout: PIPE, text: true });
   * assert.equal(await child.stdout.readline(), "bread\n");
   * await assert.rejects(child.communicate({ timeout: 10 }), TimeoutExpired);
   * child.kill();
   * assert.deepEqual(await child.communicate(), ["", null]);
   * ```
   */
  communicate(input?: Input | null, options?: WaitOptions): Promise<ResultOf<O>>;
  /**
   * The same, with everything in one place.
   *
   * @param options What to send, and how long to wait.
   * @returns What came from stdout and stderr.
   */
  communicate(options: CommunicateOptions): Promise<ResultOf<O>>;
  async communicate(first?: Input | CommunicateOptions | null, second?: WaitOptions): Promise<ResultOf<O>> {
    const { input, ...options } = isBag(first) ? first : { ...second, input: first };
    checkInput(input);
    const ms = waitMs(options);
    options.signal?.throwIfAborted();
    const some = input !== undefined && input !== null && input !== "";
    if (some && this.stdin === null) {
      throw new ValueError("Cannot send input: stdin is no pipe; start the process with stdin: PIPE");
    }
    if (some && this.#exchange !== undefined) {
      throw new ValueError(
        "Cannot send input after starting communication: the first call has sent all there is",
      );
    }
    const exchange = this.#exchange ??= this.#begin(input ?? "");
    if (!await settledWithin(exchange.result, ms, options.signal)) {
      throw new TimeoutExpired(this.args, ms, soFar(exchange.stdout), soFar(exchange.stderr));
    }
    this.poll();
    return await this.#telling(exchange.result);
  }

  /**
   * Sends it a signal. Nothing happens if it is known to have ended.
   *
   * Python: {@link https://docs.python.org/3/library/subprocess.html#subprocess.Popen.send_signal | Popen.send_signal}.
   *
   * @param signal Its name or number.
   * @throws {ValueError} If there is no such signal.
   *
   * @example
   * ```ts
   * import { Popen } from "@multiprocessing/deno/subprocess";
   * import assert from "node:assert/strict";
   *
   * await using child = new Popen(["sleep", "60"]);
   * child.sendSignal("SIGINT");
   * assert.equal(await child.wait(), -2);
   * child.sendSignal("SIGINT"); // it has ended: nothing happens
   * ```
   */
  sendSignal(signal: string | number): void {
    this.poll();
    this.#process.signal(signal);
  }

  /** Asks it to end, by SIGTERM. Nothing happens if it is known to have ended. */
  terminate(): void {
    this.sendSignal("SIGTERM");
  }

  /** Ends it, by SIGKILL. Nothing happens if it is known to have ended. */
  kill(): void {
    this.sendSignal("SIGKILL");
  }

  /**
   * Closes the pipes and waits until it has ended. Throws what has gone wrong with a stream or file that was given for a
   * pipe, unless a wait has thrown it before.
   */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#close();
    await settledWithin(this.#process.ended, Infinity);
    await settledWithin(this.#end, Infinity);
    this.poll();
    if (!this.#told) await this.#end;
  }

  async #telling<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      this.#told = true;
      throw error;
    }
  }

  #begin(input: Input): Exchange<ResultOf<O>> {
    const stdin: WritePipe | null = this.stdin;
    const stdout = gathered(this.stdout);
    const stderr = gathered(this.stderr);
    const sent = stdin === null || stdin.closed ? undefined : feed(stdin, input, this.#process.ended);
    const end = Promise.all([this.#end, sent, stdout?.end, stderr?.end]);
    const result = end.then(() =>
      [resultOf(this.stdout, stdout), resultOf(this.stderr, stderr)] as ResultOf<O>
    );
    return { stdout, stderr, result };
  }

  async #close(): Promise<void> {
    const [stdin, stdout, stderr]: [WritePipe | null, ReadPipe | null, ReadPipe | null] = [
      this.stdin,
      this.stdout,
      this.stderr,
    ];
    await Promise.all([stdout?.close(), stderr?.close()]);
    // What was written and nobody reads is of no use once it has ended.
    await Promise.race([stdin?.close(), this.#process.ended]);
  }

  static {
    abandon = async (child) => {
      child.kill();
      await settledWithin(child.#process.ended, Infinity);
      child.#process.reap();
      await Promise.all(child.#carriers.map((carrier) => carrier.stop()));
      await child.#close();
    };
  }
}

function isBag(value: unknown): value is CommunicateOptions {
  return value !== null && typeof value === "object" && Object.getPrototypeOf(value) === Object.prototype;
}

function gathered(pipe: ReadPipe | null): Gathering | undefined {
  return pipe === null ? undefined : gather(pipe);
}

function resultOf(pipe: ReadPipe | null, gathering: Gathering | undefined): Part | null {
  return gathering === undefined ? null : finish(pipe!, gathering);
}

function soFar(gathering: Gathering | undefined): Uint8Array<ArrayBuffer> | null {
  return gathering === undefined || gathering.parts.length === 0 ? null : joinBytes(gathering.parts);
}

staysHome(Popen, "Popen", "send its pid, its output, or the CompletedProcess of run()");
