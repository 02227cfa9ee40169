/** What is used of asterisk-manager 0.2, which has no types of its own. */
declare module 'asterisk-manager' {
  namespace Manager {
    interface AmiManager {
      connect(port: number, host: string, callback: () => void): void;
      login(callback: (error?: unknown) => void): void;
      action(action: Record<string, string>, callback: (error: unknown, answer: unknown) => void): string;
      disconnect(): void;
      on(event: 'close' | 'end' | 'error', listener: (reason?: unknown) => void): void;
      on(event: 'managerevent', listener: (event: Record<string, unknown>) => void): void;
      removeAllListeners(event: string): void;
    }
  }

  /** Without a port it does not connect by itself. */
  function Manager(port: null, host: string, username: string, password: string, events: boolean): Manager.AmiManager;
  export = Manager;
}
