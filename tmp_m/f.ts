import { getContext, type QueueProxy, type Queue, Pipe, type Connection } from "../mod.ts";
export async function reader(c: Connection, said: Queue<string>) { try { await c.recv(); await said.put("got"); for(;;) await c.recv(); } catch (e) { await said.put(String(e)); } }
export async function holder(c: Connection, said: Queue<string>) { await c.send(1); await said.put("sent"); c.recv(); await new Promise(() => setInterval(() => {}, 1000)); }
if (import.meta.main) {
  for (let i = 0; i < 30; i++) {
    const W = getContext("worker"), S = getContext("spawn");
    const [a, b] = Pipe();
    using said = new W.Queue<string>();
    await using r = new W.Process({ target: reader, args: [a, said] });
    await using h = new S.Process({ target: holder, args: [b, said] });
    r.start(); h.start();
    const x = [await said.get(), await said.get()];
    h[i % 2 ? "kill" : "terminate"]();
    const t = performance.now();
    const got = await Promise.race([said.get(), new Promise(r => setTimeout(() => r("HANG"), 3000))]);
    console.log(i, x, got, (performance.now() - t).toFixed());
  }
}
