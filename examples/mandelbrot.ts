// deno-lint-ignore-file no-console -- a program shows what it does by printing
/**
 * A real job for a pool: a picture of the Mandelbrot set, row by row, by one process and then by all cores, with a progress
 * bar while it is made.
 *
 * Python:
 *
 *     def row(y): ...
 *
 *     with Pool() as pool:
 *         rows = pool.map(row, range(height))
 *
 * Run: `deno run -A examples/mandelbrot.ts` (some 10 s on two cores)
 *
 * Prints how long each way took, and where the picture is (a PPM, which most viewers open):
 *
 *     1 process: 5.62 s
 *     2 processes: 2.95 s, 1.91 times as fast
 *     picture.ppm: 1200 × 800
 *
 * `--width=600` makes a smaller one, `--processes=4` takes another number of processes, `--out=picture.ppm` another file. The
 * bar is on stderr, and only where that is a terminal.
 *
 * @module
 */
import { cpuCount, Pool } from "@multiprocessing/deno";
import { join } from "node:path";
import { option, useStartMethod } from "./options.ts";

/** What a worker has to know to make a row. */
export interface Row {
  y: number;
  width: number;
  height: number;
}

const ITERATIONS = 6_000;

/** The pixels of one row, three bytes each. Rows through the middle of the set take much longer than those at the edge. */
export function pixels({ y, width, height }: Row): Uint8Array {
  const row = new Uint8Array(width * 3);
  const cy = (y / height - 0.5) * 2.4;
  for (let x = 0; x < width; x++) {
    const cx = (x / width - 0.68) * 2.4 * width / height;
    row.set(colour(escape(cx, cy)), x * 3);
  }
  return row;
}

/** After how many steps the point is far away; `ITERATIONS` if it never is. */
function escape(cx: number, cy: number): number {
  let x = 0;
  let y = 0;
  for (let steps = 0; steps < ITERATIONS; steps++) {
    const [xx, yy] = [x * x, y * y];
    if (xx + yy > 4) return steps;
    y = 2 * x * y + cy;
    x = xx - yy + cx;
  }
  return ITERATIONS;
}

function colour(steps: number): [red: number, green: number, blue: number] {
  if (steps === ITERATIONS) return [0, 0, 0];
  const wave = (phase: number) => 128 + 127 * Math.sin(Math.sqrt(steps) * 0.7 + phase);
  return [wave(4), wave(2), wave(0)];
}

async function timed<T>(work: () => T): Promise<[seconds: number, result: Awaited<T>]> {
  const start = performance.now();
  const result = await work();
  return [(performance.now() - start) / 1000, result];
}

async function writePicture(file: string, width: number, height: number, rows: Uint8Array[]): Promise<void> {
  await Deno.writeFile(
    file,
    new Blob([`P6 ${width} ${height} 255\n`, ...rows as Uint8Array<ArrayBuffer>[]]).stream(),
  );
}

if (import.meta.main) {
  useStartMethod();
  const width = Number(option("width") ?? 1_200);
  const height = Math.round(width * 2 / 3);
  const processes = Number(option("processes") ?? cpuCount());
  const file = option("out") ?? join(Deno.makeTempDirSync(), "mandelbrot.ppm");
  const rows = Array.from({ length: height }, (_, y): Row => ({ y, width, height }));

  const [alone, expected] = await timed(() => rows.map(pixels));
  console.log(`1 process: ${alone.toFixed(2)} s`);

  await using pool = new Pool(processes);
  // Small chunks, since rows differ so much: whoever has had short ones takes more of them.
  const [together, picture] = await timed(() =>
    pool.mapAsync(pixels, rows, { chunksize: 8, progress: true })
  );
  const times = (alone / together).toFixed(2);
  console.log(`${processes} processes: ${together.toFixed(2)} s, ${times} times as fast`);

  if (!picture.every((row, y) => row.every((byte, at) => byte === expected[y]![at]))) {
    throw new Error("the pictures differ");
  }
  await writePicture(file, width, height, picture);
  console.log(`${file}: ${width} × ${height}`);
}
