// deno-lint-ignore-file no-console -- a program shows what it does by printing
/**
 * A `local` is one object for all, with other contents for each thread: what a thread keeps there, the functions it
 * calls find without being handed it, and no other thread sees it.
 *
 * Python:
 *
 *     local = threading.local()
 *
 *     def process_student():
 *         print('local.student: %s , current_thread : %s' % (local.student, threading.current_thread().name))
 *
 *     def process_thread(stu_name):
 *         local.student = stu_name
 *         process_student()
 *
 *     t1 = threading.Thread(target=process_thread, args=('Alice',), name='Thread-A')
 *     t2 = threading.Thread(target=process_thread, args=('Bob',), name='Thread-B')
 *     # both started, both joined
 *
 *     num = 0
 *
 *     def run(x, n):
 *         x = x + n
 *         x = x - n
 *         return x
 *
 *     def func(n):
 *         local.x = num
 *         for i in range(1000000):
 *             run(local.x, n)
 *         print("%s- local.x =%d" % (threading.current_thread().name, local.x))
 *
 *     t1 = threading.Thread(target=func, args=(6,))
 *     t2 = threading.Thread(target=func, args=(9,))
 *     # both started, both joined
 *     print("num =", num)
 *
 * Run: `deno run -A examples/thread_local.ts`
 *
 * Prints:
 *
 *     local.student: Alice , current_thread : Thread-A
 *     local.student: Bob , current_thread : Thread-B
 *     Thread-1 (func)- local.x =0
 *     Thread-2 (func)- local.x =0
 *     num = 0
 *
 * @module
 */
import { currentThread, local as Local, Thread } from "@multiprocessing/deno/threading";

const local = new Local<{ student: string; x: number }>();
const num = 0;

function processStudent(): void {
  console.log(`local.student: ${local.student} , current_thread : ${currentThread().name}`);
}

async function processThread(stuName: string): Promise<void> {
  local.student = stuName;
  await null; // the other thread sets its own
  processStudent();
}

function run(x: number, n: number): number {
  x = x + n;
  x = x - n;
  return x;
}

function func(n: number): void {
  local.x = num;
  for (let i = 0; i < 1_000_000; i++) run(local.x, n);
  console.log(`${currentThread().name}- local.x =${local.x}`);
}

if (import.meta.main) {
  const students = [
    new Thread({ target: processThread, args: ["Alice"], name: "Thread-A" }),
    new Thread({ target: processThread, args: ["Bob"], name: "Thread-B" }),
  ];
  for (const t of students) t.start();
  for (const t of students) await t.join();

  const counters = [
    new Thread({ target: func, args: [6] }),
    new Thread({ target: func, args: [9] }),
  ];
  for (const t of counters) t.start();
  for (const t of counters) await t.join();
  console.log("num =", num);
}
