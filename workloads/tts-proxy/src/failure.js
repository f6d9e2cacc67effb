/** What can go wrong, as the caller sees it and as our own retries and circuit see it. Pure. */

// status: HTTP status for the caller. retryable: the caller may try again later. repeat: we may, at once and unasked:
// nothing came back yet, or synthesis was refused. trips: counts against the provider's circuit.
const KINDS = {
  bad_request: { status: 400 },
  unprocessable: { status: 422 },
  upstream_rejected: { status: 422 },
  upstream_auth: { status: 502 },
  upstream_misconfigured: { status: 502 },
  rate_limited: { status: 429, retryable: true, repeat: true },
  upstream_unreachable: { status: 502, retryable: true, repeat: true, trips: true },
  upstream_failed: { status: 502, retryable: true, repeat: true, trips: true },
  upstream_broken: { status: 502, retryable: true, trips: true },
  upstream_timeout: { status: 504, retryable: true, trips: true },
  deadline_exceeded: { status: 504, retryable: true },
  circuit_open: { status: 503, retryable: true },
  busy: { status: 503, retryable: true },
  cancelled: { status: 499 },
  internal: { status: 500 },
};

/** Every code that a caller can see. */
export const CODES = Object.freeze(Object.keys(KINDS));

/** A failure with a code of KINDS; `retryAfterMs` is how long the other side asked us to wait. */
export class Failure extends Error {
  constructor(code, message, { provider, retryAfterMs, repeat } = {}) {
    super(message);
    if (!(code in KINDS)) throw new TypeError(`unknown failure code: ${code}`);
    this.name = 'Failure';
    this.code = code;
    this.provider = provider;
    this.retryAfterMs = retryAfterMs;
    const kind = KINDS[code];
    this.status = kind.status;
    this.retryable = kind.retryable ?? false;
    this.repeat = repeat ?? kind.repeat ?? false;
    this.trips = kind.trips ?? false;
  }

  /** The same failure where trying again would pay for the synthesis twice. */
  final() {
    const { code, message, provider, retryAfterMs } = this;
    return new Failure(code, message, { provider, retryAfterMs, repeat: false });
  }

  /** The JSON body for the caller. */
  body() {
    const { code, message, retryable, provider } = this;
    return { error: { code, message, retryable, ...(provider && { provider }) } };
  }

  /** Whole seconds for Retry-After, or undefined. Rounded up: never earlier than asked. */
  get retryAfter() {
    return this.retryAfterMs === undefined ? undefined : Math.max(1, Math.ceil(this.retryAfterMs / 1000));
  }
}

// What is wrong with our account or settings is not the caller's fault, whatever status it comes with.
const ACCOUNT = new Set(['InvalidApiKey', 'Arrearage', 'AccessDenied', 'Model.AccessDenied', 'AccessDenied.Unpurchased']);

/** The failure for an HTTP answer that is not a success. `message` must already be free of secrets. */
export function fromStatus(status, { provider, code, message, retryAfterMs } = {}) {
  const said = [code, message].filter(Boolean).join(': ');
  const tell = (what) => `${provider} ${what} (HTTP ${status}${said ? `: ${said}` : ''})`;
  if (status === 401 || status === 403 || ACCOUNT.has(code)) {
    // Some APIs repeat the key in this message, so the message stays here.
    const why = `${provider} refused our key or account (HTTP ${status})`;
    return new Failure('upstream_auth', why, { provider });
  }
  if (status === 429) return new Failure('rate_limited', tell('limits our rate'), { provider, retryAfterMs });
  if (status === 408 || status === 504) return new Failure('upstream_timeout', tell('timed out'), { provider });
  if (status >= 500) return new Failure('upstream_failed', tell('failed'), { provider, retryAfterMs });
  if (status === 404 || status === 405) {
    return new Failure('upstream_misconfigured', tell('has no such endpoint or model'), { provider });
  }
  if (status >= 400) return new Failure('upstream_rejected', tell('rejected the request'), { provider });
  return new Failure('upstream_broken', tell('gave an answer that is none'), { provider });
}

const UNREACHABLE = new Set([
  'ECONNREFUSED', 'ECONNRESET', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'EPIPE', 'ETIMEDOUT',
  'UND_ERR_SOCKET', 'UND_ERR_CONNECT_TIMEOUT',
]);
const SLOW = new Set(['UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT']);

/** The failure for an error of the connection; `started` says whether any byte of the answer had come. */
export function fromNetwork(error, { provider, started = false } = {}) {
  const code = error?.code ?? 'unknown';
  if (SLOW.has(code)) return new Failure('upstream_timeout', `${provider} sent nothing in time`, { provider });
  if (started) return new Failure('upstream_broken', `${provider} cut its answer (${code})`, { provider });
  if (UNREACHABLE.has(code)) return new Failure('upstream_unreachable', `${provider} cannot be reached (${code})`, { provider });
  if (/CERT|TLS|SSL|SELF_SIGNED|VERIFY|HOSTNAME_MISMATCH/.test(code)) {
    return new Failure('upstream_misconfigured', `${provider} has no certificate that we trust (${code})`, { provider });
  }
  return new Failure('upstream_broken', `${provider} does not speak HTTP as we know it (${code})`, { provider });
}

// Where the request itself is refused, another provider is not asked: what one refuses to say is not laundered.
const STAYS = new Set(['bad_request', 'unprocessable', 'upstream_rejected', 'deadline_exceeded', 'cancelled', 'internal']);

/** Whether another provider may be asked after this failure. */
export const fallsOver = (failure) => !STAYS.has(failure.code);
