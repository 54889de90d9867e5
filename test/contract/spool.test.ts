import { join } from 'node:path';
import { openSpool } from '../../gateway/audit/spool.ts';
import { folderOfTest } from '../unit/audit/records.ts';
import { spoolContract } from './spool-contract.ts';

for (const segmentBytes of [undefined, 700]) {
  spoolContract({
    name: segmentBytes === undefined ? 'files' : 'files in tiny segments',
    async make() {
      const folder = join(await folderOfTest(), 'spool');
      const open = () => openSpool(folder, { segmentBytes });
      return { spool: await open(), reopen: open };
    },
  });
}
