/**
 * Agents: how a thread learns what others granted it, and who has died.
 *
 * @module
 */
import assert from "node:assert/strict";
import { Agent } from "../../src/transport/agent.ts";
import { Directory } from "../../src/transport/directory.ts";
import { within } from "../support/gates.ts";

// A worker out of the reserve may be done before its starter has come to watch for its end.
Deno.test("Agent.onDeath() tells of a death that was there before, after it has returned", async () => {
  const directory = new Directory();
  const agent = new Agent(directory, directory.enroll(0), true);
  const child = directory.enroll(agent.id);
  directory.bury(child, 7);

  const told = new Promise<number | undefined>((resolve) => {
    const forget = agent.onDeath(() => {
      forget();
      resolve(directory.exitCode(child));
    });
  });
  assert.equal(await within(10_000, told, "the news of the first death"), 7);

  const next = directory.enroll(agent.id);
  const toldAgain = new Promise<void>((resolve) => {
    const forget = agent.onDeath(() => {
      forget();
      resolve();
    });
  });
  directory.bury(next, 0);
  await within(10_000, toldAgain, "the news of the second death");
});
