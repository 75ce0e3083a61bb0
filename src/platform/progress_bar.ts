/** A progress bar on stderr, if that is a terminal. */

/** A bar that is shown. */
export interface ProgressBar {
  /** Shows how much is done. */
  update(done: number): void;
  /** Leaves it as it is. */
  stop(): void;
}

/** What is used of the package. */
interface CliProgress {
  SingleBar: new (options: { etaBuffer: number; format?: string }, preset: object) => {
    start(total: number, done: number): void;
    update(done: number): void;
    stop(): void;
  };
  Presets: { shades_classic: object };
}

/** No literal where it is imported: Deno would look it up, and download it, at the start of every program. */
const PACKAGE: string = "cli-progress";

/** Starts a bar; `undefined` where nobody would see it. */
export async function startProgressBar(total: number | undefined): Promise<ProgressBar | undefined> {
  if (!Deno.stderr.isTerminal()) return undefined;
  const { default: progress } = await import(PACKAGE) as { default: CliProgress };
  const format = total === undefined ? "{value} done, {duration_formatted}" : undefined;
  const bar = new progress.SingleBar(
    { etaBuffer: 100, ...(format !== undefined && { format }) },
    progress.Presets.shades_classic,
  );
  bar.start(total ?? 0, 0);
  return { update: (done) => bar.update(done), stop: () => bar.stop() };
}
