import { hasOption, type Invocation, operands } from './invocation.ts';
import { isInterpreter } from './network.ts';
import { isCredentialFile, isPersistent, isSudoers, namesCredentialFile } from './paths.ts';

/** The files a command writes. */
function written({ name, args, redirects }: Invocation): string[] {
  const files = redirects.filter(({ op }) => op.startsWith('>') && op !== '>&').map(({ target }) => target.value);
  const paths = operands(args);
  if (name === 'tee') return [...files, ...paths];
  if (/^(?:cp|mv|ln|install|rsync)$/.test(name)) return [...files, paths.at(-1) ?? ''];
  if ((name === 'sed' || name === 'perl') && hasOption(args, 'i', 'in-place')) return [...files, ...paths];
  return files;
}

/** True for a command that makes something run later without being asked again. */
export function persists(call: Invocation): boolean {
  const { name, args } = call;
  if (written(call).some(isPersistent)) return true;
  switch (name) {
    case 'crontab':
      return (
        !hasOption(args, 'lr') &&
        (operands(args).length > 0 || args.includes('-') || hasOption(args, 'e') || call.input !== undefined)
      );
    case 'systemctl':
      return ['enable', 'link', 'reenable', 'edit'].includes(operands(args)[0] ?? '');
    case 'launchctl':
      return ['load', 'bootstrap', 'submit', 'enable'].includes(args[0] ?? '');
    case 'update-rc.d':
    case 'chkconfig':
      return args.length > 0;
    case 'at':
    case 'batch':
      return call.input !== undefined || hasOption(args, 'f');
    case 'schtasks':
      return args.some((arg) => /^\/create$/i.test(arg));
    case 'reg':
      return /^add$/i.test(args[0] ?? '') && args.some((arg) => /\\Run(?:Once)?$/i.test(arg));
    case 'useradd':
    case 'adduser':
    case 'ssh-copy-id':
      return operands(args).length > 0;
    default:
      return false;
  }
}

const SHELL = /^(?:ba|z|da|k|fi)?sh$/;
const MORE_RIGHTS = /^(?:[2467][0-7]{3}|[ugoa]*\+[rwx]*s[rwx]*)$/;

function container({ args }: Invocation): boolean {
  const [verb] = operands(args);
  const mounts =
    args.some((arg, i) => /^(?:-v|--volume)$/.test(arg) && /^\/(?:etc|root)?:/.test(args[i + 1] ?? '')) ||
    args.some((arg) => /^--?v(?:olume)?=\/:|source=\/,|^-v\/:/.test(arg));
  return (
    (verb === 'run' || verb === 'create' || verb === 'exec') &&
    (mounts ||
      args.includes('--privileged') ||
      args.includes('--pid=host') ||
      args.some((arg) => /docker\.sock/.test(arg)))
  );
}

/** True for a command that takes more rights than it was given. */
export function escalates(call: Invocation): boolean {
  const { name, args, wrappers, sudoOptions } = call;
  if (written(call).some(isSudoers)) return true;
  const sudo = wrappers.includes('sudo') || wrappers.includes('doas');
  if (sudo && (name === 'su' || SHELL.test(name)) && !args.includes('-c') && operands(args).length === 0) return true;
  if (name === 'sudo' || name === 'doas') return hasOption(args, 'is', 'login', 'shell');
  if (hasOption(sudoOptions, 'is', 'login', 'shell')) return true;
  switch (name) {
    case 'su':
      return !args.includes('-c') && args.every((arg) => ['-', '-l', '--login', 'root'].includes(arg));
    case 'chmod':
      return MORE_RIGHTS.test(operands(args)[0] ?? '') || args.some((arg) => MORE_RIGHTS.test(arg));
    case 'setcap':
    case 'visudo':
    case 'nsenter':
    case 'pkexec':
      return args.length > 0 || name === 'visudo';
    case 'usermod':
    case 'gpasswd':
    case 'adduser':
      return args.some((arg) => /^(?:sudo|wheel|root|docker|admin|lxd|disk)(?:,|$)/.test(arg));
    case 'passwd':
      return args[0] === 'root' || (sudo && operands(args).length > 0);
    case 'docker':
    case 'podman':
      return container(call);
    default:
      return false;
  }
}

const READERS = new Set(
  'cat less more head tail grep egrep fgrep rg ag awk gawk sed cut base64 base32 xxd od hexdump strings cp mv tar zip 7z scp rsync vi vim nano emacs code bat jq yq tac nl sort tee openssl gpg curl install ln dd diff source_ type Get-Content gc'.split(
    ' ',
  ),
);

function printsSecrets({ name, args }: Invocation): boolean {
  const line = args.join(' ').slice(0, 300);
  switch (name) {
    case 'security':
      return /^(?:find-(?:generic|internet)-password|dump-keychain|export)\b/.test(line);
    case 'kubectl':
    case 'oc':
      return /^(?:get|describe) secrets?\b/.test(line) && /-o|--output|describe/.test(line);
    case 'aws':
      return /secretsmanager (?:get-secret-value|batch-get)|ssm get-parameters?\b.*--with-decryption|iam create-access-key|sts get-session-token|configure export-credentials/.test(
        line,
      );
    case 'gcloud':
      return /secrets versions access|auth print-(?:access|identity)-token|auth application-default print/.test(line);
    case 'az':
      return /keyvault secret show|account get-access-token/.test(line);
    case 'gpg':
      return /--export-secret|--armor --export-secret/.test(line);
    case 'gh':
      return /^auth token/.test(line);
    case 'vault':
      return /^(?:kv get|read)\b/.test(line);
    case 'op':
      return /^(?:item get|read)\b/.test(line);
    case 'pass':
      return /^(?:show\b|-c)/.test(line);
    case 'secret-tool':
      return /^(?:lookup|search)/.test(line);
    case 'mimikatz':
      return true;
    default:
      return false;
  }
}

/** True for a command that reads where keys, passwords and tokens are kept. */
export function readsCredentials(call: Invocation): boolean {
  const { name, args, redirects } = call;
  if (redirects.some(({ op, target }) => op === '<' && isCredentialFile(target.value))) return true;
  if (printsSecrets(call)) return true;
  if (isInterpreter(name))
    return args.some((arg, i) => /^-\w*[ceE]$/.test(args[i - 1] ?? '') && namesCredentialFile(arg));
  if (!READERS.has(name)) return false;
  const files = operands(args).map((arg) => arg.replace(/^(?:if=|@)/, ''));
  const read = /^(?:cp|mv|ln|install|rsync|scp)$/.test(name) ? files.slice(0, -1) : files;
  return read.some(isCredentialFile);
}
