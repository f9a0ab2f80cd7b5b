/** Loaded into every child before its own program: should the runner die without a word (kill -9, a closed terminal), the child ends too. */
const patienceMs = 10_000

if (process.channel !== undefined) {
  process.once('disconnect', () => {
    process.kill(process.pid, 'SIGTERM')
    setTimeout(() => process.kill(process.pid, 'SIGKILL'), patienceMs).unref()
  })
  process.channel.unref()
}
