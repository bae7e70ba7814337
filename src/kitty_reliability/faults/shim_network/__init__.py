"""What is put on a program's path to keep it on the loopback. Standard library only: it runs anywhere."""
