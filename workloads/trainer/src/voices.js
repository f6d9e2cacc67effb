/** The voices that may be asked for, by Kokoro's names: accent, sex, name; and espeak-ng's nearest. */
export const VOICES = {
  af_heart: 'en-us+f3',
  af_bella: 'en-us+f4',
  am_adam: 'en-us+m3',
  am_michael: 'en-us+m7',
  bf_emma: 'en-gb+f2',
  bm_george: 'en-gb+m2',
};
export const DEFAULT_VOICE = 'af_heart';
