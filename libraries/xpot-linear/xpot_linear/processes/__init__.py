"""Work cut into tasks that worker processes do: they survive from one design to the next."""
