import { execFileSync } from 'node:child_process';
import { cpSync, rmSync, statSync } from 'node:fs';

const SOURCE = /\.ts$|\.md$/;

// Node refuses to strip types under node_modules, so the packed copy is JavaScript in the shape of gateway/.
rmSync('dist', { recursive: true, force: true });
execFileSync('tsc', ['-p', 'tsconfig.build.json'], { stdio: 'inherit' });
cpSync('gateway', 'dist', {
  recursive: true,
  filter: (path) => statSync(path).isDirectory() || !SOURCE.test(path),
});
