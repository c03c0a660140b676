"""What breaks at the worst moment, and what must hold afterwards."""
