import { describe, expect, it } from 'vitest';
import type { Json } from '../../../gateway/domain/json.ts';
import { Broken } from '../../../gateway/policy/condition/cel-value.ts';
import { compileCondition } from '../../../gateway/policy/condition/compile-condition.ts';
import { EvalContext } from '../../../gateway/policy/condition/eval-context.ts';
import { FUNCTIONS } from '../../../gateway/policy/condition/functions.ts';
import { NAMES } from '../../../gateway/policy/condition/names.ts';
import { ToolCatalogue, UNDESCRIBED } from '../../../gateway/policy/tool-catalogue.ts';
import { found, snapshot } from './_judging.ts';

const ARGS: Json = {
  s: 'héllo',
  emoji: 'a😀b',
  n: 5,
  f: 2.5,
  zero: 0,
  yes: true,
  none: null,
  list: [1, 2, 3],
  names: ['a', 'b'],
  mixed: [1, 'x', null],
  empty: [],
  map: { a: 1, b: { c: 'deep' } },
  'a-b': 1,
};

const snap = snapshot({
  action: { target: ARGS, tool: { name: 'send_email', server: 'mail' } },
  run: { labels: ['confidential'], identical_calls: 5, steps: 7, spent_usd: 1.5 },
  budget: { run: { limit_usd: 5, spent_usd: 4.5, held_usd: 0, left_usd: 0.5, resets_in_s: 60, window: 'total' } },
  findings: [found('secret.jwt', '/s', 0, 2)],
  now: '2026-06-03T12:30:45Z',
});

/** true, false, or `!` and why the condition broke. */
function ask(text: string): boolean | string {
  const compiled = compileCondition(text, {
    lists: { staff: ['a.example', 'b.example'], ports: [80, 443] },
    points: ['pre_tool_call'],
  });
  if (!('test' in compiled)) throw new Error(compiled.map((m) => m.message).join('; '));
  const tools = new ToolCatalogue([
    { pattern: 'send_*', facts: { ...UNDESCRIBED, effect: 'egress', destinations: ['/to'] } },
  ]);
  const context = new EvalContext(tools);
  context.begin(snap);
  const answer = compiled.test(context, 100_000);
  return answer instanceof Broken ? `!${answer.why}` : answer;
}

const BROKEN = expect.stringMatching(/^!/);

describe('conditions', () => {
  it.each<[string, boolean | typeof BROKEN]>([
    // numbers: int, double, JSON
    ['1 == 1.0', true],
    ['args.n == 5 && args.n == 5.0 && args.n > 4 && 4.5 < args.n', true],
    ['1 + 2 * 3 == 7', true],
    ['7 / 2 == 3 && -7 / 2 == -3 && 7 % 3 == 1 && -7 % 3 == -1', true],
    ['7.0 / 2.0 == 3.5', true],
    ['args.n / 2 == 2.5', true],
    ['args.n + 1 == 6 && 1 + args.n == 6 && args.n * args.f == 12.5 && args.n % 2 == 1', true],
    ['args.f % 2 == 0', BROKEN],
    ['1 / 0 == 1', BROKEN],
    ['1 % 0 == 1', BROKEN],
    ['1.0 / 0.0 > 1e308', true],
    ['args.zero / args.zero == args.zero / args.zero', false],
    ['args.zero / args.zero != args.zero / args.zero', true],
    ['9223372036854775807 + 1 > 0', BROKEN],
    ['-9223372036854775808 - 1 < 0', BROKEN],
    ['9223372036854775807 * 2 > 0', BROKEN],
    ['9223372036854775806 < 9223372036854775807', true],
    ['9007199254740993 == 9007199254740992', false],
    ['dyn(9007199254740993) == 9007199254740992.0', false],
    ['-args.n == -5 && -(1) == -1 && --1 == 1', true],
    ['-args.s == 1', BROKEN],
    ['0x1F == 31 && 1e3 == 1000.0', true],
    // texts
    ['args.s + "!" == "héllo!"', true],
    ['size(args.s) == 5 && args.s.size() == 5 && size(args.emoji) == 3', true],
    ['args.s.startsWith("hé") && args.s.endsWith("lo") && args.s.contains("ll")', true],
    ['args.s.startsWith("x") || args.s.endsWith("x") || args.s.contains("x")', false],
    ['"a" < "b" && "a" < "aa" && "" < "a" && !("b" < "a")', true],
    ['"\\ufb01" < "😀" && "😀" > "\\uffff"', true],
    ['args.n.startsWith("x")', BROKEN],
    ['args.s.matches("^h.llo$") && args.s.matches("l+") && !args.s.matches("^l")', true],
    ['matches(args.s, "^h")', true],
    ['lower("ABc") == "abc" && upper("abc") == "ABC" && trim("  a ") == "a"', true],
    ['glob(args.s, "h*o") && glob(args.s, "h?llo") && !glob(args.s, "h?") && !glob(args.s, "*x*")', true],
    ["r'\\d' == '\\\\d' && '''a'b''' == \"a'b\" && \"\\u00e9\" == 'é'", true],
    // truth, absorbing errors on either side
    ['true && true && !false', true],
    ['args.gone || true', true],
    ['true || args.gone', true],
    ['args.gone && false', false],
    ['false && args.gone', false],
    ['args.gone || false', BROKEN],
    ['args.gone && true', BROKEN],
    ['args.n || true', true],
    ['args.n && true', BROKEN],
    ['!args.n', BROKEN],
    ['args.yes', true],
    ['args.n', BROKEN],
    ['args.yes ? args.n == 5 : args.gone', true],
    ['args.yes ? true : args.gone', true],
    ['args.gone ? true : true', BROKEN],
    ['args.n ? true : true', BROKEN],
    ['true < false', false],
    // members
    ['args.map.b.c == "deep" && args["map"]["b"].c == "deep" && args["a-b"] == 1', true],
    ['args.map.gone == 1', BROKEN],
    ['args.constructor == 1', BROKEN],
    ['args.toString == 1 || has(args.__proto__)', BROKEN],
    ['has(args.map.b) && !has(args.map.z) && has(args.none) && !has(args.hasOwnProperty)', true],
    ['has(args.gone.x)', BROKEN],
    ['has(args.n.x)', BROKEN],
    ['args.n.x == 1', BROKEN],
    ['args.list[0] == 1 && args.list[args.n - 3] == 3 && args.list[2.0] == 3', true],
    ['args.list[3] == 1', BROKEN],
    ['args.list[-1] == 1', BROKEN],
    ['args.list[0.5] == 1', BROKEN],
    ['args.list["0"] == 1', BROKEN],
    ['args.list["length"] == 3', BROKEN],
    ['args.none == null && args.s != null && args.mixed[2] == null', true],
    // equality across kinds
    ['args.s == 5 || args.list == "x" || args.none == false || args.zero == false', false],
    ['args.list == [1, 2, 3] && args.map == {"b": {"c": "deep"}, "a": 1.0} && args.list != [1, 2]', true],
    ['[1, 2.0] == [1.0, 2] && {"a": 1} != {"b": 1} && {} == {}', true],
    ['args.s < args.n', BROKEN],
    // in
    ['2 in args.list && 2.0 in args.list && !(4 in args.list) && "a" in args.names', true],
    ['"a" in args.map && !("z" in args.map) && !("toString" in args.map) && !(1 in args.map)', true],
    ['args.s in ["héllo"] && null in args.mixed && !("1" in args.list)', true],
    ['"a" in args.s', BROKEN],
    ['443 in lists.ports && "b.example" in lists.staff && lists.staff[0] == "a.example"', true],
    ['has(lists.staff) && !has(lists.other)', true],
    // macros
    ['args.list.all(x, x > 0) && !args.list.all(x, x > 1) && args.empty.all(x, x > 9)', true],
    ['args.list.exists(x, x == 2) && !args.empty.exists(x, true) && !args.list.exists(x, x == 9)', true],
    ['args.list.exists_one(x, x > 2) && !args.list.exists_one(x, x > 1)', true],
    ['args.list.filter(x, x > 1) == [2, 3] && args.list.map(x, x * 2) == [2, 4, 6]', true],
    ['args.list.map(x, x > 1, x * 10) == [20, 30]', true],
    ['args.map.exists(k, k == "b") && args.map.all(k, k < "c")', true],
    ['args.mixed.exists(x, x == "x") && args.mixed.exists(x, x > 0)', true],
    ['args.mixed.all(x, x > 0)', BROKEN],
    ['args.mixed.all(x, x > 1)', false],
    ['args.mixed.exists(x, x > 5)', BROKEN],
    ['args.mixed.exists_one(x, x > 0)', BROKEN],
    ['args.mixed.map(x, x + 1) == []', BROKEN],
    ['args.mixed.filter(x, x > 1) == []', BROKEN],
    ['args.n.exists(x, true)', BROKEN],
    ['args.list.all(x, args.list.exists(y, y == x) && args.names.all(y, y != "c"))', true],
    ['args.list.map(x, args.list.map(y, x * y)) == [[1, 2, 3], [2, 4, 6], [3, 6, 9]]', true],
    ['args.list.exists(x, x == 1 && args.names.exists(x, x == "b") && x == 1)', true],
    ['[args.n].exists(run, run == 5)', true],
    ['(args.names + ["c"]).size() == 3 && args.names + ["c"] == ["a", "b", "c"]', true],
    // conversions
    ['int("42") == 42 && int(2.9) == 2 && int(args.n) == 5 && double("2.5") == 2.5 && string(5) == "5"', true],
    ['int("4x") == 4', BROKEN],
    ['int(1e19) == 1', BROKEN],
    ['double("x") == 1.0', BROKEN],
    ['bool("true") && !bool("false") && string(true) == "true" && string(2.5) == "2.5"', true],
    ['bool("maybe")', BROKEN],
    ['string(args.list) == ""', BROKEN],
    // time
    ['now > timestamp("2026-01-01T00:00:00Z") && now < timestamp("2027-01-01T00:00:00+02:00")', true],
    ['now - timestamp("2026-06-03T12:00:45Z") == duration("30m") && now + duration("1h30m") > now', true],
    ['now.getHours() == 12 && now.getDayOfWeek() == 3 && now.getFullYear() == 2026 && now.getMonth() == 5', true],
    [
      'now.getDate() == 3 && now.getDayOfMonth() == 2 && now.getDayOfYear() == 153 && now.getMinutes() == 30 && now.getSeconds() == 45',
      true,
    ],
    ['string(now) == "2026-06-03T12:30:45Z" && string(duration("90s")) == "90s" && int(now) == 1780489845', true],
    ['timestamp("9999-12-31T23:59:59Z") + duration("1s") > now', BROKEN],
    // facts
    ['point == "pre_tool_call" && plane == "llm" && tool.name == "send_email" && tool.server == "mail"', true],
    ['tool.effect == "egress" && tool.trust == "untrusted" && "/to" in tool.destinations', true],
    ['run.identical_calls >= 5 && run.steps == 7 && run.steps + 1 == 8 && run.spent_usd * 2.0 == 3.0', true],
    ['run.calls("bash") == 2 && run.calls("other") == 0 && run.calls(tool.name) < 1', true],
    ['"confidential" in run.labels && run.labels.exists(l, l.startsWith("conf"))', true],
    ['budget.run.left_usd < 0.2 * budget.run.limit_usd && has(budget.run) && !has(budget.agent)', true],
    ['budget.agent.left_usd < 1000000.0 || budget.agent.spent_usd > 0.0', false],
    ['model.max_output_tokens > 5', BROKEN],
    ['has(model.max_output_tokens) || model.name != ""', false],
    ['findings.exists(f, f.kind == "secret.jwt" && f.confidence >= 0.5) && found("secret.*") && !found("pii.*")', true],
    ['text.contains("héllo") && text.contains("deep")', true],
    ['request.headers == {} && request.path == "/"', true],
    ['request.headers["x-a"] == "b"', BROKEN],
    ['has(request.headers.x)', false],
    ['human.groups == ["dev"] && agent.tier == "gold" && tenant.id == "acme" && agent.verified', true],
  ])('%s → %s', (text, expected) => {
    expect(ask(text)).toEqual(expected);
  });

  it('say why they broke, without saying what the call held', () => {
    expect(ask('args.gone == 1')).toBe('!there is no member `gone`');
    expect(ask('args.s + 1 == 2')).toBe('!`string + int` is not defined');
  });
});

describe('the tables of the language', () => {
  it('give every name and function a type and a line of documentation', () => {
    for (const [path, name] of NAMES) expect(`${path}: ${name.doc}`).toMatch(/: \S.{3,}$/);
    for (const f of FUNCTIONS) expect(`${f.name}: ${f.doc}`).toMatch(/: \S.{3,}$/);
  });

  it('read every name from a snapshot without breaking, but for those that may be absent', () => {
    const context = new EvalContext(new ToolCatalogue([]));
    context.begin(snap);
    const broken = [...NAMES].filter(
      ([, name]) => name.read(context) === undefined || name.read(context) instanceof Broken,
    );
    expect(broken.map(([path]) => path)).toEqual([
      'tool.amount',
      'tool.price_usd',
      'tool.pinned',
      'model.max_output_tokens',
    ]);
  });
});
