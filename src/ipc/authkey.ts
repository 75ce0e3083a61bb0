/** The key of this process, for connections that are asked to use it. The `process` room, which stands above, says it. */

let ask: (() => Uint8Array) | undefined;

/** Names who knows the key. */
export function setDefaultAuthkey(whoKnows: () => Uint8Array): void {
  ask = whoKnows;
}

/** The key that `authkey` options mean: none, that of this process, or the one given. */
export function authkeyFor(authkey: Uint8Array | true | undefined): Uint8Array<ArrayBuffer> | undefined {
  if (authkey === undefined) return undefined;
  const key = authkey === true ? ask!() : authkey;
  if (!(key instanceof Uint8Array) || key.length === 0) {
    throw new TypeError(`authkey should be a byte string: a Uint8Array that is not empty, or true`);
  }
  return new Uint8Array(key);
}
