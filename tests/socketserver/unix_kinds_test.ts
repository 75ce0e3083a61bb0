/**
 * Connections of Unix sockets, in every way in which they reach their handlers.
 *
 * @module
 */
import { unixKinds } from "./kinds.ts";
import { suite } from "./suite.ts";

for (const kind of unixKinds) suite(kind);
