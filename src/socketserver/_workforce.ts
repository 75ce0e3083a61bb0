/** The requests of a server that others serve, and the team that does. */

import type { KernelListener } from "../platform/kernel_listener.ts";
import { afterMs } from "../platform/runtime.ts";
import type { Address } from "../socket/endpoint.ts";
import type { HandlerTeam } from "./_handler_team.ts";

/** How long workers have to leave that have nothing to do any more. */
const LEAVING_MS = 2_000;

/** What the servers have in common whose requests are served elsewhere. */
export class Workforce {
  readonly #makeTeam: () => HandlerTeam;
  /** Made with the first request, when the server knows its address. */
  #team: HandlerTeam | undefined;
  readonly #servings = new Set<Promise<void>>();

  constructor(makeTeam: () => HandlerTeam) {
    this.#makeTeam = makeTeam;
  }

  get #hired(): HandlerTeam {
    return this.#team ??= this.#makeTeam();
  }

  /** Starts the first workers. */
  prepare(): void {
    this.#hired.prepare();
  }

  /** Whether no request more may wait for a worker. */
  get full(): boolean {
    return this.#hired.full;
  }

  /** The processes that are at work. */
  get working(): Set<number> {
    return this.#team?.working ?? new Set();
  }

  /** What the loop waits for before it takes another request. */
  admission(): Promise<void> | undefined {
    return this.#hired.full ? this.#hired.room() : undefined;
  }

  /** Lets workers accept connections for themselves until `stopped` settles, or no worker can be had. */
  attend(listener: KernelListener, stopped: Promise<void>): Promise<void> {
    return this.#hired.attend(listener, stopped, (leaving) => this.follow(leaving));
  }

  /** Has a worker serve a request. */
  serve(request: unknown, clientAddress: unknown): Promise<void> {
    return this.#hired.serve(request, clientAddress as Address);
  }

  /** Notes that a request is being served until `serving` settles, which is when its connection is closed. */
  follow(serving: Promise<void>): void {
    this.#servings.add(serving);
    serving.then(() => this.#servings.delete(serving));
  }

  /** Settles when every request is served. */
  async idle(): Promise<void> {
    while (this.#servings.size > 0) await Promise.all(this.#servings);
  }

  /** Lets the handlers finish, and cuts those off that are not done after so long. */
  async drain(deadlineMs: number): Promise<void> {
    if (this.#servings.size === 0) return;
    this.#team?.endInput();
    const idle = this.idle();
    if (await Promise.race([idle.then(() => true), afterMs(deadlineMs)]) !== true) this.#team?.cut();
    await idle;
  }

  /** Drains, and leaves no worker. */
  async close(deadlineMs: number): Promise<void> {
    const team = this.#team;
    if (team === undefined) return;
    await this.drain(deadlineMs); // first, since some may still wait for a worker
    const closed = team.close();
    if (await Promise.race([closed.then(() => true), afterMs(LEAVING_MS)]) !== true) await team.terminate();
  }
}
