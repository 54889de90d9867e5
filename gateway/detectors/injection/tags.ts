import type { MarkerRule } from './rule.ts';

const tag = (anchors: readonly string[], pattern: RegExp, confidence = 0.9): MarkerRule => ({
  kind: 'role_tag',
  anchors,
  pattern,
  confidence,
  inside: true,
});

/** Marks by which chat templates and agents tell who speaks; in data they are forged. */
export const TAGS: readonly MarkerRule[] = [
  tag(
    ['<|'],
    /<\|(?:im_start|im_end|im_sep|system|user|assistant|endoftext|endofprompt|begin_of_text|end_of_text|start_header_id|end_header_id|eot_id|eom_id|python_tag|tool|tool_calls?|channel|message|start|end|fim_prefix|start_of_role|end_of_role)\|>/iy,
  ),
  tag(['[inst]', '[/inst]'], /\[\/?INST\]/y),
  tag(['<<sys>>', '<</sys>>'], /<<\/?SYS>>/y),
  tag(['<start_of_turn>', '<end_of_turn>'], /<(?:start|end)_of_turn>/y),
  tag(
    ['[system message', '[system prompt', '[system instruction', '[system]', '[/system]', '[developer message'],
    /\[\/?(?:SYSTEM|DEVELOPER)(?: (?:MESSAGE|PROMPT|INSTRUCTIONS?))?\]/iy,
    0.75,
  ),
  tag(
    [
      '<system-',
      '</system-',
      '<system_',
      '</system_',
      '<tool_result',
      '</tool_result',
      '<function_',
      '</function_',
      '<tool_call',
      '</tool_call',
      '<developer>',
      '</developer>',
      '<assistant_',
      '</assistant_',
      '<human_turn',
      '<user_message',
      '</user_message',
    ],
    /<\/?(?:system[-_](?:reminder|prompt|message|instructions?)|tool_(?:results?|calls?|response)|function_(?:calls?|results?)|developer|assistant_(?:response|message|turn)|human_turn|user_message)>/iy,
    0.85,
  ),
  tag(['<system>', '<assistant>'], /<(?:system|assistant)>(?=\s{0,4}[A-Z][a-z']{0,16}[ ,][a-z]+ [a-z]+)/y, 0.85),
  tag(['</system>', '</assistant>'], /(?<=[a-z.!?]\s{0,3})<\/(?:system|assistant)>(?!\s{0,8}<)/y, 0.75),
  {
    kind: 'role_tag',
    anchors: ['###', '##'],
    pattern: /#{2,3} ?(?:System|Assistant|Human|Instruction|New instructions)(?: (?:prompt|message))?:/iy,
    confidence: 0.75,
    line: true,
  },
  {
    kind: 'role_tag',
    anchors: ['human:', 'assistant:'],
    pattern: /(?<=(?:^|\n)\s{0,2}\n)(?:Human|Assistant):/y,
    confidence: 0.75,
    line: true,
  },
];
