// deno-lint-ignore-file no-console -- a program shows what it does by printing
/**
 * A traffic light in one process, a car in another, and an Event between them: set is green, cleared is red.
 *
 * Python:
 *
 *     def lighter(event):
 *         count = 0
 *         event.set()
 *         while True:
 *             if 5 < count <= 10:
 *                 event.clear()
 *                 print('\33[41;1mred light is on...\033[0m')
 *             elif count > 10:
 *                 event.set()
 *                 count = 0
 *             else:
 *                 print('\33[42;1mgreen light is on...\033[0m')
 *             time.sleep(1)
 *             count += 1
 *
 *     def car(event, name):
 *         while True:
 *             if event.is_set():
 *                 print('[%s] running...' % name)
 *                 time.sleep(1)
 *             else:
 *                 print('[%s] sees red light,waiting...' % name)
 *                 event.wait()
 *                 print('[%s] green light is on,start going...' % name)
 *
 * There the light and the car are threads that go on for ever. Here they are processes: the car has arrived after two
 * red lights, and the light is a daemon, which goes out with the program.
 *
 * Run: `deno run -A examples/traffic_light.ts --fast` (2 s; 22 s without `--fast`)
 *
 * Prints, in red and green:
 *
 *     green light is on...
 *     [MINI] running...
 *     …
 *     red light is on...
 *     [MINI] sees red light,waiting...
 *     red light is on...
 *     …
 *     [MINI] green light is on,start going...
 *
 * @module
 */
import { Event, Process } from "@multiprocessing/deno";
import { sleep, useStartMethod } from "./options.ts";

export async function lighter(event: Event): Promise<void> {
  let count = 0;
  event.set(); // green at first
  while (true) {
    if (5 < count && count <= 10) {
      event.clear();
      console.log("\x1b[41;1mred light is on...\x1b[0m");
    } else if (count > 10) {
      event.set();
      count = 0;
    } else {
      console.log("\x1b[42;1mgreen light is on...\x1b[0m");
    }
    await sleep(1);
    count += 1;
  }
}

export async function car(event: Event, name: string, redLights: number): Promise<void> {
  while (redLights > 0) {
    // What isSet() tells, asked anew: in a "spawn" child isSet() itself is as old as the last answer.
    if (await event.wait({ block: false })) {
      console.log(`[${name}] running...`);
      await sleep(1);
    } else {
      console.log(`[${name}] sees red light,waiting...`);
      await event.wait();
      console.log(`[${name}] green light is on,start going...`);
      redLights -= 1;
    }
  }
}

if (import.meta.main) {
  useStartMethod();
  const event = new Event();
  const light = new Process({ target: lighter, args: [event], daemon: true });
  light.start();
  await event.wait(); // nobody drives before the light is on
  const mini = new Process({ target: car, args: [event, "MINI", 2] });
  mini.start();
  await mini.join();
}
