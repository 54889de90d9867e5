import type { MarkerRule } from './rule.ts';

const S = String.raw`[\s*_"'>]{1,4}`;
const FILL = (words: string, most: number): string => `(?:(?:${words})${S}){0,${most}}`;
const GUIDING =
  'instructions?|prompts?|directives?|directions|guidelines|guardrails|programming|training|constraints|restrictions|orders|rules|context';
const EARLIER =
  'all|any|every|the|your|of|my|these|those|its|other|safety|existing|current|initial|original|system|developer|previous|previously|prior|preceding|earlier|above|former|past|foregoing|given|hidden|secret|and';
const POINTED =
  'previous|prior|preceding|earlier|above|former|original|initial|existing|system|safety|developer|your|all your|all prior|all previous|any previous';

const verbs = ['ignore', 'disregard', 'forget', 'override', 'overrule', 'bypass', 'discard', 'neglect'];
const from = (words: readonly string[]): string => `(?:${words.join('|')})`;

/** Setting aside what the model was told. */
const OVERRIDES: MarkerRule[] = [
  {
    kind: 'override',
    anchors: verbs,
    pattern: new RegExp(
      `${from(verbs)}${S}${FILL(EARLIER, 4)}(?:${POINTED})${S}${FILL(EARLIER, 3)}(?:instructions?|prompts?|directives?|directions|guidelines|guardrails|programming|constraints|restrictions|orders)\\b(?!${S}(?:manual|video|above if|for (?:version|v\\d)))`,
      'iy',
    ),
    confidence: 0.9,
  },
  {
    kind: 'override',
    anchors: verbs,
    pattern: new RegExp(
      `${from(verbs)}${S}(?:all|any|every)${S}(?:of${S})?(?:your|the|my|these|those)?(?:${S})?(?:previous|prior|earlier|above)?(?:${S})?(?:instructions?|prompts?|directives?|guidelines|guardrails|training)\\b`,
      'iy',
    ),
    confidence: 0.85,
  },
  {
    kind: 'override',
    anchors: verbs,
    pattern: new RegExp(
      `${from(verbs)}${S}(?:everything|anything|all|what(?:ever)?)${S}(?:that${S})?(?:you${S}(?:were|have${S}been|'ve${S}been)${S}(?:told|taught|instructed|given|asked)|(?:i|they)${S}(?:told|taught)${S}you|(?:written${S}|said${S})?(?:above|before)(?=[\\s.,;:!]{1,3}(?:and|you|now|$)))(?:${S}(?:before|so far|earlier|above|previously))?`,
      'iy',
    ),
    confidence: 0.85,
  },
  {
    kind: 'override',
    anchors: [
      'do not follow',
      "don't follow",
      'stop following',
      'do not obey',
      "don't obey",
      'stop obeying',
      'no longer follow',
      'do not comply with',
    ],
    pattern: new RegExp(
      `[a-z']+(?: [a-z]+){1,3}?${S}${FILL(EARLIER, 4)}(?:${POINTED})${S}${FILL(EARLIER, 2)}(?:${GUIDING})\\b`,
      'iy',
    ),
    confidence: 0.85,
  },
  {
    kind: 'override',
    anchors: [
      'you are now',
      'you are no longer',
      'from now on',
      'act as an unrestricted',
      'pretend to be an unrestricted',
      'enter developer mode',
      'enable developer mode',
      'enable dan mode',
    ],
    pattern:
      /(?:you are now (?:in (?:developer|dan|god|admin|debug|unrestricted|jailbreak|maintenance)\b.{0,12}?mode|(?:dan|an? (?:unrestricted|uncensored|unfiltered|jailbroken|evil|different (?:ai|assistant|model)))\b|a new (?:ai|assistant|model)\b|free (?:of|from) (?:all|any|your)\b)|you are no longer (?:bound|restricted|limited|an? (?:ai|assistant|language))\b|from now on,? (?:you (?:are|will be) (?:an? )?(?:unrestricted|uncensored|ai\b|dan\b|assistant|[A-Z]\w{0,12}(?:Bot|GPT|AI)\b)|you (?:must|will|shall) (?:only )?(?:obey|follow|answer|respond|ignore)\b|ignore\b)|(?:act as|pretend to be) an unrestricted (?:ai|assistant|model)|ena?(?:ble|ter) (?:developer|dan) mode|enter developer mode)/iy,
    confidence: 0.85,
  },
  {
    kind: 'override',
    anchors: [
      'your new instructions',
      'your new task is',
      'your real task',
      'your real goal',
      'your true purpose',
      'new instructions from',
      'updated system prompt',
      'these instructions supersede',
      'this overrides',
    ],
    pattern:
      /(?:your new instructions (?:are|is)\b|your new task is\b|your (?:real|true) (?:task|goal|purpose) is (?!to be)|new instructions from (?:the )?(?:developer|system|admin|openai|anthropic)|updated system prompt\s{0,2}:|these instructions supersede (?:all|any|your)|this overrides (?:all|any|your) (?:previous|prior|other))/iy,
    confidence: 0.8,
  },
];

/** Shouting for attention before the task, as AgentDojo's attacks do. */
const IMPORTANCE: MarkerRule[] = [
  {
    kind: 'importance',
    anchors: ['<information>', '</information>'],
    pattern: /<\/?information>/iy,
    confidence: 0.9,
    inside: true,
  },
  {
    kind: 'importance',
    anchors: [
      'before you can solve',
      'before you solve',
      'before you can complete',
      'before doing anything else',
      'before answering',
      'before you answer',
      'before proceeding with',
      'before you continue with',
      'before completing',
      'before you respond',
    ],
    pattern:
      /before (?:you can (?:solve|complete) (?:the|this|my|any) (?:user'?s? )?(?:original )?(?:task|request|problem)|you (?:solve|answer|respond to|continue with) (?:the|this|my|any) (?:user'?s? )?(?:task|request|query|question),? (?:you (?:must|need|have)|please|first|make sure)|doing anything else,? (?:you|please|first|the (?:assistant|agent|ai))|(?:answering|completing|proceeding with) (?:the|this|any) (?:user'?s? )?(?:task|request|query|question),? (?:you (?:must|need|have)|please|first))/iy,
    confidence: 0.85,
  },
  {
    kind: 'importance',
    anchors: ['important message from', 'important message to you', 'important message for'],
    pattern:
      /important message (?:from (?:me|the user|your (?:user|developer))\b[^\n.]{0,60}?,? to you\b|(?:to|for) (?:you,? )?(?:the )?(?:ai|assistant|model|agent|llm|gpt|claude|gemini)\b)/iy,
    confidence: 0.9,
  },
  {
    kind: 'importance',
    anchors: ['after you do that', 'after doing that', 'once you have done that', 'after you have done that'],
    pattern:
      /(?:after you do that|after doing that|(?:once|after) you have done that),? (?:you can|please|continue|go on|proceed) (?:to |and |with )?(?:solv|complet|answer|the (?:original|user))[a-z]{0,8}(?: (?:the|my|this) (?:task|request))?/iy,
    confidence: 0.85,
  },
  {
    kind: 'importance',
    anchors: [
      'attention ai',
      'attention llm',
      'attention all ai',
      'attention assistant',
      'attention agent',
      'note to ai',
      'note to the ai',
      'note to llm',
      'note to assistant',
      'note to the assistant',
      'note to any ai',
      'note for ai',
      'note for the ai',
      'message to ai',
      'message to the ai',
      'message for ai',
      'instructions for ai',
      'instructions for llm',
      'instructions for large language',
      'instructions for the ai',
      'instructions for language',
      'instruction for the ai',
      'instruction for the assistant',
      'instructions for the assistant',
      'instruction for ai',
      'dear ai',
      'dear llm',
      'dear language model',
      'dear assistant',
      'hey ai',
      'hey assistant',
      'ai agents processing',
      'ai agents reading',
      'ai assistants reading',
      'llms reading',
      'ai systems reading',
    ],
    pattern:
      /(?:attention(?: all)? |notes? (?:to|for) (?:any |the )?|message (?:to|for) (?:the )?|(?:important )?instructions? for (?:the )?|dear |hey )?(?:ai|llm|assistant|agent|(?:large )?language model)s?(?: (?:assistant|agent|model|system|reviewer)s?)?(?=[\s*_]{0,3}(?:[:,!.]|-|–|—|\(|reading|processing|that|who|which|you\b))(?: (?:(?:reading|processing|that|who|which) [^\n.:]{0,50}?(?:must|should|please|need to)))?/iy,
    confidence: 0.75,
  },
  {
    kind: 'importance',
    anchors: [
      'if you are an ai',
      "if you're an ai",
      'if you are a language model',
      'if you are an llm',
      "if you're an llm",
      'if you are a large language',
      'if you are an assistant',
      'if you are reading this as an ai',
    ],
    pattern:
      /if you(?: are|'re) (?:reading this as )?an? (?:ai|llm|(?:large )?language model|assistant)\b(?: (?:assistant|agent|model|system)\b)?/iy,
    confidence: 0.85,
  },
];

const SECRECY: MarkerRule[] = [
  {
    kind: 'secrecy',
    anchors: [
      'do not',
      "don't",
      'never',
      'must not',
      'should not',
      'without telling',
      'without informing',
      'without asking',
      'keep this',
      'keep it',
      'hide this',
      'the user must not',
      'the user should not',
    ],
    pattern:
      /(?:(?:do not|don't|never|must not|should not) (?:(?:ever|also|please|under any circumstances) )?(?:tell|inform|alert|warn) (?:the user|the human)\b(?! (?:to\b|their|his|her|how|whether|if))|(?:do not|don't|never|must not|should not) (?:(?:ever|also) )?(?:mention|reveal|disclose|show|report|say|repeat) (?:(?:any of )?(?:this|these|that|it|anything|your|the)(?: [a-z]{1,14}){0,4} )?to (?:the )?(?:user|human)s?\b(?!'s)|without (?:telling|informing|asking) the (?:user|human)\b(?! (?:to|how|if|whether|which|what|why))|(?:keep|hide) (?:this|it) (?:(?:a )?secret |hidden |private |confidential )?from the (?:user|human)\b|the user (?:must|should) not (?:know|notice|see|find out|be told|be informed|learn)\b)/iy,
    confidence: 0.8,
  },
];

const DATA =
  '(?:(?:full|entire|complete|whole|chat|conversation|user|customer|system|secret|private|current|session|above|previous|environment|api|access|ssh)[\\s-]){0,3}(?:conversations?|history|chat|prompt|credentials?|passwords?|secrets?|api[\\s-]keys?|keys|tokens?|variables|emails|messages|contacts|files|customer data|database|table|records|memory|contents?|documents|\\.env|cookies)';
const CARRY = [
  'send',
  'forward',
  'upload',
  'post',
  'email',
  'exfiltrate',
  'transmit',
  'leak',
  'append',
  'submit',
  'copy',
  'mail',
];
const EXFILTRATION: MarkerRule[] = [
  {
    kind: 'exfiltration',
    anchors: CARRY,
    pattern: new RegExp(
      `(?:send|forward|upload|post|email|exfiltrate|transmit|leak|append|submit|copy|mail) (?:me )?(?:all |any |every |the |your |this |user's |customer's |of |their |these |my ){0,4}(?:user's )?${DATA}(?: of (?:the )?[\\w./~-]{1,40})?(?: (?:as|in) [\\w ]{1,24})? (?:to|at) (?:the )?(?:url |address |server |endpoint |email )?(?:https?:\\/\\/|ftp:\\/\\/|[\\w.+-]{1,40}@)[^\\s)"'<>]{0,100}`,
      'iy',
    ),
    confidence: 0.8,
  },
];

const NAME = '[`"\']?[a-z][\\w.-]{0,40}_[\\w.-]{1,40}[`"\']?|`[\\w.-]{1,50}`';
const TOOLS: MarkerRule[] = [
  {
    kind: 'tool_instruction',
    anchors: ['use the', 'call the', 'invoke the', 'run the', 'execute the', 'trigger the', 'use your'],
    pattern: new RegExp(
      `(?:(?:call|invoke|run|execute|trigger) the (?:${NAME}) tool\\b(?! returns)|use the (?:[a-z]{1,20}_[\\w]{1,40}|\`[a-z]{1,20}_\\w{1,40}\`) (?:tool|function)(?: to\\b|\\b)|(?:call|invoke) the [a-z]{1,20}_[a-z_]{1,40} function and\\b|use your (?:[a-z]{1,16} ){1,2}tools? to\\b(?: [a-z]{1,16})?)`,
      'iy',
    ),
    confidence: 0.7,
  },
  {
    kind: 'tool_instruction',
    anchors: ['you must', 'you should', 'you need to', 'you have to', 'please', 'immediately', 'first'],
    pattern:
      /(?:you (?:must|should|need to|have to)|please|immediately|first),? (?:now |immediately |first |also |then )?(?:call|invoke|execute|run|use) (?:the )?(?:[a-z]{1,20}_[a-z_]{1,40}|`[a-z]{1,20}_[a-z_]{1,40}`)(?: (?:tool|function))?\b/iy,
    confidence: 0.7,
  },
];

export const PHRASES: readonly MarkerRule[] = [...OVERRIDES, ...IMPORTANCE, ...SECRECY, ...EXFILTRATION, ...TOOLS];
