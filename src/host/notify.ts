/** Tells systemd how we are (sd_notify(3)): `READY=1`, `WATCHDOG=1`, `STOPPING=1`. Silently does nothing elsewhere. */
export class ServiceManager {
  #notify: ((unset: number, state: string) => number) | undefined;

  /** Finds libsystemd where systemd started us. */
  async start(): Promise<void> {
    if (process.env.NOTIFY_SOCKET === undefined) return;
    try {
      const { default: koffi } = await import('koffi');
      this.#notify = koffi.load('libsystemd.so.0').func('int sd_notify(int unset_environment, str state)');
    } catch {
      this.#notify = undefined;
    }
  }

  tell(state: string): void {
    this.#notify?.(0, state);
  }

  /** How often systemd wants to hear `WATCHDOG=1`, in milliseconds: half of what it waits; undefined where it does not. */
  get watchdogEvery(): number | undefined {
    const micros = Number(process.env.WATCHDOG_USEC);
    return Number.isFinite(micros) && micros > 0 ? micros / 2000 : undefined;
  }
}
