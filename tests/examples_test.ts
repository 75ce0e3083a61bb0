/**
 * Every program of `examples/`, run whole under both start methods, and beside its Python original where there is a Python.
 *
 * @module
 */
import assert from "node:assert/strict";
import { createConnection, type Socket } from "@multiprocessing/deno/socket";
import { certificate } from "examples/certificate.ts";
import { echoed } from "./support/openssl.ts";
import { hasPython, installed, type Output, output, Program } from "./support/program.ts";

const methods = ["worker", "spawn"] as const;
const python = await hasPython();

interface Example {
  /** The file below `examples/`, without `.ts`. */
  name: string;
  /** What the test says of it. */
  shows: string;
  args?: string[];
  /** Start methods under which its behaviour is certain; both when left out. */
  methods?: readonly string[];
  check(lines: string[]): void;
  original?: {
    /** The file below `tests/python/originals/`, without `.py`. */
    name: string;
    args?: string[];
    /** What a line says once chance and the language's spelling are taken out; nothing leaves the line out. */
    normal?: (line: string, index: number, lines: string[]) => string | undefined;
  };
}

const examples: Example[] = [
  {
    name: "queue_basic",
    shows: "a list and a number",
    check: (lines) => assert.deepEqual(lines, ['[ 42, null, "hello" ]', "number"]),
    original: { name: "queue_basic" },
  },
  {
    name: "pipe_two_children",
    shows: "the two messages crossing",
    check: (lines) =>
      sameLines(lines, ['parent_conn接收: [ 42, null, "hello" ]', "child_conn接收: 你好,紫禁城"]),
    original: { name: "pipe_two_children" },
  },
  {
    name: "lock_print",
    shows: "ten whole lines",
    check: (lines) => sameLines(lines, range(10).map((i) => `hello ${i}`)),
    original: { name: "lock_print" },
  },
  {
    name: "rlock",
    shows: "a lock that its owner takes twice, and that keeps others out",
    check(lines) {
      const parts = [
        "grab the first part data",
        "--------between run1 and run2-----",
        "grab the second part data",
      ];
      assert.deepEqual(lines, [
        ...range(10).flatMap((i) => [...parts, `${i + 1} ${i + 1}`]),
        "----all processes done---",
        "10 10",
      ]);
    },
    original: { name: "rlock" },
  },
  {
    name: "semaphore",
    shows: "ten that come in and go out, and never more than three inside",
    args: ["--fast"],
    check(lines) {
      sameLines(lines, range(10).flatMap((i) => [`${i} comes in`, `${i} goes out`]));
      const inside = new Set<string>();
      for (const line of lines) {
        const [, n, what] = /^(\d) (comes in|goes out)$/.exec(line)!;
        if (what === "comes in") inside.add(n!);
        else assert.ok(inside.delete(n!), `${n} came in before going out`);
        assert.ok(inside.size <= 3, `${inside.size} inside`);
      }
    },
    original: { name: "semaphore", args: ["0.1"] },
  },
  {
    name: "traffic_light",
    shows: "a light that changes, and a car that waits at red and goes on at green",
    args: ["--fast"],
    check(lines) {
      const green = "\x1b[42;1mgreen light is on...\x1b[0m";
      const red = "\x1b[41;1mred light is on...\x1b[0m";
      // The light is green from 0 to 5, red from 6 to 10, and begins again with 1.
      const two = [
        ...Array(6).fill(green),
        ...Array(5).fill(red),
        ...Array(5).fill(green),
        ...Array(5).fill(red),
      ];
      const light = lines.filter(isLight);
      assert.deepEqual(light.slice(0, two.length), two);

      const car = lines.filter((line) => !isLight(line) && line !== "[MINI] running...");
      const stop = ["[MINI] sees red light,waiting...", "[MINI] green light is on,start going..."];
      assert.deepEqual(car, [...stop, ...stop]);
      assert.equal(
        lines.lastIndexOf(stop[1]!),
        lines.findLastIndex((line) => !isLight(line)),
        "it has arrived",
      );
    },
    original: {
      name: "traffic_light",
      args: ["0.1"],
      // How often the car looks is chance, and so is what the light does once the car has seen red twice.
      normal: (line, i, lines) =>
        line === "[MINI] running..." || isLight(line) && lines.slice(0, i).filter(isLight).length >= 21
          ? undefined
          : line,
    },
  },
  {
    name: "queue_api",
    shows: "what every method of a queue gives or throws, in the main process and in a child",
    check(lines) {
      const tour = [
        "empty: true qsize: 0 full: false",
        "getNowait: Empty",
        "get with a timeout: Empty",
        "empty: false qsize: 3 full: true",
        "putNowait: Full",
        "put with a timeout: Full",
        "get: A",
        "getNowait: B",
        "get with a timeout: C",
      ];
      assert.deepEqual(lines, ["MainProcess", ...tour, "Process-1", ...tour]);
    },
    original: { name: "queue_api", normal: (line) => line.replace("_nowait", "Nowait") },
  },
  {
    name: "queue_writer_reader",
    shows: "five puts and five gets, and how both processes ended",
    args: ["--fast"],
    check(lines) {
      assert.deepEqual(lines.slice(0, 2), [
        "write process =  <Process name='Process-1' initial>",
        "read process =  <Process name='Process-2' initial>",
      ]);
      const between = lines.slice(2, -2);
      const letters = ["A", "B", "C", "D", "E"];
      const puts = between.filter((line) => line.startsWith("Put"));
      const gets = between.filter((line) => line.startsWith("get"));
      assert.deepEqual(puts, letters.map((letter) => `Put ${letter} to queue`));
      assert.deepEqual(gets, letters.map((letter) => `get ${letter} from queue`));
      assert.equal(between.length, 10);
      for (const i of range(5)) assert.ok(between.indexOf(puts[i]!) < between.indexOf(gets[i]!));
      assert.deepEqual(lines.slice(-2), ["write process ended with 0", "read process ended with -15"]);
    },
    original: {
      name: "queue_writer_reader",
      args: ["0.1"],
      normal: (line) => line.replace(/ parent=\d+/, ""),
    },
  },
  {
    name: "joinable_queue",
    shows: "ten made and ten eaten before the program ends by itself",
    args: ["--fast"],
    check(lines) {
      const made = range(10).map((i) => `Jane生产了Spam${i}`);
      const eaten = range(10).map((i) => `Annie吃完Spam${i}`);
      assert.deepEqual(lines.filter((line) => line.startsWith("Jane")), made);
      assert.deepEqual(lines.filter((line) => line.startsWith("Annie")), eaten);
      assert.equal(lines.length, 20);
      for (const i of range(10)) {
        assert.ok(
          lines.indexOf(made[i]!) < lines.indexOf(eaten[i]!),
          `Spam${i} was made before it was eaten`,
        );
        // Five in the queue, one in Annie's hands, one in Jane's.
        const ahead = i + 1 -
          lines.slice(0, lines.indexOf(made[i]!)).filter((line) => eaten.includes(line)).length;
        assert.ok(ahead <= 7, `Jane is ${ahead} ahead`);
      }
    },
    original: { name: "joinable_queue", args: ["0.1"] },
  },
  {
    name: "process_start",
    shows: "parent and child side by side",
    check(lines) {
      assert.equal(lines.length, 4);
      const parent = lines.flatMap((line) => /^(\d+) ([01])$/.exec(line) ?? []);
      const child = lines.flatMap((line) => /^10 (\d+)$/.exec(line) ?? []);
      const [first, parentPid, zero, second, samePid, one] = parent;
      assert.deepEqual([zero, one, samePid], ["0", "1", parentPid]);
      assert.equal(child.length, 4, "the child printed twice");
      assert.equal(child[1], child[3]);
      assert.notEqual(child[1], parentPid);
      assert.notEqual(first, second);
      assert.ok(
        lines.indexOf(first!) < lines.lastIndexOf(child[0]!),
        "the parent went on while the child ran",
      );
    },
    original: {
      name: "process_start",
      normal: (line) => line.replace(/^10 \d+$/, "10 PID").replace(/^\d+ ([01])$/, "PID $1"),
    },
  },
  {
    name: "process_isolation",
    shows: "that nothing a child does to a global is seen elsewhere",
    check(lines) {
      assert.deepEqual(lines.slice(0, 2), ["子进程内: 0", "主进程内: 100"]);
      sameLines(lines.slice(2, -1), range(10).map((i) => `say hi [ ${i} ]`));
      assert.equal(lines.at(-1), "ending []");
    },
    original: { name: "process_isolation" },
  },
  {
    name: "process_join_many",
    shows: "the last line after all children",
    args: ["--fast"],
    check(lines) {
      assert.equal(lines.at(-1), "10条信息已经发送完毕");
      sameLines(lines.slice(0, -1), ["子进程开始了", ...range(10).map((i) => "_".repeat(i))]);
    },
    original: { name: "process_join_many", args: ["0.1"] },
  },
  {
    name: "daemon",
    shows: "a daemon that stops with the main program, and a child that does not",
    args: ["alive", "--fast=0.25"],
    check(lines) {
      checkSigns(lines);
      assert.ok(lines.includes("我还活着"), "the daemon ran");
      assert.ok(lines.lastIndexOf("我还活着") < lines.indexOf("########"), "the daemon stopped");
      assert.equal(lines.at(-1), "#########");
    },
  },
  {
    name: "daemon",
    shows: "a daemon that lives as long as the main program joins another child",
    args: ["join", "--fast=0.25"],
    check(lines) {
      checkSigns(lines);
      assert.ok(lines.lastIndexOf("我还活着") > lines.indexOf("######"), "the daemon went on");
    },
  },
  {
    name: "daemon",
    shows: "end456 and not end123",
    args: ["end", "--fast=0.3"],
    // Whether the daemon gets as far as 123 before the main program is through is chance, in Python too.
    check: (lines) => sameLines(lines.filter((line) => line !== "123"), ["main-------", "456", "end456"]),
    original: { name: "daemon_end", args: ["0.3"], normal: (line) => line === "123" ? undefined : line },
  },
  {
    name: "daemon",
    shows: "that a daemon may have no children",
    args: ["children"],
    check(lines) {
      assert.equal(lines.length, 1);
      assert.match(lines[0]!, /^AssertionError: daemonic processes are not allowed to have children/);
    },
    original: { name: "daemon_children", normal: (line) => line.replace(/(to have children).*/, "$1") },
  },
  {
    name: "process_attributes",
    shows: "name, daemon, pid, exitcode, authkey and isAlive at each step",
    args: ["--fast"],
    check(lines) {
      const pids = lines.flatMap((line) => /pid=(\d+)/.exec(line)?.[1] ?? []);
      assert.equal(pids.length, 4);
      assert.equal(pids[0], pids[1]);
      assert.equal(pids[2], pids[3]);
      assert.notEqual(pids[0], pids[2]);

      const steps = lines.map((line) => line.replace(/pid=\d+/, "pid=PID"));
      const hello = steps.indexOf("greeter says hello to egon");
      assert.ok(hello >= 4, "run() ran after start()");
      assert.ok(hello < steps.indexOf("joined: name=greeter daemon=false pid=PID exitcode=0 alive=false"));
      assert.deepEqual(steps.toSpliced(hello, 1), [
        "default name: MyProcess-1",
        "authkey: 32 bytes",
        "authkey: 6 bytes",
        "new: name=greeter daemon=false pid=undefined exitcode=null alive=false",
        "running: name=greeter daemon=false pid=PID exitcode=null alive=true",
        "started twice: AssertionError",
        "joined: name=greeter daemon=false pid=PID exitcode=0 alive=false",
        "after 0.5 s: name=sleeper daemon=true pid=PID exitcode=null alive=true",
        "terminated: name=sleeper daemon=true pid=PID exitcode=-15 alive=false",
      ]);
    },
    original: {
      name: "process_attributes",
      args: ["0.1"],
      normal: (line) => line.replace(/pid=\d+/, "pid=PID"),
    },
  },
  {
    name: "ticket_lock",
    shows: "as many buyers with a ticket as there are tickets",
    args: ["--fast=0.05"],
    check(lines) {
      assert.equal(lines.filter((line) => /^\w+查询余票为[0-3]$/.test(line)).length, 8);
      assert.equal(lines.filter((line) => line.endsWith("在等待")).length, 8);
      const held = lines.filter((line) => /开始执行了|买到票/.test(line));
      assert.equal(held.length, 16);
      assert.equal(held.filter((line) => line.endsWith("买到票了")).length, 3);
      for (const i of range(8)) {
        const name = /^(\w+)开始执行了$/.exec(held[2 * i]!)?.[1];
        const outcome = i < 3 ? `${name}买到票了` : `余票为0,${name}没买到票`;
        assert.equal(held[2 * i + 1], outcome, "nobody came in between");
      }
    },
    original: {
      name: "ticket_lock",
      args: ["0.05"],
      normal: (line) => line.replace(/alex|wusir|baoyuan|taibai/, "NAME").replace(/(查询余票为)\d/, "$1N"),
    },
  },
  {
    name: "ticket_lock",
    shows: "as many buyers with a ticket as --count says",
    args: ["--fast=0.02", "--count=5"],
    check: (lines) => assert.equal(lines.filter((line) => line.endsWith("买到票了")).length, 5),
  },
  {
    name: "ticket_lock",
    shows: "more tickets sold than there are with --no-lock",
    args: ["--fast=0.5", "--no-lock"],
    // Two seconds lie between the first look at the file and the first change; workers are all there by then.
    methods: ["worker"],
    check(lines) {
      const sold = lines.filter((line) => line.endsWith("买到票了")).length;
      assert.ok(sold > 3, `sold ${sold} of 3`);
    },
  },
  {
    name: "producer_consumer",
    shows: "all ten made and eaten, and both consumers at their end",
    args: ["--fast"],
    check(lines) {
      assert.equal(lines.length, 20);
      const made = lines.flatMap((line) => /^Jane生产了(Spam \d)$/.exec(line)?.[1] ?? []);
      const eaten = lines.flatMap((line) => /^(?:Lisa|Annie) 吃了 (Spam \d)$/.exec(line)?.[1] ?? []);
      assert.deepEqual(made, range(10).map((i) => `Spam ${i}`));
      sameLines(eaten, made);
      for (const food of made) {
        const makes = lines.indexOf(`Jane生产了${food}`);
        const eats = lines.findIndex((line) => line.endsWith(`吃了 ${food}`));
        assert.ok(makes < eats, `${food} was made before it was eaten`);
      }
    },
    original: {
      name: "producer_consumer",
      args: ["0.1"],
      normal: (line) => line.replace(/^(Lisa|Annie) /, "NAME "),
    },
  },
  {
    name: "demo",
    shows: "a server with 20 clients, a ticket office and a queue",
    check(lines) {
      const heard = lines.filter((line) => line.includes(" hears "));
      sameLines(heard, range(20).map((i) => `   client ${i} hears "HELLO FROM CLIENT ${i}"`));
      const together = find(lines, /^ {3}20 answers from (\d+) processes in ([\d.]+) s;/);
      assert.ok(Number(together[1]) > 1, "more than one process answered");
      assert.ok(Number(together[2]) < 10, "the clients did not wait for each other");

      assert.equal(lines.filter((line) => line.includes(" bought a ticket, ")).length, 3);
      assert.equal(lines.filter((line) => line.endsWith(" came too late")).length, 3);
      find(lines, /^ {3}3 tickets sold to 6 buyers, 0 left$/);

      assert.equal(lines.filter((line) => line.startsWith("   Jane made Spam ")).length, 10);
      const eaten = lines.flatMap((line) => /^ {3}(?:Lisa|Annie) ate (Spam \d)$/.exec(line)?.[1] ?? []);
      sameLines(eaten, range(10).map((i) => `Spam ${i}`));
      const counts = find(lines, /^ {3}(Lisa|Annie) ate (\d+), (Lisa|Annie) ate (\d+)$/);
      assert.equal(Number(counts[2]) + Number(counts[4]), 10);
      assert.notEqual(counts[1], counts[3]);
    },
  },
  {
    name: "process_with_threads",
    shows: "ten processes, each with a thread",
    args: ["--fast"],
    check(lines) {
      const idents = lines.filter((line) => /^线程号 [1-9]\d*$/.test(line));
      assert.equal(idents.length, 10);
      sameLines(lines.filter((line) => !idents.includes(line)), range(10).map((i) => `hello ${i}`));
    },
    original: {
      name: "process_with_threads",
      args: ["0.1"],
      normal: (line) => line.replace(/^线程号 \d+$/, "线程号 IDENT"),
    },
  },
  {
    name: "thread_lock",
    shows: "twenty thousand threads that lose no count",
    methods: ["worker"], // it starts no process
    check: (lines) => assert.deepEqual(lines, ["num: 20000"]),
    original: { name: "thread_lock" },
  },
  {
    name: "thread_lock",
    shows: "one count for all of them with --no-lock",
    args: ["--no-lock"],
    methods: ["worker"],
    check: (lines) => assert.deepEqual(lines, ["num: 1"]),
  },
  {
    name: "greenlet_switch",
    shows: "the control going to and fro",
    methods: ["worker"],
    // Its original needs the package greenlet, which is not everywhere where there is a Python.
    check: (lines) => assert.deepEqual(lines, ["12", "56", "34", "78"]),
  },
  {
    name: "gevent_fetch",
    shows: "three pages that were fetched at the same time",
    methods: ["worker"],
    // Its original needs gevent and the internet.
    check(lines) {
      const urls = lines.slice(0, 3).map((line) => /^GET: (http:\/\/127\.0\.0\.1:\d+\/)$/.exec(line)?.[1]);
      assert.equal(new Set(urls).size, 3);
      sameLines(lines.slice(3), urls.map((url, i) => `${i + 1}000 bytes received from ${url}.`));
    },
  },
  {
    name: "thread_local",
    shows: "that each thread finds what it has set itself",
    methods: ["worker"],
    check: (lines) =>
      assert.deepEqual(lines, [
        "local.student: Alice , current_thread : Thread-A",
        "local.student: Bob , current_thread : Thread-B",
        "Thread-1 (func)- local.x =0",
        "Thread-2 (func)- local.x =0",
        "num = 0",
      ]),
    original: { name: "thread_local" },
  },
  {
    name: "fork",
    shows: "one start, and two processes that go on, with matching ids",
    check(lines) {
      assert.equal(lines.length, 3);
      const [, parent] = /^Process \((\d+)\) start\.\.\.$/.exec(lines[0]!)!;
      const [, same, child] = find(lines, /^I \((\d+)\) just created a child process \((\d+)\)\.$/);
      assert.equal(same, parent);
      assert.ok(lines.includes(`I am child process (${child}) and my parent is ${parent}.`));
    },
    original: { name: "fork", normal: (line) => line.replace(/\d+/g, "PID") },
  },
  {
    name: "subprocess_ls",
    shows: "what ls lists, and the parent process",
    check: (lines) => {
      for (const line of ["parent process", "deno.json", "mod.ts"]) assert.ok(lines.includes(line), line);
    },
    original: {
      name: "subprocess_ls",
      // Other tests may make files at the same time.
      normal: (line) => ["parent process", "deno.json", "mod.ts"].includes(line) ? line : undefined,
    },
  },
  {
    name: "executor",
    shows: "five calls, a callback for each result, and the end after all of them",
    args: ["--fast"],
    check(lines) {
      assert.equal(lines.at(-1), "主");
      assert.equal(lines.filter((line) => /^\d+ is runing$/.test(line)).length, 5);
      sameLines(
        lines.filter((line) => line.startsWith("handle")),
        [0, 1, 4, 9, 16].map((n) => `handle res ${n}`),
      );
    },
    original: {
      name: "executor",
      args: ["callback", "0.1"],
      normal: (line) => line.replace(/^\d+ is/, "PID is"),
    },
  },
  {
    name: "executor",
    shows: "one call after the other",
    args: ["one-by-one", "--fast"],
    check(lines) {
      const handled = lines.filter((line) => !line.endsWith("is runing"));
      assert.deepEqual(handled, [...[0, 1, 4, 9, 16].map((n) => `handle res ${n}`), "主"]);
    },
    original: {
      name: "executor",
      args: ["one-by-one", "0.1"],
      normal: (line) => line.replace(/^\d+ is/, "PID is"),
    },
  },
  {
    name: "executor",
    shows: "a hundred calls of map",
    args: ["map", "--fast"],
    check(lines) {
      assert.equal(lines.at(-1), "所有的螺丝都制作完了");
      sameLines(lines.slice(0, -1).map((line) => line.split(" ")[1]!), range(100).map((i) => `制作螺丝${i}`));
    },
  },
  {
    name: "pool_callback",
    shows: "callbacks in the parent for ten calls",
    args: ["--fast"],
    check(lines) {
      const me = /^end: (\d+)$/.exec(lines[0]!)![1];
      sameLines(
        lines.filter((line) => line.startsWith("-->")),
        range(10).map((i) => `-->exec done: ${100 + i}`),
      );
      assert.equal(lines.filter((line) => line === `in process[Bar] ${me}`).length, 10);
      assert.equal(lines.filter((line) => line.startsWith("in process[Foo]")).length, 10);
      assert.ok(!lines.includes(`in process[Foo] ${me}`));
    },
    original: {
      name: "pool_callback",
      args: ["0.1"],
      normal: (line) => line.replace(/\d+$/, (n) => /^10\d$/.test(n) ? n : "PID"),
    },
  },
  {
    name: "pool_callback",
    shows: "nothing of the calls with --terminate",
    args: ["--fast", "--terminate"],
    check: (lines) => assert.deepEqual(lines.map((line) => line.replace(/\d+/, "PID")), ["end: PID"]),
  },
  {
    name: "manager_dict_list",
    shows: "a dict and a list that ten processes share",
    check(lines) {
      assert.equal(lines.length, 12);
      assert.deepEqual(lines.slice(-2), [
        'Map(3) { 1 => "1", "2" => 2, 0.25 => null }',
        `[${[...range(5), ...range(10).map(() => 1)].join(", ")}]`,
      ]);
    },
  },
  {
    name: "manager_counter",
    shows: "that a hundred processes under a lock lose no count",
    methods: ["worker"], // a hundred OS processes at once take minutes on a small machine
    check: (lines) => assert.deepEqual(lines, ['Map(1) { "count" => 0 }']),
    original: {
      name: "manager_counter",
      normal: (line) => line.replace('{"count": 0}', 'Map(1) { "count" => 0 }'),
    },
  },
  {
    name: "manager_types",
    shows: "every type at work",
    check(lines) {
      sameLines(lines.slice(0, 10), range(10).map((i) => `say hi ${i}`));
      assert.deepEqual(lines.slice(10), [
        `ending ${range(10).join(" ")}`,
        "done 5",
        "results 0 1 2 3 4",
        "squares 0 1 4 9 16",
      ]);
    },
    original: { name: "manager_types" },
  },
  {
    name: "mandelbrot",
    shows: "the same picture from one process and from two",
    args: ["--width=120", "--processes=2"],
    check(lines) {
      find(lines, /^1 process: [\d.]+ s$/);
      find(lines, /^2 processes: [\d.]+ s, [\d.]+ times as fast$/);
      find(lines, /: 120 × 80$/);
    },
  },
  {
    name: "udp_echo",
    shows: "answers to three datagrams",
    methods: ["worker"],
    check: (lines) => assert.deepEqual(lines, ["bread, milk: BREAD, MILK", "eggs: EGGS", "tea: TEA"]),
  },
  {
    name: "tls_echo",
    shows: "an answer to whoever knows the certificate",
    methods: ["worker"],
    check(lines) {
      assert.deepEqual(lines.slice(0, 2), ["hello", "the server is who it should be"]);
      assert.match(lines[2]!, /^a client that trusts nobody: Cannot connect to 127\.0\.0\.1:\d+/);
    },
  },
];

for (const example of examples) {
  for (const method of example.methods ?? methods) {
    const title = ["examples/" + example.name + ".ts", ...example.args ?? []].join(" ");
    Deno.test(`${title} shows ${example.shows} [${method}]`, async () => {
      const output = await ours(example, method);
      try {
        assert.equal(output.stderr, "");
        assert.equal(output.code, 0);
        example.check(output.lines);
      } catch (error) {
        throw new Error(`${title} printed\n${output.stdout}${output.stderr}`, { cause: error });
      }
    });

    const { original } = example;
    if (original === undefined) continue;
    Deno.test({
      name: `${title} prints what its Python original prints [${method}]`,
      ignore: !python, // nothing to compare with
      async fn() {
        const [here, there] = await Promise.all([
          ours(example, method),
          theirs(original.name, original.args),
        ]);
        assert.equal(there.code, 0, there.stderr);
        const { normal = (line: string) => line } = original;
        const said = ({ lines }: Output) =>
          lines.map(spelling).flatMap((line, i, all) => normal(line, i, all) ?? []);
        sameLines(said(here), said(there));
      },
    });
  }
}

// A server ends by a signal, and Windows has none that a test could send.
const ignore = Deno.build.os === "windows";
const clients = 12;

for (const variant of methods.map((method) => `--start-method=${method}`)) {
  Deno.test({
    name: `examples/tcp_server.ts ${variant} lets no client of tcp_client.ts wait for another`,
    ignore,
    async fn() {
      await using server = Program.deno("examples/tcp_server.ts", ["--port=0", "--fast", variant]);
      const [, port] = await server.line(/^serving on 127\.0\.0\.1:(\d+), /);

      const one = await end(Program.deno("examples/tcp_client.ts", [`--port=${port}`]));
      assert.deepEqual(one.lines, ["hello", "hello2"]);

      const many = await end(
        Program.deno("examples/tcp_client.ts", [`--port=${port}`, `--clients=${clients}`]),
      );
      sameLines(many.lines.slice(0, -1), range(clients).flatMap(() => ["hello", "hello2"]));
      const seconds = Number(find(many.lines, /^12 clients: ([\d.]+) s$/)[1]);
      // A handler takes 0.3 + 0.5 s; one after another they cannot be done in less than twelve times that.
      assert.ok(seconds >= 0.8 && seconds < clients * 0.8, `${clients} clients took ${seconds} s`);

      server.signal("SIGTERM");
      const { code, lines, stderr } = await server.end();
      assert.deepEqual([code, stderr], [0, ""]);
      assert.equal(lines.at(-1), "stopped");
      const connections = lines.filter((line) => /^connection from 127\.0\.0\.1:\d+$/.test(line));
      assert.equal(new Set(connections).size, 1 + clients);
    },
  });
}

Deno.test({
  name: "examples/tcp_server.ts stops on Ctrl-C while it waits for its first client",
  ignore,
  async fn() {
    await using server = Program.deno("examples/tcp_server.ts", ["--port=0"]);
    await server.line(/^serving on /);
    server.signal("SIGINT");
    const { code, lines, stderr } = await server.end();
    assert.deepEqual([code, stderr, lines.length, lines.at(-1)], [0, "", 2, "stopped"]);
  },
});

Deno.test({
  name: "examples/tcp_server.ts serves the Python client, and tcp_client.ts reads the Python server",
  ignore: ignore || !python,
  async fn() {
    const [here, there] = [
      Program.deno("examples/tcp_server.ts", ["--port=0", "--fast"]),
      Program.python("tests/python/originals/tcp_server.py", ["0.1"]),
    ];
    await using _here = here;
    await using _there = there;
    const ports = (await Promise.all([here.line(/:(\d+), /), there.line(/:(\d+)$/)])).map((match) =>
      match[1]!
    );
    const outputs = await Promise.all(ports.flatMap((port) => [
      end(Program.deno("examples/tcp_client.ts", [`--port=${port}`])),
      end(Program.python("tests/python/originals/tcp_client.py", [port])),
    ]));
    for (const { lines } of outputs) assert.deepEqual(lines, ["hello", "hello2"]);
  },
});

Deno.test({
  name: "examples/http_server.ts answers one request after the other on a connection, and stops on Ctrl-C",
  ignore,
  async fn() {
    await using server = Program.deno("examples/http_server.ts", ["--port=0"]);
    const [, url] = await server.line(/^serving on (http:\/\/127\.0\.0\.1:\d+)\//);
    for (const word of ["bread", "milk"]) {
      const answer = await fetch(`${url}/echo`, { method: "POST", body: word });
      assert.equal(await answer.text(), word);
    }
    const page = await fetch(`${url}/`);
    assert.equal(page.headers.get("content-type"), "text/html; charset=utf-8");
    assert.match(await page.text(), /^<!doctype html>.*It works/);
    const missing = await fetch(`${url}/nothing`);
    assert.equal(missing.status, 404);
    await missing.body?.cancel();
    server.signal("SIGTERM");
    const { code, lines, stderr } = await server.end();
    assert.deepEqual([code, stderr, lines.at(-1)], [0, "", "stopped"]);
  },
});

if (!ignore && await installed("curl")) {
  Deno.test("examples/http_server.ts serves curl two pages on one connection, by one worker", async () => {
    await using server = Program.deno("examples/http_server.ts", ["--port=0"]);
    const [, url] = await server.line(/^serving on (http:\/\/127\.0\.0\.1:\d+)\//);
    const answer = await output("curl", [
      ...["--silent", "--show-error", "--write-out", "connections %{num_connects}\n"],
      ...[`${url}/pid`, `${url}/pid`],
    ]);
    const [pid, first, again, second] = answer.trim().split("\n");
    assert.match(pid!, /^\d+$/);
    assert.deepEqual([first, again, second], ["connections 1", pid, "connections 0"]);
  });
}

if (!ignore && await installed("wrk")) {
  Deno.test("examples/http_server.ts answers all that wrk asks for a second, on 16 connections", async () => {
    await using server = Program.deno("examples/http_server.ts", ["--port=0"]);
    const [, url] = await server.line(/^serving on (http:\/\/127\.0\.0\.1:\d+)\//);
    const report = await output("wrk", ["-t1", "-c16", "-d1s", "--timeout", "10s", `${url}/`]);
    const [, requests] = /(\d+) requests in /.exec(report)!;
    assert.ok(Number(requests) > 16, report); // more than one on a connection
    assert.doesNotMatch(report, /Socket errors|Non-2xx/);
    server.signal("SIGTERM");
    const { code, stderr } = await server.end();
    assert.deepEqual([code, stderr], [0, ""]);
  });
}

if (!ignore && await installed("openssl")) {
  Deno.test("examples/tls_echo.ts --serve answers openssl s_client, which checks its certificate", async () => {
    await using server = Program.deno("examples/tls_echo.ts", ["--serve", "--port=0"]);
    const [, port] = await server.line(/^serving on 127\.0\.0\.1:(\d+), /);
    await echoed(Number(port), certificate.cert, ["hello\n", "again\n"]);
    server.signal("SIGTERM");
    const { code, lines, stderr } = await server.end();
    assert.deepEqual([code, lines.at(-1), stderr], [0, "stopped", ""]);
  });
}

/** Somebody in the chat. */
interface Guest {
  socket: Socket;
  say(text: string): Promise<void>;
  /** The next line. */
  hear(): Promise<string>;
}

Deno.test({
  name: "examples/chat_server.ts: handlers that share a dict of guests tell each what the others say",
  ignore,
  async fn() {
    await using server = Program.deno("examples/chat_server.ts", ["--port=0"]);
    const [, port] = await server.line(/^serving on 127\.0\.0\.1:(\d+), /);
    const sockets: Socket[] = [];
    /** Comes in under a name; gives what to say things with, and what is heard, a line at a time. */
    const guest = async (name: string): Promise<Guest> => {
      const socket = await createConnection(["127.0.0.1", Number(port)]);
      sockets.push(socket);
      const file = socket.makefile();
      const say = (text: string) => socket.sendall(`${text}\n`);
      const hear = async () => new TextDecoder().decode(await file.readline()).trimEnd();
      await say(name);
      return { socket, say, hear };
    };
    const names = ["Alice", "Bob", "Carol"];
    const guests: Guest[] = [];
    for (const name of names) {
      const comes = await guest(name);
      assert.equal(await comes.hear(), `Welcome, ${name}.`);
      for (const other of guests) assert.equal(await other.hear(), `${name} has come`);
      guests.push(comes);
    }
    const [alice, bob, carol] = guests as [Guest, Guest, Guest];

    await alice.say("hello");
    for (const other of [bob, carol]) assert.equal(await other.hear(), "Alice: hello");
    assert.equal(await (await guest("Bob")).hear(), "There is a Bob already.");

    // Of two who speak at once nothing is lost or out of order; nobody hears what they say themselves.
    const count = 20;
    for (let i = 0; i < count; i++) await Promise.all([bob.say(`b${i}`), carol.say(`c${i}`)]);
    const heard = async ({ hear }: Guest, lines: number) => {
      const all: string[] = [];
      while (all.length < lines) all.push(await hear());
      return all;
    };
    const byAlice = await heard(alice, 2 * count);
    const bobs = range(count).map((i) => `Bob: b${i}`);
    const carols = range(count).map((i) => `Carol: c${i}`);
    assert.deepEqual(byAlice.filter((line) => line.startsWith("Bob")), bobs);
    assert.deepEqual(byAlice.filter((line) => line.startsWith("Carol")), carols);
    assert.deepEqual(await heard(bob, count), carols);
    assert.deepEqual(await heard(carol, count), bobs);

    alice.socket.close();
    for (const other of [bob, carol]) assert.equal(await other.hear(), "Alice has gone");
    server.signal("SIGTERM"); // with two guests inside
    const { code, lines, stderr } = await server.end();
    assert.deepEqual([code, stderr, lines.at(-1)], [0, "", "stopped"]);
    for (const socket of sockets) socket.close();
  },
});

Deno.test({
  name: "examples/remote_manager.ts lends its queue to programs that come and go",
  ignore,
  async fn() {
    await using server = Program.deno("examples/remote_manager.ts", ["--port=0"]);
    const [, port] = await server.line(/^serving on 127\.0\.0\.1:(\d+), /);
    const client = (...words: string[]) =>
      end(Program.deno("examples/remote_manager_client.ts", [`--port=${port}`, ...words]));
    await client("put", "hello");
    assert.deepEqual((await client("get")).lines, ["hello"]);
    server.signal("SIGTERM");
    const { code, lines, stderr } = await server.end();
    assert.deepEqual([code, stderr, lines.at(-1)], [0, "", "stopped"]);
  },
});

Deno.test("examples/ holds no program that is not run here or left out of its README", async () => {
  const helpers = ["options.ts", "targets.ts", "handlers.ts", "certificate.ts"];
  const run = [
    ...examples.map((example) => `${example.name}.ts`),
    "tcp_server.ts",
    "tcp_client.ts",
    "http_server.ts",
    "chat_server.ts",
    "remote_manager.ts",
    "remote_manager_client.ts",
  ];
  const readme = await Deno.readTextFile(new URL("../examples/README.md", import.meta.url));
  for await (const { name } of Deno.readDir(new URL("../examples/", import.meta.url))) {
    if (!name.endsWith(".ts")) continue;
    assert.ok(run.includes(name) || helpers.includes(name), `${name} is run`);
    assert.ok(readme.includes(name), `${name} is in the README`);
  }
});

const runs = new Map<string, Promise<Output>>();

/** The output of an example; it runs once, however many tests look at it. */
function ours({ name, args = [] }: Example, method: string): Promise<Output> {
  return once([name, method, ...args].join(" "), () => {
    return Program.deno(`examples/${name}.ts`, [...args, `--start-method=${method}`]);
  });
}

function theirs(name: string, args: string[] = []): Promise<Output> {
  return once(
    ["python", name, ...args].join(" "),
    () => Program.python(`tests/python/originals/${name}.py`, args),
  );
}

function once(key: string, start: () => Program): Promise<Output> {
  let run = runs.get(key);
  if (run === undefined) runs.set(key, run = start().end());
  return run;
}

async function end(program: Program): Promise<Output> {
  const output = await program.end();
  assert.deepEqual([output.code, output.stderr], [0, ""]);
  return output;
}

/** The lines of `daemon.ts` that are not the daemon's: both others print an empty line first, then their signs in order. */
function checkSigns(lines: string[]): void {
  assert.deepEqual(lines.filter((line) => line.startsWith("*")), ["*", "**"]);
  assert.deepEqual(lines.filter((line) => line.startsWith("#")), range(9).map((i) => "#".repeat(i + 1)));
  assert.equal(lines.filter((line) => line === "").length, 2);
}

/** Whether a line of `traffic_light.ts` is the light's. */
function isLight(line: string): boolean {
  return line.includes(" light is on...");
}

/** The same lines, in any order. */
function sameLines(actual: string[], expected: string[]): void {
  assert.deepEqual(actual.toSorted(), expected.toSorted());
}

/** The first line that matches. */
function find(lines: string[], pattern: RegExp): RegExpExecArray {
  const match = lines.map((line) => pattern.exec(line)).find((match) => match !== null);
  assert.ok(match, `a line matches ${pattern}`);
  return match;
}

function range(n: number): number[] {
  return Array.from({ length: n }, (_, i) => i);
}

/** A line of either language in one spelling. */
function spelling(line: string): string {
  return line.replace("<class 'int'>", "number").replaceAll("'", '"').replaceAll("[ ", "[").replaceAll(
    " ]",
    "]",
  )
    .replace(/\b(None|undefined)\b/g, "null").replace(/\b(True|False)\b/g, (word) => word.toLowerCase());
}
