/** One JSON object a line, to stdout and to a file that several replicas append to. */
import { fstatSync, mkdirSync, renameSync, statSync } from 'node:fs';
import path from 'node:path';
import pino from 'pino';

const CHECK_MS = 30_000;

/**
 * The file is renamed to `.1` when it is too long; every replica notices by its inode and opens the new one.
 * SIGHUP opens it again for whoever rotates from outside.
 * @param {{logs: string, logBytes: number, logLevel: string}} settings
 */
export function logger({ logs, logBytes, logLevel }) {
  mkdirSync(logs, { recursive: true });
  const name = path.join(logs, 'backend.log');
  const file = pino.destination({ dest: name, append: true, sync: false });
  const look = () => {
    const found = statSync(name, { throwIfNoEntry: false });
    if (found && found.size > logBytes) renameSync(name, `${name}.1`);
    const mine = file.fd > 0 ? fstatSync(file.fd).ino : undefined;
    if (!found || found.size > logBytes || found.ino !== mine) file.reopen();
  };
  setInterval(look, CHECK_MS).unref();
  process.on('SIGHUP', () => file.reopen());
  const log = pino(
    {
      level: logLevel,
      base: undefined,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: ['req.headers', 'password', '*.password'],
    },
    pino.multistream([{ stream: pino.destination({ dest: 1, sync: true }) }, { stream: file }]),
  );
  file.on('error', (error) => process.stderr.write(`log file: ${error.message}\n`));
  return log;
}
