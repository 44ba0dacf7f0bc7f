/**
 * HTTP as this service needs it: routes, a bearer token, JSON bodies with a limit, problems.
 *
 * Requests flow in, answers flow out; what they mean is the routes' matter (`routes.js`). A
 * fault that nobody foresaw is a 500 without its words, which go to the log.
 */

import { createServer } from 'node:http';

import { said, whence } from './log.js';
import { Problem } from './problems.js';
import { sameSecret } from './signing.js';
import { OwnerLost, StoreAway } from './store/store.js';

const MAX_BODY_BYTES = 24 * 1024 * 1024;
const BODY_WITHIN_MS = 60_000;
const MAX_BODIES_BYTES = 96 * 1024 * 1024;

/**
 * @typedef {{status: number, body?: unknown, type?: string, headers?: Record<string, string>}} Answer
 * @typedef {{method: string, path: RegExp, open?: boolean,
 *   answer: (match: string[], body: unknown) => Promise<Answer> | Answer}} Route
 */

/**
 * @param {Route[]} routes
 * @param {{token: string, log: import('./log.js').Log}} options
 */
export function makeServer(routes, { token, log }) {
  let bodiesBytes = 0;

  /** @param {import('node:http').IncomingMessage} request @returns {Promise<unknown>} */
  async function body(request) {
    /** @type {Buffer[]} */
    const chunks = [];
    let bytes = 0;
    try {
      for await (const chunk of request) {
        bytes += chunk.length;
        bodiesBytes += chunk.length;
        if (bytes > MAX_BODY_BYTES) throw new Problem(413, 'too_large', `a body may have ${MAX_BODY_BYTES} bytes`);
        if (bodiesBytes > MAX_BODIES_BYTES) throw new Problem(503, 'busy', 'too many large requests', { retryAfterS: 2 });
        chunks.push(chunk);
      }
    } catch (error) {
      // Whoever left gets no answer.
      throw request.destroyed && !(error instanceof Problem) ? new Problem(400, 'bad_request', 'the body was cut off') : error;
    } finally {
      bodiesBytes -= bytes;
    }
    if (bytes === 0) return undefined;
    try {
      return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks)));
    } catch {
      throw new Problem(400, 'bad_request', 'the body is not JSON in UTF-8');
    }
  }

  /** @param {import('node:http').IncomingMessage} request @returns {Promise<Answer>} */
  async function answered(request) {
    const path = (request.url ?? '/').split('?')[0];
    const here = routes.filter((route) => route.path.test(path));
    if (here.every((route) => !route.open) && !admitted(request)) {
      throw new Problem(401, 'unauthorised', 'a bearer token is needed');
    }
    if (here.length === 0) throw new Problem(404, 'not_found', 'there is no such route');
    const route = here.find(({ method }) => method === request.method);
    if (route === undefined) {
      const allow = here.map(({ method }) => method).join(', ');
      throw new Problem(405, 'bad_request', `${allow} only`, { allow });
    }
    const match = /** @type {RegExpExecArray} */ (route.path.exec(path));
    return route.answer(match.slice(1).map(decodeURIComponent), request.method === 'POST' ? await body(request) : undefined);
  }

  /** @param {import('node:http').IncomingMessage} request */
  function admitted(request) {
    const given = /^Bearer (.+)$/.exec(request.headers.authorization ?? '');
    return given !== null && sameSecret(given[1].trim(), token);
  }

  const server = createServer({ requestTimeout: BODY_WITHIN_MS, keepAliveTimeout: 75_000 }, (request, response) => {
    answered(request)
      .catch((error) => failure(error, log))
      .then(({ status, body: content, type = 'application/json', headers = {} }) => {
        const bytes = content === undefined ? '' : Buffer.isBuffer(content) || typeof content === 'string' ? content : JSON.stringify(content);
        if (status >= 400 && !request.complete) response.setHeader('connection', 'close');
        response.writeHead(status, {
          'content-type': type,
          'content-length': Buffer.byteLength(bytes),
          'cache-control': 'no-store',
          ...headers,
        });
        response.end(bytes);
      })
      .catch((error) => {
        log.warning('An answer could not be sent', { error: said(error) });
        response.destroy();
      });
  });
  return server;
}

/** @param {unknown} error @param {import('./log.js').Log} log @returns {Answer} */
function failure(error, log) {
  let problem;
  if (error instanceof Problem) problem = error;
  else if (error instanceof StoreAway) problem = new Problem(503, 'store_away', 'the store does not answer', { retryAfterS: 3 });
  else if (error instanceof OwnerLost) problem = new Problem(503, 'not_connected', error.message, { retryAfterS: 10 });
  else if (error instanceof URIError) problem = new Problem(404, 'not_found', 'there is no such route');
  else {
    log.error('A request failed', { error: said(error), at: whence(error) });
    problem = new Problem(500, 'internal', 'something went wrong; the log has the details');
  }
  /** @type {Record<string, string>} */
  const headers = problem.retryAfterS === undefined ? {} : { 'retry-after': String(problem.retryAfterS) };
  if (problem.allow !== undefined) headers.allow = problem.allow;
  if (problem.status === 401) headers['www-authenticate'] = 'Bearer';
  return { status: problem.status, body: problem.body(), type: 'application/problem+json', headers };
}
