// The part of autocannon that the bench uses; it ships no types, and is installed only when the bench runs.
declare module 'autocannon' {
  export interface Result {
    readonly duration: number;
    readonly '2xx': number;
    readonly non2xx: number;
    readonly errors: number;
    readonly timeouts: number;
    readonly statusCodeStats: Readonly<Record<string, { readonly count: number }>>;
  }
  export interface Options {
    readonly url: string;
    readonly connections: number;
    readonly duration: number;
    readonly method: 'POST';
    readonly requests: readonly { readonly headers: Readonly<Record<string, string>>; readonly body: string }[];
  }
  const autocannon: (options: Options) => Promise<Result>;
  // biome-ignore lint/style/noDefaultExport: this is how the package exports itself
  export default autocannon;
}
