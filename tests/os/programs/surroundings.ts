// deno-lint-ignore-file no-console -- what it prints is what the test looks at
/** What a child has of its parent: arguments, directory, permissions. It forks inside an imported function. */
import { wait } from "@multiprocessing/deno/os";
import { forkThere } from "./surroundings_elsewhere.ts";

Deno.chdir(Deno.args[0]!); // relative: the child has to begin where its parent began
await new Promise((later) => setTimeout(later, 1));
const pid = await forkThere();
if (pid !== 0) await wait();
const granted = (["read", "write", "env", "net", "run", "ffi", "sys"] as const).filter((name) =>
  Deno.permissions.querySync({ name }).state === "granted"
);
console.log(JSON.stringify({ main: import.meta.main, args: Deno.args, cwd: Deno.cwd(), granted }));
