/**
 * Writes the ready files of dialplan/ from the texts that `sallyport phone install` writes (src/phone/setup/snippets.ts), for
 * those who put them in place by hand; with --check it only compares.
 */
import { at, readIfThere, writeOwned } from './lib/checkout.mjs';
import { SetupError } from './lib/run.mjs';
import { runScript } from './lib/setup.mjs';

await runScript(async () => {
  const { defaultConfig } = await import('../dist/config/defaults.js');
  const { amiText, ariText, dialplanText, enableText } = await import('../dist/phone/setup/snippets.js');
  const { phone } = defaultConfig({ sshPorts: [] });
  const dialplan = (driver, context) => dialplanText({ phone: { ...phone, driver }, context });
  const ariPort = Number(new URL(phone.ari.url).port);
  const files = {
    'asterisk/extensions-ari.conf': dialplan('ari', 'from-internal'),
    'asterisk/extensions-ami.conf': dialplan('ami', 'from-internal'),
    'freepbx/extensions_custom-ari.conf': dialplan('ari', 'from-internal-custom'),
    'freepbx/extensions_custom-ami.conf': dialplan('ami', 'from-internal-custom'),
    'http.conf': enableText(ariPort, 'bindport', false),
    'ari.conf': ariText(phone.ari, 'PUT-A-LONG-RANDOM-SECRET-HERE'),
    'manager.conf': `${enableText(phone.ami.port, 'port', false)}\n${amiText(phone.ami, 'PUT-ANOTHER-SECRET-HERE')}`,
  };
  for (const [name, body] of Object.entries(files)) {
    const text = `${headOf(name)}\n${body}`;
    if (readIfThere(at('dialplan', name)) === text) continue;
    if (process.argv.includes('--check')) {
      throw new SetupError(
        `dialplan/${name} differs from src/phone/setup/snippets.ts`,
        'Run: npm run build && node scripts/generate-dialplan.mjs',
      );
    }
    writeOwned(at('dialplan', name), text);
  }
});

function headOf(name) {
  const where = {
    asterisk: "to be added to extensions.conf; put your phones' own context in place of from-internal",
    freepbx: 'to be added to extensions_custom.conf, of FreePBX or Incredible PBX',
    'http.conf': 'to be added to http.conf (FreePBX: http_custom.conf) where the HTTP server is off',
    'ari.conf': 'to be added to ari.conf (FreePBX: ari_additional_custom.conf)',
    'manager.conf': 'to be added to manager.conf (FreePBX: manager_custom.conf, without its [general])',
  };
  return `; Sallyport's telephone menu: ${where[name.split('/')[0]]}.
; \`sallyport phone install\` does all of this by itself.
`;
}
