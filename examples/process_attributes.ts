// deno-lint-ignore-file no-console -- a program shows what it does by printing
/**
 * A Process subclass with its own `run()`, and what a process tells about itself.
 *
 * Python:
 *
 *     class MyProcess(Process):
 *         def __init__(self, who):
 *             super().__init__()
 *             self.who = who
 *         def run(self):
 *             print('%s says hello to %s' % (self.name, self.who))
 *             time.sleep(1)
 *
 *     p = MyProcess('egon')
 *     p.start()
 *     print(p.name, p.daemon, p.pid, p.exitcode, p.is_alive())
 *
 * Run: `deno run -A examples/process_attributes.ts` (3 s)
 *
 * Prints, with other ids ("says hello" and "running" in either order):
 *
 *     default name: MyProcess-1
 *     authkey: 32 bytes
 *     authkey: 6 bytes
 *     new: name=greeter daemon=false pid=undefined exitcode=null alive=false
 *     running: name=greeter daemon=false pid=4712 exitcode=null alive=true
 *     greeter says hello to egon
 *     started twice: AssertionError
 *     joined: name=greeter daemon=false pid=4712 exitcode=0 alive=false
 *     after 0.5 s: name=sleeper daemon=true pid=4713 exitcode=null alive=true
 *     terminated: name=sleeper daemon=true pid=4713 exitcode=-15 alive=false
 *
 * @module
 */
import { AssertionError, Process } from "@multiprocessing/deno";
import { sleep, useStartMethod } from "./options.ts";

export class MyProcess extends Process {
  who: string;

  constructor(who: string) {
    super();
    this.who = who;
  }

  override async run(): Promise<void> {
    console.log(`${this.name} says hello to ${this.who}`);
    await sleep(2);
  }
}

export async function sleepLong(): Promise<void> {
  await sleep(1000);
}

function show(when: string, p: Process): void {
  const { name, daemon, pid, exitcode } = p;
  console.log(`${when}: name=${name} daemon=${daemon} pid=${pid} exitcode=${exitcode} alive=${p.isAlive()}`);
}

if (import.meta.main) {
  useStartMethod();

  const p = new MyProcess("egon");
  console.log(`default name: ${p.name}`);
  p.name = "greeter";
  console.log(`authkey: ${p.authkey.length} bytes`); // random, the same in every process of the program
  p.authkey = new TextEncoder().encode("secret");
  console.log(`authkey: ${p.authkey.length} bytes`);

  show("new", p);
  p.start();
  show("running", p);
  try {
    p.start();
  } catch (error) {
    if (!(error instanceof AssertionError)) throw error;
    console.log("started twice: AssertionError");
  }
  await p.join();
  show("joined", p);

  const sleeper = new Process({ target: sleepLong, name: "sleeper", daemon: true });
  sleeper.start();
  await sleeper.join({ timeout: 500 }); // gives up after half a second
  show("after 0.5 s", sleeper);
  sleeper.terminate();
  await sleeper.join();
  show("terminated", sleeper); // ended by signal 15, SIGTERM
}
