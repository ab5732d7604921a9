"""Training: TRL's trainers on the studio's rows, in a process of their own."""
