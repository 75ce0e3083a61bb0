/** Pool and ProcessPoolExecutor with two workers: microseconds each, rates per second, speed-up. */

import { Pool } from "@multiprocessing/deno";
import { ProcessPoolExecutor } from "@multiprocessing/deno/futures";
import { type Budget, msEach, msPerOperation, report } from "../measure.ts";
import { increment, spin } from "./pool_targets.ts";

const PROCESSES = 2;
const ITEMS = 200_000;
const SINGLES = 5_000;
const CALLS = 2_000;
const SPINS = 30_000_000;
const PARTS = 8;

/** Three threads with a JIT compiler each take longer to settle. */
function settled({ warmMs, measureMs }: Budget): Budget {
  return { warmMs: 5 * warmMs, measureMs };
}

type Measure = (pool: Pool, budget: Budget) => Promise<number>;

function inPool(
  measure: Measure,
  context: "worker" | "spawn" = "worker",
): (budget: Budget) => Promise<number> {
  return async (given) => {
    const budget = settled(given);
    await using pool = new Pool({ processes: PROCESSES, context });
    return await measure(pool, budget);
  };
}

const apply: Measure = async (pool, budget) => {
  const run = async (n: number) => {
    for (let i = 0; i < n; i++) await pool.apply(increment, [i]);
  };
  return await msPerOperation(run, 100, budget) * 1e3;
};

const applyAsync: Measure = async (pool, budget) => {
  const run = async (n: number) => {
    const results = Array.from({ length: n }, (_, i) => pool.applyAsync(increment, [i]));
    for (const result of results) await result.get();
  };
  return 1e3 / await msPerOperation(run, CALLS, budget);
};

const map: Measure = async (pool, budget) => {
  const items = Array.from({ length: ITEMS }, (_, i) => i);
  const run = async () => void await pool.map(increment, items);
  return await msEach(run, 0, budget);
};

const mapSingly: Measure = async (pool, budget) => {
  const run = async (n: number) => {
    await pool.map(increment, Array.from({ length: n }, (_, i) => i), { chunksize: 1 });
  };
  return 1e3 / await msPerOperation(run, SINGLES, budget);
};

async function submit(given: Budget): Promise<number> {
  const budget = settled(given);
  await using executor = new ProcessPoolExecutor({ maxWorkers: PROCESSES });
  const run = async (n: number) => {
    const futures = Array.from({ length: n }, (_, i) => executor.submit(increment, i));
    for (const future of futures) await future.result();
  };
  return 1e3 / await msPerOperation(run, CALLS, budget);
}

/** How many times faster two workers are than this thread alone. */
const speedUp: Measure = async (pool, budget) => {
  const counts = Array<number>(PARTS).fill(SPINS);
  const together = async () => void await pool.map(spin, counts, { chunksize: 1 });
  const alone = () => {
    for (const count of counts) spin(count);
    return Promise.resolve();
  };
  const aloneMs = await msEach(alone, 0, budget);
  return aloneMs / await msEach(together, 0, budget);
};

if (import.meta.main) {
  await report({
    apply: inPool(apply),
    "apply-spawn": inPool(apply, "spawn"),
    "apply-async": inPool(applyAsync),
    map: inPool(map),
    "map-singly": inPool(mapSingly),
    submit,
    "speed-up": inPool(speedUp),
  });
}
