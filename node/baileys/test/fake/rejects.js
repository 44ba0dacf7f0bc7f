/** A rejection that nobody handles, as the library's timers make them when their socket is gone. */
const timer = setInterval(() => {
  if (process.listenerCount('unhandledRejection') === 0) return;
  clearInterval(timer);
  void Promise.reject(new Error('from\na timer'));
}, 50);
