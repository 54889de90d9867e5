import type { Problem, Source } from '../domain/source.ts';
import { checkForm } from './form-problems.ts';
import { PRICE_FILE_KEYS, type PriceFile, priceFile } from './schema.ts';
import { slips } from './slips.ts';

/** The price file's value where it is sound, and otherwise every mistake in it: form first, then what the form can't say. */
export function checkPriceFile(doc: Source): {
  readonly file?: PriceFile;
  readonly problems: readonly Problem[];
} {
  const form = checkForm(doc, priceFile, PRICE_FILE_KEYS);
  if (doc.problems.length > 0) return { problems: form.problems };
  const problems = [...form.problems, ...slips(doc)].sort((a, b) => a.line - b.line || a.column - b.column);
  return form.value !== undefined && problems.length === 0 ? { file: form.value, problems } : { problems };
}
