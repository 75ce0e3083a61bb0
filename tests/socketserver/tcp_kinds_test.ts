/**
 * Connections of TCP, in every way in which they reach their handlers.
 *
 * @module
 */
import { tcpKinds } from "./kinds.ts";
import { suite } from "./suite.ts";

for (const kind of tcpKinds) suite(kind);
