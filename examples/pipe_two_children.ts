// deno-lint-ignore-file no-console -- a program shows what it does by printing
/**
 * A pipe between two children: each sends one thing and receives the other's.
 *
 * Python:
 *
 *     def f(conn):
 *         conn.send([42, None, 'hello'])
 *         print("child_conn接收:", conn.recv())
 *         conn.close()
 *
 *     def s(conn):
 *         conn.send("你好,紫禁城")
 *         print("parent_conn接收:", conn.recv())
 *         conn.close()
 *
 *     parent_conn, child_conn = Pipe()
 *     p = Process(target=f, args=(child_conn,))
 *     p2 = Process(target=s, args=(parent_conn,))
 *
 * Run: `deno run -A examples/pipe_two_children.ts`
 *
 * Prints, in either order (接收 means "received", 你好,紫禁城 "hello, Forbidden City"):
 *
 *     parent_conn接收: [ 42, null, "hello" ]
 *     child_conn接收: 你好,紫禁城
 *
 * @module
 */
import { type Connection, Pipe, Process } from "@multiprocessing/deno";
import { useStartMethod } from "./options.ts";

export async function f(conn: Connection): Promise<void> {
  await conn.send([42, null, "hello"]);
  console.log("child_conn接收:", await conn.recv());
  conn.close();
}

export async function s(conn: Connection): Promise<void> {
  await conn.send("你好,紫禁城");
  console.log("parent_conn接收:", await conn.recv());
  conn.close();
}

if (import.meta.main) {
  useStartMethod();
  const [parentConn, childConn] = Pipe();
  const p = new Process({ target: f, args: [childConn] });
  const p2 = new Process({ target: s, args: [parentConn] });
  p.start();
  p2.start();
  await p.join();
  await p2.join();
}
