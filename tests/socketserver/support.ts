/**
 * The frame around the tests of servers: none may leave a worker behind.
 *
 * @module
 */
import { activeChildren } from "@multiprocessing/deno";
import { ThreadingTCPServer } from "@multiprocessing/deno/socketserver";
import assert from "node:assert/strict";
import { within } from "../support/gates.ts";

/** Only a net: a test that waits for something that never comes fails after this long, and says so. */
const NET_MS = 40_000;

/** A test that no worker may outlive. */
export function test(name: string, body: () => Promise<void> | void): void {
  Deno.test({
    name,
    sanitizeOps: true,
    sanitizeResources: true,
    async fn() {
      try {
        await within(NET_MS, (async () => await body())(), "the test");
        assert.deepEqual(activeChildren().map((child) => child.name), [], "workers outlived the test");
      } finally {
        for (const child of activeChildren()) {
          child.kill();
          await within(NET_MS, child.sentinel, `the end of ${child.name} after kill()`);
        }
      }
    },
  });
}

/** A server that keeps its errors instead of printing them. */
export class Server extends ThreadingTCPServer {
  /** What `handleError` was called with. */
  readonly errors: { clientAddress: [string, number]; error: Error & Record<string, unknown> }[] = [];
  #heard: (() => void)[] = [];

  override handleError(_request: unknown, clientAddress: [string, number], error: unknown): void {
    this.errors.push({ clientAddress, error: error as Error & Record<string, unknown> });
    for (const heard of this.#heard.splice(0)) heard();
  }

  /** Settles when there were so many errors. */
  async failed(count: number): Promise<void> {
    while (this.errors.length < count) await new Promise<void>((resolve) => this.#heard.push(resolve));
  }
}
