/** Why a text is no condition of this language, and where. */
export class ConditionFault extends Error {
  readonly at: number;
  constructor(message: string, at: number) {
    super(message);
    this.name = 'ConditionFault';
    this.at = at;
  }
}
