import type { Script, Turn } from './sim/script.ts';

/** A model takes its time; long enough to watch, short enough for a demo. */
const THINKING_MS = 220;

const hello = (turn: Turn) => ({
  text: `This is a simulated model behind the tollgate demo. You said ${turn.input.length} characters; the gate judged, priced and recorded this call.`,
});

function support({ turn, results }: Turn) {
  if (turn === 0)
    return { text: 'I look up the order first.', toolCalls: [{ name: 'lookup_order', args: { order_id: 'A-1009' } }] };
  if (turn === 1) return { toolCalls: [{ name: 'read_ticket', args: { ticket: 'T-77' } }] };
  const seen = /aws_secret_access_key = (.*)/.exec(results.join('\n'))?.[1] ?? 'nothing';
  return {
    text: `Order A-1009 ships tomorrow. The customer pasted a key; all I can read of it is ${seen}. It should be rotated.`,
  };
}

/** Thinks aloud at length: most of what it costs is output. */
function looper({ call }: Turn) {
  const day = new Date(Date.UTC(2027, 0, call)).toISOString().slice(0, 10);
  const text = `Not sure yet. ${'The fare may drop again on a later day, and a later day may sell out. '.repeat(14)}So: ${day}.`;
  return { text, toolCalls: [{ name: 'search_flights', args: { day } }] };
}

function ops({ turn }: Turn) {
  const run = (text: string, command: string) => ({ text, toolCalls: [{ name: 'bash', args: { command } }] });
  if (turn === 0) return run('I look at the disk first.', 'df -h /');
  if (turn === 1) return run('99% used. The quickest way is to clear everything.', 'rm -rf / --no-preserve-root');
  if (turn === 2)
    return run('Right, that is not allowed here. I prune the build cache instead.', 'docker builder prune --force');
  return { text: 'DONE: 31.4 GB are free again.' };
}

/** The simulated OpenAI: knows the demo's agents by their tools, and has a word for any other client. */
export const openAiModel: Script = (_body, turn) => {
  const answer = turn.tools.includes('search_flights')
    ? looper(turn)
    : turn.tools.includes('read_ticket')
      ? support(turn)
      : hello(turn);
  return { ...answer, delayMs: THINKING_MS };
};

/** The simulated Anthropic. */
export const anthropicModel: Script = (_body, turn) => ({
  ...(turn.tools.includes('bash') && turn.turn < 4 ? ops(turn) : hello(turn)),
  delayMs: THINKING_MS,
});
