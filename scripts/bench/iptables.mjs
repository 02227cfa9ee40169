/**
 * Debian's iptables out of the private folder, as if it were installed. fwknopd starts it with an empty environment, so
 * that no variable can say where its modules are: they are laid over the host's folder of libraries, in a mount namespace
 * that ends with the program. A shell script in front of it would do too, and would be measured with it.
 */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

const IN_PLACE = 'mount -t overlay -o "lowerdir=$1:$2" overlay "$2" && shift 2 && exec "$@"';

export class Iptables {
  /** Debian's default: the commands of iptables on nf_tables. */
  program;
  #own;
  #system;

  /** @returns {Promise<Iptables | undefined>} undefined where it was not fetched, or does not run in the machine */
  static async find(folder, machine) {
    if (folder === undefined) return undefined;
    const program = join(folder, 'usr', 'sbin', 'iptables-nft');
    const libraries = join(folder, 'usr', 'lib');
    if (!existsSync(program) || !existsSync(libraries)) return undefined;
    const name = readdirSync(libraries).find((one) => existsSync(join(libraries, one, 'xtables')));
    if (name === undefined || !existsSync(join('/usr/lib', name))) return undefined;
    const iptables = new Iptables(program, join(libraries, name), join('/usr/lib', name));
    // A kernel may lack overlays, or what iptables needs.
    const [first, ...args] = iptables.around([program, '-n', '-L', 'INPUT']);
    const { code } = await machine.run(first, args);
    return code === 0 ? iptables : undefined;
  }

  constructor(program, own, system) {
    this.program = program;
    this.#own = own;
    this.#system = system;
  }

  /** The command that runs another, which may run iptables; only in a machine of a wire, whose mounts are its own. */
  around(argv) {
    return ['sh', '-c', IN_PLACE, 'sh', this.#own, this.#system, ...argv];
  }

  /** Runs iptables in a machine. */
  async run(machine, ...args) {
    const [program, ...argv] = this.around([this.program, ...args]);
    return await machine.mustRun(program, argv);
  }
}
