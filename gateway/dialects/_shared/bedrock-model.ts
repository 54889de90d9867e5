import { Fault } from '../../domain/fault.ts';

/** The model that a Bedrock path names. */
export interface BedrockModel {
  /** a model id, or what an ARN ends in */
  readonly model: string;
  /** the geography before the id; an id without one is served, and priced, in its own region */
  readonly region: string;
  readonly operation: string;
}

const PATH = /\/model\/([^/?]+)\/([a-z-]+)$/;
const DOTTED = /(?:^|[/\\])\.{1,2}(?:[/\\]|$)/;
const GEOGRAPHY = /^([a-z]{2,6}(?:-gov)?)\.(?=[a-z0-9-]+\.)/;

/** Reads `…/model/<id>/<operation>`, the id percent-encoded or not. Throws a Fault where the path is none of these. */
export function bedrockModel(target = ''): BedrockModel {
  const match = PATH.exec(target.split('?')[0] as string);
  if (!match) throw new Fault('TG_BAD_REQUEST', '`path` must name a model: `/model/<model id>/converse`');
  const named = decoded(match[1] as string);
  if (DOTTED.test(named))
    throw new Fault('TG_BAD_REQUEST', 'the model in the path has dotted segments; write it plainly');
  const model = named.slice(named.lastIndexOf('/') + 1);
  return { model, region: GEOGRAPHY.exec(model)?.[1] ?? 'in_region', operation: match[2] as string };
}

function decoded(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch (error) {
    if (!(error instanceof URIError)) throw error;
    throw new Fault('TG_BAD_REQUEST', 'the model in the path is not valid percent-encoding', error);
  }
}
