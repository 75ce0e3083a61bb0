/**
 * The first module of a worker child. It lights the beacon that makes the thread killable, waits for its order (a
 * spare worker waits long), becomes the process that the order describes, runs it, and lets the thread end by
 * itself when nothing is left to do.
 */

import "../../mod.ts"; // every class that travels is known before anything arrives
import { exitNow } from "../platform/runtime.ts";
import {
  dressGlobals,
  leaveWhenIdle,
  lightBeacon,
  onCreatorMessage,
  onThreadExit,
  postToCreator,
  setThreadExitCode,
} from "../platform/worker_self.ts";
import { catchUncaught, obey } from "../process/child_side.ts";
import type { Order } from "../process/hub.ts";
import { becomeProcess } from "../process/process.ts";
import { becomeAgent } from "../transport/agent.ts";
import { connectHub, dispatch, type Line } from "../transport/hub_line.ts";

const line: Line = { post: postToCreator };

async function run({ directory, order }: { directory: SharedArrayBuffer; order: Order }): Promise<void> {
  const agent = becomeAgent(directory, order.agent);
  agent.die = exitNow;
  // The last thing this thread does is to say how it ended, so that nobody has to find out.
  onThreadExit((code) => {
    agent.die = undefined;
    agent.retire();
    agent.directory.bury(agent.id, code);
  });
  connectHub(line);
  becomeProcess(order.identity);
  catchUncaught(exitNow);
  const code = await obey(order, line);
  if (code !== 0) setThreadExitCode(code);
  leaveWhenIdle();
}

dressGlobals();
await lightBeacon();
onCreatorMessage((message) => {
  if (message.kind === "run") run(message as unknown as { directory: SharedArrayBuffer; order: Order });
  else if (message.kind === "stop") exitNow((message as unknown as { code: number }).code);
  else dispatch(message, { agent: 0, line });
});
