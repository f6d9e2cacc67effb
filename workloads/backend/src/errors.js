/** A refusal that the client is told: status, a code for programs, a sentence for people. */
export class Refusal extends Error {
  /**
   * @param {number} status
   * @param {string} code
   * @param {string} message
   */
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

export const notFound = (what) => new Refusal(404, 'not_found', `no such ${what}`);
