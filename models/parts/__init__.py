"""The parts that a spec can name. A shelf is a folder and a part is a file. The base classes are beside the folders."""
