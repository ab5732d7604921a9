"""Questions asked while a run trains, and what it forgets."""
