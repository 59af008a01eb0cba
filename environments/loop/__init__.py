"""The closed loop: the episode, and the student's side of a step."""
