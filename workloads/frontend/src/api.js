/** The backend, on this page's own address. */

/** What the backend refused, in its words. */
export class ApiError extends Error {
  constructor(status, code, message) {
    super(message);
    Object.assign(this, { status, code });
  }
}

const AGAIN_MS = 300;

/** A browser fails all that is under way when its network changes; what changes nothing is asked again, once. */
async function ask(url, request) {
  try {
    return await fetch(url, request);
  } catch (error) {
    if (request.method && request.method !== 'GET') throw error;
    await new Promise((go) => setTimeout(go, AGAIN_MS));
    return fetch(url, request);
  }
}

/** @param {{method?: string, json?: object, body?: BodyInit}} options */
export async function api(path, { json, ...options } = {}) {
  const request = json ? { body: JSON.stringify(json), headers: { 'content-type': 'application/json' } } : {};
  const response = await ask(`/api${path}`, { ...request, ...options });
  if (response.status === 204) return undefined;
  const body = await response.json().catch(() => ({}));
  if (response.ok) return body;
  const { code = 'unknown', message = `the server answered ${response.status}` } = body.error ?? {};
  throw new ApiError(response.status, code, message);
}

export const post = (path, json = {}) => api(path, { method: 'POST', json });

/** @param {File} file */
export function upload(project, file) {
  const body = new FormData();
  body.append('file', file, file.name);
  return api(`/projects/${project}/files`, { method: 'POST', body });
}
