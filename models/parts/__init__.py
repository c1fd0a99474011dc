"""The parts that a spec can name. Each shelf is a folder, each part a file; the base classes are beside the folders."""
