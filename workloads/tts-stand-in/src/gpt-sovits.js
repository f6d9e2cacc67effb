/** The HTTP interface of GPT-SoVITS, `api_v2.py`: the sound itself, or 400 with a message. */

import { json, misbehave } from './answers.js';
import { say, sized } from './voice.js';

const LANGUAGES = new Set(['auto', 'auto_yue', 'en', 'zh', 'ja', 'yue', 'ko', 'all_zh', 'all_ja', 'all_yue', 'all_ko']);

/** What api_v2.py would refuse, in its words; undefined when all is well. */
export function complaint(body) {
  for (const name of ['ref_audio_path', 'text', 'text_lang', 'prompt_lang']) {
    if (typeof body?.[name] !== 'string' || !body[name]) return `${name} is required`;
  }
  for (const name of ['text_lang', 'prompt_lang']) {
    if (!LANGUAGES.has(body[name].toLowerCase())) return `${name}: ${body[name]} is not supported in version v2`;
  }
  if ((body.media_type ?? 'wav') !== 'wav') return `media_type: ${body.media_type} is not supported`;
  return undefined;
}

export class GptSovits {
  constructor(key, plan) {
    this.key = key;
    this.plan = plan;
  }

  /** POST .../tts */
  async synthesize({ request, response, body, given }) {
    const step = this.plan.next('gpt-sovits');
    if (given !== this.key) return json(response, 401, { message: 'invalid key' });
    const message = complaint(body);
    if (message) return json(response, 400, { message });
    const speed = body.speed_factor ?? 1;
    const good = await say(body.text, speed);
    if (await misbehave(step, { request, response, provider: 'gpt-sovits', key: given, good })) return undefined;
    const sound = sized(good);
    response.writeHead(200, { 'content-type': 'audio/wav', 'content-length': sound.length });
    return response.end(sound);
  }
}
