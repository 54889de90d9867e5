import { Fault } from '../domain/fault.ts';
import { isObject, type JsonText, member } from '../domain/json.ts';
import type { Dialect, Headers, Reading } from '../ports/dialect.ts';
import { openaiChat } from './openai-chat.ts';

const DEPLOYMENT = /^(?:\/openai)?\/deployments\/([^/]+)\/chat\/completions$/;
const VERSIONED = /^(?:\/openai)?(?:\/v1){1,2}\/chat\/completions$/;
/** `stream_options` came with this version of the API; older ones refuse it. */
const USAGE_IN_STREAMS = '2024-09-01';

interface Target {
  /** names the model in the place of the body; undefined: the body names it */
  readonly deployment: string | undefined;
  readonly apiVersion: string | undefined;
}

function targetOf(path = ''): Target {
  const [place = '', query = ''] = path.split('?');
  const name = /\/deployments\/([^/]+)\/chat\/completions$/.exec(place)?.[1];
  return {
    deployment: name === undefined ? undefined : decoded(name),
    apiVersion: new URLSearchParams(query).get('api-version') ?? undefined,
  };
}

function decoded(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch (error) {
    if (!(error instanceof URIError)) throw error;
    throw new Fault('TG_BAD_REQUEST', 'the deployment in the path is not valid percent-encoding', error);
  }
}

/** The body is read as chat completions are; where the path names a deployment, Azure takes it and not the body's `model`. */
function read(doc: JsonText, bytes: number, headers: Headers, path?: string): Reading {
  const { deployment, apiVersion } = targetOf(path);
  const named = deployment !== undefined && isObject(doc.value);
  const seen = named ? { text: doc.text, value: { ...doc.value, model: deployment } } : doc;
  const reading = openaiChat.read(seen, bytes, headers);
  // documents of "your own data" are put into the prompt out of sight
  const stored = member(doc.value, 'data_sources') === undefined ? [] : ['stored_context'];
  const tooOld = apiVersion !== undefined && apiVersion < USAGE_IN_STREAMS && /^[0-9]{4}-/.test(apiVersion);
  return {
    ...reading,
    doc,
    bound: { ...reading.bound, opaque: [...reading.bound.opaque, ...stored] },
    ...(tooOld && { preparation: [] }),
  };
}

/** Chat completions of Azure OpenAI: by deployment, or v1 (https://learn.microsoft.com/azure/ai-foundry/openai/reference). */
export const azureOpenai: Dialect = {
  ...openaiChat,
  name: 'azure-openai',
  claims: (method, path) => method === 'POST' && (DEPLOYMENT.test(path) || VERSIONED.test(path)),
  upstreamPath: (path) => {
    const name = DEPLOYMENT.exec(path)?.[1];
    return name === undefined ? '/openai/v1/chat/completions' : `/openai/deployments/${name}/chat/completions`;
  },
  credentialHeaders: ['api-key', 'authorization'],
  read,
};
