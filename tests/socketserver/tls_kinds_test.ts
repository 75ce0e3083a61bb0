/**
 * Encrypted connections, in every way in which they reach their handlers.
 *
 * @module
 */
import { tlsKinds } from "./kinds.ts";
import { suite } from "./suite.ts";

for (const kind of tlsKinds) suite(kind);
