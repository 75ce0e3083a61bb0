/** Lets children write where it writes. */
import { call, run, STDOUT } from "@multiprocessing/deno/subprocess";

await call("echo out; echo err >&2", { shell: true });
await run("echo out; echo err as out >&2", { shell: true, stderr: STDOUT });
