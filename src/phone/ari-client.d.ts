/** What is used of ari-client 2.2, which has no types of its own. */
declare module 'ari-client' {
  interface AriClient {
    channels: {
      list(): Promise<unknown>;
      play(options: { channelId: string; media: string; playbackId: string }): Promise<unknown>;
      answer(options: { channelId: string }): Promise<unknown>;
      hangup(options: { channelId: string }): Promise<unknown>;
      getChannelVar(options: { channelId: string; variable: string }): Promise<unknown>;
      originate(options: {
        endpoint: string;
        app: string;
        appArgs: string;
        channelId: string;
        otherChannelId: string;
        formats: string;
        timeout: number;
      }): Promise<unknown>;
    };
    playbacks: { stop(options: { playbackId: string }): Promise<unknown> };
    on(event: 'WebSocketReconnecting' | 'WebSocketMaxRetries', listener: (error?: Error) => void): void;
    on(event: '*', listener: (event: { type: string } & Record<string, unknown>) => void): void;
    start(app: string): Promise<void>;
    stop(): void;
    ping(): void;
  }

  /** Throws strings where nobody can catch them; may never settle. */
  function connect(url: string, user: string, password: string): Promise<AriClient>;
}
