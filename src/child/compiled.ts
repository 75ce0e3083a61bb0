/**
 * What a compiled program loads before its main module, by `deno compile --preload`. It brings the first modules of the
 * children with it; in a `"spawn"` child, which is the same program started again, the one of that kind takes over.
 *
 * @module
 */

import { beginCompiled } from "../platform/compiled.ts";

/** Named literally, so that both are compiled in; a worker loads its own by URL. */
const firstModules = { spawn: () => import("./spawn.ts"), worker: () => import("./worker.ts") };

if (beginCompiled()) await firstModules.spawn();
