import { lookAlikeKeys } from '../../domain/look-alike.ts';
import { definitionStrings } from '../../domain/tool-definition.ts';
import { visibleStart } from '../../domain/visible-text.ts';
import type { PinKey } from '../../ports/pin-store.ts';

interface Owner {
  readonly server: string;
  readonly name: string;
  /** a name that no plain sentence holds by accident */
  readonly distinct: boolean;
}

const isDistinct = (name: string): boolean => /[a-z0-9][A-Z]|[_\-.0-9/:]|[^\p{ASCII}]/u.test(name);

/** A word of more parts is no name with a decoration. */
const MOST_PARTS = 8;

const WORDS = /[\p{L}\p{N}\p{M}\p{Cf}][\p{L}\p{N}\p{M}\p{Cf}_./:-]*/gu;
const QUOTES = '`\'"“‘«';
const TOOL_BEFORE = /(?:^|[^\p{L}])(?:tools?|functions?)(?:\s+(?:named|called))?[\s`'"“‘«]{1,3}$/iu;
const TOOL_AFTER = /^[`'"”’»]?\s+(?:mcp\s+)?(?:tools?|functions?)(?![\p{L}\p{N}])/iu;
const SERVER_AFTER = /^[`'"”’»]?(?:'s)?\s+(?:mcp\s+)?(?:servers?|tools?)(?![\p{L}\p{N}])/iu;

function put(map: Map<string, Owner[]>, key: string, owner: Owner): void {
  const owners = map.get(key);
  if (owners) owners.push(owner);
  else map.set(key, [owner]);
}

/** A name as it stands, and without what clients put before it: `mcp__mail__send`, `mcp_mail_send`, `mail__send`. */
function undecorated(word: string): readonly string[] {
  const parts = /^mcp[_-]/i.test(word) ? word.split(/_+/) : word.split('__');
  const separator = parts.length > 1 && /^mcp[_-]/i.test(word) ? '_' : '__';
  return [word, ...parts.slice(1, MOST_PARTS).map((_, i) => parts.slice(i + 1).join(separator))];
}

const shown = (text: string): string => `\`${visibleStart(text, 64)}\``;

/** Names that are already trusted, by what they look like; asked about every definition that is not. */
export class TrustedNames {
  /** `bare tool fold search`, `exposed prompt skeleton githubsearch` → who has it */
  readonly #taken = new Map<string, Owner[]>();
  /** the same without kind and form, for what texts speak of */
  readonly #spoken = new Map<string, Owner[]>();
  readonly #servers = new Set<string>();

  add({ server, kind, name }: PinKey): void {
    this.#servers.add(server);
    if (kind !== 'tool' && kind !== 'prompt') return;
    const owner = { server, name, distinct: isDistinct(name) };
    for (const key of lookAlikeKeys(name)) {
      put(this.#taken, `bare ${kind} ${key}`, owner);
      put(this.#spoken, key, owner);
    }
    for (const key of lookAlikeKeys(`${server}__${name}`)) {
      put(this.#taken, `exposed ${kind} ${key}`, owner);
      put(this.#spoken, key, { ...owner, distinct: true });
    }
  }

  /** Why a newcomer's name stands in the way of a trusted one: it equals one of another server, or can be taken for one of any. */
  nameTaken({ server, kind, name }: PinKey): string | undefined {
    const of = (form: string, spelling: string): readonly Owner[] =>
      lookAlikeKeys(spelling).flatMap((key) => this.#taken.get(`${form} ${kind} ${key}`) ?? []);
    const owners = [
      ...of('bare', name),
      ...of('exposed', `${server}__${name}`),
      ...of('exposed', name).filter((owner) => owner.server !== server),
    ];
    const other = owners.find((owner) => owner.server !== server || owner.name !== name);
    if (other === undefined) return undefined;
    const whose = other.server === server ? 'of this server' : `of the server \`${other.server}\``;
    return other.name === name
      ? `its name is also that of a trusted one ${whose}`
      : `its name can be taken for the trusted ${shown(other.name)} ${whose}`;
  }

  /** Why a definition speaks of another server's tools: it names one of them. `own`: what its server offers itself. */
  mentions(text: string, server: string, own: ReadonlySet<string>): string | undefined {
    for (const { text: words } of definitionStrings(text)) {
      for (const match of words.matchAll(WORDS)) {
        const word = match[0].replace(/[./:-]+$/, '');
        const end = match.index + word.length;
        const foreign = this.#foreign(word, words, match.index, end, server, own);
        if (foreign) return foreign;
      }
    }
    return undefined;
  }

  #foreign(
    word: string,
    words: string,
    start: number,
    end: number,
    server: string,
    own: ReadonlySet<string>,
  ): string | undefined {
    if (own.has(word)) return undefined;
    const rest = words.slice(end, end + 24);
    const spoken = undecorated(word).flatMap((name) => lookAlikeKeys(name));
    for (const owner of spoken.flatMap((key) => this.#spoken.get(key) ?? [])) {
      if (owner.server === server || own.has(owner.name)) continue;
      const quoted = start > 0 && QUOTES.includes(words.charAt(start - 1));
      if (
        owner.distinct ||
        quoted ||
        TOOL_AFTER.test(rest) ||
        TOOL_BEFORE.test(words.slice(Math.max(0, start - 24), start))
      )
        return `it speaks of ${shown(owner.name)}, a tool of the server \`${owner.server}\``;
    }
    const named = word.toLowerCase();
    if (named !== server && this.#servers.has(named) && SERVER_AFTER.test(rest))
      return `it speaks of the server \`${named}\``;
    return undefined;
  }
}
