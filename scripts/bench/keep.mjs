export function keep() {
  return [];
}
