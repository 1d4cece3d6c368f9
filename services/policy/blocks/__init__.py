"""What rules are built from (rules.md section 6): each block in a file of its own."""
