/** The web socket that ari-client makes for itself, as far as it must be held in check. */
interface ClientSocket {
  on(event: string, listener: (...values: unknown[]) => void): unknown;
  terminate(): void;
}

interface Watched {
  onMessage(data: unknown): void;
  onPong(): void;
}

/**
 * Takes hold of the sockets of a client. Its own way with messages throws at any event it does not know, in the middle of the
 * socket's work; so messages come to us instead, and it hears of the rest only. Gives a function that ends all of that for good.
 */
export function watchSockets(client: object, watched: Watched): () => void {
  let current: ClientSocket | undefined;
  let isOver = false;
  Object.defineProperty(client, '_ws', {
    configurable: true,
    enumerable: true,
    get: () => current,
    set: (socket: ClientSocket) => {
      current = socket;
      const on = socket.on.bind(socket);
      socket.on = (event, listener) => {
        if (event === 'message') return on(event, (data) => !isOver && watched.onMessage(data));
        if (event === 'pong') return on(event, () => !isOver && watched.onPong());
        return on(event, (...values) => (isOver ? undefined : listener(...values)));
      };
      on('error', () => undefined);
      if (isOver) socket.terminate();
    },
  });
  return () => {
    isOver = true;
    current?.terminate();
  };
}
