"""Property tests of the whole API: schemathesis over its OpenAPI document, and arbitrary JSON."""
