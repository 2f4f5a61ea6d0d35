"""The gateway as it runs: one request, a worker, the supervisor of workers."""
