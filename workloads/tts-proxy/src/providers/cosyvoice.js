/**
 * CosyVoice on Alibaba Cloud Model Studio (DashScope), its HTTP API without streaming: a POST is answered with JSON that
 * names a signed address, where the sound lies for 24 h.
 */

import { Failure } from '../failure.js';
import { json, send, sound } from '../upstream.js';

const PATH = '/services/audio/tts/SpeechSynthesizer';

/** Where speech is asked for: `/api/v1` + PATH behind whatever part of that address the setting holds. */
export function endpoint(setting) {
  const url = new URL(setting);
  const base = url.pathname.replace(/\/services(\/.*)?$/, '').replace(/\/+$/, '');
  url.pathname = `${base || '/api/v1'}${PATH}`;
  return url;
}

/** Whether sound may be fetched from there: the API's own host, or one of the allowed (a leading dot means below it). */
export function mayFetch(url, apiHost, allowed) {
  if (url.protocol !== 'http:' && url.protocol !== 'https:') return false;
  if (url.host === apiHost) return true;
  return allowed.some((host) => (host.startsWith('.') ? url.hostname.endsWith(host) : url.hostname === host));
}

export class CosyVoice {
  /** @param settings {url, key, model, audioHosts} */
  constructor({ url, key, model, audioHosts }, agent) {
    this.name = 'cosyvoice';
    this.url = endpoint(url);
    this.model = model;
    this.audioHosts = audioHosts;
    this.common = {
      provider: this.name,
      agent,
      secrets: [key],
      reads: ({ code, message }) => ({ code, message }),
    };
    this.key = key;
  }

  /** {open, again}: `open` fetches the sound; that is free, so it may be done again. */
  async synthesize({ text, voice, speed }, signal) {
    const { common } = this;
    const answer = await send(this.url, {
      ...common,
      signal,
      method: 'POST',
      headers: { authorization: `Bearer ${this.key}`, 'content-type': 'application/json' },
      body: JSON.stringify({
        model: this.model,
        input: { text, voice: voice.id, format: 'wav', sample_rate: 22050, rate: speed },
      }),
    });
    const said = await json(answer, { provider: this.name, signal });
    const address = said?.output?.audio?.url;
    let url;
    try {
      url = new URL(address);
    } catch {
      throw new Failure('upstream_broken', 'cosyvoice named no address of the sound', { provider: this.name });
    }
    if (!mayFetch(url, this.url.host, this.audioHosts)) {
      const why = `cosyvoice sends us to ${url.host} for the sound; COSYVOICE_AUDIO_HOSTS does not allow it`;
      throw new Failure('upstream_misconfigured', why, { provider: this.name });
    }
    // The address carries its own signature; our key has no business there.
    const open = async (until) => sound(await send(url, { ...common, signal: until, method: 'GET' }), this.name);
    return { open, again: true };
  }
}
