/**
 * Connections that processes serve, in every way in which they reach their handlers.
 *
 * @module
 */
import { processKinds } from "./kinds.ts";
import { suite } from "./suite.ts";

for (const kind of processKinds) suite(kind);
