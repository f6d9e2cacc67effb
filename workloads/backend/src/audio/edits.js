/** The edits. Each takes audio and gives new audio; none changes what it is given. */
import { Refusal } from '../errors.js';

/** @typedef {import('./pcm.js').Audio} Audio */

/** Four minutes of stereo at 44.1 kHz: an edit holds it twice, in 512 MiB with all else. */
export const MAX_SAMPLES = 20 * 2 ** 20;

const frames = (audio) => audio.samples.length / audio.channels;
const at = (audio, seconds) => Math.round(seconds * audio.sampleRate);

/** @param {Audio} audio */
export const duration = (audio) => frames(audio) / audio.sampleRate;

/**
 * What lies between two times in seconds; an end beyond the audio's is its end.
 * @param {Audio} audio
 */
export function trim(audio, start, end = Infinity) {
  const first = at(audio, start);
  const last = Math.min(frames(audio), end === Infinity ? Infinity : at(audio, end));
  if (first >= last) {
    throw new Refusal(422, 'nothing_left', `trim from ${start} s leaves nothing of ${duration(audio).toFixed(3)} s`);
  }
  return { ...audio, samples: audio.samples.slice(first * audio.channels, last * audio.channels) };
}

/**
 * Louder or softer by decibels.
 * @param {Audio} audio
 */
export function gain(audio, db) {
  const factor = 10 ** (db / 20);
  return { ...audio, samples: audio.samples.map((value) => value * factor) };
}

/**
 * Linear fades at both ends, in seconds; longer ones than the audio last its whole length.
 * @param {Audio} audio
 */
export function fade(audio, fadeIn = 0, fadeOut = 0) {
  const total = frames(audio);
  const rise = Math.min(total, at(audio, fadeIn));
  const fall = Math.min(total, at(audio, fadeOut));
  const out = audio.samples.slice();
  for (let i = 0; i < out.length; i++) {
    const frame = Math.floor(i / audio.channels);
    if (frame < rise) out[i] *= frame / rise;
    if (frame >= total - fall) out[i] *= (total - 1 - frame) / fall;
  }
  return { ...audio, samples: out };
}

/**
 * One after the other, in the first one's sample rate and channels.
 * @param {Audio} first
 * @param {Audio} second
 */
export function concat(first, second) {
  const fitting = resample(remix(second, first.channels), first.sampleRate);
  if (first.samples.length + fitting.samples.length > MAX_SAMPLES) throw tooLong();
  const out = new Float32Array(first.samples.length + fitting.samples.length);
  out.set(first.samples);
  out.set(fitting.samples, first.samples.length);
  return { ...first, samples: out };
}

/**
 * Another number of channels: each new one is the mean of all old ones, unless the numbers agree.
 * @param {Audio} audio
 */
export function remix(audio, channels) {
  if (channels === audio.channels) return audio;
  const count = frames(audio);
  if (count * channels > MAX_SAMPLES) throw tooLong();
  const out = new Float32Array(count * channels);
  for (let frame = 0; frame < count; frame++) {
    let sum = 0;
    for (let c = 0; c < audio.channels; c++) sum += audio.samples[frame * audio.channels + c];
    out.fill(sum / audio.channels, frame * channels, (frame + 1) * channels);
  }
  return { ...audio, channels, samples: out };
}

/**
 * Another sample rate, by linear interpolation: enough for speech that joins a recording.
 * @param {Audio} audio
 */
export function resample(audio, sampleRate) {
  if (sampleRate === audio.sampleRate) return audio;
  const count = frames(audio);
  const wanted = Math.max(1, Math.round((count * sampleRate) / audio.sampleRate));
  if (wanted * audio.channels > MAX_SAMPLES) throw tooLong();
  const out = new Float32Array(wanted * audio.channels);
  for (let frame = 0; frame < wanted; frame++) {
    const position = (frame * audio.sampleRate) / sampleRate;
    const left = Math.min(count - 1, Math.floor(position));
    const right = Math.min(count - 1, left + 1);
    const share = position - left;
    for (let c = 0; c < audio.channels; c++) {
      const [a, b] = [audio.samples[left * audio.channels + c], audio.samples[right * audio.channels + c]];
      out[frame * audio.channels + c] = a + (b - a) * Math.min(1, share);
    }
  }
  return { ...audio, sampleRate, samples: out };
}

const tooLong = () => new Refusal(422, 'too_long', `the audio would have more than ${MAX_SAMPLES} samples`);

/**
 * One operation of a job.
 * @param {Audio | undefined} audio nothing before the first speech of a job without a file
 * @param {Record<string, any>} operation
 * @param {Audio | undefined} speech what a speech operation joins
 * @returns {Audio}
 */
export function apply(audio, operation, speech) {
  if (operation.type === 'speech') {
    if (!audio) return speech;
    return operation.position === 'start' ? prepend(audio, speech) : concat(audio, speech);
  }
  if (!audio) throw new Refusal(422, 'no_audio', `${operation.type} needs audio: a file, or speech before it`);
  if (operation.type === 'trim') return trim(audio, operation.start, operation.end);
  if (operation.type === 'gain') return gain(audio, operation.db);
  if (operation.type === 'fade') return fade(audio, operation.in, operation.out);
  throw new Refusal(422, 'unknown_operation', `no operation is called ${operation.type}`);
}

/** Before the audio, and still in the audio's rate and channels. */
function prepend(audio, speech) {
  return concat(resample(remix(speech, audio.channels), audio.sampleRate), audio);
}
