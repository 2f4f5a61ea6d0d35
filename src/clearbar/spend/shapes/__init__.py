"""Shapes that several sources read: answers, streams, spans, sessions, bills."""
