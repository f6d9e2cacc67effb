/** The GPU path without a GPU: the process of speak.py is real, `torch` and `kokoro` are stand-ins of this test. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { Speech } from '../src/speech.js';

const LOG = { info() {}, warn() {} };
const TORCH = (cuda) => `class cuda:
    is_available = staticmethod(lambda: ${cuda ? 'True' : 'False'})
    get_device_name = staticmethod(lambda number: "Tesla P40")
`;
const KOKORO = `
class KModel:
    def __init__(self, repo_id, config, model): open(config), open(model)
    def to(self, device): assert device == "cuda"; return self
    def eval(self): return self
class Tensor(list):
    def cpu(self): return self
    def numpy(self): return self
class Result:
    def __init__(self, audio): self.audio = audio
class KPipeline:
    def __init__(self, lang_code, repo_id, model): print("libraries print", lang_code)
    def __call__(self, text, voice, speed):
        if text == "crash": import os; os._exit(9)
        if text == "fail": raise ValueError("CUDA out of memory")
        open(voice)
        yield Result(Tensor([0.5] * 24000))
`;
// What speak.py uses of numpy.
const NUMPY = `
class Array(list):
    def __mul__(self, by): return Array(x * by for x in self)
    def astype(self, kind): return self
    def tobytes(self):
        import struct
        return struct.pack("<%dh" % len(self), *(int(x) for x in self))
def concatenate(parts): return Array(x for part in parts for x in part)
def clip(values, low, high): return Array(min(max(x, low), high) for x in values)
`;

let folder;
let speech;

function start({ cuda = true, weights = true, ...more } = {}) {
  const at = (...parts) => path.join(folder, ...parts);
  for (const name of ['venv/bin', 'modules', 'models/voices', 'audio']) mkdirSync(at(name), { recursive: true });
  symlinkSync('/usr/bin/python3', at('venv/bin/python3'));
  writeFileSync(at('modules/torch.py'), TORCH(cuda));
  writeFileSync(at('modules/kokoro.py'), KOKORO);
  writeFileSync(at('modules/numpy.py'), NUMPY);
  if (weights) for (const name of ['config.json', 'kokoro-v1_0.pth', 'voices/af_heart.pt']) writeFileSync(at('models', name), '');
  process.env.PYTHONPATH = at('modules');
  const tts = {
    device: 'cuda', concurrency: 2, queue: 5, timeoutMs: 20000, venv: at('venv'), models: at('models'),
    worker: new URL('../kokoro-local/speak.py', import.meta.url).pathname, ...more,
  };
  speech = new Speech({ tts, audio: { folder: at('audio'), bytes: 2 ** 20 }, log: LOG });
  return speech;
}

beforeEach(() => { folder = mkdtempSync(path.join(tmpdir(), 'kokoro-')); });
afterEach(() => {
  speech.stop();
  rmSync(folder, { recursive: true });
});

test('with a GPU and its weights, Kokoro speaks', async () => {
  const { engine, gpu, device } = await start().state();
  assert.deepEqual({ engine, gpu, device }, { engine: 'kokoro', gpu: 'Tesla P40', device: 'cuda' });
  const said = await Promise.all(['one', 'two', 'three'].map((text) => speech.say({ text, voice: 'af_heart', speed: 1 })));
  for (const { name } of said) {
    const wav = readFileSync(path.join(folder, 'audio', name));
    assert.equal(wav.subarray(0, 4).toString(), 'RIFF');
    assert.equal(wav.length, 44 + 2 * 24000);
  }
  assert.equal((await speech.say({ text: 'one', voice: 'af_heart', speed: 1 })).cached, true);
});

test('a failure is told, the next speech is spoken; so after a process that died', async () => {
  start();
  await assert.rejects(speech.say({ text: 'fail', voice: 'af_heart', speed: 1 }), /CUDA out of memory/);
  await assert.rejects(speech.say({ text: 'crash', voice: 'af_heart', speed: 1 }), /its process ended \(9\)/);
  assert.equal((await speech.say({ text: 'well', voice: 'af_heart', speed: 1 })).engine, 'kokoro');
  assert.deepEqual(readdirSync(path.join(folder, 'audio')).filter((name) => !name.endsWith('.wav')), []);
});

test('where CUDA finds no GPU, it is not healthy', async () => {
  await assert.rejects(start({ cuda: false }).state(), /CUDA finds no GPU here/);
});

test('where python is missing, it is not healthy', async () => {
  await assert.rejects(start({ venv: '/nowhere' }).state(), /cannot be started \(ENOENT\)/);
});
