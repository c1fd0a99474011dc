"""The HTTP layer of the client: address and key, retries, event streams, verified downloads, uploads."""
