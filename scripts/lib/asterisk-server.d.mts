export interface AsteriskOptions {
  readonly folder: string;
  readonly directory: string;
  readonly namespace?: string;
  readonly address?: string;
  readonly sipPort?: number;
  readonly httpPort?: number;
  readonly amiPort?: number;
  readonly rtp?: readonly [first: number, last: number];
  readonly phones?: readonly { readonly name: string; readonly password: string }[];
  readonly trunks?: readonly { readonly name: string; readonly from: string; readonly port: number }[];
  readonly ariUsers?: readonly { readonly name: string; readonly password: string }[];
  readonly amiUsers?: readonly {
    readonly name: string;
    readonly password: string;
    readonly read: string;
    readonly write: string;
  }[];
  readonly dialplan?: string;
  readonly files?: Readonly<Record<string, string>>;
  readonly sounds?: Readonly<Record<string, string>>;
}

export declare class AsteriskServer {
  constructor(options: AsteriskOptions);
  readonly pid: number | undefined;
  readonly output: string;
  readonly logs: string;
  start(): Promise<void>;
  launch(): Promise<void>;
  stop(): Promise<void>;
  kill(): Promise<void>;
  freeze(): void;
  thaw(): void;
  cli(line: string): Promise<{ code: number; output: string }>;
}
