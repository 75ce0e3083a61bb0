/** A list that is filled at one end and emptied at the other. */

const SHORT = 64;

/** First in, first out; each in constant time on average. */
export class Fifo<T> {
  #items: (T | undefined)[] = [];
  /** Where the first item is; what is before it was taken. */
  #head = 0;

  /** How many items there are. */
  get size(): number {
    return this.#items.length - this.#head;
  }

  /** Adds an item at the end. */
  push(item: T): void {
    this.#items.push(item);
  }

  /** Takes the first item; there must be one. */
  shift(): T {
    const item = this.#items[this.#head]!;
    this.#items[this.#head++] = undefined; // lets go of it at once
    if (this.#head === this.#items.length) {
      this.#items.length = this.#head = 0;
    } else if (this.#head >= SHORT && this.#head * 2 >= this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }
}
