/** A binary min-heap of values with a number for their order. */
export class MinHeap<T> {
  /** Apart, so that the numbers lie in memory as they are: sixteen bytes an item instead of sixty. */
  readonly #orders: number[] = [];
  readonly #values: T[] = [];

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
    const [orders, values] = [this.#orders, this.#values];
    const top = this.#at(0);
    const order = orders.pop();
    const value = values.pop() as T;
    const size = orders.length;
    if (order === undefined || size === 0) return top;
    let at = 0;
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
    return top;
  }

  #at(index: number): { order: number; value: T } | undefined {
    const order = this.#orders[index];
    return order === undefined ? undefined : { order, value: this.#values[index] as T };
  }
}
