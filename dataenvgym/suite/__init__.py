"""The teacher suite: challenges that each ask one ability of a teacher, and what is known of them."""
