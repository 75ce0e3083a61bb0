/**
 * The first module of a `"spawn"` child, preloaded before the program's main module. It connects to its creator,
 * imports the main module as an ordinary one (`import.meta.main` is false in it, and the runtime, which evaluates
 * it next, finds it done), runs its order, and lets the process end by itself when nothing is left to do. When the
 * creator is gone, so is this process.
 */

import "../../mod.ts"; // every class that travels is known before anything arrives
import { connectToCreator, dieWithCreator } from "../platform/command.ts";
import { importModule } from "../platform/modules.ts";
import { exitNow, mainModule, osProcessId, setExitCode } from "../platform/runtime.ts";
import { catchUncaught, obey, report } from "../process/child_side.ts";
import type { Order } from "../process/hub.ts";
import { becomeProcess, whileImporting } from "../process/process.ts";
import { thisAgent } from "../transport/agent.ts";
import { dispatch, type Line } from "../transport/hub_line.ts";
import { connectCreator, Link } from "../transport/remote.ts";

dieWithCreator();
const socket = await connectToCreator();
// The creator is an agent to us, too: it can hold an end of a pipe that was made here.
const link = new Link(thisAgent().directory.enroll(0), (bytes) => socket.send(bytes));
const line: Line = { post: (message) => link.control(message) };
connectCreator(link);

const ordered = new Promise<Order>((resolve) => {
  link.onControl = (message) => {
    if (message.kind === "run") resolve((message as unknown as { order: Order }).order);
    else dispatch(message, { agent: 0, line });
  };
});
(async () => {
  for await (const bytes of socket.frames()) link.receive(bytes);
  exitNow(1); // the creator is gone
})();

const order = await ordered;
becomeProcess({ ...order.identity, pid: osProcessId() });
catchUncaught(exitNow);
try {
  await whileImporting(() => importModule(mainModule()!));
  const code = await obey({ ...order, identity: { ...order.identity, pid: osProcessId() } }, line, link);
  if (code !== 0) setExitCode(code);
} catch (error) {
  report(error);
  setExitCode(1);
}
await socket.flush();
