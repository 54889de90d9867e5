import type { MarkerRule } from './rule.ts';

const VERBS = ['ignore', 'disregard', 'forget', 'override', 'discard', 'cancel', 'pay no attention to'];
const verb = `(?:${VERBS.join('|')})`;
const ASSISTANTS = '(?:chatgpt|gpt-?[345][\\w.-]{0,6}|claude|gemini|copilot|llama|ai assistant|ai agent)';

/** Shorter ways to set aside, to ask for the prompt and to speak to a model by name. */
export const ORDERS: readonly MarkerRule[] = [
  {
    kind: 'override',
    anchors: VERBS,
    pattern: new RegExp(
      `${verb} (?:all |any |every )(?:of )?(?:the |your |my )?(?:previous|prior|earlier|preceding) (?:commands|rules|context|text|directives|orders|input)\\b|(?:cancel|pay no attention to|disregard) (?:all |any |the |your ){0,2}(?:previous|prior|earlier|above) (?:instructions|prompts|commands|text|context|rules)\\b`,
      'iy',
    ),
    confidence: 0.8,
  },
  {
    kind: 'override',
    anchors: VERBS,
    pattern: new RegExp(
      `${verb} (?:(?:everything|anything|all) (?:of the |that is |stated |written )?(?:above|before this)\\b|the above(?: and|,| then)(?= instead| now| do| tell| say| print| output| translate)|the (?:user|human)(?:'s)?(?: previous| original)? (?:request|message|query|question|task|input)s?\\b|the (?:previous|original) user (?:request|message|query|prompt)s?\\b)`,
      'iy',
    ),
    confidence: 0.8,
  },
  {
    kind: 'override',
    anchors: [
      'do not follow the',
      "don't follow the",
      'your previous instructions',
      'your prior instructions',
      'your original instructions',
    ],
    pattern:
      /(?:(?:do not|don't) follow the (?:instructions|rules|guidelines) (?:above|given above|you were given)\b(?! if)|your (?:previous|prior|original) instructions (?:are|have been) (?:now )?(?:void|cancell?ed|obsolete|superseded|replaced|revoked|no longer valid|overridden))/iy,
    confidence: 0.75,
  },
  {
    kind: 'override',
    anchors: [
      'system override',
      'admin override',
      'begin new system prompt',
      'new system prompt',
      'new instructions',
      'you are dan',
      'system prompt:',
      'system:',
    ],
    pattern:
      /(?:(?:system|admin) override\s{0,2}[:!]|(?:begin )?new system prompt\b(?=\s{0,2}(?:[:\n]|$))|new instructions(?: for (?:the )?(?:assistant|ai|model|agent))?:(?= ?[a-z])|you are dan\b|system prompt: ?you are (?:now|an?)\b|system: (?:new (?:directive|instructions?|task|rule)|ignore|you (?:are now|must)|override)\b)/iy,
    confidence: 0.7,
  },
  {
    kind: 'override',
    anchors: [
      'reveal your',
      'print your',
      'output your',
      'repeat your',
      'show your',
      'show me your',
      'leak your',
      'print the system prompt',
      'reveal the system prompt',
      'output the system prompt',
      'repeat the words above',
    ],
    pattern:
      /(?:(?:reveal|print|output|repeat|show|show me|leak) your (?:full |entire |exact |hidden |secret |initial |original |internal ){0,2}(?:system prompt|system message|instructions|developer instructions|prompt)\b|(?:print|reveal|output) the system prompt(?: verbatim| in full| exactly|\.|$)|repeat the words above\b)/iy,
    confidence: 0.7,
  },
  {
    kind: 'importance',
    anchors: [
      'chatgpt',
      'gpt',
      'claude',
      'gemini',
      'copilot',
      'llama',
      'ai assistant',
      'ai agent',
      'hey claude',
      'hey chatgpt',
    ],
    pattern: new RegExp(
      `(?:hey )?${ASSISTANTS}(?:,|:| -)? (?:if you(?:'re| are) reading this|please (?:run|send|ignore|execute|call|open|add|include|forward|delete)|you must\\b|ignore (?:the|all|your))`,
      'iy',
    ),
    confidence: 0.75,
  },
  {
    kind: 'importance',
    anchors: [
      'when summarizing',
      'when summarising',
      'when you summarize',
      'when you summarise',
      'when answering',
      'when responding',
      'when reviewing',
      'as an ai',
    ],
    pattern:
      /(?:when (?:you )?(?:summari[sz](?:ing|e)|answering|responding to|reviewing) this (?:e-?mail|document|page|message|text|article|file|pull request|cv|resume|paper)?,? ?(?:also |always |please |you (?:must|should) |make sure to |do not )(?:include|add|mention|say|state|recommend|rate|give|call|send|insert)|as an ai(?: (?:assistant|model|agent|language model))?,? you (?:must|should|will|need to|have to)\b)/iy,
    confidence: 0.75,
  },
  {
    kind: 'secrecy',
    anchors: [
      'do not mention this',
      "don't mention this",
      'do not tell anyone',
      'silently forward',
      'silently send',
      'secretly send',
      'secretly forward',
    ],
    pattern:
      /(?:(?:do not|don't) mention this(?: \w{1,14})? to (?:anyone|anybody)\b|do not tell anyone (?:that you|about this (?:instruction|message|step))|(?:silently|secretly) (?:forward|send|upload|copy) (?:the|this|all|every|any)\b)/iy,
    confidence: 0.65,
  },
  {
    kind: 'exfiltration',
    anchors: ['send all', 'send the', 'send every', 'send any', 'forward all', 'upload all', 'post all'],
    pattern:
      /(?:send|forward|upload|post) (?:all|any|every|the) (?:of )?(?:the |your )?(?:passwords?|credentials|secrets|api keys|tokens|keys|emails|conversations?) (?:that )?you (?:know|have|find|can find|can see|see)\b.{0,40}? to /iy,
    confidence: 0.8,
  },
  {
    kind: 'tool_instruction',
    anchors: ['you must', 'you should', 'you need to', 'please', 'first'],
    pattern:
      /(?:you (?:must|should|need to)|please|first),? (?:now |first )?(?:use|call|invoke|run|execute) the (?:tool|function) `?[a-z]{1,20}_\w{1,40}/iy,
    confidence: 0.75,
  },
];
