/** The places of the numbers that the listening thread and the main thread share. */

/** The eventfd that wakes the listening thread, once there is one. The main thread writes to it and closes it. */
export const WAKE_FD = 0;
/** Not 0 where the thread is to end. */
export const IS_OVER = 1;
/** How many rounds were reported that the main thread has not taken in yet. */
export const ROUNDS_AHEAD = 2;
export const SHARED_NUMBERS = 3;

/**
 * A port hands over all that waits in it in one turn of the main thread's event loop: no more waits there than this. The
 * rest waits in the kernel, whose buffer is bounded and tells when it overflows.
 */
export const MOST_ROUNDS_AHEAD = 2;
