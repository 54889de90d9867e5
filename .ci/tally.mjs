import { existsSync, readFileSync } from 'node:fs';

// Usage: tally.mjs report.json... -- failed-step...
const args = process.argv.slice(2);
const reports = args.slice(0, args.indexOf('--'));
const steps = args.slice(args.indexOf('--') + 1);

let passed = 0;
let failed = 0;
for (const path of reports) {
  if (!existsSync(path)) continue;
  const { numPassedTests, numFailedTests } = JSON.parse(readFileSync(path, 'utf8'));
  passed += numPassedTests;
  failed += numFailedTests;
}

// A step can fail without a failed test (a file that does not load, a lint error): it counts as one failure.
const failures = Math.max(failed, steps.length);
if (steps.length > 0) console.log(`failed steps: ${steps.join(', ')}`);
console.log(`${passed} passed, ${failures} failed`);
process.exitCode = failures === 0 && passed > 0 ? 0 : 1;
