// deno-lint-ignore-file no-console -- what it prints is what the test looks at
/** Prints in every way there is before it forks, and once more after, by what it had taken before. */
import { fork, wait } from "@multiprocessing/deno/os";

const encoder = new TextEncoder();
const log = console.log;
const writer = Deno.stdout.writable.getWriter();
const { writeSync } = Deno.stdout;
log("taken log before");
console.log("log before");
console.error("error before");
console.table([1]);
console.dir("dir before");
console.assert(false, "assert before");
console.group("group before");
console.log("inside before");
Deno.stdout.writeSync(encoder.encode("writeSync before\n"));
await Deno.stdout.write(encoder.encode("write before\n"));
await writer.write(encoder.encode("writable before\n"));
await Deno.stderr.write(encoder.encode("stderr before\n"));
// deno-lint-ignore no-process-global -- as a program that came from Node.js prints
await new Promise<void>((done) => process.stdout.write("process.stdout before\n", () => done()));

if (fork() === 0) {
  log("taken log after");
  console.log("log after"); // indented, since the group is still open
  console.groupEnd();
  console.error("error after");
  writeSync.call(Deno.stdout, encoder.encode("writeSync after\n"));
  Deno.stdout.writeSync(encoder.encode("own writeSync after\n"));
  await writer.write(encoder.encode("writable after\n"));
  // deno-lint-ignore no-process-global -- as a program that came from Node.js prints
  await new Promise<void>((done) => process.stdout.write("process.stdout after\n", () => done()));
} else {
  await wait();
}
