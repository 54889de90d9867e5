import { BlockList, isIP } from 'node:net';
import { domainToUnicode } from 'node:url';

/** What an address or name stands for, the gravest first. */
export type HostKind = 'metadata' | 'private' | 'punycode' | 'ip_literal';

/** Where clouds answer their machines' questions: AWS, GCP, Azure, Oracle, Alibaba, ECS and EKS tasks, Kubernetes. */
const METADATA = new Set([
  '169.254.169.254',
  '169.254.169.253',
  '169.254.170.2',
  '169.254.170.23',
  '100.100.100.200',
  '192.0.0.192',
  '168.63.129.16',
  '[fd00:ec2::254]',
  '[fd00:ec2::23]',
  '[fd20:ce::254]',
  'metadata.google.internal',
  'metadata.goog',
  'metadata',
  'instance-data',
  'instance-data.ec2.internal',
  'metadata.tencentyun.com',
  'metadata.azure.internal',
]);

const PRIVATE = new BlockList();
/** IANA's special-purpose registries: what is never reached over the Internet. */
for (const range of [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '224.0.0.0/4',
  '240.0.0.0/4',
]) {
  const [address = '', bits] = range.split('/');
  PRIVATE.addSubnet(address, Number(bits), 'ipv4');
}
for (const range of ['::/127', 'fc00::/7', 'fe80::/10', 'fec0::/10', 'ff00::/8', '100::/64']) {
  const [address = '', bits] = range.split('/');
  PRIVATE.addSubnet(address, Number(bits), 'ipv6');
}

const PRIVATE_NAME = /(?:^|\.)(?:localhost|local|internal|intranet|localdomain|lan|corp|home\.arpa)$/;

/** The IPv4 address inside an IPv6 one, as WHATWG writes it: mapped, translated (NAT64) or 6to4. */
function embeddedIpv4(address: string): string | undefined {
  const match =
    /^(?:::ffff:(?:0:)?|64:ff9b::|::)([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(address) ??
    /^2002:([0-9a-f]{1,4}):([0-9a-f]{1,4}):/.exec(address);
  if (match === null) return undefined;
  const [high, low] = [Number.parseInt(match[1] ?? '', 16), Number.parseInt(match[2] ?? '', 16)];
  return [high >> 8, high & 255, low >> 8, low & 255].join('.');
}

const SCRIPTS = [
  /\p{Script=Latin}/u,
  /\p{Script=Cyrillic}/u,
  /\p{Script=Greek}/u,
  /\p{Script=Armenian}/u,
  /\p{Script=Cherokee}/u,
];
/** letters of other scripts that look like Latin ones */
const LOOKALIKE = /^[аеорсухіјѕԁԛԝӏһѵɡⅼαορνυκι.\-0-9]+$/iu;

/** True where a name's letters come from several scripts, or all look like Latin ones and are none. */
const deceives = (name: string): boolean =>
  name
    .split('.')
    .some(
      (label) =>
        SCRIPTS.filter((script) => script.test(label)).length > 1 ||
        (/[^\p{ASCII}]/u.test(label) && LOOKALIKE.test(label)),
    );

/** Judges a host as WHATWG URL normalised it (`[…]` around IPv6); `written`: as it stood in the text. */
export function hostKind(host: string, written: string): { kind: HostKind; confidence: number } | undefined {
  const name = host.endsWith('.') ? host.slice(0, -1) : host;
  const bare = name.startsWith('[') ? name.slice(1, -1) : name;
  const version = isIP(bare);
  const embedded = version === 6 ? embeddedIpv4(bare) : undefined;
  if (METADATA.has(name) || (embedded !== undefined && METADATA.has(embedded)))
    return { kind: 'metadata', confidence: 1 };
  if (version !== 0) {
    const inside =
      embedded === undefined ? PRIVATE.check(bare, version === 4 ? 'ipv4' : 'ipv6') : PRIVATE.check(embedded);
    return inside ? { kind: 'private', confidence: 1 } : { kind: 'ip_literal', confidence: 0.9 };
  }
  if (PRIVATE_NAME.test(name)) return { kind: 'private', confidence: 0.9 };
  if (!name.includes('xn--')) return undefined;
  const deceiving = deceives(domainToUnicode(name));
  if (/xn--/i.test(written)) return { kind: 'punycode', confidence: deceiving ? 0.95 : 0.6 };
  return deceiving ? { kind: 'punycode', confidence: 0.95 } : undefined;
}
