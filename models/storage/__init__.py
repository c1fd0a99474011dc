"""Storage of files behind one small interface. The service chooses the keys; users never do."""
