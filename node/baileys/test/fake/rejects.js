/** A rejection that nobody handles, as the library's timers make them when their socket is gone. */
setTimeout(() => void Promise.reject(new Error('from\na timer')), 300);
