"""Bytes: files too large for a row's column, behind one small interface. Keys are made by the service, never by users."""
