/** A progress bar on stderr, if that is a terminal. */

/** A bar that is shown. */
export interface ProgressBar {
  /** Shows how much is done. */
  update(done: number): void;
  /** Leaves it as it is. */
  stop(): void;
}

/** Starts a bar; `undefined` where nobody would see it. */
export async function startProgressBar(total: number | undefined): Promise<ProgressBar | undefined> {
  if (!Deno.stderr.isTerminal()) return undefined;
  // @ts-types="@types/cli-progress"
  const { default: progress } = await import("cli-progress");
  const format = total === undefined ? "{value} done, {duration_formatted}" : undefined;
  const bar = new progress.SingleBar(
    { etaBuffer: 100, ...(format !== undefined && { format }) },
    progress.Presets.shades_classic,
  );
  bar.start(total ?? 0, 0);
  return { update: (done) => bar.update(done), stop: () => bar.stop() };
}
