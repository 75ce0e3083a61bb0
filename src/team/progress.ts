/** What becomes of the `progress` option. */

import { type ProgressBar, startProgressBar } from "../platform/progress_bar.ts";
import { printError } from "../platform/runtime.ts";

/**
 * How to show progress: `true` for a bar on stderr where that is a terminal, or a function that is called with the
 * number of items done and of all items, `undefined` where that is not known.
 */
export type Progress = boolean | ((done: number, total: number | undefined) => void);

/** Somebody to report to. */
export interface Reporter {
  /** So many items are done. */
  update(done: number): void;
  /** Nothing more will be done. */
  stop(): void;
}

/** Who is reported to. */
export function reporter(progress: Progress | undefined, total: number | undefined): Reporter {
  if (typeof progress === "function") return { update: (done) => tell(progress, done, total), stop() {} };
  if (progress !== true) return { update() {}, stop() {} };
  let last = 0;
  let stopped = false;
  let bar: ProgressBar | undefined;
  startProgressBar(total).then((started) => {
    bar = started;
    if (last > 0) bar?.update(last);
    if (stopped) bar?.stop();
  }).catch((error) => printError("Cannot show a progress bar:", error));
  return {
    update(done) {
      last = done;
      bar?.update(done);
    },
    stop() {
      if (stopped) return;
      stopped = true;
      bar?.stop();
    },
  };
}

/** An error in there is the function's own affair: the work goes on. */
function tell(progress: Exclude<Progress, boolean>, done: number, total: number | undefined): void {
  try {
    progress(done, total);
  } catch (error) {
    printError("Exception in a progress function:", error);
  }
}
