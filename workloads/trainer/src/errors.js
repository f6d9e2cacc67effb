/** A refusal that the client is told: status, a code for programs, a sentence for people. */
export class Refusal extends Error {
  constructor(status, code, message, headers = {}) {
    super(message);
    Object.assign(this, { status, code, headers });
  }
}
