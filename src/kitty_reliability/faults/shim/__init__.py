"""What is put on a program's path to make its disk misbehave. Standard library only: it runs anywhere."""
