import { mixed } from './checks.ts';
import { type SecretRule, tokenRule } from './rule.ts';

/** Model providers and what agents use beside them, and this gate's own keys. Forms as the vendors document them. */
export const MODELS: readonly SecretRule[] = [
  { kind: 'tollgate_key', anchors: ['tg_'], pattern: /tg_[\w-]{20,120}/y, check: mixed(0.9) },
  {
    kind: 'openai_key',
    anchors: ['sk-proj-', 'sk-svcacct-', 'sk-admin-', 'sk-none-'],
    pattern: /sk-(?:proj|svcacct|admin|None)-[\w-]{20,250}/y,
    check: mixed(0.95),
  },
  { kind: 'openai_key', anchors: ['sk-'], pattern: /sk-[A-Za-z0-9]{20}T3BlbkFJ[A-Za-z0-9]{20}/y, confidence: 0.95 },
  { kind: 'model_key', anchors: ['sk-'], pattern: /sk-[A-Za-z0-9]{20,64}/y, check: mixed(0.85) },
  { kind: 'anthropic_key', anchors: ['sk-ant-'], pattern: /sk-ant-[a-z]{2,6}\d{2}-[\w-]{20,180}/y, confidence: 0.95 },
  { kind: 'openrouter_key', anchors: ['sk-or-v1-'], pattern: /sk-or-v1-[a-f0-9]{64}/y },
  { kind: 'langfuse_key', anchors: ['sk-lf-'], pattern: /sk-lf-[a-f0-9]{8}(?:-[a-f0-9]{4}){3}-[a-f0-9]{12}/y },
  {
    kind: 'huggingface_token',
    anchors: ['hf_', 'api_org_'],
    pattern: /(?:hf|api_org)_[A-Za-z0-9]{34,40}/y,
    confidence: 0.9,
  },
  { kind: 'replicate_token', anchors: ['r8_'], pattern: /r8_[A-Za-z0-9]{37}/y },
  { kind: 'groq_key', anchors: ['gsk_'], pattern: /gsk_[A-Za-z0-9]{48,60}/y },
  { kind: 'xai_key', anchors: ['xai-'], pattern: /xai-[A-Za-z0-9]{60,100}/y },
  { kind: 'perplexity_key', anchors: ['pplx-'], pattern: /pplx-[A-Za-z0-9]{40,64}/y },
  { kind: 'langsmith_key', anchors: ['lsv2_'], pattern: /lsv2_(?:pt|sk)_[a-f0-9]{32}_[a-f0-9]{10}/y },
  { kind: 'nvidia_key', anchors: ['nvapi-'], pattern: /nvapi-[\w-]{60,80}/y },
  { kind: 'tavily_key', anchors: ['tvly-'], pattern: /tvly-(?:dev-|prod-)?[A-Za-z0-9]{32,48}/y },
  { kind: 'firecrawl_key', anchors: ['fc-'], pattern: /fc-[a-f0-9]{32}/y },
  { kind: 'pinecone_key', anchors: ['pcsk_'], pattern: /pcsk_[A-Za-z0-9_]{60,90}/y },
  { kind: 'fireworks_key', anchors: ['fw_'], pattern: /fw_[A-Za-z0-9]{22,24}/y, check: mixed(0.8) },
  { kind: 'together_key', anchors: ['tgp_v1_'], pattern: /tgp_v1_[\w-]{43}/y },
  { kind: 'e2b_key', anchors: ['e2b_'], pattern: /e2b_[a-f0-9]{40}/y },
  { kind: 'elevenlabs_key', anchors: ['sk_'], pattern: /sk_[a-f0-9]{48}/y },
  { kind: 'jina_key', anchors: ['jina_'], pattern: /jina_[\w-]{50,70}/y, check: mixed(0.85) },
  { kind: 'voyage_key', anchors: ['pa-', 'al-'], pattern: /(?:pa|al)-[\w-]{43}/y, check: mixed(0.8) },
  { kind: 'cerebras_key', anchors: ['csk-'], pattern: /csk-[a-z0-9]{48}/y },
  { kind: 'helicone_key', anchors: ['sk-helicone-'], pattern: /sk-helicone-[a-z0-9-]{20,60}/y, check: mixed(0.85) },
].map(tokenRule);
