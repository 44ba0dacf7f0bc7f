/**
 * The faults that a caller hears of, as RFC 9457 problem details with a code to branch on.
 * The table in README.md ("HTTP") lists them; nothing else becomes an answer.
 */

const TITLES = /** @type {Record<number, string>} */ ({
  400: 'Bad Request',
  401: 'Unauthorized',
  404: 'Not Found',
  405: 'Method Not Allowed',
  409: 'Conflict',
  410: 'Gone',
  413: 'Content Too Large',
  422: 'Unprocessable Content',
  429: 'Too Many Requests',
  500: 'Internal Server Error',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
});

export class Problem extends Error {
  /**
   * @param {number} status
   * @param {string} code
   * @param {string} detail
   * @param {{retryAfterS?: number, allow?: string, more?: Record<string, unknown>}} [extra]
   *   `allow`: with 405, the methods that there are
   */
  constructor(status, code, detail, extra = {}) {
    super(detail);
    this.name = 'Problem';
    this.status = status;
    this.code = code;
    this.retryAfterS = extra.retryAfterS;
    this.allow = extra.allow;
    this.more = extra.more ?? {};
  }

  body() {
    return {
      type: 'about:blank',
      title: TITLES[this.status] ?? 'Error',
      status: this.status,
      detail: this.message,
      code: this.code,
      ...this.more,
    };
  }
}

/** @param {string} detail */
export const badMessage = (detail) => new Problem(422, 'bad_message', detail);

export const gone = () => new Problem(410, 'erased', 'the person of this message was erased: it is not sent, and nothing is known of it');

/** @param {string} code @param {string} detail @param {number} retryAfterS */
export const notNow = (code, detail, retryAfterS) =>
  new Problem(503, code, detail, { retryAfterS: Math.max(1, Math.ceil(retryAfterS)) });
