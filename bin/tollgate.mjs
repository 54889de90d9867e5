#!/usr/bin/env node
// starts the command line from the built package, or from the sources in a clone
import { existsSync } from 'node:fs';

const [major] = process.versions.node.split('.').map(Number);
if (major < 24) {
  console.error(
    `tollgate needs Node 24 or newer and this is ${process.version}; in a clone use \`npm run -s tollgate -- …\`, which brings its own`,
  );
  process.exit(2);
}
const built = new URL('../dist/cli/program.js', import.meta.url);
const source = new URL('../gateway/cli/program.ts', import.meta.url);
const { runCommandLine } = await import(existsSync(source) ? source.href : built.href);
await runCommandLine(process.argv);
