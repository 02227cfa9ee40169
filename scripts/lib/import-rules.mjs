/**
 * Which folder of src may import what: the layers of the architecture as a table. `folders` are other folders of src,
 * `packages` are npm packages, `node` tells whether Node's own modules may be used. A folder may always import itself.
 * '.' stands for the files at the top of src, the composition root. The references of each folder's tsconfig.json say the
 * same to the compiler; the check compares the two.
 */
export const RULES = {
  core: { folders: [], packages: [], node: false },
  config: { folders: ['core'], packages: ['yaml', 'zod'], node: true },
  netlink: { folders: ['core'], packages: ['koffi'], node: true },
  firewall: { folders: ['core', 'config', 'netlink'], packages: [], node: true },
  knock: { folders: ['core', 'config', 'netlink'], packages: [], node: true },
  phone: { folders: ['core', 'config'], packages: ['ari-client', 'asterisk-manager'], node: true },
  store: { folders: ['core', 'config'], packages: ['better-sqlite3', 'better-sqlite3-napi10'], node: true },
  gate: { folders: ['core', 'config', 'control/contract'], packages: ['node-cron'], node: true },
  host: { folders: ['core'], packages: ['koffi'], node: true },
  dns: { folders: ['core'], packages: [], node: true },
  client: { folders: ['core'], packages: [], node: true },
  'control/contract': { folders: ['core'], packages: ['zod'], node: false },
  control: {
    folders: ['core', 'config', 'control/contract'],
    packages: ['fastify', '@fastify/swagger', 'fastify-type-provider-zod', 'zod'],
    node: true,
  },
  cli: {
    folders: ['core', 'control/contract'],
    packages: ['commander', '@clack/prompts', 'cli-table3', 'nanospinner', 'uqr'],
    node: true,
  },
  '.': { folders: 'all', packages: 'all', node: true },
};

/** The one file below the top that may load a package by a computed name: the choice between two majors of SQLite. */
export const MAY_REQUIRE = ['store/driver.ts'];
