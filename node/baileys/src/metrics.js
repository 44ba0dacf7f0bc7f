/** Counters and gauges as Prometheus text. Labels are few and from a fixed set. */

/** @typedef {Record<string, string>} Labels */

const HELP = /** @type {Record<string, [string, string]>} */ ({
  baileys_messages_out_total: ['counter', 'Messages by the status they reached'],
  baileys_messages_in_total: ['counter', 'Messages that came in, by kind'],
  baileys_refused_total: ['counter', 'Requests to send that were refused, by code'],
  baileys_event_posts_total: ['counter', 'Tries to post an event, by result'],
  baileys_closings_total: ['counter', 'Connections to WhatsApp that ended, by code'],
  baileys_watchdog_total: ['counter', 'Sockets that the watchdog closed, by fault'],
  baileys_rejections_total: ['counter', 'Unhandled rejections that were survived'],
  baileys_console_lines_total: ['counter', 'Lines of libraries to the console that were thrown away'],
  baileys_events_waiting: ['gauge', 'Events waiting for the API'],
  baileys_events_dead: ['gauge', 'Events that the API did not take'],
  baileys_session_state: ['gauge', '1 for the state that the session is in'],
  baileys_last_frame_age_seconds: ['gauge', 'Time since the last frame from WhatsApp'],
  baileys_in_flight: ['gauge', 'Messages being sent'],
});

export class Metrics {
  constructor() {
    /** @type {Map<string, Map<string, number>>} */
    this.values = new Map();
  }

  /** @param {string} name @param {Labels} [labels] @param {number} [n] */
  add(name, labels = {}, n = 1) {
    const series = this.series(name);
    const key = rendered(labels);
    series.set(key, (series.get(key) ?? 0) + n);
  }

  /** @param {string} name @param {number} value @param {Labels} [labels] */
  set(name, value, labels = {}) {
    this.series(name).set(rendered(labels), value);
  }

  /** @param {string} name */
  forget(name) {
    this.values.delete(name);
  }

  /** @param {string} name */
  series(name) {
    let series = this.values.get(name);
    if (series === undefined) this.values.set(name, (series = new Map()));
    return series;
  }

  text() {
    const lines = [];
    for (const [name, series] of this.values) {
      const [type, help] = HELP[name] ?? ['untyped', name];
      lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`);
      for (const [labels, value] of series) lines.push(`${name}${labels} ${value}`);
    }
    return `${lines.join('\n')}\n`;
  }
}

/** @param {Labels} labels */
function rendered(labels) {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${value.replace(/["\\\n]/g, '_')}"`);
  return pairs.length > 0 ? `{${pairs.join(',')}}` : '';
}
