import { type Problem, readSource, type Source, type SourceFile } from '../domain/source.ts';
import { BUNDLE, type BundleText, knownFields, type RuleText } from './bundle-schema.ts';
import { type Glob, parseGlob } from './glob.ts';
import { plainPatterns } from './plain-patterns.ts';
import { schemaProblems } from './schema-problems.ts';
import { type ToolFacts, UNDESCRIBED } from './tool-catalogue.ts';

/** One policy file that fits the schema. What its rules mean is checked when they are compiled. */
export interface Bundle {
  readonly name: string;
  readonly file: Source;
  readonly default: 'allow' | 'deny';
  readonly mode: 'enforce' | 'observe';
  /** the bundle above, which this one can only tighten */
  readonly parent: string | undefined;
  /** whose calls it is about; undefined: everyone's */
  readonly tenants: readonly Glob[] | undefined;
  readonly rules: readonly RuleText[];
  readonly tools: readonly { readonly pattern: string; readonly facts: ToolFacts }[];
  /** those of the file; `inheriting` adds the lists of the bundles it extends */
  readonly lists: NonNullable<BundleText['lists']>;
  /** files of the bundles it extends */
  readonly extends: readonly string[];
  /** it is in force only because another bundle extends it */
  readonly extended: boolean;
}

/** The bundle's folder, which names it where the file does not: `policies/starter/policy.yaml` → `starter`. */
const folderName = (path: string): string => path.split(/[\\/]/).at(-2) ?? 'policy';

type ToolText = NonNullable<BundleText['tools']>[string];

function toolFacts({ destinations = [], resource, amount, undo, volatile, ...plain }: ToolText): ToolFacts {
  const stated = Object.fromEntries(Object.entries(plain).filter(([, value]) => value !== undefined));
  return {
    ...UNDESCRIBED,
    ...(stated as Partial<ToolFacts>),
    destinations: destinations.map((d) => (typeof d === 'string' ? d : d.at)),
    destinationKinds: destinations.map((d) => (typeof d === 'string' ? '' : d.kind)),
    resource: resource === undefined ? [] : [resource].flat(),
    amount: typeof amount === 'string' ? { at: amount, unit: '' } : amount,
    undo: undo ?? '',
    volatile: volatile === undefined ? [] : [volatile].flat(),
  };
}

function readBundle(source: SourceFile, problems: Problem[]): Bundle | undefined {
  const file = readSource(source.path, source.text, 'the policy language');
  problems.push(...file.problems);
  if (file.value === undefined || file.value === null) {
    if (file.problems.length === 0)
      problems.push(file.problem([], 'the file is empty; begin it with `policy: tollgate/v1`'));
    return undefined;
  }
  const parsed = BUNDLE.safeParse(file.value);
  if (!parsed.success) {
    problems.push(...schemaProblems(file, parsed.error.issues, knownFields));
    return undefined;
  }
  const { data } = parsed;
  problems.push(...plainPatterns(file, data));
  if (data.tenants !== undefined && data.parent === undefined)
    problems.push(
      file.problem(
        ['tenants'],
        'a bundle about some tenants needs a `parent`, the bundle it tightens; or give its rules `tenants`',
        { key: true },
      ),
    );
  if (data.parent !== undefined && data.tools !== undefined)
    problems.push(
      file.problem(['tools'], 'a bundle with a `parent` can not say what tools are; describe them in the parent', {
        key: true,
      }),
    );
  if (data.extends !== undefined && source.extends === undefined)
    problems.push(file.problem(['extends'], 'what this bundle extends was not read with it', { key: true }));
  const ids = new Set<string>();
  for (const [i, { id }] of data.rules.entries()) {
    if (ids.has(id))
      problems.push(
        file.problem(['rules', i, 'id'], `the rule \`${id}\` stands twice in this bundle; give one another id`),
      );
    ids.add(id);
  }
  return {
    name: data.name ?? folderName(source.path),
    file,
    default: data.default,
    mode: data.mode,
    parent: data.parent,
    tenants: data.tenants === undefined ? undefined : [data.tenants].flat().map(parseGlob),
    rules: data.rules,
    tools: Object.entries(data.tools ?? {}).map(([pattern, facts]) => ({
      pattern,
      facts: toolFacts(facts),
    })),
    lists: data.lists ?? {},
    extends: source.extends ?? [],
    extended: source.extended ?? false,
  };
}

/** Reads the files of a policy, in name order. Mistakes are added to `problems`; a file with any is left out. */
export function readBundles(sources: readonly SourceFile[], problems: Problem[]): readonly Bundle[] {
  const bundles = sources.map((source) => readBundle(source, problems)).filter((b) => b !== undefined);
  bundles.sort((a, b) => (a.name === b.name ? (a.file.file < b.file.file ? -1 : 1) : a.name < b.name ? -1 : 1));
  const byName = new Map<string, Bundle>();
  const byTool = new Map<string, Bundle>();
  for (const bundle of bundles) {
    const twin = byName.get(bundle.name);
    if (twin)
      problems.push(
        bundle.file.problem(
          ['name'],
          `two bundles are called \`${bundle.name}\` (the other is ${twin.file.file}); give one another \`name\``,
        ),
      );
    byName.set(bundle.name, bundle);
    for (const { pattern } of bundle.tools) {
      const other = byTool.get(pattern);
      if (other)
        problems.push(
          bundle.file.problem(
            ['tools', pattern],
            `the tool \`${pattern}\` is described in \`${other.name}\` too; describe it once`,
            { key: true },
          ),
        );
      byTool.set(pattern, bundle);
    }
  }
  return bundles;
}
