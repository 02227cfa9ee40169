/** A binary min-heap of values with a number for their order. */
export class MinHeap<T> {
  #items: { order: number; value: T }[] = [];

  get size(): number {
    return this.#items.length;
  }

  peek(): { order: number; value: T } | undefined {
    return this.#items[0];
  }

  push(order: number, value: T): void {
    const items = this.#items;
    const item = { order, value };
    let at = items.length;
    items.push(item);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = items[parent];
      if (above === undefined || above.order <= order) break;
      items[at] = above;
      at = parent;
    }
    items[at] = item;
  }

  pop(): { order: number; value: T } | undefined {
    const items = this.#items;
    const top = items[0];
    const last = items.pop();
    if (top === undefined || last === undefined || items.length === 0) return top;
    this.#sink(0, last);
    return top;
  }

  /** Puts these in place of all that is there: linear, other than one push after the other. */
  refill(items: { order: number; value: T }[]): void {
    this.#items = items;
    for (let at = (items.length >> 1) - 1; at >= 0; at--) {
      const item = items[at];
      if (item !== undefined) this.#sink(at, item);
    }
  }

  /** Brings an item from a free place down to where it belongs. */
  #sink(from: number, item: { order: number; value: T }): void {
    const items = this.#items;
    let at = from;
    for (;;) {
      const left = 2 * at + 1;
      const right = left + 1;
      const leftItem = items[left];
      if (leftItem === undefined) break;
      const rightItem = items[right];
      const isRight = rightItem !== undefined && rightItem.order < leftItem.order;
      const child = isRight ? rightItem : leftItem;
      if (child.order >= item.order) break;
      items[at] = child;
      at = isRight ? right : left;
    }
    items[at] = item;
  }
}
