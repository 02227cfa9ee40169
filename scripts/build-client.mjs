import { chmod } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');

/**
 * Bundles the client into one executable file that needs nothing but Node.
 * Fails unless it is made of src/client and src/core alone and imports only modules of Node.
 */
export async function buildClient(outfile = join(ROOT, 'dist/client/sallyport-client.mjs')) {
  const { metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: ['src/client/standalone.ts'],
    outfile,
    bundle: true,
    metafile: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    legalComments: 'none',
    logLevel: 'warning',
  });
  const problems = problemsOf(metafile);
  if (problems.length > 0) throw new Error(`the client is not a file of its own: ${problems.join('; ')}`);
  await chmod(outfile, 0o755);
  return outfile;
}

/** What in a bundle is neither ours nor Node's. */
export function problemsOf(metafile) {
  const inputs = Object.keys(metafile.inputs);
  const outputs = Object.values(metafile.outputs);
  const problems = inputs.filter((path) => !/^src\/(client|core)\//.test(path)).map((path) => `it contains ${path}`);
  for (const { path } of outputs.flatMap((output) => output.imports)) {
    if (!path.startsWith('node:')) problems.push(`it imports ${path}`);
  }
  if (!inputs.includes('src/client/standalone.ts') || outputs.length !== 1) problems.push('it was not built');
  return problems;
}

if (process.argv[1] !== undefined && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const outfile = await buildClient(process.argv[2]);
  process.stdout.write(`built ${relative(process.cwd(), outfile)}\n`);
}
