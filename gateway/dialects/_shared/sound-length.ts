/** Fewest bytes of a second of sound: MPEG-1 layer III at its lowest rate, and speech codecs well below theirs. */
const MP3_BYTES = 4000;
const LEAST_BYTES = 500;

/** The most seconds of sound that a file can hold, rounded up; the length itself where it is uncompressed (RIFF WAVE). */
export function soundSeconds(file: Buffer): number {
  return Math.ceil(file.length / (waveBytes(file) ?? (isMpeg1Layer3(file) ? MP3_BYTES : LEAST_BYTES)));
}

/** Bytes of a second in a WAVE file with plain samples. */
function waveBytes(file: Buffer): number | undefined {
  if (file.toString('latin1', 0, 4) !== 'RIFF' || file.toString('latin1', 8, 12) !== 'WAVE') return undefined;
  for (let at = 12; at + 24 <= file.length; at += 8 + file.readUInt32LE(at + 4)) {
    if (file.toString('latin1', at, at + 4) !== 'fmt ') continue;
    const [format, channels] = [file.readUInt16LE(at + 8), file.readUInt16LE(at + 10)];
    const [rate, bits] = [file.readUInt32LE(at + 12), file.readUInt16LE(at + 22)];
    const bytes = (rate * channels * bits) / 8;
    return (format === 1 || format === 3) && bytes >= LEAST_BYTES ? bytes : undefined;
  }
  return undefined;
}

function isMpeg1Layer3(file: Buffer): boolean {
  const tag = file.toString('latin1', 0, 3) === 'ID3' && file.length > 10;
  const size = tag ? file.subarray(6, 10).reduce((sum, byte) => sum * 128 + (byte & 127), 10) : 0;
  return file.length > size + 2 && file[size] === 0xff && ((file[size + 1] ?? 0) & 0xfe) === 0xfa;
}
