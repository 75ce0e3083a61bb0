// deno-lint-ignore-file no-console -- what it prints is what the test looks at
/** Children that were ended by signals which the runtime has no name for. */
import { run } from "@multiprocessing/deno/subprocess";

for (const signal of [34, 64]) console.log((await run(`kill -${signal} $$`, { shell: true })).returncode);
