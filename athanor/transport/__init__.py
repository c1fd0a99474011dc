"""HTTP as the client uses it: the address and key, retries, event streams, checked downloads, uploads."""
