import { z } from 'zod';
import { POINTS } from '../domain/action.ts';
import { NAME_PATTERN, NAME_PATTERN_ADVICE } from '../domain/name-pattern.ts';
import { pointerTokens } from '../domain/pointer.ts';
import { DECISIONS } from '../domain/verdict.ts';
import { DESTINATION_KINDS, EFFECTS, SECRECIES, TRUSTS } from './tool-catalogue.ts';

/** The one version of the language this gate reads. */
const POLICY_VERSION = 'tollgate/v1';

const text = z.string().min(1, 'must not be empty').max(2000, 'must not be longer than 2000 characters');
const oneOrMore = <T extends z.ZodType>(item: T) => z.union([item, z.array(item).min(1, 'must name at least one')]);

/** Names, or patterns of names: of tools, models, agents and the like, or of kinds of findings. */
const names = oneOrMore(
  z
    .string()
    .min(1, 'must not be empty')
    .max(256, 'must not be longer than 256 characters')
    .regex(NAME_PATTERN, NAME_PATTERN_ADVICE),
);
const selector = names.optional();

const pointer = z.string().refine(isPointer, 'must be a JSON Pointer such as `/limit` or `/items/*/price`');

function isPointer(value: string): boolean {
  try {
    return pointerTokens(value).length >= 0;
  } catch {
    return false;
  }
}

/** A pointer below the root: there is always a parent. */
const inside = pointer.refine((p) => p !== '', 'must point at a member, such as `/limit`');

const whole = z.int('must be a whole number').min(1, 'must be at least 1');

/** What of a masked value stays readable; never more than half of its letters and digits, the domain of an address aside. */
const keep = z.union([
  z.literal('domain'),
  z
    .strictObject({ first: whole.optional(), last: whole.optional() })
    .refine(
      ({ first, last }) => first !== undefined || last !== undefined,
      'must name `first` or `last`, such as `{ last: 4 }`',
    ),
]);

/** The transforms this version enforces, by the field that names each. */
export const TRANSFORMS = {
  set: z.strictObject({ set: inside, to: z.json() }),
  remove: z.strictObject({ remove: inside }),
  redact: z.strictObject({
    redact: names,
    as: z.enum(['token', 'mask', 'hash', 'drop']).default('token'),
    keep: keep.optional(),
  }),
  rehydrate: z.strictObject({ rehydrate: names, in: pointer.optional() }),
  cap: z.strictObject({ cap: z.literal('output_tokens'), to: z.union([whole, z.literal('affordable')]) }),
  replace: z.strictObject({ replace: text, with: z.string().max(2000), in: pointer.optional() }),
  truncate: z.strictObject({ truncate: pointer, to: whole }),
  allow_only: z.strictObject({ allow_only: pointer, of: z.array(z.union([z.string(), z.number(), z.boolean()])) }),
  prepend: z.strictObject({ prepend: text, in: pointer.optional() }),
  hide: z.strictObject({ hide: names }),
} as const;
export type TransformName = keyof typeof TRANSFORMS;

export type Transform = { [K in TransformName]: z.infer<(typeof TRANSFORMS)[K]> }[TransformName];

const transform = z.union([
  TRANSFORMS.set,
  TRANSFORMS.remove,
  TRANSFORMS.redact,
  TRANSFORMS.rehydrate,
  TRANSFORMS.cap,
  TRANSFORMS.replace,
  TRANSFORMS.truncate,
  TRANSFORMS.allow_only,
  TRANSFORMS.prepend,
  TRANSFORMS.hide,
]);

const toolFacts = z.strictObject({
  effect: z.enum(EFFECTS).optional(),
  trust: z.enum(TRUSTS).optional(),
  secrecy: z.enum(SECRECIES).optional(),
  clearance: z.enum(SECRECIES).optional(),
  destinations: z.array(z.union([inside, z.strictObject({ at: inside, kind: z.enum(DESTINATION_KINDS) })])).optional(),
  directory: z.boolean().optional(),
  resource: oneOrMore(inside).optional(),
  amount: z.union([inside, z.strictObject({ at: inside, unit: text })]).optional(),
  undo: text.optional(),
  volatile: oneOrMore(inside).optional(),
});

const duration = z.string().regex(/^[1-9][0-9]{0,5}(s|m|h|d)$/, 'must be a length of time such as `15m`');

const approval = z.strictObject({
  approvers: z.array(text).min(1, 'must name at least one'),
  expires: duration.optional(),
  distinct_from: z.enum(['human', 'agent']).optional(),
});

const name = (what: string) =>
  z.string().regex(/^[a-z0-9][a-z0-9._-]{0,63}$/, `must be ${what} in lower case, such as \`no-root-delete\``);
const label = z.string().regex(/^[a-z0-9][a-z0-9._:-]{0,63}$/, 'must be a word in lower case, such as `confidential`');

export const RULE = z.strictObject({
  id: name('a rule id'),
  at: oneOrMore(z.enum(POINTS)),
  tools: selector,
  models: selector,
  providers: selector,
  servers: selector,
  agents: selector,
  humans: selector,
  tenants: selector,
  groups: selector,
  tiers: selector,
  when: z.union([z.string(), z.boolean()]).optional(),
  unless: z.union([z.string(), z.boolean()]).optional(),
  detect: selector,
  verdict: z.enum(DECISIONS),
  transform: z.array(transform).min(1, 'must hold at least one transform').optional(),
  reason: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9_.:/-]{0,127}$/, 'must be one word, such as `destructive_command`')
    .optional(),
  message: text.optional(),
  labels: z.array(label).optional(),
  halt: z.enum(['run', 'agent', 'human']).optional(),
  mode: z.enum(['enforce', 'observe']).optional(),
  expires: z.string().optional(),
  severity: z.enum(['info', 'low', 'medium', 'high', 'critical']).optional(),
  tags: z.array(text).optional(),
  owner: text.optional(),
  doc: z
    .string()
    .regex(/^https?:\/\/\S+$/, 'must be an http(s) link')
    .optional(),
  approval: approval.optional(),
  watch: z.literal('whole').optional(),
});
export type RuleText = z.infer<typeof RULE>;

const scalar = z.union([z.string(), z.number(), z.boolean()]);

const path = text.refine(
  (p) => !/^[a-z][a-z0-9+.-]+:\/\//i.test(p),
  'must be a path: fetch the bundle first, so that no network decides whether the gate starts',
);

/** A bundle this one builds on; a pin is the SHA-256 of its `policy.yaml`. */
const base = z.union([
  path,
  z.strictObject({
    path,
    sha256: z
      .string()
      .regex(/^[0-9a-f]{64}$/, 'must be 64 hexadecimal digits in lower case, as `sha256sum` prints them'),
  }),
]);

export const BUNDLE = z.strictObject({
  policy: z.literal(POLICY_VERSION),
  name: name('a bundle name').optional(),
  default: z.enum(['allow', 'deny']),
  mode: z.enum(['enforce', 'observe']).default('enforce'),
  parent: name('a bundle name').optional(),
  extends: oneOrMore(base).optional(),
  tenants: selector,
  tools: z.record(z.string().regex(NAME_PATTERN, NAME_PATTERN_ADVICE), toolFacts).optional(),
  lists: z
    .record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'must be a name that conditions can write'), z.array(scalar))
    .optional(),
  rules: z.array(RULE).default([]),
});
export type BundleText = z.infer<typeof BUNDLE>;

/** The names a map of the language may have, by where it is; for suggestions. */
export function knownFields(path: readonly PropertyKey[]): readonly string[] {
  if (path.length === 0) return Object.keys(BUNDLE.shape);
  if (path[0] === 'extends') return ['path', 'sha256'];
  if (path[0] === 'tools') return Object.keys(toolFacts.shape);
  if (path[0] !== 'rules') return [];
  if (path.length === 2) return Object.keys(RULE.shape);
  return path[2] === 'approval' ? Object.keys(approval.shape) : [];
}
