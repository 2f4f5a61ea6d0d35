"""For operators: metrics, traces, logs, health, the admin API, the LiteLLM plug-in."""
