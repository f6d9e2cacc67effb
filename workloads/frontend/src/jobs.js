/** Jobs as the page knows them: answers and events put together. Pure functions. */

const ORDER = { queued: 0, running: 1, failed: 2, done: 2 };

/**
 * A change of one job in a list of jobs. An event that comes late takes nothing back: what is finished stays so.
 * @param {object[]} jobs
 * @param {{id: string}} change
 */
export function merge(jobs, change) {
  const known = jobs.find((job) => job.id === change.id);
  if (!known) return jobs;
  if (ORDER[known.status] === 2 && ORDER[change.status] < 2) return jobs;
  return jobs.map((job) => (job === known ? { ...job, ...change } : job));
}

/**
 * What the form says, as the API's operations.
 * @param {{start: number | '', end: number | '', db: number, fadeIn: number, fadeOut: number, text: string, voice: string,
 *   position: string}} form
 */
export function operations(form) {
  const found = [];
  const number = (value) => (value === '' || value === null ? undefined : Number(value));
  const [start, end] = [number(form.start), number(form.end)];
  if (start || end !== undefined) found.push({ type: 'trim', start: start ?? 0, ...(end !== undefined && { end }) });
  if (form.text.trim()) found.push(speech(form));
  if (Number(form.db)) found.push({ type: 'gain', db: Number(form.db) });
  if (Number(form.fadeIn) || Number(form.fadeOut)) {
    found.push({ type: 'fade', in: Number(form.fadeIn) || 0, out: Number(form.fadeOut) || 0 });
  }
  return found;
}

/** `voice` is "provider voice", as the list of voices gives it; empty for the first that works. */
export function speech({ text, voice, position }) {
  const [provider, id] = voice ? voice.split(' ') : [];
  return { type: 'speech', text: text.trim(), ...(provider && { provider, voice: id }), ...(position && { position }) };
}

/** Minutes and seconds. */
export function time(seconds) {
  const whole = Math.floor(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}.${Math.floor((seconds % 1) * 10)}`;
}
