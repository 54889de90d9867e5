import { describe, expect, it } from 'vitest';
import { compilePolicy } from '../../../gateway/policy/compile-policy.ts';
import { PolicyFault } from '../../../gateway/policy/policy-fault.ts';
import { DETECTORS, judge, mistakes, rule, sha256 } from './_judging.ts';

const HEAD = 'policy: tollgate/v1\nname: t\ndefault: allow\n';
const mistakesOrNone = (text: string): string[] => {
  try {
    compilePolicy([{ path: 'p/policy.yaml', text }], sha256, DETECTORS);
    return [];
  } catch {
    return mistakes(text);
  }
};
const one = (fields: string): string => `${HEAD}rules:\n  - id: r\n    at: pre_tool_call\n    verdict: deny\n${fields}`;

describe('a file that is no policy', () => {
  it.each([
    ['nothing', '', '1:1 the file is empty; begin it with `policy: tollgate/v1`'],
    ['a text', 'hello', '1:1 the file must be a map, not text'],
    ['a list', '- 1', '1:1 the file must be a map, not a list'],
    ['no version', 'default: allow\n', '1:1 `policy` is missing; begin the file with `policy: tollgate/v1`'],
    [
      'another version',
      'policy: tollgate/v2\ndefault: allow\n',
      '1:9 `policy` must be `tollgate/v1`; did you mean `tollgate/v1`?',
    ],
    [
      'no default',
      'policy: tollgate/v1\n',
      '1:1 `default` is missing; say what silence means: `default: allow` or `default: deny`',
    ],
    [
      'a strange default',
      'policy: tollgate/v1\ndefault: alow\n',
      '2:10 `default` must be one of `allow`, `deny`; did you mean `allow`?',
    ],
    ['a misspelt field', `${HEAD}ruels: []\n`, '4:1 unknown field `ruels`; did you mean `rules`?'],
    ['a name twice', `${HEAD}default: deny\n`, '4:1 map keys must be unique'],
    [
      'an alias',
      `${HEAD}lists: { a: &x [b], c: *x }\n`,
      '4:16 anchors and aliases are not part of the policy language; write the value out',
    ],
    ['a tag', `${HEAD}lists: { a: !!binary aGk= }\n`, undefined],
    ['bad YAML', `${HEAD}rules: [\n`, undefined],
    ['two documents', `${HEAD}---\n${HEAD}`, undefined],
    [
      'a bad bundle name',
      'policy: tollgate/v1\nname: My Policy\ndefault: allow\n',
      '2:7 `name` must be a bundle name in lower case, such as `no-root-delete`',
    ],
    ['a bad list name', `${HEAD}lists: { 1a: [] }\n`, '4:10 the name `1a` must be a name that conditions can write'],
    [
      'a strange tool fact',
      `${HEAD}tools:\n  send: { efect: egress }\n`,
      '5:11 unknown field `efect`; did you mean `effect`?',
    ],
    [
      'an effect nobody knows',
      `${HEAD}tools:\n  send: { effect: egres }\n`,
      '5:19 `effect` must be one of `read`, `write`, `egress`, `money`, `identity`; did you mean `egress`?',
    ],
    [
      'a fact nobody knows',
      `${HEAD}tools:\n  send: { undoes: unsend }\n`,
      '5:11 unknown field `undoes`; did you mean `undo`?',
    ],
  ])('%s', (_, text, expected) => {
    const found = mistakes(text);
    expect(found.length).toBeGreaterThan(0);
    if (expected !== undefined) expect(found).toContain(expected);
  });

  it('no file at all', () => {
    expect(() => compilePolicy([], sha256)).toThrow(/there is no `policy.yaml`/);
  });

  it('nested without end', () => {
    const deep = `${HEAD}lists: { a: ${'['.repeat(50_000)}${']'.repeat(50_000)} }\n`;
    expect(mistakes(deep)[0]).toMatch(/nested|list|sequence|flow/i);
  });
});

describe('a pattern of names', () => {
  const shape = (pattern: string): boolean => {
    const found = mistakesOrNone(one(`    tools: ${JSON.stringify(pattern)}\n`));
    expect(found.every((m) => m.startsWith('8:12 `tools` may have'))).toBe(true);
    return found.length === 0;
  };

  it.each([
    '*',
    '?',
    '*__bash',
    'mcp__*',
    '*write*',
    '*__delete_*',
    'gpt-4o*',
    'claude-*-20250514',
    'us.anthropic.*',
    'gpt-??',
    'a?',
    '*@example.com',
    'anna+*@example.com',
    'срв__*',
    'a_*_b*',
  ])('`%s` loads', (pattern) => expect(shape(pattern)).toBe(true));

  it.each(['b*sh', 'b?sh', 'b??sh', '**', '*?', '?*', '__**', '_*_?*', 'ba*_h*x', 'с*рв', '4*5', 'gpt-4?5'])(
    '`%s` does not',
    (pattern) => expect(shape(pattern)).toBe(false),
  );

  it('has quotes wherever names are selected', () => {
    const plain = (text: string): string[] => mistakesOrNone(HEAD + text).map((m) => m.slice(0, m.indexOf(' ')));
    for (const field of ['tools', 'models', 'providers', 'servers', 'agents', 'humans', 'tenants', 'groups', 'tiers']) {
      const rules = (value: string): string =>
        `rules:\n  - { id: r, at: pre_tool_call, verdict: deny, ${field}: ${value} }\n`;
      expect(plain(rules('a-*')).length).toBe(1);
      expect(plain(rules('[a, b?, c-*]')).length).toBe(2);
      expect(plain(rules('[a, "b?", \'c-*\']'))).toEqual([]);
    }
    const hide = 'rules: [{ id: r, at: pre_model_call, verdict: transform, transform: [{ hide: [a, fs__*] }] }]\n';
    expect(plain(hide)).toEqual(['4:86']);
    expect(plain('tools: { send_*: { effect: read } }\n')).toEqual(['4:10']);
    expect(plain('tools: { "send_*": { effect: read }, "se*nd": {} }\n')).toEqual(['4:38']);
    expect(plain('parent: p\ntenants: a*\n')).toContain('5:11');
    expect(plain('rules: [{ id: r, at: output, verdict: warn, detect: secret.* }]\n')).toEqual([]);
  });
});

describe('a rule that does not fit', () => {
  it.each([
    ['a misspelt field', '    wen: true\n', '8:5 unknown field `wen`; did you mean `when`?'],
    [
      'a text without its quotes',
      '    x, y: 1\n',
      '8:5 unknown field `x, y`; put a text that holds a comma or a colon in quotes',
    ],
    ['a point nobody knows', '    at2: x\n', '8:5 unknown field `at2`; did you mean `at`?'],
    ['a tool that is a number', '    tools: 3\n', '8:12 `tools` must be text or a list, not the number `3`'],
    ['a tool in a list that is a number', '    tools: [a, 3]\n', '8:16 `tools` must be text, not the number `3`'],
    ['no tool', '    tools: []\n', '8:12 `tools` must name at least one'],
    [
      'a pattern without quotes',
      '    tools: mcp__*\n',
      '8:17 `mcp__*` holds a `*` or `?`; put it in quotes if you mean a pattern, else correct the name',
    ],
    [
      'a wildcard that slipped into a name of a list',
      '    agents: [coder, "re*", review?er]\n',
      '8:28 `agents` may have `*` and `?` only at an end or beside a separator such as `_` or `-`: not between two letters or digits, and no `*` beside another `*` or `?`; write one pattern for each form the name has',
    ],
    [
      'a pattern without quotes in a list',
      '    groups: [dev, ops-?]\n',
      '8:23 `ops-?` holds a `*` or `?`; put it in quotes if you mean a pattern, else correct the name',
    ],
    [
      'a pattern that begins with a star, without quotes',
      '    tools: [bash, *__exec]\n',
      '8:19 anchors and aliases are not part of the policy language; write the value out, or in quotes where it is a text that begins with `*`',
    ],
    [
      'a pattern of kinds that ends a word early',
      '    detect: secret**\n',
      '8:13 `detect` may have `*` and `?` only at an end or beside a separator such as `_` or `-`: not between two letters or digits, and no `*` beside another `*` or `?`; write one pattern for each form the name has',
    ],
    [
      'a reason of the gate',
      '    reason: "runtime_error:internal"\n',
      '8:13 reasons that begin with `runtime_error:` belong to the gate; choose another',
    ],
    [
      'a reason of several words',
      '    reason: so bad\n',
      '8:13 `reason` must be one word, such as `destructive_command`',
    ],
    ['a doc that is no link', '    doc: wiki\n', '8:10 `doc` must be an http(s) link'],
    ['a strange halt', '    halt: rum\n', '8:11 `halt` must be one of `run`, `agent`, `human`; did you mean `run`?'],
    [
      'a strange mode',
      '    mode: observ\n',
      '8:11 `mode` must be one of `enforce`, `observe`; did you mean `observe`?',
    ],
    [
      'a strange severity',
      '    severity: hihg\n',
      '8:15 `severity` must be one of `info`, `low`, `medium`, `high`, `critical`; did you mean `high`?',
    ],
    [
      'a date that is none',
      '    expires: tomorrow\n',
      '8:14 `tomorrow` is no date; write it as `2027-01-31` or `2027-01-31T09:00:00Z`',
    ],
    [
      'a day that does not exist',
      '    expires: 2027-02-30\n',
      '8:14 `2027-02-30` is no date; write it as `2027-01-31` or `2027-01-31T09:00:00Z`',
    ],
    ['a detector nobody has', '    detect: [secrets, pi]\n', '8:23 unknown detector `pi`; did you mean `pii`?'],
    [
      'a kind nobody reports',
      '    detect: pii.emial\n',
      '8:13 unknown kind of finding `pii.emial`; did you mean `pii.email`?',
    ],
    [
      'a pattern of no kind',
      '    detect: pii.x*\n',
      '8:13 unknown kind of finding `pii.x*`; known here: `pii.email`, `pii.phone`',
    ],
    [
      'a transform without the verdict',
      '    transform: [{ remove: /a }]\n',
      '8:5 `transform` needs `verdict: transform`, not `deny`',
    ],
    [
      'an approval without the verdict',
      '    approval: { approvers: [a] }\n',
      '8:5 `approval` needs `verdict: escalate`, not `deny`',
    ],
    [
      'a field of an approval',
      '    approval: { aprovers: [a] }\n',
      '8:17 unknown field `aprovers`; did you mean `approvers`?',
    ],
    ['watching a part', '    watch: half\n', '8:12 `watch` must be `whole`'],
    ['an empty condition', '    when: ""\n', '8:11 the condition is empty; leave the field out for a rule without one'],
  ])('%s', (_, fields, expected) => {
    expect(mistakes(one(fields))).toContain(expected);
  });

  it.each([
    [
      'no id',
      '  - { at: pre_tool_call, verdict: deny }\n',
      '5:5 `id` is missing; give the rule a name, such as `id: no-root-delete`',
    ],
    [
      'no point',
      '  - { id: r, verdict: deny }\n',
      '5:5 `at` is missing; say where the rule is asked, such as `at: pre_tool_call`',
    ],
    ['no verdict', '  - { id: r, at: input }\n', '5:5 `verdict` is missing; say what happens, such as `verdict: deny`'],
    ['a misspelt point', '  - { id: r, at: pre_tol_call, verdict: deny }\n', undefined],
    [
      'a misspelt verdict',
      '  - { id: r, at: input, verdict: dney }\n',
      '5:34 `verdict` must be one of `allow`, `warn`, `transform`, `escalate`, `deny`; did you mean `deny`?',
    ],
    [
      'an id with spaces',
      '  - { id: no way, at: input, verdict: deny }\n',
      '5:11 `id` must be a rule id in lower case, such as `no-root-delete`',
    ],
    [
      'an id twice',
      `${rule('r', 'verdict: deny')}${rule('r', 'verdict: warn')}`,
      '6:11 the rule `r` stands twice in this bundle; give one another id',
    ],
    [
      'a tool where there is none',
      '  - { id: r, at: input, tools: bash, verdict: deny }\n',
      '5:25 `tools` never fits at `input`: only tool calls have a tool',
    ],
    [
      'a halt that does not deny',
      '  - { id: r, at: input, verdict: warn, halt: run }\n',
      '5:40 `halt` needs `verdict: deny`, not `warn`',
    ],
    [
      'a transform of nothing',
      '  - { id: r, at: input, verdict: transform }\n',
      '5:34 `verdict: transform` needs a `transform` that says what to change',
    ],
    [
      'a transform where nothing is',
      '  - { id: r, at: agent_startup, verdict: transform, transform: [{ remove: /a }] }\n',
      '5:53 there is nothing to transform at `agent_startup`',
    ],
    [
      'a cap elsewhere',
      '  - { id: r, at: [input, pre_model_call], verdict: transform, transform: [{ cap: output_tokens, to: 5 }] }\n',
      '5:77 `cap` works at `pre_model_call` only, not at `input`',
    ],
  ])('%s', (_, rules, expected) => {
    const found = mistakes(`${HEAD}rules:\n${rules}`);
    if (expected === undefined) expect(found.join()).toMatch(/5:18 `at` must be one of .*did you mean `pre_tool_call`/);
    else expect(found).toContain(expected);
  });
});

describe('a transform that does not fit', () => {
  const transform = (item: string): string[] =>
    mistakes(
      `${HEAD}rules:\n  - id: r\n    at: pre_tool_call\n    verdict: transform\n    transform:\n      - ${item}\n`,
    );
  it.each([
    [
      'nothing known',
      '{ sett: /a, to: 1 }',
      '9:9 a transform is a map with one of `set`, `remove`, `redact`, `rehydrate`, `cap`, `replace`, `truncate`, `allow_only`, `prepend`, `hide`; did you mean `set`?',
    ],
    ['a set without a value', '{ set: /a }', '9:9 `to` is missing'],
    [
      'a pointer without a slash',
      '{ set: a, to: 1 }',
      '9:16 `set` must be a JSON Pointer such as `/limit` or `/items/*/price`',
    ],
    ['the whole target', '{ remove: "" }', '9:19 `remove` must point at a member, such as `/limit`'],
    ['a field too many', '{ remove: /a, to: 1 }', '9:23 unknown field `to`; did you mean `remove`?'],
    [
      'a kind nobody reports',
      '{ redact: [secret.*, secret.awz_access_key] }',
      '9:30 unknown kind of finding `secret.awz_access_key`; did you mean `secret.aws_access_key`?',
    ],
    [
      'a strange form',
      '{ redact: secret.*, as: tokn }',
      '9:33 `as` must be one of `token`, `mask`, `hash`, `drop`; did you mean `token`?',
    ],
    [
      'a cap on something else',
      '{ cap: input_tokens, to: 1 }',
      '9:16 `cap` must be `output_tokens`; did you mean `output_tokens`?',
    ],
    ['a cap of nothing', '{ cap: output_tokens, to: 0 }', '9:35 `to` must be at least 1'],
    ['a pattern with look-around', '{ replace: "(?=x)", with: y }', undefined],
    [
      'a note where no request is',
      '{ prepend: hello }',
      '9:11 `prepend` works at `pre_model_call` only, not at `pre_tool_call`; name a place with `in`',
    ],
    [
      'tools where none are declared',
      '{ hide: [bash] }',
      '9:11 `hide` works at `pre_model_call` only, not at `pre_tool_call`',
    ],
  ])('%s', (_, item, expected) => {
    const found = transform(item);
    if (expected === undefined) expect(found[0]).toMatch(/^9:20 .*RE2/);
    else
      expect(found.some((m) => m.startsWith(expected.replace(/; did you mean `(remove|output_tokens)`\?$/, '')))).toBe(
        true,
      );
  });
});

describe('a condition that does not fit', () => {
  const at = (when: string): string[] => mistakes(one(`    when: ${when}\n`));
  it.each([
    ['a misspelt name', 'agrs.x == 1', '8:11 unknown name `agrs`; did you mean `args`?'],
    ['a misspelt fact', 'run.stesp > 1', '8:15 unknown name `run.stesp`; did you mean `steps`?'],
    ['a fact two levels down', 'run.cycle.repeat > 1', '8:21 unknown name `run.cycle.repeat`; did you mean `repeats`?'],
    [
      'a group as a value',
      'run == 1',
      '8:11 `run` is a group of facts, not a value; name one, such as `run.id`, `run.steps`, `run.spent_usd`, `run.elapsed_s`',
    ],
    ['a list nobody made', '\'"a" in lists.staf\'', '8:25 unknown list `lists.staf`'],
    ['a misspelt function', 'args.x.mathces("a")', '8:18 unknown function `mathces`; did you mean `matches`?'],
    ['a function of the run elsewhere', 'calls("bash") > 1', '8:11 `calls` is written `run.calls(…)`'],
    ['a macro as a function', 'all(args, x)', '8:11 `all` is written `list.all(x, …)`'],
    ['an argument too few', 'args.x.startsWith()', '8:18 `startsWith` takes 1 argument, not 0'],
    ['a wrong argument', 'args.x.startsWith(1)', '8:18 `startsWith` wants string, not int'],
    ['a wrong receiver', 'run.steps.startsWith("a")', '8:21 `startsWith` works on string, not int'],
    ['a comparison that never holds', 'run.steps == "3"', '8:21 `==` compares int with string: these are never equal'],
    ['an order that is none', 'run.labels > 3', "8:22 `>` can't order list(string) and int"],
    [
      'a double and an int',
      'run.spent_usd * 2 > 1.0',
      '8:25 `*` does not work on double and int; write the whole number with a decimal point, such as `2.0`, or convert with `double(…)`',
    ],
    ['a number as truth', 'run.steps && true', '8:11 `&&` wants bool on both sides, not int'],
    ['a result that is no truth', 'run.steps + 1', '8:11 the condition is of type int; it must be true or false'],
    [
      'a name at the wrong point',
      'result.ok == true',
      '8:11 `result` is not known at `pre_tool_call`; it is known at `post_tool_call`: split the rule or test `point`',
    ],
    ['a pattern that is none', '\'args.x.matches("(")\'', undefined],
    [
      'a pattern from the call',
      'args.x.matches(args.y)',
      '8:30 the last argument of `matches` is a text literal, so that it can be checked when the policy loads',
    ],
    [
      'bad syntax',
      'run.steps >',
      "8:21 the condition can't be read from `>` on; check quotes, brackets and what the operator needs",
    ],
    [
      'an unsigned int',
      'run.steps > 1u',
      '8:23 unsigned ints are not part of the policy language; write `1` without the `u`',
    ],
    ['an int too large', 'run.steps > 9223372036854775808', '8:23 `9223372036854775808` does not fit a 64-bit int'],
    ['a message', "'Foo{a: 1} == 1'", '8:12 messages such as `Foo{}` are not part of the policy language'],
    ['a member of a finding', 'findings.exists(f, f.knd == "x")', '8:32 unknown member `knd`; did you mean `kind`?'],
    [
      'something that is never in a list',
      '1 in run.labels',
      '8:12 `in` looks for int in list(string): it is never there',
    ],
  ])('%s', (_, when, expected) => {
    const found = at(when);
    if (expected === undefined) expect(found[0]).toMatch(/^8:\d+ .*RE2/);
    else expect(found).toEqual([expected]);
  });

  it('has a column of its own in every style of YAML text', () => {
    const of = (text: string): string | undefined => mistakes(one(text))[0]?.split(' unknown')[0];
    expect(of('    when: run.steps > 1 && bad\n')).toBe('8:28');
    expect(of('    when: "args.x == \\"a\\" && bad"\n')).toBe('8:31');
    expect(of("    when: 'args.x == ''a'' && bad'\n")).toBe('8:31');
    expect(of('    when: |\n      run.steps > 1\n      && bad\n')).toBe('10:10');
    expect(of('    when: >-\n      run.steps > 1\n      && bad\n')).toBe('10:10');
    expect(of('    when: run.steps > 1\n      && bad\n')).toBe('9:10');
    expect(of('    when: "args.x == \\"a\\" \\\n      && bad"\n')).toBe('9:10');
    expect(of('    when: "args.x == \\"\\u00e9\\U0001F600\\" && bad"\n')).toBe('8:46');
    expect(of('    when: args.x == "😀" && bad\n')).toBe('8:29');
  });

  it('is said with every other mistake, in order, each at its place', () => {
    const text = `${HEAD}rules:\n  - { id: a, at: pre_tool_call, verdict: deny, when: "x && y" }\n  - { id: b, at: input, verdict: deny, when: args.c, reason: "runtime_error:x" }\n`;
    expect(mistakes(text).map((m) => m.split(' ')[0])).toEqual(['5:55', '5:60', '6:46', '6:62']);
  });
});

describe('several files', () => {
  const good = 'policy: tollgate/v1\nname: same\ndefault: allow\n';
  it('are all looked at before the fault is thrown, and named', () => {
    const load = (): unknown =>
      compilePolicy(
        [
          { path: 'p/b/policy.yaml', text: 'policy: tollgate/v1\n' },
          { path: 'p/a/policy.yaml', text: `${HEAD}x: 1\n` },
        ],
        sha256,
      );
    expect(load).toThrow(PolicyFault);
    expect(load).toThrow(
      /p\/a\/policy.yaml:4:1: unknown field `x`[\s\S]*\np\/b\/policy.yaml:1:1: `default` is missing/,
    );
  });

  it('must not have one name, or describe one tool twice', () => {
    const files = ['p/a/policy.yaml', 'p/b/policy.yaml'].map((path) => ({
      path,
      text: `${good}tools: { mail: { effect: egress } }\n`,
    }));
    expect(() => compilePolicy(files, sha256)).toThrow(
      /2:7: two bundles are called `same`[\s\S]*4:10: the tool `mail` is described in `same` too/,
    );
  });

  it('have a digest of names and texts, not of places', () => {
    const [a, b] = ['x', 'y'].map(
      (dir) => compilePolicy([{ path: `${dir}/same/policy.yaml`, text: good }], sha256).digest,
    );
    expect(a).toBe(b);
    expect(a).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(judge(rule('r', 'verdict: deny')).digest).not.toBe(a);
  });
});
