/** A model id without what hosts write around it. */
export interface PlainModelId {
  readonly id: string;
  /** the geography that stood before it */
  readonly region: string | undefined;
}

const RESOURCE = /^(?:.*\/)?models\//;
const GEOGRAPHY = /^(global|us|us-gov|eu|apac|au|ca|jp)\.(?=[a-z0-9-]+\.)/;
const FAMILY = /^[a-z][a-z0-9]*\.(?=[a-z])/;
const VERSION = /-v[0-9]+(?::[0-9]+[a-z]?)?$/;
const AT_DATE = /@(20[0-9]{6})$/;
const AT_NAME = /@[a-z]+$/;

/**
 * Strips a resource path (`models/`, `publishers/x/models/`), the provider's own name before a slash, a host's geography and
 * family (`eu.family.id-v1:0`) and writes `@20250929` as `-20250929`. `id` is lower case; `ft:` ids stay as they are.
 */
export function normalizeModelId(id: string, provider: string): PlainModelId {
  let plain = id.replace(RESOURCE, '');
  if (plain.startsWith(`${provider}/`)) plain = plain.slice(provider.length + 1);
  if (plain.startsWith('ft:')) return { id: plain, region: undefined };
  const region = GEOGRAPHY.exec(plain)?.[1];
  if (region !== undefined) plain = plain.slice(region.length + 1);
  const versioned = plain.replace(VERSION, '');
  if (region !== undefined || versioned !== plain) plain = versioned.replace(FAMILY, '');
  return { id: plain.replace(AT_DATE, '-$1').replace(AT_NAME, ''), region };
}
