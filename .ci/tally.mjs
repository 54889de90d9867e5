import { existsSync, readFileSync } from 'node:fs';

// Usage: tally.mjs report.json... -- failed-step...
// Says last what is read first: which tests failed and how, then the count.
const args = process.argv.slice(2);
const reports = args.slice(0, args.indexOf('--'));
const steps = args.slice(args.indexOf('--') + 1);

const MESSAGE_LINES = 12;

let passed = 0;
let failed = 0;
for (const path of reports) {
  if (!existsSync(path)) continue;
  const { numPassedTests, numFailedTests, testResults } = JSON.parse(readFileSync(path, 'utf8'));
  passed += numPassedTests;
  failed += numFailedTests;
  for (const { name, status, message, assertionResults } of testResults) {
    const broken = assertionResults.filter((result) => result.status === 'failed');
    if (status === 'failed' && broken.length === 0) told(name, 'the file itself', message);
    for (const { fullName, failureMessages } of broken) told(name, fullName, failureMessages.join('\n'));
  }
}

function told(file, test, message = '') {
  const lines = message.split('\n');
  console.log(`failed: ${file} > ${test}`);
  for (const line of lines.slice(0, MESSAGE_LINES)) console.log(`    ${line}`);
  if (lines.length > MESSAGE_LINES) console.log(`    … ${lines.length - MESSAGE_LINES} more lines above`);
}

// A step can fail without a failed test (a file that does not load, a lint error): it counts as one failure.
const failures = Math.max(failed, steps.length);
if (steps.length > 0) console.log(`failed steps: ${steps.join(', ')}`);
console.log(`${passed} passed, ${failures} failed`);
process.exitCode = failures === 0 && passed > 0 ? 0 : 1;
