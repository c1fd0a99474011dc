"""Bytes: files, behind one small interface. Keys are made by the service, never by users."""
