/** The numbers that say what kind of address and socket one has to do with. */

import type { Address } from "./endpoint.ts";

/** The family of a path: Unix sockets. */
export const AF_UNIX = 1;
/** The family of an IPv4 address, and of a host name. */
export const AF_INET = 2;
/** The family of an IPv6 address; the number is that of Linux. */
export const AF_INET6 = 10;
/** The type of a socket for connections. */
export const SOCK_STREAM = 1;
/** The type of a socket for datagrams. */
export const SOCK_DGRAM = 2;

/** The family of an address. */
export function familyOf(address: Readonly<Address>): number {
  if (typeof address === "string") return AF_UNIX;
  return address[0].includes(":") ? AF_INET6 : AF_INET;
}
