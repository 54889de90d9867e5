/** PATH_MAX of Linux */
const LONGEST_PATH = 4_096;
const HOME = String.raw`(?:~[\w-]*|\$\{?HOME\}?|/root|/(?:home|Users)/[\w.$-]+|%USERPROFILE%|\$env:USERPROFILE)`;
const ALL = String.raw`(?:/+\.?\*{0,2}(?:\.\*)?)?`;

const TOP = new RegExp(
  String.raw`^(?:/+(?:\.{1,2}/+){0,8}(?:\.{1,2})?\*{0,2}|${HOME}${ALL}|\.{1,2}${ALL}|\*{1,2}|\.\*|/+(?:bin|boot|dev|etc|home|lib\d*|opt|proc|root|sbin|srv|sys|usr|var|Users|System|Library|Applications)${ALL}|/+(?:usr|var|etc)/(?:lib|bin|local|log|www|mail|spool|share|ssh)${ALL}|[A-Za-z]:[\\/]*\*?|\$PWD${ALL}|\$\(\)/?)$`,
);
/** The root, a home, the working directory itself or a directory the system lives in; with all of its content or as such. */
export const isTop = (path: string): boolean =>
  path.length <= LONGEST_PATH && TOP.test(path) && path !== '$()' && path !== '$()/';

const CREDENTIALS =
  /(?:^|\/)(?:\.ssh(?:\/?$|\/(?:id_\w+|identity|[\w.-]*(?:key|pem))$|\/\*)|\.aws\/credentials|\.env(?:\.[\w-]+)?$|\.envrc$|\.netrc$|_netrc$|\.npmrc$|\.pypirc$|\.git-credentials$|\.docker\/config\.json|\.kube\/config|\.pgpass$|\.my\.cnf$|\.gnupg(?:\/|$)|\.vault-token|\.config\/gh\/hosts\.yml|\.config\/gcloud|application_default_credentials\.json|\.azure\/(?:accessTokens|msal)|\.terraform\.d\/credentials|\.password-store|\.cargo\/credentials|\.gem\/credentials|\.claude\/\.credentials|\.codex\/auth|etc\/g?shadow-?$|etc\/master\.passwd|proc\/(?:\d+|self|\*)\/environ|Login Data$|key[34]\.db$|logins\.json$|cookies\.sqlite$|login\.keychain(?:-db)?$|run\/secrets(?:\/|$)|serviceaccount\/token)/;
const NO_CREDENTIALS = /\.(?:example|sample|template|dist|tpl|pub|md)$|\.env\.(?:example|sample|template|dist|test)/;

/** Files that hold keys, passwords or tokens by convention. */
export const isCredentialFile = (path: string): boolean =>
  path.length <= LONGEST_PATH && CREDENTIALS.test(path) && !NO_CREDENTIALS.test(path);

/** A credential file named somewhere in program text. */
export const namesCredentialFile = (code: string): boolean =>
  code.split(/["'`\s(),]+/).some((piece) => piece.length < 200 && /[/~.]/.test(piece) && isCredentialFile(piece));

const PERSISTENT =
  /(?:^|\/)(?:\.ssh\/authorized_keys2?|\.(?:bashrc|bash_profile|bash_login|bash_logout|profile|zshrc|zprofile|zshenv|zlogin|cshrc|xinitrc|xprofile)|\.config\/(?:autostart\/.*|fish\/config\.fish|systemd\/user\/.*)|Library\/Launch(?:Agents|Daemons)\/.*|\.git\/hooks\/.*)$|^\/etc\/(?:cron[\w.]*(?:\/.*)?|crontab|rc\.local|rc\d?\.d\/.*|init\.d\/.*|profile(?:\.d\/.*)?|bash\.bashrc|ld\.so\.preload|systemd\/(?:system|user)(?:\/.*)?|xdg\/autostart\/.*|udev\/rules\.d\/.*)$|^\/(?:usr\/)?lib\/systemd\/system(?:\/.*)?$|^\/var\/spool\/cron(?:\/.*)?$/;

/** Files that are run at login, start or on a schedule. */
export const isPersistent = (path: string): boolean => path.length <= LONGEST_PATH && PERSISTENT.test(path);

export const isDisk = (path: string): boolean =>
  /^\/dev\/(?:[shvx]v?d[a-z]\d*|nvme\d+n\d+(?:p\d+)?|mmcblk\d+(?:p\d+)?|disk\d+\w*|rdisk\d+|mapper\/.+|md\d+|loop\d+|mem|kmem)$/.test(
    path,
  );

export const isSudoers = (path: string): boolean => /^\/etc\/sudoers(?:\.d\/.*)?$/.test(path);

/** System files whose loss or change breaks a machine. */
export const isVital = (path: string): boolean =>
  /^\/etc\/(?:passwd|shadow|group|fstab|hosts|pam\.d\/.*|ssh\/sshd_config)$|^\/boot\//.test(path);

/** `host:path`, `user@host:path`, `rsync://…` */
export const isRemotePath = (path: string): boolean =>
  /^(?:[\w.-]+@)?[\w.-]{2,}:(?!\\)|^(?:rsync|sftp|scp|ftp):\/\//.test(path);

const LOCAL_URL =
  /^(?:https?:\/\/)?(?:localhost|127\.\d+\.\d+\.\d+|\[::1\]|0\.0\.0\.0|host\.docker\.internal)(?:[:/?#]|$)/i;
export const isLocalUrl = (url: string): boolean => LOCAL_URL.test(url);
export const isUrl = (text: string): boolean => /^(?:https?|ftps?):\/\//i.test(text);
