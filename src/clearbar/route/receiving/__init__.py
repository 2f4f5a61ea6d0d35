"""Receives OpenTelemetry over HTTP, and keeps of it what tells of calls."""
