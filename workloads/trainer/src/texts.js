/** Texts to listen to: written by a language model at Cerebras, or one of ours. */
// Not fetch: Node's own forgets its signal at a garbage collection, and ends after five minutes (nodejs/undici#3644).
import { request } from 'undici';
import { Refusal } from './errors.js';

const OWN = [
  'The train to the coast leaves at a quarter past nine from platform four.',
  'She has lived in this city for ten years, but she still gets lost near the market.',
  'If the rain stops before noon, we will walk along the river to the old mill.',
  'Please leave your umbrella by the door and take a seat at the long table.',
  'Although the museum was closed, the guard let us look at the garden.',
];
const TIMEOUT_MS = 30_000;

/** One text. cerebras: {url, model, key}, or nothing. */
export async function write({ topic, level }, cerebras) {
  if (!cerebras) return { text: OWN[Math.floor(Math.random() * OWN.length)], source: 'built-in' };
  const about = `Write three English sentences for a listening exercise at level ${level}${topic ? ` about ${topic}` : ''}. Answer with the sentences alone.`;
  let answer;
  try {
    answer = await request(`${cerebras.url}/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${cerebras.key}`, 'content-type': 'application/json' },
      body: JSON.stringify({ model: cerebras.model, messages: [{ role: 'user', content: about }], max_tokens: 300 }),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
  } catch (error) {
    const cause = typeof error.code === 'string' ? error.code : error.name; // a DOMException's code is a number
    throw new Refusal(502, 'writer_unreachable', `Cerebras cannot be reached (${cause})`);
  }
  if (answer.statusCode !== 200) {
    await answer.body.dump();
    throw new Refusal(502, 'writer_refused', `Cerebras answered ${answer.statusCode}`);
  }
  const text = (await answer.body.json()).choices?.[0]?.message?.content?.trim();
  if (!text) throw new Refusal(502, 'writer_broken', 'Cerebras wrote nothing');
  return { text, source: 'cerebras' };
}
