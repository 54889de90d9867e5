// The arrows of gateway/README.md: imports point down, type imports included. Read by `npm run arch`.
// dependency-cruiser parses with the JS API of `typescript`, here TypeScript 6: TypeScript 7 (`tsc`) has none.

const PURE = '^gateway/(?:domain|policy|price)/';
const LIBRARIES_OF_PURE_ROOMS = '(?:^|/)node_modules/(?:yaml|@bufbuild/cel|re2js|zod)/';

/** A rule: files matching `from` may reach, inside this repository, only `allowed`. */
const layer = (name, from, allowed, comment) => ({
  name,
  comment,
  severity: 'error',
  from: { path: from },
  to: { path: '^(?:gateway|bin|demo|bench|scripts|test)/', pathNot: allowed },
});

module.exports = {
  forbidden: [
    {
      name: 'L0-domain-imports-nothing',
      comment: 'the words stand on the ground: no package but `yaml` (ADR 0016), no node module, no other room',
      severity: 'error',
      from: { path: '^gateway/domain/' },
      to: { pathNot: '^gateway/domain/|node_modules/yaml/' },
    },
    layer(
      'L1-policy-price-ports-import-domain',
      '^gateway/(policy|price|ports)/',
      '^gateway/(?:domain|$1)/',
      'judge, cashier and ports know the words and themselves, never each other',
    ),
    layer(
      'L2-adapters-import-ports-and-domain',
      '^gateway/(dialects|detectors|stores|identity|upstream|audit|telemetry)/',
      '^gateway/(?:domain|ports|$1)/',
      'an adapter never imports a sibling room or the corridor: take it as an argument in compose.ts',
    ),
    layer(
      'L3-pipeline-imports-no-adapter',
      '^gateway/pipeline/',
      '^gateway/(?:domain|ports|policy|price|pipeline)/',
      'the corridor reaches adapters through ports only',
    ),
    layer(
      'L4-doors-import-pipeline-ports-domain',
      '^gateway/(server|admin|config)/',
      '^gateway/(?:domain|ports|pipeline|$1)/',
      'doors import the corridor, ports and words, and never another door',
    ),
    layer(
      'L5-front-door-stays-in-the-house',
      '^gateway/(?:cli/|main\\.ts$|compose\\.ts$|compose/)',
      '^gateway/',
      'only gateway/ is built and packed: load demo, bench and scripts by path, not by import',
    ),
    {
      name: 'compose-is-imported-by-the-front-door',
      comment: 'only main.ts and cli/ may know the file that knows every room',
      severity: 'error',
      from: { path: '^gateway/', pathNot: '^gateway/(?:main\\.ts$|cli/)' },
      to: { path: '^gateway/compose\\.ts$' },
    },
    {
      name: 'pieces-of-compose-are-imported-by-compose',
      comment: 'what opens a room is called by compose.ts, and by nobody else',
      severity: 'error',
      from: { path: '^(?:gateway|bin|demo|scripts)/', pathNot: '^gateway/(?:compose\\.ts$|compose/)' },
      to: { path: '^gateway/compose/' },
    },
    {
      name: 'main-is-imported-by-cli',
      severity: 'error',
      comment: 'main.ts is started by bin/ or cli/, never imported by a room',
      from: { path: '^gateway/', pathNot: '^gateway/cli/' },
      to: { path: '^gateway/main\\.ts$' },
    },
    {
      name: 'redis-is-reached-by-compose',
      comment: 'everyone else holds a port',
      severity: 'error',
      from: { path: '^(?:gateway|bin|demo|scripts)/', pathNot: '^gateway/(?:compose\\.ts$|compose/|stores/redis/)' },
      to: { path: '^gateway/stores/redis/' },
    },
    {
      name: 'stores-do-not-share-a-backend',
      comment: 'embedded and redis answer the same ports and know nothing of each other',
      severity: 'error',
      from: { path: '^gateway/stores/([^/_][^/]*)/' },
      to: { path: '^gateway/stores/[^/_][^/]*/', pathNot: '^gateway/stores/$1/' },
    },
    {
      name: 'pure-rooms-have-no-io',
      comment: 'no node module in domain, policy and price, not even for a type',
      severity: 'error',
      from: { path: PURE },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'pure-rooms-have-few-packages',
      comment: 'policy, price and ports may use yaml, cel, re2js and zod, nothing else',
      severity: 'error',
      from: { path: '^gateway/(?:policy|price|ports)/' },
      to: {
        dependencyTypesNot: ['core', 'local'],
        couldNotResolve: false,
        pathNot: ['^gateway/', LIBRARIES_OF_PURE_ROOMS],
      },
    },
    {
      name: 'no-circular',
      comment: 'a cycle, type imports included, is two files that are one',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'no-unresolvable',
      comment: 'an import that cannot be resolved would pass every rule above',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'no-dev-dependency-in-gateway',
      comment: 'what gateway/ imports must be installed with it',
      severity: 'error',
      from: { path: '^gateway/' },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'] },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    parser: 'tsc',
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: ['(?:^|/)node_modules/'] },
    exclude: { path: ['^gateway/admin/console/'] },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['node', 'import', 'types', 'default'] },
  },
};
