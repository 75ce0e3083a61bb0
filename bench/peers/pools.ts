/** Other pools for JavaScript with two workers: the row "Pool.applyAsync" of rows/pool.ts, as they do it. */

import { Piscina } from "piscina";
import { FixedThreadPool } from "poolifier-web-worker";
import { type Budget, msPerOperation, report } from "../measure.ts";

const PROCESSES = 2;
const CALLS = 2_000;

/** Calls a second, asked for `CALLS` at a time. */
async function rate(call: (n: number) => Promise<number>, budget: Budget): Promise<number> {
  const run = async (n: number) => {
    const results = await Promise.all(Array.from({ length: n }, (_, i) => call(i)));
    if (results.some((result, i) => result !== i + 1)) {
      throw new Error("Cannot count that: a result is wrong");
    }
  };
  // As long as rows/pool.ts.
  return 1e3 / await msPerOperation(run, CALLS, { ...budget, warmMs: 5 * budget.warmMs });
}

if (import.meta.main) {
  await report({
    piscina: async (budget) => {
      const filename = import.meta.resolve("./piscina_worker.ts");
      await using pool = new Piscina({ filename, minThreads: PROCESSES, maxThreads: PROCESSES });
      return await rate((n) => pool.run(n), budget);
    },
    poolifier: async (budget) => {
      const url = new URL("./poolifier_worker.ts", import.meta.url);
      const pool = new FixedThreadPool<number, number>(PROCESSES, url);
      try {
        return await rate((n) => pool.execute(n), budget);
      } finally {
        await pool.destroy();
      }
    },
  });
}
