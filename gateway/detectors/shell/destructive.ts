import { hasOption, type Invocation, operands } from './invocation.ts';
import { isDisk, isTop, isVital } from './paths.ts';

type Rule = (call: Invocation) => boolean;

/** SQL that loses a table or more. */
const LOSS =
  /\b(?:drop\s{1,8}(?:table|database|schema|user|role|keyspace|index\s{1,8}concurrently)\b|truncate\s{1,8}(?:table\s{1,8})?["`\w]|delete\s{1,8}from\s{1,8}["`.\w]{1,80}\s{0,8}(?:;|$)|dropDatabase\s?\(|\.drop\s?\(\s?\))/i;

const SQL_CLIENTS = new Set(
  'psql mysql mariadb sqlite3 sqlcmd sqlplus clickhouse-client clickhouse mongosh mongo duckdb cqlsh bq snowsql cockroach'.split(
    ' ',
  ),
);
/** True for a database client that is given SQL which loses data. */
export const losesData = ({ name, args, input }: Invocation, piped = ''): boolean =>
  SQL_CLIENTS.has(name) && (args.some((arg) => LOSS.test(arg)) || LOSS.test(input ?? '') || LOSS.test(piped));

const removesTop: Rule = ({ args }) => {
  const recursive = hasOption(args, 'rR', 'recursive', 'Recurse');
  return (recursive && operands(args).some(isTop)) || args.includes('--no-preserve-root');
};

const findRemoves: Rule = ({ args }) => {
  const firstTest = args.findIndex((arg) => arg.startsWith('-') && arg.length > 2);
  const roots = operands(args.slice(0, firstTest === -1 ? undefined : firstTest));
  const narrow = args.some((arg) => /^-(?:name|iname|path|regex|mtime|size|empty|maxdepth|newer)$/.test(arg));
  const tops = roots.filter((root) => isTop(root) && !/^\.{1,2}\/?$/.test(root));
  const removes = args.includes('-delete') || /-exec(?:dir)?\0(?:sudo\0)?(?:rm|shred|unlink)\0/.test(args.join('\0'));
  return removes && (tops.length > 0 || (roots.some(isTop) && !narrow));
};

const changesTop: Rule = ({ args }) =>
  hasOption(args, 'R', 'recursive') &&
  operands(args)
    .slice(1)
    .some((path) => isTop(path) && !/^(?:\.|\*|\$PWD)/.test(path));

const git: Rule = ({ args }) => {
  const [verb, ...rest] = args[0] === '-C' ? args.slice(2) : args;
  if (verb === 'push') {
    return (
      hasOption(rest, 'f', 'mirror', 'delete') ||
      rest.includes('--force') ||
      rest.includes('-d') ||
      operands(rest)
        .slice(1)
        .some((ref) => /^[+:]./.test(ref))
    );
  }
  if (verb === 'reset') return rest.includes('--hard') && rest.some((ref) => /[~^]\d*$|^origin\//.test(ref));
  if (verb === 'clean') return hasOption(rest, 'f', 'force') && hasOption(rest, 'dx');
  if (verb === 'filter-branch' || verb === 'filter-repo') return true;
  if (verb === 'reflog') return rest[0] === 'expire';
  return verb === 'stash' && rest[0] === 'clear';
};

const kubectl: Rule = ({ args }) => {
  const [verb, what = ''] = operands(args);
  return (
    verb === 'delete' &&
    (/^(?:ns|namespaces?|pvc?|persistentvolume|crds?|customresourcedefinition|nodes?)(?:\/|$|s$|claims?$)/.test(what) ||
      args.includes('--all') ||
      args.includes('-A'))
  );
};

const terraform: Rule = ({ args }) =>
  operands(args)[0] === 'destroy' || args.includes('-destroy') || args.includes('--destroy');
const always: Rule = () => true;

const docker: Rule = ({ args }) => {
  const [what, verb] = operands(args);
  if (verb === 'prune') return what === 'volume' || (what === 'system' && hasOption(args, 'a', 'all', 'volumes'));
  return (what === 'volume' && verb === 'rm') || ((what === 'rm' || what === 'rmi') && args.includes('$()'));
};

const CLOUD_LOSS =
  /\b(?:s3 rb|s3api delete-bucket|ec2 terminate-instances|rds delete-db|dynamodb delete-table|cloudformation delete-stack|eks delete-cluster|kms schedule-key-deletion|iam delete|efs delete|organizations \w+ delete|projects delete|instances delete|clusters delete|databases delete|group delete|vm delete|storage account delete|sql db delete|buckets delete|secretsmanager delete-secret)\b/;
const cloud: Rule = ({ args }) => {
  const line = args.join(' ').slice(0, 400);
  return CLOUD_LOSS.test(line) || (/^s3 rm /.test(line) && args.includes('--recursive'));
};
const gsutil: Rule = ({ args }) => operands(args).includes('rm') && hasOption(args, 'rR', 'recursive');

const powershellRemove: Rule = ({ args }) =>
  hasOption(args, '', 'Recurse', 'r') && operands(args).some((path) => isTop(path) || /^\$(?:HOME|env:)/i.test(path));

const RULES: Readonly<Record<string, Rule>> = {
  rm: removesTop,
  'Remove-Item': powershellRemove,
  find: findRemoves,
  chmod: changesTop,
  chown: changesTop,
  chgrp: changesTop,
  wipefs: always,
  blkdiscard: always,
  shred: ({ args }) => operands(args).some((path) => isDisk(path) || isTop(path) || isVital(path)),
  dd: ({ args }) => args.some((arg) => arg.startsWith('of=') && isDisk(arg.slice(3))),
  sgdisk: ({ args }) => hasOption(args, 'Zo', 'zap-all'),
  mv: ({ args }) =>
    operands(args)
      .slice(0, -1)
      .some((path) => isTop(path) && !path.startsWith('.') && path !== '*') || args.at(-1) === '/dev/null',
  truncate: ({ args }) => operands(args).some((path) => isDisk(path) || isVital(path)),
  git,
  kubectl,
  oc: kubectl,
  helm: ({ args }) => ['uninstall', 'delete'].includes(operands(args)[0] ?? '') && hasOption(args, '', 'all'),
  terraform,
  tofu: terraform,
  terragrunt: ({ args }) => args.includes('destroy') || args.includes('destroy-all'),
  pulumi: terraform,
  cdk: terraform,
  sls: ({ args }) => operands(args)[0] === 'remove',
  docker,
  podman: docker,
  aws: cloud,
  gcloud: cloud,
  az: cloud,
  doctl: cloud,
  gsutil,
  gh: ({ args }) => args[0] === 'repo' && args[1] === 'delete',
  dropdb: always,
  'redis-cli': ({ args }) => args.some((arg) => /^flush(?:all|db)$/i.test(arg)),
  'valkey-cli': ({ args }) => args.some((arg) => /^flush(?:all|db)$/i.test(arg)),
  crontab: ({ args }) => args.includes('-r'),
  userdel: always,
  zpool: ({ args }) => args[0] === 'destroy',
  lvremove: always,
  vgremove: always,
  kill: ({ args }) => args.includes('-1') && args.some((arg) => /^-(?:9|KILL|SIGKILL)$/.test(arg)),
  vssadmin: ({ args }) => /^delete$/i.test(args[0] ?? ''),
  diskpart: always,
  iptables: ({ args }) => args.includes('-F'),
  npm: ({ args }) => args[0] === 'unpublish',
};

/** True for a command that loses what nobody gets back: a system, a home, a history, a database, a cluster. */
export function destroys(call: Invocation): boolean {
  const { name, redirects } = call;
  if (
    redirects.some(
      ({ op, target }) => op.startsWith('>') && (isDisk(target.value) || (op !== '>>' && isVital(target.value))),
    )
  )
    return true;
  if (/^(?:mkfs(?:\.\w+)?|mke2fs|newfs)$/.test(name)) return call.args.length > 0;
  if (Object.hasOwn(RULES, name) && RULES[name]?.(call) === true) return true;
  return losesData(call);
}
