import { picoToUsd } from '../../domain/money.ts';
import type { Cost, CostLine } from '../../domain/pricing.ts';
import { pico } from '../../domain/scalars.ts';
import type { TokenLeaf } from '../../domain/usage.ts';
import { type PriceTerms, timesText } from '../../price/explain.ts';
import { ONE } from '../../price/table.ts';

/** One line of a cost with the factors that make it. */
export interface ExplainedLine {
  readonly leaf: CostLine['leaf'];
  readonly count: number;
  /** USD per million tokens, or per use of a fee; as the row has it, before tier and region */
  readonly rate: string;
  readonly tier_times: string;
  readonly region_times: string;
  readonly usd: string;
  readonly note?: string;
}

/** Each line of a cost as count × rate × tier × region. */
export function explainLines(cost: Cost, terms: PriceTerms): ExplainedLine[] {
  return cost.lines.map((line) => {
    const usd = picoToUsd(line.amount);
    if (line.leaf.startsWith('fee:')) {
      const own = terms.fee(line.leaf.slice(4));
      const one = own ?? line.amount / BigInt(Math.max(line.count, 1));
      const note = own === undefined ? { note: 'the model has no such fee: the dearest that is known' } : {};
      return {
        leaf: line.leaf,
        count: line.count,
        rate: picoToUsd(pico(one)),
        tier_times: '1',
        region_times: '1',
        usd,
        ...note,
      };
    }
    const { rate, own } = terms.rate(line.leaf as TokenLeaf);
    return {
      leaf: line.leaf,
      count: line.count,
      rate: picoToUsd(pico(rate * 1_000_000n)),
      tier_times: timesText(terms.tier.times),
      region_times: timesText(terms.region.times),
      usd,
      ...(!own && { note: 'the row has no price for it: that of its parent' }),
    };
  });
}

/** `3 × $0.30/M × 0.5 × 1.1`, as cells of a table. */
export function lineCells(line: ExplainedLine): string[] {
  const fee = line.leaf.startsWith('fee:');
  const times = [line.tier_times, line.region_times].filter((factor) => factor !== '1').map((factor) => `× ${factor}`);
  return [
    `  ${line.leaf}`,
    String(line.count),
    `× $${line.rate}${fee ? '' : '/M'}${times.length > 0 ? ` ${times.join(' ')}` : ''}`,
    `= $${line.usd}`,
    line.note ?? '',
  ];
}

const clock = (minute: number): string =>
  `${String(Math.floor(minute / 60)).padStart(2, '0')}:${String(minute % 60).padStart(2, '0')}`;

/** What holds for all lines: row, hours, tier, region, size of the prompt. */
export function termsText(terms: PriceTerms): string[] {
  const { tier, region, hours } = terms;
  const day = new Date(terms.from).toISOString().slice(0, 10);
  const factor = (times: bigint): string => (times === ONE ? '' : `, × ${timesText(times)}`);
  return [
    `  row     ${terms.model} from ${day}${hours ? `, ${clock(hours[0])} to ${clock(hours[1])} UTC` : ''}${terms.inForce ? '' : ', which is later than the call: it stands in'}`,
    `  tier    ${tier.name}${factor(tier.times)}${tier.known ? '' : ' (the word is not in the table: its dearest tier)'}; known: ${terms.tiers.join(', ')}`,
    ...(region.name === undefined && terms.regions.length === 0
      ? []
      : [
          `  region  ${region.name ?? 'none named'}${factor(region.times)}${region.known ? '' : ' (not in the table: its dearest)'}; known: ${terms.regions.join(', ') || 'none'}`,
        ]),
    ...(terms.inputOver === undefined
      ? []
      : [
          `  prompt  ${terms.prompt} tokens, above ${terms.inputOver}: the prices of long prompts hold for all of them`,
        ]),
  ];
}
