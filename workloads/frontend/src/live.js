/** Progress by WebSocket; it comes back by itself, for a server may go away at any time. */
import { reactive } from 'vue';

const LONGEST_MS = 10_000;

/** Milliseconds until the next try; at once after the server said goodbye (1001), for another one is there. */
export function pause(code, tries, random = Math.random()) {
  if (code === 1001 && tries === 0) return 50 + 200 * random;
  return Math.min(LONGEST_MS, 250 * 2 ** tries) * (0.5 + random / 2);
}

export const live = reactive({ open: false });

/**
 * @param {(event: {type: string, job?: object, jobs?: object[]}) => void} hear
 * @returns {() => void} ends it
 */
export function listen(hear) {
  let socket;
  let timer;
  let tries = 0;
  let ended = false;
  const connect = () => {
    socket = new WebSocket(`${location.origin.replace(/^http/, 'ws')}/ws`);
    socket.onopen = () => {
      live.open = true;
      tries = 0;
    };
    socket.onmessage = ({ data }) => hear(JSON.parse(data));
    socket.onclose = ({ code }) => {
      live.open = false;
      if (!ended) timer = setTimeout(connect, pause(code, tries++));
    };
  };
  connect();
  return () => {
    ended = true;
    clearTimeout(timer);
    socket.close();
  };
}
