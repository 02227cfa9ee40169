/** Neither ARI nor AMI is encrypted: a PBX is spoken to on this machine alone. */
export function isLoopback(host: string): boolean {
  return /^(127\.\d+\.\d+\.\d+|localhost|::1|\[::1\])$/.test(host);
}
