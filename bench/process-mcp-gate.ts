// A gate in front of one MCP server, begin and seal line of each call in its synced record. `argv`: server, folder, `open` or a bundle's folder.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { verifyChain } from '../gateway/audit/chain.ts';
import { loadConfig } from '../gateway/config/load.ts';
import { startGateway } from '../gateway/main.ts';
import { answerParent } from './answer-parent.ts';

const [, , server, folder, bundle] = process.argv as [string, string, string, string, string];
mkdirSync(join(folder, 'open'), { recursive: true });
writeFileSync(join(folder, 'open', 'policy.yaml'), 'policy: tollgate/v1\nname: open\ndefault: allow\nrules: []\n');
const file = join(folder, 'tollgate.yaml');
const text = JSON.stringify({
  listen: { port: 0 },
  office: { port: 0 },
  mcp: { servers: { echo: { url: server } }, pins: { mode: 'first-use', max_age_s: 3600 } },
  policies: bundle === 'open' ? './open' : resolve(bundle),
  pricing: resolve(import.meta.dirname, '../pricing'),
  log: { level: 'warn' },
});
const gate = await startGateway(loadConfig(file, text, {}));

/** Stops the gate and proves that what was measured was recorded. */
async function stop(): Promise<string> {
  await gate.stop();
  const chain = await verifyChain(join(folder, 'data', 'spool'));
  if (!chain.ok) throw new Error(`the record of the bench does not verify: ${chain.problem} in ${chain.file}`);
  return JSON.stringify({ lines: chain.lines });
}

answerParent(gate.data.port, stop);
