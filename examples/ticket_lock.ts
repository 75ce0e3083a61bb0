// deno-lint-ignore-file no-console -- a program shows what it does by printing
/**
 * The ticket office: eight buyers, three tickets in a file, and a lock so that none is sold twice.
 *
 * Python:
 *
 *     def use1(name, lock):
 *         search_ticket(name)
 *         print('%s在等待' % name)
 *         lock.acquire()
 *         print('%s开始执行了' % name)
 *         buy_ticket(name)
 *         lock.release()
 *
 *     def use2(name, lock):
 *         search_ticket(name)
 *         print('%s在等待' % name)
 *         with lock:
 *             print('%s开始执行了' % name)
 *             buy_ticket(name)
 *
 * Run: `deno run -A examples/ticket_lock.ts --fast` (3 s; 22 s without `--fast`).
 * With `--no-lock` everybody reads the file before anybody has written it, and more tickets are sold than there are.
 * `--count=5` puts five tickets on sale.
 *
 * Prints for each buyer that it sees the tickets left (查询余票为), waits (在等待), has its turn (开始执行了) and then either
 * got one (买到票了) or came too late (余票为0, … 没买到票). Exactly three get one:
 *
 *     alex查询余票为3
 *     alex在等待
 *     alex开始执行了
 *     …
 *     alex买到票了
 *     …
 *     余票为0,taibai没买到票
 *
 * @module
 */
import { Lock, Process } from "@multiprocessing/deno";
import { option, sleep, useStartMethod } from "./options.ts";

interface Ticket {
  count: number;
}

async function load(file: string): Promise<Ticket> {
  return JSON.parse(await Deno.readTextFile(file));
}

// The lock keeps writers apart, but everybody may look without it: the rename shows them the old file or the new one,
// never half of it.
async function save(file: string, dic: Ticket): Promise<void> {
  const draft = `${file}.${crypto.randomUUID()}`;
  await Deno.writeTextFile(draft, JSON.stringify(dic));
  await Deno.rename(draft, file);
}

async function searchTicket(name: string, file: string): Promise<void> {
  const dic = await load(file);
  console.log(`${name}查询余票为${dic.count}`);
}

async function buyTicket(name: string, file: string): Promise<void> {
  const dic = await load(file);
  await sleep(2);
  if (dic.count >= 1) {
    console.log(`${name}买到票了`);
    dic.count -= 1;
    await sleep(2);
    await save(file, dic);
  } else {
    console.log(`余票为0,${name}没买到票`);
  }
}

export async function use1(name: string, lock: Lock, file: string): Promise<void> {
  await searchTicket(name, file);
  console.log(`${name}在等待`);
  await lock.acquire();
  console.log(`${name}开始执行了`);
  await buyTicket(name, file);
  lock.release();
}

export async function use2(name: string, lock: Lock, file: string): Promise<void> {
  await searchTicket(name, file);
  console.log(`${name}在等待`);
  using _ = await lock.guard();
  console.log(`${name}开始执行了`);
  await buyTicket(name, file);
}

export async function noLock(name: string, _lock: Lock, file: string): Promise<void> {
  await searchTicket(name, file);
  await buyTicket(name, file);
}

if (import.meta.main) {
  useStartMethod();
  const folder = await Deno.makeTempDir();
  const file = `${folder}/ticket`;
  await save(file, { count: Number(option("count") ?? 3) });

  const lock = new Lock();
  const oversell = option("no-lock") !== undefined;
  const buyers = [];
  for (const name of ["alex", "wusir", "baoyuan", "taibai"]) {
    buyers.push(new Process({ target: oversell ? noLock : use1, args: [name, lock, file] }));
    buyers.push(new Process({ target: oversell ? noLock : use2, args: [name, lock, file] }));
  }
  for (const p of buyers) p.start();
  for (const p of buyers) await p.join();
  await Deno.remove(folder, { recursive: true });
}
