"""What an activation costs in time: measured on a quiet machine, in a process of its own."""
