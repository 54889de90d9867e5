/** Called for every word found: its place in the list of words, and where it stands in the text, [start, end). */
export type OnAnchor = (word: number, start: number, end: number) => void;

interface Trie {
  /** node × class → node; -1 where the trie has no edge */
  readonly edges: Int32Array;
  readonly width: number;
  readonly nodes: number;
  /** words that end at a node */
  readonly ends: number[][];
}

const fold = (code: number): number => (code >= 65 && code <= 90 ? code + 32 : code);

/** One number per distinct character of the words, 0 for all others; upper case counts as lower. */
function classes(words: readonly string[]): { classOf: Uint8Array; width: number } {
  const classOf = new Uint8Array(128);
  let width = 1;
  for (const word of words) {
    for (let i = 0; i < word.length; i += 1) {
      const code = word.charCodeAt(i);
      if (code > 127 || fold(code) !== code) throw new TypeError(`anchor \`${word}\` is not lower-case ASCII`);
      if (classOf[code] === 0) classOf[code] = width++;
    }
  }
  for (let code = 65; code <= 90; code += 1) classOf[code] = classOf[code + 32] ?? 0;
  return { classOf, width };
}

/** Nodes are numbered in 16 bits. */
const MOST_LETTERS = 65_535;

function trieOf(words: readonly string[], classOf: Uint8Array, width: number): Trie {
  const most = 1 + words.reduce((sum, word) => sum + word.length, 0);
  if (most > MOST_LETTERS) throw new TypeError(`anchors have ${most} letters; at most ${MOST_LETTERS} fit`);
  const edges = new Int32Array(most * width).fill(-1);
  const ends: number[][] = [[]];
  for (const [index, word] of words.entries()) {
    let node = 0;
    for (let i = 0; i < word.length; i += 1) {
      const edge = node * width + (classOf[word.charCodeAt(i)] ?? 0);
      if (edges[edge] === -1) {
        edges[edge] = ends.length;
        ends.push([]);
      }
      node = edges[edge] ?? 0;
    }
    ends[node]?.push(index);
  }
  return { edges, width, nodes: ends.length, ends };
}

/** Turns the trie into a complete automaton in place: every missing edge goes where the longest proper suffix would go. */
function complete({ edges, width, nodes, ends }: Trie): void {
  const suffix = new Int32Array(nodes);
  const queue: number[] = [];
  for (let c = 0; c < width; c += 1) {
    const child = edges[c] ?? -1;
    if (child === -1) edges[c] = 0;
    else queue.push(child);
  }
  for (let head = 0; head < queue.length; head += 1) {
    const node = queue[head] ?? 0;
    const back = suffix[node] ?? 0;
    ends[node]?.push(...(ends[back] ?? []));
    for (let c = 0; c < width; c += 1) {
      const child = edges[node * width + c] ?? -1;
      const target = edges[back * width + c] ?? 0;
      if (child === -1) edges[node * width + c] = target;
      else {
        suffix[child] = target;
        queue.push(child);
      }
    }
  }
}

/**
 * Finds all words at once in one pass (Aho and Corasick, 1975); case is ignored, words are lower-case ASCII. The returned function
 * reads `text` in [from, to).
 */
export function compileAnchors(words: readonly string[]) {
  const { classOf, width } = classes(words);
  const trie = trieOf(words, classOf, width);
  complete(trie);
  const { ends } = trie;
  const edges = Uint16Array.from(trie.edges.subarray(0, trie.nodes * width));
  const hit = Uint8Array.from(ends, (list) => (list.length > 0 ? 1 : 0));
  return (text: string, from: number, to: number, onAnchor: OnAnchor): void => {
    let node = 0;
    for (let i = from; i < to; i += 1) {
      const code = text.charCodeAt(i);
      node = code < 128 ? (edges[node * width + (classOf[code] as number)] as number) : 0;
      if (hit[node] === 0) continue;
      for (const word of ends[node] as number[]) onAnchor(word, i + 1 - (words[word] as string).length, i + 1);
    }
  };
}
