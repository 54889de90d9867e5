import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const script = fileURLToPath(import.meta.resolve('./stdout-child.ts'));

it('stdout waits for its reader without holding the process up, and outlives a closed pipe', async () => {
  const child = spawn(process.execPath, [script], { stdio: ['pipe', 'pipe', 'pipe'] });
  let said = '';
  child.stderr.on('data', (chunk) => {
    said += chunk;
  });
  const ticks = () => said.split('tick\n').length - 1;
  await expect.poll(ticks).toBeGreaterThan(0);

  child.stdin.write('1000000\n');
  const before = ticks();
  await expect.poll(ticks).toBeGreaterThan(before + 5);
  expect(said).not.toContain('taken');

  let length = 0;
  child.stdout.on('data', (chunk: Buffer) => {
    length += chunk.length;
  });
  await expect.poll(() => said).toContain('taken');
  await expect.poll(() => length).toBe(1_000_001);

  child.stdout.destroy();
  child.stdin.write('1000000\n');
  await expect.poll(() => said).toContain('refused EPIPE');
  child.stdin.end('10\n');
  await once(child, 'close');
  expect(said.match(/refused EPIPE/g)).toHaveLength(2);
  expect(said).toContain('ended');
  expect(child.exitCode).toBe(0);
}, 20_000);
