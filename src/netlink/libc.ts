/** The few functions of the C library that netlink takes. Blocking: for worker threads only. */
export interface Libc {
  socket(domain: number, type: number, protocol: number): number;
  bind(fd: number, address: Uint8Array, length: number): number;
  getsockname(fd: number, address: Uint8Array, length: Uint32Array): number;
  setsockopt(fd: number, level: number, option: number, value: Int32Array, length: number): number;
  send(fd: number, bytes: Uint8Array, length: number, flags: number): number;
  recv(fd: number, buffer: Uint8Array, length: number, flags: number): number;
  /** @param fds struct pollfd, one after another */
  poll(fds: Int32Array, count: number, timeout: number): number;
  eventfd(initial: number, flags: number): number;
  read(fd: number, buffer: Uint8Array, length: number): number;
  close(fd: number): number;
  /** A system call without a name in the C library, of these types. */
  syscall(number: number, id: number, bytes: Uint8Array, third: number, fourth: number): number;
  /** Where bytes lie in memory, for as long as something refers to them. */
  address(bytes: Uint8Array): bigint;
  /** Of the last call that failed on this thread. */
  errno(): number;
  /** Gives memory back that the C library keeps though nobody uses it; of all threads. */
  trim(): void;
}

/** malloc.h of glibc: how many arenas threads share at most. */
const M_ARENA_MAX = -8;
/** Each thread takes an arena of its own by default and keeps what it freed there: 15 to 40 MB with 100,000 grants. */
const ARENAS = 2;

/** Loads koffi and the C library only now, so that everything else runs without them. Rejects where either is missing. */
export async function loadLibc(): Promise<Libc> {
  const { default: koffi } = await import('koffi');
  const library = koffi.load('libc.so.6');
  const memory = memoryOf(library);
  return {
    ...memory,
    socket: library.func('int socket(int domain, int type, int protocol)'),
    bind: library.func('int bind(int fd, const void *address, uint32_t length)'),
    getsockname: library.func('int getsockname(int fd, void *address, void *length)'),
    setsockopt: library.func('int setsockopt(int fd, int level, int option, const void *value, uint32_t length)'),
    send: library.func('int64_t send(int fd, const void *bytes, size_t length, int flags)'),
    recv: library.func('int64_t recv(int fd, void *buffer, size_t length, int flags)'),
    poll: library.func('int poll(void *fds, uint64_t count, int timeout)'),
    eventfd: library.func('int eventfd(unsigned int initial, int flags)'),
    read: library.func('int64_t read(int fd, void *buffer, size_t length)'),
    close: library.func('int close(int fd)'),
    syscall: library.func('long syscall(long number, int id, void *bytes, unsigned int third, unsigned int fourth)'),
    address: (bytes) => BigInt(koffi.address(bytes)),
    errno: () => koffi.errno(),
  };
}

/** What glibc has to keep its memory small (mallopt(3), malloc_trim(3)); other C libraries have none of it, nor the need. */
function memoryOf(library: { func(definition: string): (...values: number[]) => unknown }): Pick<Libc, 'trim'> {
  try {
    library.func('int mallopt(int parameter, int value)')(M_ARENA_MAX, ARENAS);
    const trim = library.func('int malloc_trim(size_t pad)');
    return { trim: () => void trim(0) };
  } catch {
    return { trim: () => undefined };
  }
}
