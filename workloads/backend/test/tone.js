/** A sine at half of full scale. */
export function tone({ seconds = 0.1, sampleRate = 8000, channels = 1, hz = 440 } = {}) {
  const frames = Math.round(seconds * sampleRate);
  const samples = new Float32Array(frames * channels);
  for (let i = 0; i < samples.length; i++) {
    samples[i] = 0.5 * Math.sin((2 * Math.PI * hz * Math.floor(i / channels)) / sampleRate);
  }
  return { sampleRate, channels, samples };
}
