/** A row of a CSV file by column name, and the line it begins on. */
export interface CsvRow {
  readonly line: number;
  readonly cells: ReadonlyMap<string, string>;
}

export interface CsvFile {
  readonly columns: readonly string[];
  readonly rows: readonly CsvRow[];
}

/**
 * Reads a CSV file with a header (RFC 4180: quoted cells may hold commas, quotes and line ends). Column names are in lower case.
 * Throws a SyntaxError that names the line.
 */
export function readCsv(text: string): CsvFile {
  const lines = records(text.replace(/^\uFEFF/, ''));
  const [header, ...rest] = lines;
  if (header === undefined) throw new SyntaxError('the file is empty; export it again');
  const columns = header.cells.map((name) => name.trim().toLowerCase());
  const rows = rest.map(({ line, cells }) => {
    if (cells.length > columns.length)
      throw new SyntaxError(`line ${line} has ${cells.length} cells, the header has ${columns.length}`);
    return { line, cells: new Map(columns.map((name, i) => [name, (cells[i] ?? '').trim()])) };
  });
  return { columns, rows };
}

interface Record {
  readonly line: number;
  readonly cells: string[];
}

function records(text: string): Record[] {
  const found: Record[] = [];
  let line = 1;
  for (let at = 0; at < text.length; ) {
    const record: Record = { line, cells: [] };
    for (let ended = false; !ended; ) {
      const cell = text[at] === '"' ? quoted(text, at, line) : plain(text, at);
      record.cells.push(cell.value);
      line += cell.lines;
      at = cell.end;
      if (text[at] === ',') at += 1;
      else {
        ended = true;
        const end = /^\r?\n|^$/.exec(text.slice(at, at + 2));
        if (end === null) throw new SyntaxError(`line ${line}: something stands behind a quoted cell; export it again`);
        at += end[0].length;
        line += 1;
      }
    }
    if (record.cells.length > 1 || record.cells[0] !== '') found.push(record);
  }
  return found;
}

interface Cell {
  readonly value: string;
  readonly end: number;
  /** line ends inside it */
  readonly lines: number;
}

function plain(text: string, from: number): Cell {
  let end = from;
  while (
    end < text.length &&
    text[end] !== ',' &&
    text[end] !== '\n' &&
    !(text[end] === '\r' && text[end + 1] === '\n')
  )
    end += 1;
  return { value: text.slice(from, end), end, lines: 0 };
}

function quoted(text: string, from: number, line: number): Cell {
  let value = '';
  for (let at = from + 1; ; ) {
    const quote = text.indexOf('"', at);
    if (quote < 0) throw new SyntaxError(`line ${line}: a quoted cell is never closed; the file is cut off`);
    value += text.slice(at, quote);
    if (text[quote + 1] !== '"') return { value, end: quote + 1, lines: value.split('\n').length - 1 };
    value += '"';
    at = quote + 2;
  }
}
