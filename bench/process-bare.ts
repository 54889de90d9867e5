// The least a gateway could do: node:http in, undici out, both JSON bodies parsed, nothing decided and nothing kept. `argv`: upstream.
import { startPassThrough } from './pass-through.ts';

startPassThrough(process.argv[2] as string);
