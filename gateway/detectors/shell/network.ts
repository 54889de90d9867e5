import { hasOption, type Invocation, invocationOf, operands } from './invocation.ts';
import type { Pipeline, Script } from './parse.ts';
import { isCredentialFile, isLocalUrl, isRemotePath, isUrl } from './paths.ts';

const FETCHERS = new Set([
  'curl',
  'wget',
  'http',
  'https',
  'xh',
  'aria2c',
  'fetch',
  'lwp-request',
  'iwr',
  'irm',
  'Invoke-WebRequest',
  'Invoke-RestMethod',
]);
const INTERPRETERS =
  /^(?:(?:ba|z|da|k|fi|a)?sh|python[\d.]*|node|deno|bun|perl|ruby|php|lua|osascript|pwsh|powershell|iex|Invoke-Expression)$/;
const DECODERS = new Set([
  'base64',
  'base32',
  'xxd',
  'gunzip',
  'gzip',
  'zcat',
  'openssl',
  'tr',
  'rev',
  'sed',
  'awk',
  'uudecode',
]);
/** Commands whose output is nobody's data. */
const HARMLESS_SOURCE = new Set([
  'echo',
  'printf',
  'jq',
  'yes',
  'seq',
  'date',
  'true',
  'curl',
  'wget',
  'sleep',
  'envsubst',
  'hostname',
  'uname',
]);
const READS_DATA = new Set(
  'cat head tail less more env printenv set export base64 xxd od tar zip gzip bzip2 xz find grep history mysqldump pg_dump sqlite3 mongodump ls id whoami hostname uname ps ifconfig ip netstat git awk sed dd gpg'.split(
    ' ',
  ),
);
const SOCKETS = new Set(['nc', 'ncat', 'netcat', 'socat', 'telnet']);
const SECRET_VARIABLE = /\$\{?\w*(?:SECRET|TOKEN|PASSW|API_?KEY|ACCESS_KEY|PRIVATE_KEY|CREDENTIAL)\w*\}?/;
const OWN_HEADER =
  /^(?:authorization|(?:x-)?api-?key|x-[\w-]*(?:token|key)|private-token|job-token|cookie|[\w-]*-(?:api-)?key|[\w-]*-token)\s*:/i;

const callsIn = (script: Script): Invocation[] =>
  script.flatMap((pipeline) => pipeline.map(invocationOf).filter((call) => call !== undefined));

const fetches = (script: Script): boolean =>
  callsIn(script).some(({ name, inner }) => FETCHERS.has(name) || inner.some(fetches));
const decodes = (script: Script): boolean =>
  callsIn(script).some(({ name, args }) => name === 'base64' && hasOption(args, 'dD', 'decode'));
const readsData = (script: Script): boolean =>
  callsIn(script).some(
    ({ name, inner, redirects, words }) =>
      (READS_DATA.has(name) && name !== 'git') ||
      (words.length === 0 && redirects.some(({ op }) => op === '<')) ||
      inner.some(readsData),
  );

export const isInterpreter = (name: string): boolean => INTERPRETERS.test(name);
/** True where the interpreter reads its program from its input: no script, no `-c`. */
const readsProgram = ({ name, args }: Invocation): boolean =>
  INTERPRETERS.test(name) &&
  !hasOption(args, '', 'version', 'help') &&
  !args.some((arg) => /^-\w*[ceE]$|^-m$/.test(arg)) &&
  (operands(args).length === 0 ||
    args.includes('-s') ||
    args.includes('-') ||
    /^(?:i?ex|Invoke-Expression)$/i.test(name));

const FETCHED_CODE =
  /(?:urlopen|requests\.get|urllib|https?\.get|fetch\(|LWP|open-uri|curl|wget|iwr|irm|Invoke-WebRequest|DownloadString|file_get_contents\(.https?:)/i;
const RUNS_CODE =
  /\bexec\b|\beval\b|os\.system|subprocess|child_process|\biex\b|Invoke-Expression|new Function|system\(/i;
const REVERSE =
  /\/dev\/(?:tcp|udp)\/|socket\.socket\([\s\S]{0,400}(?:dup2|pty\.spawn|subprocess)|fsockopen\([\s\S]{0,200}exec/;

/** True for one command that runs what it fetched or decoded, or gives a shell to somebody else. */
export function runsRemoteCode(call: Invocation): boolean {
  const { name, args, words, redirects } = call;
  const inner = words.flatMap((word) => word.inner);
  if (
    (INTERPRETERS.test(name) || name === 'eval' || name === 'source' || name === '.') &&
    inner.some((script) => fetches(script) || decodes(script))
  )
    return true;
  if (isInterpreter(name)) {
    if (redirects.some(({ target }) => target.value.startsWith('/dev/tcp/') || target.value.startsWith('/dev/udp/')))
      return true;
    if (redirects.some(({ op, target }) => op === '<' && target.inner.some(fetches))) return true;
    const code = args.join(' ');
    return (FETCHED_CODE.test(code) && RUNS_CODE.test(code)) || REVERSE.test(code);
  }
  if (!SOCKETS.has(name)) return false;
  return args.some(
    (arg, i) =>
      (/^(?:-e|-c|--exec|--sh-exec)$/.test(arg) && /sh|cmd|python/.test(args[i + 1] ?? '')) ||
      /^exec:|^system:/i.test(arg),
  );
}

/** True for a pipeline that ends in an interpreter fed by a fetcher or a decoder. */
export function pipesIntoShell(calls: readonly (Invocation | undefined)[]): boolean {
  let remote = false;
  for (const call of calls) {
    if (call === undefined) continue;
    if (remote && readsProgram(call)) return true;
    const decoding =
      DECODERS.has(call.name) &&
      (hasOption(call.args, 'dDr', 'decode', 'd') || call.name === 'gunzip' || call.name === 'rev');
    remote ||=
      FETCHERS.has(call.name) || (decoding && call.name !== 'tr' && call.name !== 'sed' && call.name !== 'awk');
  }
  return false;
}

const DATA_OPTION =
  /^(?:-d|--data(?:-(?:raw|binary|ascii|urlencode))?|--json|-F|--form|--form-string|-T|--upload-file|--post-file|--post-data|--body-file|--body-data|-H|--header|-A|--user-agent|-e|--referer|-b|--cookie)$/;

/** The value of every option that sends something, with the option. */
function* sent({ args, words }: Invocation): Generator<{ option: string; value: string; reads: boolean }> {
  for (const [i, arg] of args.entries()) {
    const glued = /^(--[\w-]+)=(.*)$/s.exec(arg) ?? /^(-[dFTHb])(.+)$/s.exec(arg);
    const option = glued?.[1] ?? arg;
    if (!DATA_OPTION.test(option)) continue;
    const word = words[glued === null ? i + 1 : i];
    yield { option, value: glued?.[2] ?? args[i + 1] ?? '', reads: word?.inner.some(readsData) === true };
  }
}

function fetcherSends(call: Invocation, piped: boolean): boolean {
  const { args, words, name, redirects } = call;
  const urls = operands(args).filter(
    (arg) => isUrl(arg) || /^[\w-]+(?:\.[\w-]+)+(?:[:/?]|$)/.test(arg) || isLocalUrl(arg),
  );
  if (urls.length > 0 && urls.every(isLocalUrl)) return false;
  for (const { option, value, reads } of sent(call)) {
    if (reads) return true;
    if (/^(?:-T|--upload-file|--post-file|--body-file)$/.test(option) && (value !== '-' || piped)) return true;
    if (value === '@-' || value === '-') {
      if (piped) return true;
    } else if (/^(?:[\w.[\]-]{1,60}=)?[@<]./.test(value) && /^-(?:d|F|-)/.test(option)) return true;
    if (/^(?:-H|--header)$/.test(option) && SECRET_VARIABLE.test(value) && !OWN_HEADER.test(value)) return true;
  }
  if (
    words.some(
      (word) =>
        isUrl(word.value) &&
        (word.inner.some(readsData) || (SECRET_VARIABLE.test(word.value) && /[?/]/.test(word.value.slice(9)))),
    )
  )
    return true;
  const httpie = name === 'http' || name === 'https' || name === 'xh';
  return (
    httpie && (piped || redirects.some(({ op }) => op === '<') || args.some((arg) => /^[\w-]+(?:@|=@|:=@)./.test(arg)))
  );
}

const COPIES: Readonly<Record<string, (args: readonly string[]) => boolean>> = {
  aws: (args) =>
    args[0] === 's3' && /^(?:cp|mv|sync)$/.test(args[1] ?? '') && uploads(operands(args).slice(2), /^s3:\/\//),
  gsutil: (args) => operands(args).includes('cp') && uploads(operands(args).slice(1), /^gs:\/\//),
  rclone: (args) => /^(?:copy|sync|move|copyto)$/.test(args[0] ?? '') && uploads(operands(args).slice(1), /^[\w-]+:/),
  az: (args) => /^storage blob upload/.test(args.join(' ')),
};
const uploads = (paths: readonly string[], remote: RegExp): boolean =>
  paths.length >= 2 && remote.test(paths.at(-1) ?? '') && !remote.test(paths[0] ?? '');

const scpUploads = (args: readonly string[]): boolean => {
  const paths = operands(args).filter((path) => path !== '');
  const [last, ...others] = [...paths].reverse();
  return others.length > 0 && isRemotePath(last ?? '') && others.some((path) => !isRemotePath(path));
};

/** True for a command that carries files, the environment or piped data to another machine. */
export function exfiltrates(call: Invocation, piped: boolean): boolean {
  const { name, args, words, redirects } = call;
  const fed = piped || redirects.some(({ op }) => op === '<') || call.input !== undefined;
  if (redirects.some(({ op, target }) => op.startsWith('>') && /^\/dev\/(?:tcp|udp)\//.test(target.value))) return true;
  if (FETCHERS.has(name)) return fetcherSends(call, piped);
  if (SOCKETS.has(name))
    return fed && !hasOption(args, 'lz', 'listen') && operands(args).length > 0 && !operands(args).some(isLocalUrl);
  if (name === 'scp' || name === 'rsync') return scpUploads(args);
  if (name === 'ssh') return piped || redirects.some(({ op, target }) => op === '<' && isCredentialFile(target.value));
  if (/^(?:dig|nslookup|host|drill|ping)$/.test(name)) return words.some((word) => word.inner.some(readsData));
  if (/^(?:mail|mailx|mutt|sendmail|swaks|msmtp)$/.test(name)) return fed || hasOption(args, 'aA', 'attach');
  return Object.hasOwn(COPIES, name) && COPIES[name]?.(args) === true;
}

/** True where what a command of the pipeline before `index` gives is data and not a constant. */
export function feedsData(calls: readonly (Invocation | undefined)[], pipeline: Pipeline, index: number): boolean {
  const before = calls.slice(0, index);
  return before.some(
    (call, i) =>
      call !== undefined &&
      (!HARMLESS_SOURCE.has(call.name) ||
        call.inner.some(readsData) ||
        SECRET_VARIABLE.test(call.args.join(' ')) ||
        (pipeline[i]?.redirects.some(({ op }) => op === '<') ?? false)),
  );
}
