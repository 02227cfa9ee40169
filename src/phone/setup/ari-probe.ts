import type { PhoneConfig } from '../../config/config.js';

const PATIENCE_MS = 3000;

/** What an attempt to use ARI came to. */
export interface AriFindings {
  /** Null where ARI answered. */
  readonly unreachable: string | null;
  readonly version: string | null;
  readonly login: boolean;
  /** Whether the user may write; read-only users cannot answer a call. */
  readonly writes: boolean;
  /** Whether a gateway has registered the application. */
  readonly app: boolean;
}

/** Tries ARI with the given password. Changes nothing: what it would write names a channel that cannot be. Never rejects. */
export async function probeAri({ url, app, username }: PhoneConfig['ari'], password: string): Promise<AriFindings> {
  const nothing: AriFindings = { unreachable: null, version: null, login: false, writes: false, app: false };
  const base = url.replace(/\/+$/, '');
  const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
  const ask = (method: string, path: string) =>
    fetch(`${base}/ari/${path}`, {
      method,
      headers: { authorization },
      redirect: 'manual',
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
  try {
    const info = await ask('GET', 'asterisk/info?filter=system');
    const text = await info.text();
    if (info.status === 401) return nothing;
    const version = versionIn(text);
    if (info.status !== 200 || version === null) {
      return { ...nothing, unreachable: `what answers there is not ARI (status ${info.status})` };
    }
    const write = await ask('DELETE', 'channels/sallyport-probe');
    const registered = await ask('GET', `applications/${app}`);
    await Promise.all([write.text(), registered.text()]);
    return { unreachable: null, version, login: true, writes: write.status === 404, app: registered.status === 200 };
  } catch (error) {
    return { ...nothing, unreachable: inWords(error) };
  }
}

function versionIn(text: string): string | null {
  try {
    const { system } = JSON.parse(text) as { system?: { version?: unknown } };
    return typeof system?.version === 'string' ? system.version.slice(0, 80) : null;
  } catch {
    return null;
  }
}

function inWords(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown error';
  if (error.name === 'TimeoutError') return `no answer within ${PATIENCE_MS / 1000} s`;
  const { cause } = error;
  if (!(cause instanceof Error)) return error.message;
  return 'code' in cause ? String(cause.code) : cause.message;
}
