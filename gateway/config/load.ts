import { dirname, resolve } from 'node:path';
import type { z } from 'zod';
import { plainPatternProblem } from '../domain/name-pattern.ts';
import { nearest } from '../domain/nearest.ts';
import { type Path, type Problem, problemText, readSource, type Source } from '../domain/source.ts';
import { nameProblems } from '../pipeline/trust/federated-names.ts';
import { federatedServers } from './federated-servers.ts';
import { isLoopback } from './loopback.ts';
import { type Config, configSchema } from './schema.ts';

/** A configuration that cannot be used; every mistake of the file at once. */
export class ConfigFault extends Error {
  readonly problems: readonly Problem[];
  constructor(problems: readonly Problem[]) {
    super(problems.map(problemText).join('\n'));
    this.name = 'ConfigFault';
    this.problems = problems;
  }
}

/** A checked configuration with its paths made absolute, relative to the file. */
export interface LoadedConfig extends Config {
  readonly file: string;
  readonly folder: string;
}

type Env = Readonly<Record<string, string | undefined>>;

/** Reads a configuration from its text. Throws a ConfigFault that names file, line and column of every mistake. */
export function loadConfig(file: string, text: string, env: Env): LoadedConfig {
  const source = readSource(file, text);
  if (source.problems.length > 0) throw new ConfigFault(source.problems);
  const problems: Problem[] = [];
  const value = substitute(source, source.value, [], env, problems);
  const parsed = configSchema.safeParse(value ?? {});
  if (!parsed.success)
    throw new ConfigFault([...problems, ...parsed.error.issues.flatMap((issue) => explain(source, issue))]);
  problems.push(...contradictions(source, parsed.data));
  if (problems.length > 0) throw new ConfigFault(problems);
  const folder = dirname(resolve(file));
  const at = (path: string): string => resolve(folder, path);
  const { state, policies, pricing } = parsed.data;
  return {
    ...parsed.data,
    file,
    folder,
    state: at(state),
    ...(policies !== undefined && { policies: at(policies) }),
    ...(pricing !== undefined && { pricing: at(pricing) }),
  };
}

const VARIABLE = /\$\{([^}]*)\}/g;

/** Replaces `${NAME}` in every string; an unset variable is an error, for an empty credential would be a silent one. */
function substitute(source: Source, value: unknown, path: Path, env: Env, problems: Problem[]): unknown {
  if (typeof value === 'string') {
    return value.replace(VARIABLE, (whole, name: string) => {
      const found = env[name];
      if (found !== undefined && found !== '') return found;
      problems.push(
        source.problem(path, `environment variable \`${name}\` is not set; set it or take \`${whole}\` out`),
      );
      return whole;
    });
  }
  if (Array.isArray(value)) return value.map((item, i) => substitute(source, item, [...path, i], env, problems));
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(
      Object.entries(value).map(([name, item]) => [name, substitute(source, item, [...path, name], env, problems)]),
    );
  }
  return value;
}

function explain(source: Source, issue: z.core.$ZodIssue): Problem[] {
  const path = issue.path.filter((step): step is string | number => typeof step !== 'symbol');
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => {
      const known = nearest(key, knownKeys(path));
      return source.problem([...path, key], `unknown key \`${key}\`${known ? `; did you mean \`${known}\`?` : ''}`, {
        key: true,
      });
    });
  }
  if (issue.code === 'invalid_union') {
    const inner = issue.errors.flat().find((e) => e.code !== 'invalid_type') ?? issue.errors.flat()[0];
    if (inner) return explain(source, { ...inner, path: [...issue.path, ...inner.path] } as z.core.$ZodIssue);
  }
  if (issue.code === 'invalid_key') {
    const said = issue.issues[0]?.message ?? 'this name is not allowed here';
    return [source.problem(path, `${said}, not \`${String(path.at(-1))}\``, { key: true })];
  }
  const where = path.length === 0 ? '' : ` in \`${path.join('.')}\``;
  return [source.problem(path, `${issue.message.charAt(0).toLowerCase()}${issue.message.slice(1)}${where}`)];
}

/** The keys that an object at `path` may have, read from the schema itself. */
function knownKeys(path: Path): string[] {
  let schema: unknown = configSchema;
  for (const step of path) schema = below(unwrap(schema), step);
  const shape = (unwrap(schema) as { shape?: Record<string, unknown> } | undefined)?.shape;
  return shape ? Object.keys(shape) : [];
}

interface Definition {
  readonly innerType?: unknown;
  readonly element?: unknown;
  readonly valueType?: unknown;
}

const definition = (schema: unknown): Definition | undefined => (schema as { def?: Definition } | undefined)?.def;

function unwrap(schema: unknown): unknown {
  let inner = schema;
  while (definition(inner)?.innerType !== undefined) inner = definition(inner)?.innerType;
  return inner;
}

function below(schema: unknown, step: PropertyKey): unknown {
  const def = definition(schema);
  if (def?.element !== undefined) return def.element;
  if (def?.valueType !== undefined) return def.valueType;
  return (schema as { shape?: Record<string, unknown> } | undefined)?.shape?.[String(step)];
}

/** What each value allows but all together do not. */
function contradictions(source: Source, config: Config): Problem[] {
  const problems: Problem[] = [];
  if (config.access === 'open' && !isLoopback(config.listen.host)) {
    problems.push(
      source.problem(
        ['listen', 'host'],
        `\`access: open\` serves the local developer only, and \`${config.listen.host}\` is not a loopback address; set \`access: keys\` or \`host: 127.0.0.1\``,
      ),
    );
  }
  if (!config.office.unauthenticated && !isLoopback(config.office.host)) {
    problems.push(
      source.problem(
        ['office', 'host'],
        `the office has no login, and \`${config.office.host}\` is not a loopback address; set \`host: 127.0.0.1\`, or \`unauthenticated: true\` where only those who may read every call can reach it`,
      ),
    );
  }
  if (Object.keys(config.upstreams).length === 0 && Object.keys(config.mcp?.servers ?? {}).length === 0)
    problems.push(source.problem(['upstreams'], 'there is no upstream; name at least one'));
  for (const name of ['run', 'healthz', 'readyz', 'mcp', 'hooks']) {
    if (name in config.upstreams)
      problems.push(
        source.problem(
          ['upstreams', name],
          `an upstream cannot be called \`${name}\`: that path has a meaning of its own`,
          { key: true },
        ),
      );
  }
  for (const [i, { match }] of config.budgets.entries()) {
    const plain = match === undefined ? undefined : plainPatternProblem(source, ['budgets', i, 'match']);
    if (plain) problems.push(plain);
  }
  for (const { path, message } of config.mcp ? nameProblems(federatedServers(config.mcp)) : [])
    problems.push(source.problem(['mcp', 'servers', ...path], message));
  return problems;
}
