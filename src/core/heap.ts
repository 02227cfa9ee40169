/** A binary min-heap of values with a number for their order. */
export class MinHeap<T> {
  /** Apart, so that the numbers lie in memory as they are: sixteen bytes an item instead of sixty. */
  #orders: number[] = [];
  #values: T[] = [];

  get size(): number {
    return this.#values.length;
  }

  peek(): { order: number; value: T } | undefined {
    return this.#at(0);
  }

  push(order: number, value: T): void {
    const [orders, values] = [this.#orders, this.#values];
    let at = orders.length;
    orders.push(order);
    values.push(value);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = orders[parent] as number;
      if (above <= order) break;
      orders[at] = above;
      values[at] = values[parent] as T;
      at = parent;
    }
    orders[at] = order;
    values[at] = value;
  }

  pop(): { order: number; value: T } | undefined {
    const top = this.#at(0);
    const order = this.#orders.pop();
    const value = this.#values.pop() as T;
    if (order !== undefined && this.#orders.length > 0) this.#sink(0, order, value);
    return top;
  }

  /** Puts these in place of all that is there: linear, other than one push after the other. */
  refill(items: readonly { order: number; value: T }[]): void {
    this.#orders = items.map(({ order }) => order);
    this.#values = items.map(({ value }) => value);
    for (let at = (items.length >> 1) - 1; at >= 0; at--) {
      this.#sink(at, this.#orders[at] as number, this.#values[at] as T);
    }
  }

  /** Brings an item from a free place down to where it belongs. */
  #sink(from: number, order: number, value: T): void {
    const [orders, values] = [this.#orders, this.#values];
    const size = orders.length;
    let at = from;
    for (;;) {
      const left = 2 * at + 1;
      const right = left + 1;
      if (left >= size) break;
      const child = right < size && (orders[right] as number) < (orders[left] as number) ? right : left;
      const below = orders[child] as number;
      if (below >= order) break;
      orders[at] = below;
      values[at] = values[child] as T;
      at = child;
    }
    orders[at] = order;
    values[at] = value;
  }

  #at(index: number): { order: number; value: T } | undefined {
    const order = this.#orders[index];
    return order === undefined ? undefined : { order, value: this.#values[index] as T };
  }
}
