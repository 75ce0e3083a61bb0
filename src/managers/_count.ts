/** How many there are, asked either way: as a property, or as a method. */

/** How many there are: `await list.length`, or `await list.length()`. It is asked for each time. */
export interface Count extends PromiseLike<number> {
  (): Promise<number>;
}

/** A count that is asked for by `ask`. */
export function count(ask: () => Promise<number>): Count {
  const then: Count["then"] = (done, failed) => ask().then(done, failed);
  return Object.assign(() => ask(), { then });
}
