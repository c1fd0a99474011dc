"""What a spec can name: a folder a shelf, a file a part, and beside the folders the base class of each."""
