"""What a mission is on disk: typed values and their bytes. Reads and writes, decides nothing."""
