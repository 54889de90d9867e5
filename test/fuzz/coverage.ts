import { readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

/** Counters of edges: which place came after which, as AFL counts them. */
const SIZE = 1 << 16;
const counts = new Uint8Array(SIZE);
const seen = new Uint8Array(SIZE);
/** the edges of this run */
const touched = new Uint16Array(SIZE);
let length = 0;
let before = 0;
let places = 0;
const words = new Set<string>();

function hit(place: number): void {
  const edge = (place ^ before) & (SIZE - 1);
  const count = counts[edge] as number;
  if (count === 0) {
    touched[length] = edge;
    length += 1;
  }
  if (count !== 255) counts[edge] = count + 1;
  before = place >> 1;
}

/** How often, in steps: once, twice, a few times, often … are different things to have seen. */
const bucket = (n: number): number =>
  n < 4 ? 1 << (n - 1) : n < 8 ? 8 : n < 16 ? 16 : n < 32 ? 32 : n < 128 ? 64 : 128;

/** Forgets the run before. */
export function beginRun(): void {
  for (let i = 0; i < length; i += 1) counts[touched[i] as number] = 0;
  length = 0;
  before = 0;
}

/** True where this run went somewhere, or somewhere more often, than any run before. */
export function isNew(): boolean {
  let found = false;
  for (let i = 0; i < length; i += 1) {
    const edge = touched[i] as number;
    const bit = bucket(counts[edge] as number);
    if (((seen[edge] as number) & bit) !== 0) continue;
    seen[edge] = (seen[edge] as number) | bit;
    found = true;
  }
  return found;
}

/** Edges seen so far. */
export const edges = (): number => seen.reduce((sum, bits) => sum + (bits === 0 ? 0 : 1), 0);

/** Words that stand as literals in the code under test: what an input has to say to get further. */
export const literals = (): readonly string[] => [...words];

const { factory } = ts;

const mark = (): ts.Expression =>
  factory.createCallExpression(factory.createIdentifier('__hit'), undefined, [
    factory.createNumericLiteral(nextPlace()),
  ]);

/** Places are spread over the map, so that few edges share a counter. */
function nextPlace(): number {
  places += 1;
  return Math.imul(places, 0x9e3779b1) >>> 16;
}

const marked = (block: ts.Block): ts.Block =>
  factory.updateBlock(block, [factory.createExpressionStatement(mark()), ...block.statements]);

const inBlock = (statement: ts.Statement): ts.Block =>
  ts.isBlock(statement)
    ? marked(statement)
    : factory.createBlock([factory.createExpressionStatement(mark()), statement], true);

const both = (expression: ts.Expression): ts.Expression =>
  factory.createParenthesizedExpression(factory.createComma(mark(), expression));

const DECIDING = new Set([
  ts.SyntaxKind.AmpersandAmpersandToken,
  ts.SyntaxKind.BarBarToken,
  ts.SyntaxKind.QuestionQuestionToken,
]);

/** The node with a mark at the start of every branch it has. */
function withMarks(node: ts.Node): ts.Node {
  if (ts.isFunctionLike(node) && 'body' in node && node.body) {
    if (ts.isBlock(node.body as ts.Node)) return node;
    if (ts.isArrowFunction(node))
      return factory.updateArrowFunction(
        node,
        node.modifiers,
        node.typeParameters,
        node.parameters,
        node.type,
        node.equalsGreaterThanToken,
        both(node.body as ts.Expression),
      );
  }
  if (ts.isIfStatement(node))
    return factory.updateIfStatement(
      node,
      node.expression,
      inBlock(node.thenStatement),
      inBlock(node.elseStatement ?? factory.createBlock([])),
    );
  if (ts.isForStatement(node))
    return factory.updateForStatement(
      node,
      node.initializer,
      node.condition,
      node.incrementor,
      inBlock(node.statement),
    );
  if (ts.isForOfStatement(node))
    return factory.updateForOfStatement(
      node,
      node.awaitModifier,
      node.initializer,
      node.expression,
      inBlock(node.statement),
    );
  if (ts.isWhileStatement(node)) return factory.updateWhileStatement(node, node.expression, inBlock(node.statement));
  if (ts.isConditionalExpression(node))
    return factory.updateConditionalExpression(
      node,
      node.condition,
      node.questionToken,
      both(node.whenTrue),
      node.colonToken,
      both(node.whenFalse),
    );
  if (ts.isBinaryExpression(node) && DECIDING.has(node.operatorToken.kind))
    return factory.updateBinaryExpression(node, node.left, node.operatorToken, both(node.right));
  if (ts.isCaseClause(node))
    return factory.updateCaseClause(node, node.expression, [
      factory.createExpressionStatement(mark()),
      ...node.statements,
    ]);
  if (ts.isCatchClause(node)) return factory.updateCatchClause(node, node.variableDeclaration, marked(node.block));
  return node;
}

const transformer: ts.TransformerFactory<ts.SourceFile> = (context) => (source) => {
  const visit = (node: ts.Node): ts.Node => {
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node) || ts.isTypeNode(node)) return node;
    if (ts.isStringLiteral(node) && node.text.length > 1 && node.text.length < 25) words.add(node.text);
    const inner = ts.visitEachChild(node, visit, context);
    return withMarks(ts.isBlock(inner) && inner.parent && ts.isFunctionLike(inner.parent) ? marked(inner) : inner);
  };
  return ts.visitEachChild(source, visit, context);
};

/** TypeScript as JavaScript that counts where it goes. */
function instrumented(text: string, fileName: string): string {
  const { outputText } = ts.transpileModule(text, {
    fileName,
    transformers: { before: [transformer] },
    compilerOptions: {
      target: ts.ScriptTarget.ESNext,
      module: ts.ModuleKind.ESNext,
      verbatimModuleSyntax: true,
      useDefineForClassFields: true,
    },
  });
  return `const __hit = globalThis.__hit;\n${outputText}`;
}

/** From here on, modules whose path `wanted` names are loaded with counters in them. For this thread only. */
export function instrument(wanted: RegExp): void {
  Object.assign(globalThis, { __hit: hit });
  registerHooks({
    load(url, context, next) {
      if (!url.startsWith('file:') || !wanted.test(url) || !url.endsWith('.ts')) return next(url, context);
      const path = fileURLToPath(url);
      return { format: 'module', source: instrumented(readFileSync(path, 'utf8'), path), shortCircuit: true };
    },
  });
}
