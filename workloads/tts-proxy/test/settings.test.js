import assert from 'node:assert/strict';
import { test } from 'node:test';
import { endpoint as cosyvoice, mayFetch } from '../src/providers/cosyvoice.js';
import { endpoint as gptSovits } from '../src/providers/gpt-sovits.js';
import { BadSettings, readSettings } from '../src/settings.js';

const FILES = { '/c': 'sk-cosy\n', '/g': 'gpt-key', '/empty': ' \n' };
const read = (path) => {
  if (path in FILES) return FILES[path];
  throw Object.assign(new Error('no'), { code: 'ENOENT' });
};
const ENV = {
  COSYVOICE_CLOUD_API_URL: 'https://dashscope.aliyuncs.com/api/v1/services/aigc/text-to-speech',
  COSYVOICE_CLOUD_API_KEY_FILE: '/c',
  GPT_SOVITS_CLOUD_API_URL: 'https://api.example.com/gpt-sovits/v1',
  GPT_SOVITS_CLOUD_API_KEY_FILE: '/g',
};

test('keys come from files, without the line\'s end', () => {
  const settings = readSettings(ENV, read);
  assert.equal(settings.cosyvoice.key, 'sk-cosy');
  assert.equal(settings.gptSovits.key, 'gpt-key');
  assert.deepEqual(Object.keys(settings.voices), ['cosyvoice', 'gpt-sovits']);
  assert.deepEqual([settings.port, settings.adminPort], [8001, 8051]);
});

test('one provider is enough', () => {
  const { COSYVOICE_CLOUD_API_URL, COSYVOICE_CLOUD_API_KEY_FILE } = ENV;
  assert.deepEqual(Object.keys(readSettings({ COSYVOICE_CLOUD_API_URL, COSYVOICE_CLOUD_API_KEY_FILE }, read).voices), ['cosyvoice']);
});

test('all problems are told together, by name', () => {
  const env = {
    COSYVOICE_CLOUD_API_URL: 'ftp://x', COSYVOICE_CLOUD_API_KEY_FILE: '/empty', COSYVOICE_CLOUD_API_KEY: 'sk-in-the-open',
    GPT_SOVITS_CLOUD_API_URL: 'https://user:pw@host/', PORT: '0', ATTEMPTS: 'many',
  };
  assert.throws(() => readSettings(env, read), (error) => {
    assert.ok(error instanceof BadSettings);
    for (const name of ['COSYVOICE_CLOUD_API_URL', 'COSYVOICE_CLOUD_API_KEY_FILE', 'COSYVOICE_CLOUD_API_KEY:', 'GPT_SOVITS_CLOUD_API_URL', 'GPT_SOVITS_CLOUD_API_KEY_FILE', 'PORT=0', 'ATTEMPTS=many']) {
      assert.ok(error.message.includes(name), name);
    }
    assert.doesNotMatch(error.message, /sk-in-the-open/);
    return true;
  });
  assert.throws(() => readSettings({}, read), /at least one provider/);
  assert.throws(() => readSettings({ ...ENV, GPT_SOVITS_CLOUD_API_KEY_FILE: '/none' }, read), /\/none: cannot be read \(ENOENT\)/);
});

test('voices of one\'s own', () => {
  const voices = { cosyvoice: [{ id: 'mine' }], 'gpt-sovits': [{ id: 'me', ref_audio_path: 'me.wav', prompt_lang: 'zh' }] };
  const from = (text) => readSettings({ ...ENV, VOICES_FILE: '/v' }, (path) => (path === '/v' ? text : read(path)));
  assert.deepEqual(from(JSON.stringify(voices)).voices, voices);
  assert.throws(() => from('{'), /\/v: is no JSON/);
  assert.throws(() => from('[]'), /\/v: must map providers to voices/);
  assert.throws(() => from('{"cosyvoice": []}'), /\/v: cosyvoice must be a list/);
  assert.throws(() => from('{"other": [{"id": "x"}]}'), /\/v: other: no such provider/);
  const half = from(JSON.stringify({ 'gpt-sovits': voices['gpt-sovits'] })).voices;
  assert.deepEqual(half['gpt-sovits'], voices['gpt-sovits']);
  assert.equal(half.cosyvoice[0].id, 'longanyang');
  delete voices['gpt-sovits'][0].ref_audio_path;
  assert.throws(() => from(JSON.stringify(voices)), /\/v: gpt-sovits\[0\]\.ref_audio_path: missing/);
  assert.throws(() => readSettings({ ...ENV, VOICES_FILE: '/none' }, read), /VOICES_FILE=\/none: cannot be read/);
});

test('the endpoint is found from any part of its address', () => {
  const whole = 'https://dashscope.aliyuncs.com/api/v1/services/audio/tts/SpeechSynthesizer';
  for (const setting of [whole, ENV.COSYVOICE_CLOUD_API_URL, 'https://dashscope.aliyuncs.com/api/v1', 'https://dashscope.aliyuncs.com/api/v1/', 'https://dashscope.aliyuncs.com']) {
    assert.equal(cosyvoice(setting).href, whole, setting);
  }
  for (const setting of ['https://h/gpt/v1', 'https://h/gpt/v1/', 'https://h/gpt/v1/tts']) assert.equal(gptSovits(setting).href, 'https://h/gpt/v1/tts');
});

test('sound is fetched from allowed hosts alone', () => {
  const may = (url) => mayFetch(new URL(url), 'api.test:8090', ['.aliyuncs.com', 'store.test']);
  for (const url of ['http://bucket.oss-cn-beijing.aliyuncs.com/a', 'http://api.test:8090/a', 'https://store.test/a']) assert.equal(may(url), true, url);
  for (const url of ['http://169.254.169.254/', 'http://api.test:8091/', 'http://evilaliyuncs.com/', 'http://aliyuncs.com.evil.test/', 'file:///etc/passwd', 'http://x.store.test/']) assert.equal(may(url), false, url);
});
