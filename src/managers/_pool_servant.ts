/** The servant of pools. */

import type { Pool } from "../pool/pool.ts";
import { type Asker, findWork, type Methods, type Share, TableServant, type Work } from "./_servant.ts";

/** What whoever gives work says beside the function and its arguments. */
interface Options {
  readonly timeout?: number | undefined;
  readonly chunksize?: number | undefined;
}

/** Runs what it is told where to find. */
export class PoolServant extends TableServant {
  readonly #pool: Pool;

  constructor(typeid: string, pool: Pool, share: Share) {
    type Run = (fn: Work, work: unknown[], options: Options, asker: Asker) => unknown;
    const runs = (run: Run): Methods[string] => async ([where, work, options], asker) => {
      const fn = await findWork(where, asker);
      return await run(fn, work as unknown[], options as Options, asker);
    };
    const how = ({ timeout, chunksize }: Options, { signal }: Asker) => ({ timeout, chunksize, signal });
    super(typeid, pool, {
      apply: runs((fn, args, options, asker) => pool.applyAsync(fn, args, how(options, asker)).get()),
      map: runs((fn, items, options, asker) => pool.mapAsync(fn, items, how(options, asker)).get()),
      starmap: runs((fn, items, options, asker) =>
        pool.starmapAsync(fn, items as unknown[][], how(options, asker)).get()
      ),
      imap: runs((fn, items, { chunksize }) => share("Iterator", pool.imap(fn, items, chunksize))),
      imapUnordered: runs((fn, items, { chunksize }) =>
        share("Iterator", pool.imapUnordered(fn, items, chunksize))
      ),
      close: () => pool.close(),
      terminate: () => pool.terminate(),
      join: () => pool.join(),
    });
    this.#pool = pool;
  }

  async stop(): Promise<void> {
    this.#pool.terminate();
    await this.#pool.join();
  }
}
