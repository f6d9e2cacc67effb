/** Writes a .gz and a .br beside each text file of a folder, so that no request waits for compression. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { brotliCompressSync, gzipSync } from 'node:zlib';

const TEXT = /\.(html|js|css|svg|json|map)$/;

/** @param {string} folder */
export function compress(folder) {
  for (const found of readdirSync(folder, { withFileTypes: true })) {
    const name = path.join(folder, found.name);
    if (found.isDirectory()) compress(name);
    else if (TEXT.test(name)) {
      const content = readFileSync(name);
      writeFileSync(`${name}.gz`, gzipSync(content, { level: 9 }));
      writeFileSync(`${name}.br`, brotliCompressSync(content));
    }
  }
}

if (process.argv[2]) compress(process.argv[2]);
