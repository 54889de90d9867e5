import { describe, expect, it } from 'vitest';
import { openaiAudio } from '../../../gateway/dialects/openai-audio.ts';
import { Fault } from '../../../gateway/domain/fault.ts';
import type { Json } from '../../../gateway/domain/json.ts';
import { parseStrict } from '../../../gateway/domain/json-text.ts';

const read = (body: Record<string, Json>) => {
  const text = JSON.stringify({
    model: 'gpt-4o-mini-tts',
    input: 'say it',
    voice: 'ash',
    stream_format: 'sse',
    ...body,
  });
  return openaiAudio.read(parseStrict(text), text.length, {});
};

function replay(text: string) {
  const reader = openaiAudio.openStream(read({}));
  const frames = [...reader.push(new TextEncoder().encode(text)), ...reader.end()];
  return { reader, frames };
}

describe('openai-audio', () => {
  it('claims speech, transcriptions and translations', () => {
    for (const name of ['speech', 'transcriptions', 'translations']) {
      expect(openaiAudio.claims('POST', `/v1/audio/${name}`)).toBe(true);
      expect(openaiAudio.upstreamPath(`/audio/${name}`)).toBe(`/v1/audio/${name}`);
    }
    expect(openaiAudio.claims('GET', '/v1/audio/voices')).toBe(false);
  });

  it('reads what is to be said and how', () => {
    const { parts, input, stream } = read({ instructions: 'softly' });
    expect(parts).toEqual([
      { at: '/input', text: 'say it' },
      { at: '/instructions', text: 'softly' },
    ]);
    expect([input?.text, stream]).toEqual(['say it', true]);
  });

  it.each([
    ['input', { input: 3 }],
    ['model', { model: null }],
  ])('refuses what it could not meter or read: `%s`', (field, body) => {
    expect(() => read(body)).toThrow(Fault);
    expect(() => read(body)).toThrow(`\`${field}\``);
  });

  it('is metered from its last event: what comes out is sound', () => {
    const text = [
      { type: 'speech.audio.delta', audio: 'aGk=' },
      { type: 'speech.audio.done', usage: { input_tokens: 6, output_tokens: 40, total_tokens: 46 } },
    ]
      .map((body) => `data: ${JSON.stringify(body)}\n\n`)
      .join('');
    const { reader, frames } = replay(text);
    expect(Buffer.concat(frames.map(({ bytes }) => bytes)).toString()).toBe(text);
    expect(reader.usage()).toEqual({
      entries: [{ model: 'gpt-4o-mini-tts', leaves: { input: 6, output_audio: 40 } }],
      certainty: 'exact',
    });
    expect(reader.finished()).toBe(true);
  });

  it('without the last event, or without usage in it, it is a floor', () => {
    expect(replay('data: {"type":"speech.audio.delta","audio":"aGk="}\n\n').reader.usage().certainty).toBe('floor');
    expect(replay('data: {"type":"speech.audio.done"}\n\n').reader.usage().certainty).toBe('floor');
    expect(replay('data: {"error":{"message":"x"}}\n\n').reader.failed()).toBe(true);
    expect(() => openaiAudio.readReply(parseStrict('{}'))).toThrow(Fault);
  });
});
