/** Rules about other tools, models, agents and tenants than the bench's calls: the index must pass them by. */
const ELSEWHERE: readonly ((i: number) => string)[] = [
  (i) => `at: pre_tool_call, tools: ["deploy_${i}", "srv${i}__*"], when: 'args.target == "prod-${i}"', verdict: deny`,
  (i) => `at: pre_model_call, models: ["claude-${i}-*"], when: quote.max_usd > ${i}.5, verdict: deny`,
  (i) => `at: [input, pre_model_call], agents: ["intern-${i}"], when: run.steps > ${i}, verdict: deny`,
  (i) => `at: [post_tool_call, output], tenants: ["tenant-${i}"], detect: secrets, verdict: warn`,
  (i) => `at: post_tool_call, tools: ["*__read_${i}"], when: 'text.contains("confidential-${i}")', verdict: warn`,
];

/** Rules that could apply to every call of the bench, as people write them; none matches. */
const HERE: readonly string[] = [
  `at: pre_model_call, when: '!quote.priced && has(budget.run)', verdict: deny`,
  `at: pre_model_call, when: quote.priced && quote.max_usd > 10.0, verdict: warn`,
  `at: pre_model_call, when: budget.run.left_usd < 0.01 * budget.run.limit_usd, verdict: transform, transform: [{ cap: output_tokens, to: affordable }]`,
  `at: pre_model_call, when: 'model.name in lists.retired_models', verdict: deny`,
  `at: pre_model_call, models: ["gpt-*"], when: 'model.max_output_tokens > 100000', verdict: deny`,
  `at: pre_model_call, when: 'run.velocity_usd_per_min > 1000.0', verdict: deny, halt: run`,
  `at: pre_model_call, when: '"x-release" in request.headers && request.headers["x-release"] == "blocked"', verdict: deny`,
  `at: pre_model_call, when: '"confidential" in run.labels && model.provider != "openai"', verdict: deny`,
  `at: pre_model_call, agents: ["agent-*"], unless: 'model.name.startsWith("gpt-")', verdict: deny`,
  `at: [input, pre_model_call], when: run.steps > 100000000, verdict: deny, halt: run`,
  `at: input, when: 'text.matches("(?i)ignore (all|any) previous instructions")', verdict: warn`,
  `at: input, when: 'size(text) > 100000', verdict: warn`,
  `at: input, detect: secrets, verdict: warn`,
  `at: [post_tool_call, pre_model_call, post_model_call, output], detect: secrets, verdict: transform, transform: [{ redact: secret.*, as: token }]`,
  `at: post_model_call, when: usage.output > 100000, verdict: warn`,
  `at: post_model_call, when: cost_usd > 5.0, verdict: warn`,
  `at: [post_model_call, output], when: 'text.contains("BEGIN INTERNAL ONLY")', verdict: deny`,
  `at: output, when: 'text.matches("https?://[a-z0-9.-]*\\\\.evil\\\\.example/")', verdict: deny`,
  `at: output, when: 'human.groups.exists(g, g == "minors") && text.contains("casino")', verdict: deny`,
  `at: pre_tool_call, when: run.identical_calls >= 5 || run.cycle.repeats >= 5, verdict: deny`,
];

const RULES = 100;

/** A hundred rules: 20 that could apply to the bench's calls, detector `secrets` among them, and 80 that could not. */
export function policyOf100(): string {
  const others = Array.from({ length: RULES - HERE.length }, (_, i) =>
    (ELSEWHERE[i % ELSEWHERE.length] as (n: number) => string)(i),
  );
  const rules = [...HERE, ...others].map((rule, i) => `  - { id: r${i}, ${rule} }\n`).join('');
  return `policy: tollgate/v1\nname: bench\ndefault: allow\nlists: { retired_models: [gpt-3.5-turbo, text-davinci-003] }\nrules:\n${rules}`;
}
