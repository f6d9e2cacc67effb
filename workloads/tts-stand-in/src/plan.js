/** What the next calls are to suffer, and what calls came. */

export const PROVIDERS = ['cosyvoice', 'cosyvoice-audio', 'gpt-sovits'];
// Where JSON is the answer (cosyvoice) and where sound is (the other two), the same name fits what is sent.
export const BEHAVIOURS = [
  'slow', 'stalled', 'rate_limited', 'error_500', 'broken_json', 'cut', 'truncated', 'short', 'unsized', 'wrong_key',
  'wrong_type', 'not_audio', 'failed_inference',
];
const MOST_ARRIVALS = 10000;

export class Plan {
  constructor() {
    this.reset();
  }

  reset() {
    this.queues = Object.fromEntries(PROVIDERS.map((name) => [name, []]));
    this.calls = Object.fromEntries(PROVIDERS.map((name) => [name, { calls: 0, behaviours: {}, arrivals: [] }]));
  }

  /** Adds a behaviour for the next `times` calls; throws a TypeError that names what is wrong. */
  add({ provider, behaviour, times = 1, delay_ms = 60000, retry_after = 1, ...unknown }) {
    const refuse = (why) => { throw new TypeError(why); };
    if (!PROVIDERS.includes(provider)) refuse(`provider: ${provider}; known: ${PROVIDERS.join(', ')}`);
    if (!BEHAVIOURS.includes(behaviour)) refuse(`behaviour: ${behaviour}; known: ${BEHAVIOURS.join(', ')}`);
    for (const [name, value] of Object.entries({ times, delay_ms, retry_after })) {
      if (!Number.isInteger(value) || value < 0 || value > 1e6) refuse(`${name}: ${value}; a whole number from 0 to 1000000`);
    }
    if (Object.keys(unknown).length) refuse(`unknown: ${Object.keys(unknown).join(', ')}`);
    this.queues[provider].push({ behaviour, times, delay_ms, retry_after });
  }

  /** Counts a call and says how it is to be answered. */
  next(provider) {
    const queue = this.queues[provider];
    while (queue.length && queue[0].times <= 0) queue.shift();
    const step = queue[0] ?? { behaviour: 'ok' };
    if (queue.length) step.times -= 1;
    const seen = this.calls[provider];
    seen.calls += 1;
    seen.behaviours[step.behaviour] = (seen.behaviours[step.behaviour] ?? 0) + 1;
    if (seen.arrivals.length < MOST_ARRIVALS) seen.arrivals.push(Date.now());
    return step;
  }
}
