import type { SealEntry } from '../../../../gateway/domain/receipt.ts';

/** A call as a test knows it: what it used and cost by list price. */
export interface KnownCall {
  readonly at: number;
  readonly model: string;
  readonly input: number;
  readonly cacheRead: number;
  readonly cacheWrite: number;
  readonly output: number;
}

export const dayOf = (at: number): string => new Date(at).toISOString().slice(0, 10);

const ACTIVITY =
  'start_time,end_time,start_time_iso,end_time_iso,project_id,num_model_requests,user_id,api_key_id,model,batch,service_tier,input_tokens,output_tokens,input_cached_tokens,input_cache_write_tokens,input_uncached_tokens';

/** OpenAI's activity export: one line for each call, empty minutes between them. */
export function openaiActivity(calls: readonly KnownCall[], key = 'key_gate'): string {
  const lines = calls.flatMap(({ at, model, input, cacheRead, cacheWrite, output }) => {
    const start = Math.floor(at / 60_000) * 60;
    const times = [start, start + 60, new Date(start * 1000).toISOString(), ''].join(',');
    const whole = input + cacheRead + cacheWrite;
    return [
      `${times},proj_1,1.0,,${key},${model},false,default,${whole},${output},${cacheRead},${cacheWrite},${input}`,
      `${times},,,,,,,,,,,,`,
    ];
  });
  return `\uFEFF${ACTIVITY}\r\n${lines.join('\r\n')}\r\n`;
}

const COST =
  'start_time,end_time,start_time_iso,end_time_iso,amount_value,amount_currency,quantity,quantity_unit,line_item,user_id,api_key_id,project_id,organization_id';

export type Bill = readonly (readonly [day: string, item: string, usd: string])[];

/** OpenAI's cost export, by line item. */
export const openaiCost = (bill: Bill): string =>
  [
    COST,
    ...bill.map(([day, item, usd]) => {
      const start = Date.parse(`${day}T00:00:00Z`) / 1000;
      return `${start},${start + 86_400},${day}T00:00:00,,${usd},usd,1,tokens,"${item}",,key_gate,proj_1,org`;
    }),
  ].join('\n');

const USAGE =
  'usage_date_utc,model_version,api_key,workspace,usage_type,context_window,usage_input_tokens_no_cache,usage_input_tokens_cache_write_5m,usage_input_tokens_cache_write_1h,usage_input_tokens_cache_read,usage_output_tokens,web_search_count,inference_geo,speed';

/** Anthropic's usage export. */
export const anthropicUsage = (calls: readonly KnownCall[], key = 'gate'): string =>
  [
    USAGE,
    ...calls.map(
      ({ at, model, input, cacheRead, cacheWrite, output }) =>
        `${dayOf(at)},${model},${key},"Default, shared",standard,≤ 200k,${input},${cacheWrite},0,${cacheRead},${output},0,global,`,
    ),
  ].join('\n');

const ANTHROPIC_COST =
  'usage_date_utc,model,workspace,api_key,usage_type,context_window,token_type,cost_usd,list_price_usd,cost_type,inference_geo,speed,api_key_id,api_key_status';

/** Anthropic's cost export; an item without a model is a fee. */
export const anthropicCost = (bill: readonly (readonly [string, string, string, string])[]): string =>
  [
    ANTHROPIC_COST,
    ...bill.map(
      ([day, model, type, usd]) =>
        `${day},${model},Default,gate,message,≤ 200k,${type},${usd},${usd},${model === '' ? 'web_search' : 'token'},global,,apikey_1,active`,
    ),
  ].join('\n');

/** The receipt of a call that ended well, as far as the index and the comparison read it. */
export function receiptOf(
  call: KnownCall,
  i: number,
  lines: readonly { model: string; leaf: string; count: number; pico: string }[],
  more: Partial<SealEntry> = {},
): SealEntry {
  const { at, model, input, cacheRead, cacheWrite, output } = call;
  const pico = lines.reduce((sum, line) => sum + BigInt(line.pico), 0n);
  return {
    kind: 'seal',
    id: `call_${i}`,
    at,
    step: 1,
    attempt: 1,
    upstream: 'openai',
    dialect: 'openai-chat',
    model,
    served_model: model,
    stream: false,
    status: 200,
    ending: 'completed',
    actions: [],
    usage: {
      certainty: 'exact',
      entries: [{ model, leaves: { input, cache_read: cacheRead, cache_write_5m: cacheWrite, output } }],
    },
    certainty: 'exact',
    cost_usd: (Number((pico + 999n) / 1000n) / 1e9).toFixed(9),
    cost_status: 'exact',
    cost_lines: lines,
    latency_ms: 1,
    policy: 'sha256:p',
    prices: 'sha256:t',
    ...more,
  } as SealEntry;
}
