/** Where the mistakes of one rule go. */
export interface RuleReport {
  at(field: readonly PropertyKey[], message: string, where?: 'key' | 'value'): void;
  inside(field: readonly PropertyKey[], offset: number, message: string): void;
}
