"""Storage of files behind one small interface. The service makes the keys, never users."""
