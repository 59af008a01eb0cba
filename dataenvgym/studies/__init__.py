"""The machinery of tables over seeds: cells of a grid, where they run, and statistics of their rows."""
