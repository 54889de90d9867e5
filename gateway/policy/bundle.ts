import { type Problem, readSource, type Source, type SourceFile } from '../domain/source.ts';
import { BUNDLE, type BundleText, knownFields, type RuleText } from './bundle-schema.ts';
import { schemaProblems } from './schema-problems.ts';
import { type ToolFacts, UNDESCRIBED } from './tool-catalogue.ts';

/** One policy file that fits the schema. What its rules mean is checked when they are compiled. */
export interface Bundle {
  readonly name: string;
  readonly file: Source;
  readonly default: 'allow' | 'deny';
  readonly mode: 'enforce' | 'observe';
  readonly rules: readonly RuleText[];
  readonly tools: readonly { readonly pattern: string; readonly facts: ToolFacts }[];
  readonly lists: NonNullable<BundleText['lists']>;
}

/** The bundle's folder, which names it where the file does not: `policies/starter/policy.yaml` → `starter`. */
const folderName = (path: string): string => path.split(/[\\/]/).at(-2) ?? 'policy';

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
    rules: data.rules,
    tools: Object.entries(data.tools ?? {}).map(([pattern, facts]) => ({
      pattern,
      facts: { ...UNDESCRIBED, ...(facts as Partial<ToolFacts>) },
    })),
    lists: data.lists ?? {},
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
