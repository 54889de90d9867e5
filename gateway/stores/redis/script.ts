import { hash } from 'node:crypto';

/** A Lua script and the digest under which Redis remembers it. */
export class Script {
  readonly text: string;
  readonly sha: string;

  constructor(text: string) {
    this.text = text;
    this.sha = hash('sha1', text, 'hex');
  }
}
