/** One JSON object a line, on stdout. */
import pino from 'pino';

export function logger() {
  return pino({
    level: process.env.LOG_LEVEL || 'info',
    base: undefined,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
  }, pino.destination({ dest: 1, sync: true }));
}

/** Ends the process with its cause, a line for each. */
export function fail(error) {
  for (const message of error.message.split('\n')) process.stderr.write(`${JSON.stringify({ level: 'fatal', msg: message })}\n`);
  process.exit(1);
}
