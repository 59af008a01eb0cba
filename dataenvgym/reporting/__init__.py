"""What is made of runs: reports, leaderboards and exported datasets."""
