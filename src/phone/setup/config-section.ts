import { parseConfig } from '../../config/parse.js';
import { SallyportError } from '../../core/errors.js';
import { readTextIfThere } from './conf-tree.js';
import type { FileChange } from './plan.js';

const SECTION = 'phone: {}                 # the telephone menu; every key is in docs/configuration.md\n';

/** The configuration of Sallyport with a section for the phone, which switches the menu on. @throws SP_PHONE_FILE */
export async function planPhoneSection(file: string): Promise<FileChange> {
  const text = (await readTextIfThere(file)) ?? '';
  const content = Buffer.from(`${text}${text.endsWith('\n') ? '' : '\n'}${SECTION}`, 'latin1');
  const result = parseConfig(content.toString(), file);
  if (result.ok && result.config.phone.configured)
    return { path: file, content, isNew: false, added: SECTION, rights: null };
  throw new SallyportError('SP_PHONE_FILE', { file, problem: 'no section `phone: {}` can be put at its end; add it' });
}
