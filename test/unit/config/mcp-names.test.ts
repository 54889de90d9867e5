import { describe, expect, it } from 'vitest';
import { ConfigFault, loadConfig } from '../../../gateway/config/load.ts';

function problemsOf(text: string): string[] {
  try {
    loadConfig('/etc/tg/tollgate.yaml', text, {});
    return [];
  } catch (error) {
    if (error instanceof ConfigFault) return error.problems.map((p) => `${p.line}:${p.column} ${p.message}`);
    throw error;
  }
}

describe('names that would clash keep the gate from starting, with line and column', () => {
  it('aliases', () => {
    expect(
      problemsOf(`mcp:
  servers:
    git: { url: "http://127.0.0.1:1/mcp", aliases: { repo.push: push } }
    hub:
      url: http://127.0.0.1:1/mcp
      aliases:
        hub.push: Push
        hub.pull: git__pull
`),
    ).toEqual([
      '7:19 the alias `Push` equals or can be taken for `push` of the server `git`; choose another',
      '8:19 the alias `git__pull` reads as a tool of the server `git`; choose one that does not begin with `git__`',
    ]);
  });

  it('prefixes of resources', () => {
    expect(
      problemsOf(`mcp:
  servers:
    git: { url: "http://127.0.0.1:1/mcp", resources: [git://] }
    hub: { url: "http://127.0.0.1:1/mcp", resources: [hub://, git://] }
`),
    ).toEqual(['4:63 `git://` is owned by the server `git` already; a resource has one owner']);
  });
});
