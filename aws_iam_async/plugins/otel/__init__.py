"""The ``otel`` plugin: OpenTelemetry's spans and metrics."""
