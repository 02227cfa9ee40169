/**
 * Counts a vitest run so that nothing that failed looks passed: a file that does not load, a hook, a test that never
 * ended and an error outside every test are failures too. Writes the count where SALLYPORT_TEST_SUMMARY says.
 */
import { writeFileSync } from 'node:fs';

export default class SummaryReporter {
  onTestRunEnd(modules, unhandledErrors) {
    const summary = { passed: 0, failed: unhandledErrors.length, skipped: [] };
    for (const module of modules) countModule(module, summary);
    writeFileSync(process.env.SALLYPORT_TEST_SUMMARY, JSON.stringify(summary));
  }
}

function countModule(module, summary) {
  for (const part of [module, ...module.children.allSuites()]) if (part.errors().length > 0) summary.failed += 1;
  for (const test of module.children.allTests()) countTest(test, module.relativeModuleId, summary);
}

function countTest(test, file, summary) {
  const { state, note } = test.result();
  if (state === 'passed') summary.passed += 1;
  else if (state === 'skipped')
    summary.skipped.push({ name: `${file} > ${test.fullName}`, reason: note ?? reasonOf(test) });
  else summary.failed += 1;
}

function reasonOf(test) {
  for (let above = test.parent; above; above = above.parent) {
    if (above.errors().length > 0) return 'what prepares it failed';
  }
  return test.options.mode === 'todo' ? 'still to be written' : 'switched off in its file, which gives no reason';
}
