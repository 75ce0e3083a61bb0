// deno-lint-ignore-file no-console -- what it prints is what the test looks at
/**
 * Starts a child that runs for long, and does one thing more, named by its argument. What of it keeps the
 * program up?
 */
import { DEVNULL, PIPE, Popen } from "@multiprocessing/deno/subprocess";

const child = new Popen(["sleep", "3600"], { stdin: PIPE, stdout: PIPE, stderr: DEVNULL });
console.log(`child ${child.pid}`);
const late = () => {};
switch (Deno.args[0]) {
  case "nothing":
    break;
  case "a wait that gave up":
    await child.wait({ timeout: 10 }).catch(late);
    break;
  case "a communicate that gave up":
    await child.communicate("input", { timeout: 10 }).catch(late);
    break;
  case "a read that was closed": {
    const read = child.stdout.read();
    await child.stdout.close();
    await read;
    break;
  }
  case "a wait":
    void child.wait().then((code) => console.log(`ended ${code}`));
    break;
  case "a communicate":
    void child.communicate().then(() => console.log(`ended ${child.returncode}`));
    break;
  case "a read":
    void child.stdout.read().then((bytes) => console.log(`ended ${bytes.length}`));
    break;
}
console.log("done");
