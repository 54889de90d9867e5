import { z } from 'zod';
import type { JsonObject } from '../../domain/json.ts';

/** What every sink's options have: the name that its metrics and its cursor go by. */
export const named = (type: string) => ({
  type: z.literal(type),
  name: z
    .string()
    .regex(/^[a-z0-9][a-z0-9-]{0,40}$/, 'use lower-case letters, digits and `-`')
    .default(type),
});

/** Options by the sink's own schema. Throws a TypeError naming each that is wrong; never repeats a value, which may be a secret. */
export function sinkOptions<Schema extends z.ZodObject>(
  type: string,
  schema: Schema,
  options: JsonObject,
): z.output<Schema> {
  const parsed = schema.safeParse(options);
  if (parsed.success) return parsed.data;
  const known = Object.keys(schema.shape).map((key) => `\`${key}\``);
  const problems = parsed.error.issues.map((issue) =>
    issue.code === 'unrecognized_keys'
      ? `${issue.keys.map((key) => `\`${key}\``).join(', ')} is no option of it: use ${known.join(', ')}`
      : `\`${issue.path.join('.')}\`: ${lower(issue.message)}`,
  );
  throw new TypeError(`audit sink \`${type}\`: ${problems.join('; ')}`);
}

function lower(message: string): string {
  return message.charAt(0).toLowerCase() + message.slice(1);
}
