// deno-lint-ignore-file no-console -- a program shows what it does by printing
/**
 * A thread that throws, one whose hook throws, and one that goes on.
 *
 * @module
 */
import { Event, setExcepthook, Thread } from "@multiprocessing/deno/threading";

class Fails extends Thread {
  override run(): never {
    throw new RangeError("run failed");
  }
}

const leave = new Event();
const other = new Thread({
  async target() {
    await leave.wait();
    console.log("the other goes on");
  },
});
other.start();
const first = new Fails({ name: "excepthook thread" });
first.start();
await first.join();
setExcepthook(() => {
  throw new TypeError("hook failed");
});
const second = new Fails();
second.start();
await second.join();
setExcepthook(() => console.log("hook called"));
const third = new Thread({ target: () => Promise.reject(undefined) });
third.start();
await third.join();
leave.set();
