"""What is put on a program's path to hand faults to it. Standard library only: it runs anywhere."""
