// deno-lint-ignore-file no-console -- what it prints is what the test looks at
/** Nobody waits for a child whose output this program carries into a file: it has to stay up until all is there. */
import { Popen } from "@multiprocessing/deno/subprocess";

const stdout = await Deno.open(Deno.args[0]!, { create: true, write: true });
new Popen("read line; echo $line", { shell: true, stdin: Deno.stdin, stdout });
console.log("done");
