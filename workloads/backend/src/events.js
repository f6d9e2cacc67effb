/** What happens to a user's jobs, from whichever replica runs them to whichever holds the user's WebSocket. */

export class Events {
  /**
   * @param {import('ioredis').Redis} redis
   * @param {import('ioredis').Redis} subscriber a connection of its own
   * @param {import('pino').Logger} log
   */
  constructor(redis, subscriber, log) {
    Object.assign(this, { redis, subscriber, log, sockets: new Map() });
    subscriber.on('message', (name, text) => {
      for (const socket of this.sockets.get(name)?.keys() ?? []) socket.send(text);
    });
    // Connected again: whatever was published in between, nobody here has heard of.
    subscriber.on('ready', () => {
      for (const sockets of this.sockets.values()) for (const missed of sockets.values()) missed();
    });
  }

  /** @param {string} user */
  async publish(user, event) {
    await this.redis.publish(channel(user), JSON.stringify(event));
  }

  /**
   * @param {string} user
   * @param {import('ws').WebSocket} socket
   * @param {() => void} missed called when something may have been published that the socket was not sent
   */
  async join(user, socket, missed) {
    const name = channel(user);
    const known = this.sockets.get(name);
    this.sockets.set(name, (known ?? new Map()).set(socket, missed));
    socket.on('close', () => this.#leave(name, socket));
    await this.subscriber.subscribe(name);
  }

  #leave(name, socket) {
    const left = this.sockets.get(name);
    left.delete(socket);
    if (left.size) return;
    this.sockets.delete(name);
    this.subscriber.unsubscribe(name).catch((error) => this.log.warn({ reason: error.message }, 'unsubscribe'));
  }

  get size() {
    return [...this.sockets.values()].reduce((sum, sockets) => sum + sockets.size, 0);
  }

  /** Tells every client to come back elsewhere. */
  goAway() {
    for (const sockets of this.sockets.values()) {
      for (const socket of sockets.keys()) socket.close(1001, 'this server is about to stop');
    }
  }
}

const channel = (user) => `events:${user}`;
