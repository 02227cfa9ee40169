/** Modules of scripts/, which are plain JavaScript: what a test uses of one is typed by the test. */
export async function script<T>(path: string): Promise<T> {
  const url = String(new URL(`../../scripts/${path}`, import.meta.url));
  return (await import(url)) as T;
}
