const MASK = '[masked]';
const MAX_DEPTH = 6;
const MAX_TEXT = 2_000;

/** Names of fields whose value is a credential, in any spelling: `x-api-key`, `apiKey`, `client_secret` … */
const CREDENTIAL_NAME =
  /^(?:proxy-?)?authorization$|^cookie$|^set-cookie$|(?:^|[-_])(?:password|passwd|secret|bearer|credentials?)$|api[-_]?key$|(?:access|refresh|auth|id|session)[-_]?token$|^token$|private[-_]?key$/i;

/** Credentials inside a text: an Authorization value, a key in a query, a key that its prefix gives away. */
const CREDENTIAL_TEXT =
  /\b(bearer|basic)\s+[\w.~+/=-]{6,}|([?&](?:key|api[-_]?key|(?:access_)?token|sig|signature)=)[^&\s#]+|\b(tg_|sk-|sk_|rk_|gh[pousr]_|github_pat_|xox[a-z]-|glpat-|AIza|AKIA|eyJ)[\w.-]{8,}|(:\/\/[^\s:/@]*:)[^\s/@]+(?=@)/gi;

function harmlessText(text: string): string {
  const short = text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…` : text;
  return short.replace(CREDENTIAL_TEXT, (_, scheme?: string, query?: string, prefix?: string, login?: string) => {
    return `${scheme === undefined ? '' : `${scheme} `}${query ?? prefix ?? login ?? ''}${MASK}`;
  });
}

/** What may be said of an error. A parser's message quotes what it read, so it stays out. */
function harmlessError(error: Error, depth: number): unknown {
  const { code, cause } = error as Error & { code?: unknown; cause?: unknown };
  const quotes = error instanceof SyntaxError;
  const frames = (error.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line));
  return {
    type: error.name,
    ...(typeof code === 'string' ? { code } : {}),
    message: quotes ? 'the text could not be parsed' : harmlessText(error.message),
    stack: frames.slice(0, 8).map((line) => line.trim()),
    ...(cause === undefined ? {} : { cause: harmlessValue(cause, depth + 1) }),
  };
}

function harmlessValue(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return harmlessText(value);
  if (typeof value === 'bigint') return value.toString();
  if (typeof value !== 'object' || value === null) return value;
  if (depth > MAX_DEPTH) return '[deeper]';
  if (value instanceof Error) return harmlessError(value, depth);
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if (Array.isArray(value)) return value.slice(0, 100).map((item) => harmlessValue(item, depth + 1));
  return harmlessFields(value as Record<string, unknown>, depth);
}

function harmlessFields(fields: Readonly<Record<string, unknown>>, depth: number): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields)) {
    const masked = CREDENTIAL_NAME.test(name) && value !== undefined && value !== null && value !== '';
    out[name] = masked ? MASK : harmlessValue(value, depth + 1);
  }
  return out;
}

/** Fields fit for a log: credentials masked by name and by shape, errors reduced, sizes bounded. Never changes its argument. */
export const harmless = (fields: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  harmlessFields(fields, 0);
