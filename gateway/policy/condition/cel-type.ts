import { Broken, Instant, isList, Span, type Value } from './cel-value.ts';

export type Scalar = 'bool' | 'int' | 'double' | 'string' | 'null' | 'timestamp' | 'duration';

/** The type of an expression, known at load. `dyn` is whatever the call brings: arguments, results. */
export type CelType =
  | { readonly kind: 'dyn' | Scalar }
  | { readonly kind: 'list'; readonly of: CelType }
  | { readonly kind: 'map'; readonly of: CelType; readonly members?: Readonly<Record<string, CelType>> | undefined };

export type Kind = CelType['kind'];

export const DYN: CelType = { kind: 'dyn' };
export const BOOL: CelType = { kind: 'bool' };
export const INT: CelType = { kind: 'int' };
export const DOUBLE: CelType = { kind: 'double' };
export const STRING: CelType = { kind: 'string' };
export const NULL: CelType = { kind: 'null' };
export const TIMESTAMP: CelType = { kind: 'timestamp' };
export const listOf = (of: CelType): CelType => ({ kind: 'list', of });
export const mapOf = (of: CelType): CelType => ({ kind: 'map', of });
/** A map whose members are all known: any other name is a load error. */
export const recordOf = (members: Readonly<Record<string, CelType>>): CelType => ({ kind: 'map', of: DYN, members });

export function typeName(type: CelType): string {
  if (type.kind === 'list') return `list(${typeName(type.of)})`;
  return type.kind === 'map' ? `map(string, ${typeName(type.of)})` : type.kind;
}

const isNumber = (type: CelType): boolean => type.kind === 'int' || type.kind === 'double';

/** True where values of the two types could be equal. */
export function comparable(a: CelType, b: CelType): boolean {
  if (a.kind === 'dyn' || b.kind === 'dyn' || (isNumber(a) && isNumber(b))) return true;
  if (a.kind !== b.kind) return false;
  return a.kind === 'list' && b.kind === 'list' ? comparable(a.of, b.of) : true;
}

/** The type of a value that is one of two. */
export function join(a: CelType, b: CelType): CelType {
  if (a.kind === b.kind) {
    if (a.kind === 'list' && b.kind === 'list') return listOf(join(a.of, b.of));
    if (a.kind === 'map' && b.kind === 'map') return a.members === b.members ? a : mapOf(join(a.of, b.of));
    return a;
  }
  return DYN;
}

/** The kind of a value at run time. A JSON number is a `double`. */
export function kindOf(value: Value): Kind | 'broken' {
  switch (typeof value) {
    case 'string':
      return 'string';
    case 'number':
      return 'double';
    case 'bigint':
      return 'int';
    case 'boolean':
      return 'bool';
    default:
      if (value === null) return 'null';
      if (isList(value)) return 'list';
      if (value instanceof Broken) return 'broken';
      if (value instanceof Instant) return 'timestamp';
      return value instanceof Span ? 'duration' : 'map';
  }
}
