/**
 * BaseManager with classes of one's own: what is registered, exposed, started and shut down, for each start method. The
 * names in comments are those of CPython's `_TestMyManager` in `_test_multiprocessing.py`.
 *
 * @module
 */
import {
  activeChildren,
  AssertionError,
  BaseManager,
  BaseProxy,
  EOFError,
  getpid,
  IteratorProxy,
  type ListProxy,
  type Maker,
  OSError,
  PicklingError,
  ProcessError,
  type ProxyOf,
  type Queue,
  RemoteError,
  RemoteTraceback,
  SyncManager,
  ValueError,
} from "@multiprocessing/deno";
import assert from "node:assert/strict";
import {
  type Account,
  AccountManager,
  baz,
  failsToInitialize,
  FooBar,
  initialize,
  managesItself,
  MyManager,
  Point,
  reads,
  type Slip,
} from "../fixtures/manager_targets.ts";
import { contexts, test } from "../support/contexts.ts";

const squares = Array.from({ length: 10 }, (_, i) => i * i);

/** CPython's _TestMyManager.common. */
async function common(manager: MyManager): Promise<void> {
  const [foo, bar, numbers] = [manager.Foo(), manager.Bar(), manager.baz()];
  assert.equal(await foo.f(), "f()");
  await assert.rejects(foo.g(), RangeError);
  assert.equal(await foo._callmethod("f"), "f()");
  await assert.rejects(foo._callmethod("_h"), RemoteError);
  await assert.rejects(foo._h(), RemoteError);

  assert.equal(await bar.f(), "f()");
  assert.equal(await bar._h(), "_h()");
  assert.equal(await bar._callmethod("f"), "f()");
  assert.equal(await bar._callmethod("_h"), "_h()");
  await assert.rejects(bar.g(), RemoteError);

  assert.deepEqual(await Array.fromAsync(numbers), squares);
}

for (const mp of contexts()) {
  const context = mp.name;

  // test_mymanager
  test(mp, "BaseManager shares registered classes, and shuts down", async () => {
    const manager = new MyManager({ context });
    await manager.start();
    await common(manager);
    const [process] = activeChildren();
    assert.match(process!.name, /^MyManager-\d/);
    await manager.shutdown();
    assert.equal(process!.exitcode, 0);
    await manager.shutdown();
    await manager.join();
    await assert.rejects(manager.start(), ProcessError);
  });

  // test_mymanager_context, test_mymanager_context_prestarted: here, too, `start()` comes first.
  test(mp, "BaseManager is shut down by disposal", async () => {
    let foo: ProxyOf<FooBar>;
    let process;
    {
      await using manager = new MyManager({ context });
      await manager.start();
      [process] = activeChildren();
      await common(manager);
      foo = manager.Foo();
      assert.equal(await foo.f(), "f()");
      await assert.rejects(manager.start(), ProcessError);
      assert.throws(() => manager.getServer(), ProcessError);
      await assert.rejects(manager.connect(), ProcessError);
    }
    assert.equal(process!.exitcode, 0);
    await assert.rejects(foo.f(), { name: "EOFError", message: /f\(\).*was shut down/ });
  });

  test(mp, "BaseManager says what has to be done first, and what cannot be registered", async () => {
    const manager = new MyManager({ context });
    assert.throws(() => manager.Foo(), AssertionError);
    await assert.rejects(manager.join(), TypeError);
    await manager.shutdown(); // there is nothing to do
    await assert.rejects(manager.connect(), ValueError);
    assert.equal(manager.address, null);
    assert.throws(() => new BaseManager({ address: "" }), ValueError);
    assert.throws(() => new BaseManager({ authkey: "key" as never }), TypeError);
    assert.throws(() => new BaseManager({ context: "fork" as never }), ValueError);
    for (const typeid of ["", "start", "shutdown", "address", 5]) {
      assert.throws(() => MyManager.register(typeid as string), ValueError);
    }
    assert.throws(() => MyManager.register("X", 5 as never), TypeError);
    assert.throws(() => MyManager.register("X", FooBar, { exposed: [5 as never] }), TypeError);
    assert.throws(() => MyManager.register("X", FooBar, { methodToTypeid: { f: 5 as never } }), TypeError);
    assert.throws(() => MyManager.register("X", FooBar, { proxytype: FooBar as never }), TypeError);
    assert.throws(() => new (class extends BaseProxy {})(), ValueError);
  });

  test(mp, "subclasses of managers have what their parents have, and no more than that", async () => {
    class Child extends MyManager {
      declare squares: () => IteratorProxy<number>;
    }
    Child.register("squares", baz, { proxytype: IteratorProxy });
    assert.equal("squares" in MyManager.prototype, false);
    await using manager = new Child({ context });
    await manager.start();
    assert.equal(await manager.Foo().f(), "f()");
    const items = manager.squares();
    assert.ok(items instanceof IteratorProxy);
    assert.deepEqual(await items.next(), { value: 0, done: false });
    assert.deepEqual(await Array.fromAsync(items), squares.slice(1));
    assert.deepEqual(await items.next(), { value: undefined, done: true });
    for await (const first of manager.squares()) {
      assert.equal(first, 0);
      break; // lets go of the iterator
    }
    const other = new BaseManager({ context }) as unknown as MyManager;
    assert.equal(other.Foo, undefined);
  });

  test(mp, "a proxy has the methods of its class; results may stay in the server", async () => {
    await using manager = new AccountManager({ context });
    await manager.start();
    const account = manager.Account(40);
    const sum: number = await account.deposit(2);
    assert.equal(sum, 42);
    assert.equal(await account.balance(), 42);
    assert.notEqual(await account.pid(), getpid());

    type SlipProxy = ProxyOf<Slip>;
    const slip = await account.slip("first") as unknown as SlipProxy;
    const late = await account.lateSlip("second") as unknown as SlipProxy;
    await slip.amend("first, amended");
    assert.equal(await late.text(), "second");
    assert.deepEqual(await account.slips(), ["first, amended", "second"]);
    assert.equal(String(slip), '<AutoProxy object, typeid "Slip">');
    assert.equal("Slip" in manager, false);

    // What is shared can be used by what is shared.
    const list = manager.list<unknown>();
    await account.append(list, account);
    const inside = await list.get(0) as ProxyOf<Account>;
    assert.equal(await inside.balance(), 42);
    assert.equal(await account, account); // it is no promise
  });

  test(mp, "errors come as they were thrown, with their stack in the server", async () => {
    await using manager = new AccountManager({ context });
    await manager.start();
    const account = manager.Account(1);
    await assert.rejects(manager.Account(-1).balance(), {
      name: "RangeError",
      message: "no account begins with -1",
    });
    await assert.rejects(account.unsendable(), (error: Error) => {
      assert.ok(error instanceof PicklingError);
      assert.match(error.message, /result\.callback/);
      assert.ok(error.cause instanceof RemoteTraceback);
      return true;
    });
    await assert.rejects(account.throwsOddly(), (error) => {
      assert.ok(error instanceof RemoteError);
      assert.match(error.message, /odd/);
      return true;
    });
    const foo = await assert.rejects(
      (account as unknown as { nothing(): Promise<void> }).nothing(),
      RemoteError,
    );
    assert.equal(foo, undefined);
    for (const method of ["constructor", "toString", "hasOwnProperty", "__proto__", "#balance"]) {
      await assert.rejects(account._callmethod(method), RemoteError);
    }
    await assert.rejects(account._callmethod("append", [1, () => 1]), (error: Error) => {
      assert.ok(error instanceof PicklingError);
      assert.match(error.message, /args\[1\]/);
      return true;
    });
    await assert.rejects(async () => await Array.fromAsync(account), TypeError);
    assert.equal(await account.balance(), 1); // none of that has done any harm
    assert.throws(() => manager.list([() => 1]), (error: Error) => {
      assert.ok(error instanceof PicklingError);
      assert.match(error.message, /args\[0\]\[0\]/);
      return true;
    });
    const late = new (class extends AccountManager {})({ context });
    await using _ = late;
    await late.start();
    const unknown = (manager as unknown as { Account(): unknown }).Account;
    assert.equal(typeof unknown, "function");
  });

  test(mp, "a type that the server does not know is refused there", async () => {
    class Server extends BaseManager {}
    class Client extends BaseManager {
      declare unknown: () => ProxyOf<FooBar>;
      declare one: Maker<(item: FooBar) => FooBar>;
    }
    Server.register("one");
    Client.register("one");
    Client.register("unknown");
    await using manager = new Server({ context });
    await manager.start();
    await using client = new Client({ address: manager.address! });
    await client.connect();
    await assert.rejects(client.unknown().f(), { name: "RemoteError", message: /register/ });
    await assert.rejects((client.one as () => ProxyOf<FooBar>)().f(), ValueError);
  });

  // TestInitializers.test_manager_initializer
  test(mp, "BaseManager.start() calls the initializer first", async () => {
    using log = new mp.Queue<string>();
    const manager = new SyncManager({ context });
    await manager.start({ initializer: initialize, initargs: [log, "hello"] });
    assert.match(await log.get(), /^hello in SyncManager-\d/);
    await manager.shutdown();

    const failing = new SyncManager({ context });
    await assert.rejects(failing.start({ initializer: failsToInitialize }), {
      name: "RangeError",
      message: "in the initializer",
    });
    assert.throws(() => failing.list(), {
      name: "EOFError",
      message: /could not be started: in the initializer/,
    });
    await failing.shutdown();
    const wrong = new SyncManager({ context });
    await assert.rejects(wrong.start({ initializer: 5 as never }), TypeError);
  });

  test(mp, "BaseManager.start() rejects for what no module exports", async () => {
    class Mine extends BaseManager {}
    const inside = () => new FooBar();
    Mine.register("inside", inside);
    const manager = new Mine({ context });
    await assert.rejects(manager.start(), (error: Error) => {
      assert.ok(error instanceof PicklingError);
      assert.match(error.message, /inside/);
      return true;
    });
    await manager.shutdown();
    class Bound extends BaseManager {}
    Bound.register("bound", baz.bind(null));
    await assert.rejects(new Bound({ context }).start(), PicklingError);
  });

  test(mp, "BaseManager.start() rejects when it cannot listen, or its process ends", async () => {
    await using first = new SyncManager({ context, address: { port: 0 } });
    await first.start();
    const second = new SyncManager({ context, address: first.address! });
    await assert.rejects(second.start(), (error: Error) => {
      assert.ok(error instanceof OSError);
      assert.equal((error as { code?: string }).code, "EADDRINUSE");
      return true;
    });
    await second.shutdown();

    const third = new SyncManager({ context });
    const starting = third.start();
    activeChildren().at(-1)!.kill();
    await assert.rejects(starting, { name: "ProcessError", message: /SyncManager-\d.*signal 9/ });
    await third.shutdown();
  });

  test(mp, "Manager() may be used, and shut down, before its server runs", async () => {
    const manager = mp.Manager();
    const list = manager.list([1]);
    const appended = list.append(2);
    const length = list.length();
    await appended;
    assert.equal(await length, 2);
    assert.equal(manager.address, null);
    await manager.shutdown();

    const hasty = mp.Manager();
    const asked = hasty.list([1]).copy().then((copy) => assert.deepEqual(copy, [1]), (error) => {
      assert.ok(error instanceof EOFError); // it may come too late
    });
    await hasty.shutdown();
    await asked;
    assert.throws(() => hasty.list(), EOFError);
  });

  test(mp, "instances of classes that the server does not know come back as they were", async () => {
    await using manager = mp.Manager();
    const dict = manager.dict<string, unknown>({ point: new Point(3, 4) });
    const point = await dict.get("point") as Point;
    assert.ok(point instanceof Point);
    assert.equal(point.length, 5);
    const list = manager.list([new Point(1, 1), point]);
    assert.equal(await list.index(new Point(3, 4)), 1);
    using said = new mp.Queue<unknown>();
    await using child = new mp.Process({ target: reads, args: [dict, "point", said] });
    child.start();
    assert.equal((await said.get() as Point).length, 5);
    await child.join();
  });

  test(mp, "handles may be kept in a manager", async () => {
    await using manager = mp.Manager();
    const dict = manager.dict<string, unknown>();
    using queue = new mp.Queue<number>();
    const lock = new mp.Lock();
    await dict.update({ queue, deep: { lock: [lock] } });
    await (await dict.get("queue") as Queue<number>).put(5);
    assert.equal(await queue.get(), 5);
    const same = (await dict.get("deep") as { lock: [typeof lock] }).lock[0];
    await lock.acquire();
    assert.equal(await same.acquire({ block: false }), false);
    lock.release();
  });

  test(mp, "a child may have a manager of its own", async () => {
    using said = new mp.Queue<unknown>();
    await using child = new mp.Process({ target: managesItself, args: [{ name: context }, said] });
    child.start();
    assert.deepEqual(await said.get(), [1, 2]);
    await child.join();
    assert.equal(child.exitcode, 0);
  });

  test(mp, "proxies of one manager may be kept in another", async () => {
    await using one = mp.Manager();
    await using other = mp.Manager();
    const inner = one.list([1]);
    const outer = other.dict<string, ListProxy<number>>({ inner });
    await (await outer.get("inner"))!.append(2);
    assert.deepEqual(await inner.copy(), [1, 2]);
    await one.shutdown();
    const dead = (await outer.get("inner"))!;
    await assert.rejects(dead.copy(), EOFError);
    assert.equal(await outer.size, 1);
    await other.list([inner]).length; // nor does it harm others
  });
}
