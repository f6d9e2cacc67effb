/** The HTTP API of CosyVoice on DashScope: JSON that names a signed address of the sound. */

import { createHmac, randomBytes, randomUUID } from 'node:crypto';
import { json, misbehave, WORDS } from './answers.js';
import { say, sized } from './voice.js';

const words = WORDS.cosyvoice;
const KEPT = 50;
const EXPIRES = 24 * 3600;

export class CosyVoice {
  constructor(key, plan) {
    this.key = key;
    this.plan = plan;
    this.sounds = new Map();
    this.signing = randomBytes(16);
  }

  sign(id, expires) {
    return createHmac('sha1', this.signing).update(`${id}\n${expires}`).digest('base64url');
  }

  /** POST .../services/audio/tts/SpeechSynthesizer */
  async synthesize({ request, response, body, given }) {
    const step = this.plan.next('cosyvoice');
    const refuse = (message) => json(response, 400, words('InvalidParameter', message));
    if (given !== this.key) return json(response, 401, words('InvalidApiKey', 'Invalid API-key provided.'));
    const { model, input } = body ?? {};
    if (typeof model !== 'string' || !model.startsWith('cosyvoice-')) return json(response, 404, words('ModelNotFound', `Model can not be found: ${model}`));
    if (typeof input?.text !== 'string' || !input.text.trim()) return refuse('Required body invalid: input.text');
    if (typeof input.voice !== 'string') return refuse('Required body invalid: input.voice');
    if ((input.format ?? 'mp3') !== 'wav') return refuse('this stand-in speaks wav only');
    const rate = input.rate ?? 1;
    if (!(rate >= 0.5 && rate <= 2)) return refuse('rate must be from 0.5 to 2.0');
    const id = randomUUID();
    const expires = Math.floor(Date.now() / 1000) + EXPIRES;
    const url = `http://${request.headers.host}/audio/${id}.wav?Expires=${expires}&Signature=${this.sign(id, expires)}`;
    const good = {
      request_id: randomUUID(),
      output: { finish_reason: 'stop', audio: { data: '', url, id: `audio_${id}`, expires_at: expires } },
      usage: { characters: [...input.text].length },
    };
    if (await misbehave(step, { request, response, provider: 'cosyvoice', key: given, good })) return undefined;
    this.sounds.set(id, await say(input.text, rate));
    if (this.sounds.size > KEPT) this.sounds.delete(this.sounds.keys().next().value);
    return json(response, 200, good);
  }

  /** GET /audio/{id}.wav, as an object store serves it: by the signature in the address, and by that alone. */
  async fetch({ request, response, url }) {
    const step = this.plan.next('cosyvoice-audio');
    const id = url.pathname.slice('/audio/'.length, -'.wav'.length);
    const expires = url.searchParams.get('Expires');
    const deny = (code, why) => json(response, 403, WORDS['cosyvoice-audio'](code, why));
    if (request.headers.authorization) return deny('InvalidArgument', 'Only one auth mechanism allowed');
    if (url.searchParams.get('Signature') !== this.sign(id, expires)) return deny('SignatureDoesNotMatch', 'The signature does not match');
    if (Number(expires) < Date.now() / 1000) return deny('AccessDenied', 'Request has expired');
    const good = this.sounds.get(id);
    if (!good) return json(response, 404, WORDS['cosyvoice-audio']('NoSuchKey', 'The specified key does not exist.'));
    if (await misbehave(step, { request, response, provider: 'cosyvoice-audio', key: '', good })) return undefined;
    const sound = sized(good);
    response.writeHead(200, { 'content-type': 'audio/x-wav', 'content-length': sound.length });
    return response.end(sound);
  }
}
