/** What the bench uses of the rival it measures; the package itself is installed in this folder only, the first time. */
declare module '@microsoft/agent-governance-sdk' {
  export interface FlatRule {
    readonly action: string;
    readonly effect: 'allow' | 'deny';
    readonly conditions?: Readonly<Record<string, string>>;
  }

  export interface RichPolicy {
    readonly apiVersion: string;
    readonly name: string;
    readonly scope: 'global';
    readonly default_action: 'allow' | 'deny';
    readonly rules: readonly {
      readonly name: string;
      readonly condition: string;
      readonly ruleAction: 'deny' | 'warn';
      readonly priority: number;
      readonly enabled: boolean;
    }[];
  }

  export class PolicyEngine {
    constructor(rules?: readonly FlatRule[]);
    evaluate(action: string, context?: Readonly<Record<string, unknown>>): string;
    loadPolicy(policy: RichPolicy): void;
    evaluatePolicy(agent: string, context: Readonly<Record<string, unknown>>): { readonly action: string };
  }
}
