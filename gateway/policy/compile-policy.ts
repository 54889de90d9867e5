import type { Digest } from '../domain/scalars.ts';
import type { Problem, SourceFile } from '../domain/source.ts';
import { type Bundle, readBundles } from './bundle.ts';
import { compileRule } from './compile-rule.ts';
import type { CompiledRule } from './compiled-rule.ts';
import { Shared } from './condition/compile-condition.ts';
import { RulesJudge } from './evaluate.ts';
import { inheriting } from './inherit.ts';
import type { Judge, Sha256 } from './judge.ts';
import type { KnownDetector } from './known-detectors.ts';
import { denyingDefaults, depths, layerOf } from './layers.ts';
import { PolicyFault } from './policy-fault.ts';
import { ToolCatalogue } from './tool-catalogue.ts';

/** A policy that was read and checked, with what is wrong with it. */
export interface ReadPolicy {
  readonly bundles: readonly Bundle[];
  readonly rules: readonly CompiledRule[];
  /** in order of file and place */
  readonly problems: readonly Problem[];
}

/** Reads and checks the policy files of all bundles. Never throws: whatever is wrong is a problem with a place. */
export function readPolicy(files: readonly SourceFile[], detectors: readonly KnownDetector[]): ReadPolicy {
  const problems: Problem[] = [];
  const bundles = inheriting(readBundles(files, problems), problems);
  const rules: CompiledRule[] = [];
  const shared = new Shared();
  const depth = depths(bundles, problems);
  for (const bundle of bundles) {
    const layer = { name: layerOf(bundle), depth: depth.get(bundle.name) ?? 0 };
    for (const place of bundle.rules.keys())
      rules.push(compileRule(bundle, place, rules.length, layer, detectors, problems, shared));
  }
  problems.sort((a, b) => (a.file === b.file ? a.line - b.line || a.column - b.column : a.file < b.file ? -1 : 1));
  return { bundles, rules, problems };
}

/**
 * Compiles the `policy.yaml` files of all bundles into a judge. `detectors` are those the gate has. Throws a PolicyFault that
 * names every mistake with file, line and column; also where there is no file at all.
 */
export function compilePolicy(
  files: readonly SourceFile[],
  sha256: Sha256,
  detectors: readonly KnownDetector[] = [],
): Judge {
  if (files.length === 0) {
    throw new PolicyFault([
      {
        file: 'policies',
        line: 1,
        column: 1,
        message: 'there is no `policy.yaml`; point `policies` at a bundle such as `policies/starter`',
      },
    ]);
  }
  const { bundles, rules, problems } = readPolicy(files, detectors);
  if (problems.length > 0) throw new PolicyFault(problems);
  return new RulesJudge({
    digest: digestOf(files, bundles, sha256),
    rules,
    tools: new ToolCatalogue(bundles.flatMap((b) => b.tools)),
    denying: denyingDefaults(bundles),
    sha256,
  });
}

/** The same bundles with the same texts have the same digest, wherever they lie. */
function digestOf(files: readonly SourceFile[], bundles: readonly Bundle[], sha256: Sha256): Digest {
  const texts = bundles.map((b) => [b.name, files.find((f) => f.path === b.file.file)?.text]);
  return `sha256:${sha256(JSON.stringify(texts))}` as Digest;
}
