/** A progress bar on stderr, if that is a terminal. */

// @ts-types="@types/cli-progress"
import type * as CliProgress from "cli-progress";

/** A bar that is shown. */
export interface ProgressBar {
  /** Shows how much is done. */
  update(done: number): void;
  /** Leaves it as it is. */
  stop(): void;
}

/** No literal where it is imported: Deno would look it up, and download it, at the start of every program. */
const PACKAGE: string = "cli-progress";

/** Starts a bar; `undefined` where nobody would see it. */
export async function startProgressBar(total: number | undefined): Promise<ProgressBar | undefined> {
  if (!Deno.stderr.isTerminal()) return undefined;
  const { default: progress } = await import(PACKAGE) as { default: typeof CliProgress };
  const format = total === undefined ? "{value} done, {duration_formatted}" : undefined;
  const bar = new progress.SingleBar(
    { etaBuffer: 100, ...(format !== undefined && { format }) },
    progress.Presets.shades_classic,
  );
  bar.start(total ?? 0, 0);
  return { update: (done) => bar.update(done), stop: () => bar.stop() };
}
