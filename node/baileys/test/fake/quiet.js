/** What libsignal says to the console, private keys among it, is of no use to a test's reader. */
for (const method of ['info', 'warn', 'error']) console[method] = () => {};
