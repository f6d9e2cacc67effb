/** GPT-SoVITS behind the HTTP interface of its `api_v2.py`: POST /tts is answered with the sound itself. */

import { send, sound } from '../upstream.js';

/** Where speech is asked for: `/tts` below the setting, unless it says so already. */
export function endpoint(setting) {
  const url = new URL(setting);
  const path = url.pathname.replace(/\/+$/, '');
  url.pathname = path.endsWith('/tts') ? path : `${path}/tts`;
  return url;
}

/** An error answer's meaning: failed inference comes as 400, told from bad parameters by its words alone. */
export function reads({ message, Exception: exception }) {
  const text = typeof message === 'string' ? message : undefined;
  return { message: exception ? `${text}: ${exception}` : text, ...(text === 'tts failed' && { status: 500 }) };
}

export class GptSovits {
  /** @param settings {url, key} */
  constructor({ url, key }, agent) {
    this.name = 'gpt-sovits';
    this.url = endpoint(url);
    this.key = key;
    this.common = { provider: this.name, agent, secrets: [key], reads };
  }

  /** {open, again}: the sound is here already and cannot be had twice for one price. */
  async synthesize({ text, voice, speed }, signal) {
    const answer = await send(this.url, {
      ...this.common,
      signal,
      method: 'POST',
      headers: { authorization: `Bearer ${this.key}`, 'content-type': 'application/json' },
      body: JSON.stringify({
        text,
        text_lang: 'auto',
        ref_audio_path: voice.ref_audio_path,
        prompt_text: voice.prompt_text ?? '',
        prompt_lang: voice.prompt_lang,
        speed_factor: speed,
        media_type: 'wav',
        streaming_mode: false,
      }),
    });
    return { open: async () => sound(answer, this.name), again: false };
  }
}
